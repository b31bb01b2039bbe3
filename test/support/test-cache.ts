/**
 * Where tests keep what they fetch once per machine: in `$FMS_TEST_CACHE`, else `~/.cache/fms-tests`, or in the
 * system's folder for temporary files when that cannot be written.
 */

import { accessSync, constants, mkdirSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** Where it may be; the first that can be written is used. */
export function cacheFolders(): string[] {
  const named = process.env.FMS_TEST_CACHE;
  if (named !== undefined && named !== '') return [named];
  return [join(homedir(), '.cache', 'fms-tests'), join(tmpdir(), `fms-tests-${userInfo().uid}`)];
}

/** Exists afterwards. Throws when none can be written. */
export function writableCache(): string {
  const folder = cacheFolders().find((path) => {
    try {
      mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch {
      return false;
    }
    return isWritable(path);
  });
  if (folder === undefined) throw new Error(`none can be written: ${cacheFolders().join(', ')}`);
  return folder;
}

export function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
