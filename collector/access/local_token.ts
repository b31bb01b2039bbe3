/**
 * What the command line on the collector's machine shows: a secret in data_dir that only the user of the collector
 * may read. It is kept from start to start; who may read data_dir may do all that the collector can anyway.
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = 'local-token';
export const LOCAL_PREFIX = 'fml_';
const FORM = /^fml_[\w-]{43}$/;

/** Undefined: there is none that may be read. */
export function readLocalToken(dataDir: string): string | undefined {
  try {
    const text = readFileSync(join(dataDir, FILE), 'utf8').trim();
    return FORM.test(text) ? text : undefined;
  } catch {
    return undefined;
  }
}

/** Makes it if it is not there. Processes that share the folder agree on one. Throws what the file system says. */
export function ensureLocalToken(dataDir: string): string {
  const known = readLocalToken(dataDir);
  const file = join(dataDir, FILE);
  if (known !== undefined) {
    chmodSync(file, 0o600);
    return known;
  }
  // Hashes of passwords are in the log beside it.
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const own = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(own, `${LOCAL_PREFIX}${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  try {
    // Fails when another process was quicker: its token counts then.
    linkSync(own, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(own, { force: true });
  }
  const made = readLocalToken(dataDir);
  if (made === undefined) throw new Error(`${file} is no token: remove it`);
  return made;
}

export function isSameSecret(a: string, b: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}
