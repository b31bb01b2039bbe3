/** Ids that follow from what they name: the same in every replay. */

import { createHash } from 'node:crypto';

/** 16 hex digits. */
export function idOf(...parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}
