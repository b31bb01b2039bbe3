/** The name of the collector's session at the broker: made once, kept, so that the session is found again. */

import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'outside_broker_client_id';
const CLIENT_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Throws what the file system says when the file can neither be read nor made. */
export function keptClientId(dataDir: string): string {
  const path = join(dataDir, FILE);
  try {
    const kept = readFileSync(path, 'utf8').trim();
    if (CLIENT_ID.test(kept)) return kept;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // 23 characters are what every broker takes.
  const made = `fms-${randomBytes(9).toString('hex')}`;
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(path, `${made}\n`);
  return made;
}
