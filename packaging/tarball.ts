/** A .tar.gz, byte for byte the same from the same input. Needs GNU tar. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { gzipSync } from 'node:zlib';
import { runProgram } from './programs.ts';
import type { StagedEntry } from './staging.ts';
import { stage } from './staging.ts';

export interface TarballOptions {
  /** Path of the file to be made, ending in .tar.gz. */
  path: string;
  /** A folder of this call alone; its name is the tarball's folder. Removed afterwards. */
  work: string;
  quick: boolean;
  epochSeconds: number;
}

/** Paths of entries are below the tarball's folder. Answers with the path. Throws a PackagingError. */
export function buildTarball(entries: readonly StagedEntry[], options: TarballOptions): string {
  const { path, work, quick, epochSeconds } = options;
  const plain = path.slice(0, -'.gz'.length);
  stage(work, entries);
  try {
    const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--format=ustar'];
    const where = ['--directory', dirname(work), '--file', plain, basename(work)];
    runProgram('tar', ['--create', `--mtime=@${epochSeconds}`, ...same, ...where]);
    writeFileSync(path, gzipSync(readFileSync(plain), { level: quick ? 1 : 9 }));
  } finally {
    rmSync(work, { recursive: true, force: true });
    rmSync(plain, { force: true });
  }
  return path;
}
