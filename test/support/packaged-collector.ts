/**
 * The packaged fms-collector, as `npm run package` makes it but compressed less. Built when a source has changed
 * since, else found in .cache/: half a minute against none.
 */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { hashOfSources, PACKAGE_CACHE, PACKAGE_MAIN, runToEnd } from './package-builds.ts';

const CACHE = PACKAGE_CACHE;
const SOURCES = ['collector/**', 'packaging/collector/**'];
const NAME = 'built-collector-';

/** The path of the .deb, for this machine. Needs dpkg-deb. Throws with what the build said. */
export function packagedCollector(): string {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  const folder = join(
    CACHE,
    `${NAME}${architecture}-${hashOfSources(SOURCES, ['collector/web/dist/**'])}`,
  );
  if (!existsSync(folder)) build(folder, architecture);
  const deb = readdirSync(folder).find((name) => name.endsWith('.deb')) ?? '';
  return join(folder, deb);
}

function build(folder: string, architecture: string): void {
  mkdirSync(CACHE, { recursive: true });
  // 220 MB each: those of sources of before are not kept.
  for (const name of readdirSync(CACHE))
    if (name.startsWith(NAME)) rmSync(join(CACHE, name), { recursive: true, force: true });
  const work = mkdtempSync(join(CACHE, 'building-'));
  try {
    runToEnd(process.execPath, [
      PACKAGE_MAIN,
      'collector',
      '--quick',
      '--arch',
      architecture,
      '--out',
      work,
    ]);
    renameSync(work, folder);
  } catch (error) {
    // Another process was quicker with the same.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The same package under another version, in `folder`: its path. Nothing is compressed anew. Needs ar. */
export function asVersion(deb: string, version: string, folder: string): string {
  const work = mkdtempSync(join(folder, 'version-'));
  const control = join(work, 'control');
  mkdirSync(control);
  runToEnd('dpkg-deb', ['--control', deb, control]);
  const file = join(control, 'control');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
  const member = runToEnd('ar', ['t', deb])
    .split('\n')
    .find((name) => name.startsWith('control.tar'));
  const ending = member?.split('.').at(-1) === 'zst' ? '--zstd' : '--auto-compress';
  runToEnd('tar', [
    ending,
    '-cf',
    join(work, member ?? ''),
    '--owner=0',
    '--group=0',
    '-C',
    control,
    '.',
  ]);
  const path = join(work, `version-${version}.deb`);
  runToEnd('cp', [deb, path]);
  runToEnd('ar', ['r', path, join(work, member ?? '')]);
  return path;
}
