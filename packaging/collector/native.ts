/** Packages of machine code: which of them is for which machine. */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE } from '../node-binaries.ts';
import type { Architecture } from '../options.ts';
import { runProgram } from '../programs.ts';
import { fetchPackage } from '../registry.ts';

const ROOT = join(import.meta.dirname, '../..');

export interface ModuleFolder {
  /** From the root: node_modules/@chdb/lib-linux-arm64-gnu. */
  folder: string;
  /** Where it lies on this machine. */
  from: string;
}

interface Manifest {
  name: string;
  version: string;
  cpu?: string[];
}

/**
 * The package itself, or, when it is for another processor, its sister: @chdb/lib-linux-x64-gnu has
 * @chdb/lib-linux-arm64-gnu, of the same version. Throws a PackagingError when there is none.
 */
export function forMachine(
  folder: string,
  architecture: Architecture,
  say: (line: string) => void,
): ModuleFolder {
  const own = join(ROOT, folder);
  const manifest = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8')) as Manifest;
  const { name, version, cpu } = manifest;
  if (cpu === undefined || cpu.includes(architecture)) return { folder, from: own };
  const sister = name.replaceAll(/x64|arm64/g, architecture);
  return { folder: folder.replace(name, sister), from: fetched(sister, version, say) };
}

/** Once; the folder of the package in the cache. */
function fetched(name: string, version: string, say: (line: string) => void): string {
  const path = join(CACHE, `${name.replace('/', '-')}-${version}`);
  if (existsSync(path)) return path;
  mkdirSync(CACHE, { recursive: true });
  const work = mkdtempSync(join(CACHE, 'fetching-'));
  try {
    const tarball = fetchPackage(`${name}@${version}`, work, say);
    runProgram('tar', ['-xzf', tarball, '-C', work]);
    // Whole or not at all, also when two of them do this at once.
    renameSync(join(work, 'package'), path);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return path;
}
