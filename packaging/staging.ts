/** A tree of files as it will be on the machine where it is installed, made before it is packed. */

import { chmodSync, copyFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Everything belongs to root; what shall not is changed by the package's script. */
export type StagedEntry =
  | { path: string; mode: number; text: string }
  | { path: string; mode: number; bytes: Uint8Array }
  /** A copy of this file. */
  | { path: string; mode: number; from: string }
  | { path: string; linkTo: string }
  | { path: string; mode: number; folder: true };

/** Makes the folder anew with these entries. Paths are absolute, as they will be when installed. */
export function stage(root: string, entries: readonly StagedEntry[]): void {
  rmSync(root, { recursive: true, force: true });
  addEntries(root, entries);
}

/** The same into a folder that may hold others already. */
export function addEntries(root: string, entries: readonly StagedEntry[]): void {
  mkdirSync(dirname(root), { recursive: true });
  makeFolder(root);
  for (const entry of entries) {
    const target = join(root, entry.path);
    makeFolders(root, dirname(entry.path));
    if ('linkTo' in entry) symlinkSync(entry.linkTo, target);
    else {
      if ('folder' in entry) mkdirSync(target, { recursive: true });
      else if ('text' in entry) writeFileSync(target, entry.text);
      else if ('bytes' in entry) writeFileSync(target, entry.bytes);
      else copyFileSync(entry.from, target);
      // Not given to mkdir or write, where the umask would take from it.
      chmodSync(target, entry.mode);
    }
  }
}

/** Those above an entry: 0755, whatever the umask is. Those that are there keep their mode. */
function makeFolders(root: string, path: string): void {
  let folder = root;
  for (const name of path.split('/').filter((part) => part !== '')) {
    folder = join(folder, name);
    makeFolder(folder);
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path);
    chmodSync(path, 0o755);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
