import { randomBytes } from 'node:crypto';
import type { Epoch } from './model.ts';
import { NO_EPOCH } from './model.ts';

const HEX = /^[0-9a-f]{16}$/;

/** A new epoch from the system's random source; never NO_EPOCH. */
export function randomEpoch(): Epoch {
  for (;;) {
    const epoch = randomBytes(8).toString('hex');
    if (epoch !== NO_EPOCH) return epoch;
  }
}

/** True for 16 lower-case hex digits (NO_EPOCH included). */
export function isEpoch(s: string): boolean {
  return HEX.test(s);
}
