/** A file is there whole or not at all, also after a power cut. */

import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

const MODE = 0o644;

/** Rejects with what the file system says; then the file is what it was. Who may read it stays as it is. */
export async function writeWhole(file: string, text: string): Promise<void> {
  // Hidden, and without the ending of files that are read.
  const draft = join(dirname(file), `.${basename(file)}.${randomBytes(4).toString('hex')}.new`);
  const known = await stat(file).catch(() => undefined);
  try {
    const handle = await open(draft, 'wx', MODE);
    try {
      if (known !== undefined) await handle.chmod(known.mode & 0o777);
      await handle.writeFile(text, 'utf8');
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(file));
}

/** What was renamed or removed in a folder stays so. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
