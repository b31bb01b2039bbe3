/** Packages of the npm registry that `npm ci` on this machine does not install: those for another machine. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PackagingError } from './options.ts';
import { runProgram } from './programs.ts';

interface Packed {
  filename: string;
}

/**
 * Fetches NAME@VERSION into the folder, through the registry that npm is configured for, and compares it with
 * what that says of it. Answers with the path of the .tgz. Throws a PackagingError.
 */
export function fetchPackage(spec: string, folder: string, say: (line: string) => void): string {
  say(`fetching ${spec}`);
  const packed = runProgram('npm', ['pack', spec, '--json', '--pack-destination', folder], {
    cwd: folder,
  });
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
