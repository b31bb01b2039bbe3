/** `npm run package -- collector`: fms-collector for servers without containers, as a .deb for each architecture. */

import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDeb } from '../deb.ts';
import { CACHE, nodeBinary, nodeVersion, stripSymbols } from '../node-binaries.ts';
import type { Architecture, PackageOptions } from '../options.ts';
import { DEBIAN_ARCHITECTURES, debianVersion, PackagingError } from '../options.ts';
import { NoSuchPackage } from '../registry.ts';
import { billOfMaterials } from '../sbom.ts';
import type { StagedEntry } from '../staging.ts';
import { debEntries, MAINTAINER, text } from './contents.ts';
import { collectorModules } from './modules.ts';
import { forMachine } from './native.ts';

const ROOT = join(import.meta.dirname, '../..');

const DESCRIPTION = `takes in, stores and shows what gateways of factories read
 Readings come by MQTT with mutual TLS. Every one is accounted for, stored in an
 embedded ClickHouse engine, and shown on pages of its own and in Grafana.`;

/** The paths of what it made. Throws a PackagingError. */
export async function packageCollector(options: PackageOptions): Promise<string[]> {
  if (!existsSync(join(ROOT, 'collector/web/dist/index.html'))) {
    throw new PackagingError('the pages are not built: npm run build:web');
  }
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'collector-'));
  try {
    const folders = await collectorModules();
    const files = options.architectures.flatMap((architecture) =>
      packIfPossible(architecture, folders, work, options),
    );
    if (files.length > 0) return files;
    throw new PackagingError('fms-collector can be packaged for none of these machines');
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A machine for which an addon is not made is left out, loudly; others are not to wait for it. */
function packIfPossible(
  architecture: Architecture,
  folders: readonly string[],
  work: string,
  options: PackageOptions,
): string[] {
  try {
    return pack(architecture, folders, work, options);
  } catch (error) {
    if (!(error instanceof NoSuchPackage)) throw error;
    options.say(`fms-collector for linux-${architecture} IS NOT MADE: ${error.message}`);
    return [];
  }
}

function pack(
  architecture: Architecture,
  folders: readonly string[],
  work: string,
  options: PackageOptions,
): string[] {
  const { version, out, quick, epochSeconds, say } = options;
  say(`fms-collector ${version} for linux-${architecture}`);
  const modules = folders.map((folder) => forMachine(folder, architecture, say));
  const bill = billOfMaterials({
    name: 'fms-collector',
    version,
    nodeVersion: nodeVersion(),
    epochSeconds,
    packageFolders: modules.map(({ folder }) => folder),
  });
  const billPath = join(out, `fms-collector-${version}-${architecture}.cdx.json`);
  writeFileSync(billPath, bill);
  const entries = withoutSymbols(
    debEntries({
      architecture,
      version,
      debianVersion: debianVersion(version),
      epochSeconds,
      node: nodeBinary(architecture, say),
      modules,
      bill,
    }),
    architecture,
    join(work, architecture),
  );
  const scripts = { postinst: text('postinst'), prerm: text('prerm'), postrm: text('postrm') };
  const deb = buildDeb(
    { control: control(version, architecture), entries, conffiles: [], scripts },
    // xz would save 15 %, and take half a minute to unpack.
    { out, work: join(work, 'deb'), quick, epochSeconds, compression: 'zstd' },
  );
  return [deb, billPath];
}

/** Addons as node loads them, without what only debuggers need. `folder` gets them. */
function withoutSymbols(
  entries: readonly StagedEntry[],
  architecture: Architecture,
  folder: string,
): StagedEntry[] {
  mkdirSync(folder, { recursive: true });
  return entries.map((entry, i) => {
    if (!('from' in entry) || !entry.path.endsWith('.node')) return entry;
    const from = join(folder, `${i}.node`);
    copyFileSync(entry.from, from);
    stripSymbols(from, architecture);
    return { ...entry, from };
  });
}

function control(version: string, architecture: Architecture): Record<string, string> {
  return {
    Package: 'fms-collector',
    Version: debianVersion(version),
    Architecture: DEBIAN_ARCHITECTURES[architecture],
    Maintainer: MAINTAINER,
    Section: 'net',
    Priority: 'optional',
    // What every Debian 12 and Ubuntu 22.04 has, so that dpkg -i needs no network.
    Depends: 'libc6 (>= 2.34), libgcc-s1, libstdc++6 (>= 11), passwd',
    Description: DESCRIPTION,
  };
}
