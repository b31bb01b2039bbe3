/** Packages of the npm registry that `npm ci` on this machine does not install: those for another machine. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PackagingError } from './options.ts';
import { runProgram } from './programs.ts';

/** The registry does not have it, which no second try changes. */
export class NoSuchPackage extends PackagingError {}

interface Packed {
  filename: string;
}

/**
 * Fetches NAME@VERSION into the folder, through the registry that npm is configured for, and compares it with
 * what that says of it. Answers with the path of the .tgz. Throws a PackagingError, NoSuchPackage among them.
 */
export function fetchPackage(spec: string, folder: string, say: (line: string) => void): string {
  say(`fetching ${spec}`);
  const packed = packInto(folder, spec);
  const tarball = join(folder, (JSON.parse(packed) as Packed[])[0]!.filename);
  const integrity = runProgram('npm', ['view', spec, 'dist.integrity'], { cwd: folder }).trim();
  const [algorithm = '', expected = ''] = integrity.split('-', 2);
  const found =
    algorithm === 'sha512'
      ? createHash(algorithm).update(readFileSync(tarball)).digest('base64')
      : undefined;
  if (found !== expected) {
    throw new PackagingError(`${spec} is not what the registry says: ${integrity}, not ${found}`);
  }
  return tarball;
}

function packInto(folder: string, spec: string): string {
  const args = ['pack', spec, '--json', '--pack-destination', folder];
  try {
    return runProgram('npm', args, { cwd: folder });
  } catch (error) {
    if (!(error instanceof PackagingError) || !/\bE404\b/.test(error.message)) throw error;
    throw new NoSuchPackage(`the registry has no ${spec}`, { cause: error });
  }
}
