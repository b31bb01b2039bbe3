/** Debian packages, byte for byte the same from the same input. Needs dpkg-deb, which every Debian has. */

import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PackagingError } from './options.ts';
import { findProgram, runProgram } from './programs.ts';
import type { StagedEntry } from './staging.ts';
import { addEntries, stage } from './staging.ts';

export interface DebPackage {
  /** Package, Version, Architecture, Maintainer, Depends, Description… in their order; Installed-Size is added. */
  control: Readonly<Record<string, string>>;
  entries: readonly StagedEntry[];
  /** Absolute paths of entries that dpkg never overwrites when somebody has changed them. */
  conffiles: readonly string[];
  /** Shell scripts: what they say, beginning with `#!/bin/sh`. */
  scripts: Partial<Record<'preinst' | 'postinst' | 'prerm' | 'postrm', string>>;
}

export interface DebOptions {
  /** Folder of the package; it becomes PACKAGE_VERSION_ARCHITECTURE.deb there. */
  out: string;
  /** A folder of this call alone, for the tree; removed afterwards. */
  work: string;
  /** True: compress little. */
  quick: boolean;
  /** xz makes the smallest files; zstd unpacks ten times as fast (Debian 12 and Ubuntu 22.04 know it). Default: xz. */
  compression?: 'xz' | 'zstd';
  epochSeconds: number;
}

/** The path of the package. Throws a PackagingError. */
export function buildDeb(deb: DebPackage, options: DebOptions): string {
  if (findProgram(['dpkg-deb']) === undefined) {
    throw new PackagingError('a .deb needs dpkg-deb: package it on Debian or Ubuntu');
  }
  const { Package: name, Version: version, Architecture: architecture } = deb.control;
  const path = join(options.out, `${name}_${version}_${architecture}.deb`);
  mkdirSync(options.out, { recursive: true });
  try {
    stage(options.work, deb.entries);
    addEntries(options.work, controlEntries(deb, options.work));
    const compression = compressionArguments(options);
    runProgram('dpkg-deb', ['--root-owner-group', ...compression, '--build', options.work, path], {
      env: { ...process.env, SOURCE_DATE_EPOCH: String(options.epochSeconds), LC_ALL: 'C' },
    });
  } finally {
    rmSync(options.work, { recursive: true, force: true });
  }
  return path;
}

function compressionArguments({ quick, compression = 'xz' }: DebOptions): string[] {
  if (compression === 'zstd') return ['-Zzstd', quick ? '-z1' : '-z12'];
  return quick ? ['-Zgzip', '-z1'] : ['-Zxz', '-z9', '-Sextreme'];
}

/** The folder DEBIAN. The other entries are there already, to be weighed. */
function controlEntries(deb: DebPackage, work: string): StagedEntry[] {
  const files = deb.entries.filter((entry) => !('folder' in entry) && !('linkTo' in entry));
  const kibibytes = deb.entries.reduce(
    (sum, entry) =>
      sum + ('folder' in entry ? 1 : Math.ceil(lstatSync(join(work, entry.path)).size / 1024)),
    0,
  );
  const fields = { ...deb.control, 'Installed-Size': String(kibibytes) };
  const { Description, ...first } = fields as Record<string, string>;
  const control = Object.entries({
    ...first,
    ...(Description === undefined ? {} : { Description }),
  });
  const sums = files
    .filter(({ path }) => !deb.conffiles.includes(path))
    .map(({ path }) => `${md5(join(work, path))}  ${path.slice(1)}\n`)
    .sort((a, b) => (a.slice(34) < b.slice(34) ? -1 : 1));
  const text = (name: string, content: string, mode = 0o644): StagedEntry => ({
    path: `/DEBIAN/${name}`,
    mode,
    text: content,
  });
  return [
    text('control', control.map(([key, value]) => `${key}: ${value}\n`).join('')),
    text('md5sums', sums.join('')),
    ...(deb.conffiles.length > 0 ? [text('conffiles', `${deb.conffiles.join('\n')}\n`)] : []),
    ...Object.entries(deb.scripts).map(([name, script]) => text(name, script, 0o755)),
  ];
}

/** Not a matter of security: the format has it, and debsums reads it. */
function md5(path: string): string {
  return createHash('md5').update(readFileSync(path)).digest('hex');
}
