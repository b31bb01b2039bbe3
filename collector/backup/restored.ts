/**
 * The mark that a restore leaves in data_dir for the next start of the collector: what was acknowledged
 * since the backup is lost, and the processor must know (recovery.ts).
 */

import { readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from './copy.ts';

const RESTORED_FILE = 'restored.json';

export interface RestoredMark {
  logIdentity: string;
  /** When the backup was made, UTC ms. */
  madeMs: number;
}

/** Undefined when there is none. A mark that cannot be read counts as one of an unknown log. */
export function readRestoredMark(dataDir: string): RestoredMark | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, RESTORED_FILE), 'utf8')) as RestoredMark;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return { logIdentity: '', madeMs: 0 };
  }
}

/** Durable when it resolves. */
export async function writeRestoredMark(dataDir: string, mark: RestoredMark): Promise<void> {
  const file = await open(join(dataDir, RESTORED_FILE), 'w');
  try {
    await file.writeFile(JSON.stringify(mark));
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(dataDir);
}

export async function removeRestoredMark(dataDir: string): Promise<void> {
  await rm(join(dataDir, RESTORED_FILE), { force: true });
  await syncFolder(dataDir);
}
