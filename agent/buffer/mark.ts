/**
 * What the file says of its encryption: a row of `meta`, authenticated by the key. Without it anybody
 * who can write the file could say that rows need not be encrypted. Pure.
 */

import type { KeyObject } from 'node:crypto';
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { BufferKey } from './keys.ts';
import { derivedKey } from './keys.ts';

/** Key of the row in `meta`. */
export const META_MARK = 'encryption';
/** The row's value once encryption was turned off and its last chunk is gone. */
export const NO_MARK = 'off';

export interface Mark {
  /** Grows with each change: of two that are right the later one counts. */
  n: number;
  /** Id of the key that new chunks are sealed with, and this mark. */
  key: string;
  /** False: encryption was turned off, and sealed chunks are still here. */
  on: boolean;
  /** Ids of keys that chunks up to `olderTo` may be sealed with, besides `key`. */
  older: readonly string[];
  olderTo: number;
  /** Chunks up to this id may be without encryption: they were here before it. 0: none. */
  plainTo: number;
  /** Pages may hold remains of readings from before; see scrub in store.ts. */
  scrub: boolean;
}

export type MarkReading =
  | { kind: 'right'; mark: Mark }
  /** Made by a key that is not here, or edited. */
  | { kind: 'foreign'; key: string }
  /** It names a key that is here, and is not what that key made; or it is no mark at all. */
  | { kind: 'wrong' };

const MAC_BYTES = 16;
const ID = /^[0-9a-f]{8}$/;

export function markText(mark: Mark, key: BufferKey): string {
  return JSON.stringify({ ...mark, mac: macOf(mark, key).toString('hex') });
}

/** Throws nothing, whatever the text. */
export function readMark(text: string, keys: readonly BufferKey[]): MarkReading {
  const parsed = parse(text);
  if (parsed === undefined) return { kind: 'wrong' };
  const { mark, mac } = parsed;
  const named = keys.filter(({ id }) => id === mark.key);
  if (named.length === 0) return { kind: 'foreign', key: mark.key };
  const isRight = named.some((key) => timingSafeEqual(macOf(mark, key), mac));
  return isRight ? { kind: 'right', mark } : { kind: 'wrong' };
}

function macOf(mark: Mark, key: BufferKey): Buffer {
  const { n, on, older, olderTo, plainTo, scrub } = mark;
  const said = JSON.stringify([n, mark.key, on, older, olderTo, plainTo, scrub]);
  const derived: KeyObject = derivedKey(key, 'fms buffer mark 1');
  return createHmac('sha256', derived).update(said).digest().subarray(0, MAC_BYTES);
}

function parse(text: string): { mark: Mark; mac: Buffer } | undefined {
  let value: Partial<Record<keyof Mark | 'mac', unknown>>;
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { n, key, on, older, olderTo, plainTo, scrub, mac } = value;
  if (!isCount(n) || !isCount(olderTo) || !isCount(plainTo)) return undefined;
  if (!isId(key) || typeof on !== 'boolean' || typeof scrub !== 'boolean') return undefined;
  if (!Array.isArray(older) || !older.every(isId)) return undefined;
  if (typeof mac !== 'string' || !/^[0-9a-f]{32}$/.test(mac)) return undefined;
  const mark = { n, key, on, older, olderTo, plainTo, scrub };
  return { mark, mac: Buffer.from(mac, 'hex') };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}
