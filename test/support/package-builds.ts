/** What the packaged programs of tests are kept by, and how they are built (packaged.ts, packaged-collector.ts). */

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { globSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

export const PACKAGE_CACHE = join(ROOT, '.cache/packaging');
export const PACKAGE_MAIN = join(ROOT, 'packaging/main.ts');

/** 16 hex digits over the files of these patterns, and over what both packages are made of. */
export function hashOfSources(
  patterns: readonly string[],
  exclude: readonly string[] = [],
): string {
  const all = [...patterns, 'proto/**', 'packaging/*', 'package-lock.json', 'LICENSE'];
  const hash = createHash('sha256');
  for (const file of globSync(all, { cwd: ROOT, exclude: [...exclude] }).sort()) {
    const path = join(ROOT, file);
    if (statSync(path).isFile()) hash.update(`${file}\0`).update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

/** Its standard output. Throws with all that it said when it fails. */
export function runToEnd(program: string, args: readonly string[]): string {
  const { status, error, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? status}\n${stdout}${stderr}`);
}
