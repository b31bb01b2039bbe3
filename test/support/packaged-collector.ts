/**
 * The packaged fms-collector, as `npm run package` makes it but compressed less. Built when a source has changed
 * since, else found in .cache/: half a minute against none.
 */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');
const CACHE = join(ROOT, '.cache/packaging');
const NAME = 'built-collector-';

/** The path of the .deb, for this machine. Needs dpkg-deb. Throws with what the build said. */
export function packagedCollector(): string {
  const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';
  const folder = join(CACHE, `${NAME}${architecture}-${hashOfSources()}`);
  if (!existsSync(folder)) build(folder, architecture);
  const deb = readdirSync(folder).find((name) => name.endsWith('.deb')) ?? '';
  return join(folder, deb);
}

function hashOfSources(): string {
  const patterns = ['collector/**', 'proto/**', 'packaging/collector/**', 'packaging/*.ts'];
  const files = globSync([...patterns, 'package-lock.json', 'LICENSE'], {
    cwd: ROOT,
    exclude: ['collector/web/dist/**'],
  }).sort();
  const hash = createHash('sha256');
  for (const file of files) {
    const path = join(ROOT, file);
    if (statSync(path).isFile()) hash.update(`${file}\0`).update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

function build(folder: string, architecture: string): void {
  mkdirSync(CACHE, { recursive: true });
  // 220 MB each: those of sources of before are not kept.
  for (const name of readdirSync(CACHE))
    if (name.startsWith(NAME)) rmSync(join(CACHE, name), { recursive: true, force: true });
  const work = mkdtempSync(join(CACHE, 'building-'));
  try {
    const main = join(ROOT, 'packaging/main.ts');
    run(process.execPath, [main, 'collector', '--quick', '--arch', architecture, '--out', work]);
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
  run('dpkg-deb', ['--control', deb, control]);
  const file = join(control, 'control');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/^Version: .*$/m, `Version: ${version}`));
  const member = run('ar', ['t', deb])
    .split('\n')
    .find((name) => name.startsWith('control.tar'));
  const ending = member?.split('.').at(-1) === 'zst' ? '--zstd' : '--auto-compress';
  run('tar', [
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
  run('cp', [deb, path]);
  run('ar', ['r', path, join(work, member ?? '')]);
  return path;
}

function run(program: string, args: readonly string[]): string {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? status}\n${stdout}${stderr}`);
}
