/** Compares what the log holds with the tables, and inserts what is missing. */

import { randomUUID } from 'node:crypto';
import type { Pass } from './store.ts';
import type { BatchPort } from './writer_batch.ts';

/** Of the records [from, to), rows that should be there. */
export async function isSomeMissing(port: BatchPort, from: number, to: number): Promise<boolean> {
  const nowMs = Date.now();
  for (let at = from; at < to; ) {
    const batch = await port.gather(at, to);
    if (await port.isMissingSome(batch, nowMs)) return true;
    at = batch.to;
  }
  return false;
}

/**
 * The rows of the records between the ascending `bounds`, one stretch after the other, each inserted inside
 * `guard`; answers how many were missing.
 */
export async function insertMissing(
  port: BatchPort,
  pass: Pass,
  bounds: readonly number[],
  guard: (insert: () => Promise<number>) => Promise<number>,
): Promise<number> {
  let rows = 0;
  for (const [i, to] of bounds.entries()) {
    for (let at = bounds[i - 1] ?? to; at < to; ) {
      const batch = await port.gather(at, to);
      rows += await guard(() => port.insert(batch, pass, `heal ${randomUUID()}`, true));
      at = batch.to;
    }
  }
  return rows;
}
