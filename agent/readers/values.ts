/** From what a JSON document holds to a channel's value and quality. Pure. */

import { TEXT_BYTES_MAX } from '../../proto/limits.ts';
import { Quality } from '../../proto/model.ts';
import type { SampledValue } from '../types.ts';

export type ChannelType = 'number' | 'string' | 'boolean';

type Converted = Pick<SampledValue, 'value' | 'quality'>;

const NO_VALUE: Converted = { value: null, quality: Quality.NULL };
const WRONG_TYPE: Converted = { value: null, quality: Quality.WRONG_TYPE };

/**
 * Strict: a value of another type than the channel's is WRONG_TYPE, without a value. With `coerce`,
 * numeric text, booleans in number channels, 0, 1, 'true' and 'false' in boolean channels, and anything
 * scalar in string channels are taken. null and undefined are NULL.
 */
export function convertValue(raw: unknown, type: ChannelType, coerce: boolean): Converted {
  if (raw === null || raw === undefined) return NO_VALUE;
  switch (type) {
    case 'number':
      return convertNumber(raw, coerce);
    case 'boolean':
      return convertBoolean(raw, coerce);
    case 'string':
      if (typeof raw === 'string') return convertText(raw);
      return coerce && typeof raw !== 'object' ? convertText(String(raw)) : WRONG_TYPE;
  }
}

/** For channels that nobody described: any scalar is taken as it is. */
export function convertScalar(raw: unknown): Converted {
  switch (typeof raw) {
    case 'number':
      return convertNumber(raw, false);
    case 'boolean':
      return { value: raw, quality: Quality.GOOD };
    case 'string':
      return convertText(raw);
    default:
      return raw === null || raw === undefined ? NO_VALUE : WRONG_TYPE;
  }
}

function convertNumber(raw: unknown, coerce: boolean): Converted {
  if (typeof raw === 'number') {
    return { value: raw, quality: Number.isFinite(raw) ? Quality.GOOD : Quality.NOT_FINITE };
  }
  if (!coerce) return WRONG_TYPE;
  if (typeof raw === 'boolean') return { value: raw ? 1 : 0, quality: Quality.GOOD };
  // Number('') and Number(' ') are 0, and '0x1f' is a number to it: only decimal notation is one here.
  if (typeof raw !== 'string' || !/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(raw)) {
    return WRONG_TYPE;
  }
  return convertNumber(Number(raw), false);
}

function convertBoolean(raw: unknown, coerce: boolean): Converted {
  if (typeof raw === 'boolean') return { value: raw, quality: Quality.GOOD };
  // An object may have a toString that cannot be called.
  if (!coerce || typeof raw === 'object') return WRONG_TYPE;
  const word = String(raw).trim().toLowerCase();
  if (word === 'true' || word === '1') return { value: true, quality: Quality.GOOD };
  if (word === 'false' || word === '0') return { value: false, quality: Quality.GOOD };
  return WRONG_TYPE;
}

/** Text beyond the wire's limit is cut at a whole character and marked. */
export function convertText(raw: string): Converted {
  // A UTF-16 unit is at most three bytes of UTF-8.
  if (raw.length * 3 <= TEXT_BYTES_MAX || Buffer.byteLength(raw) <= TEXT_BYTES_MAX) {
    return { value: raw, quality: Quality.GOOD };
  }
  const target = new Uint8Array(TEXT_BYTES_MAX);
  const { read } = new TextEncoder().encodeInto(raw, target);
  return { value: raw.slice(0, read), quality: Quality.TRUNCATED };
}

/** The value at a dotted path ('data.motors.0.rpm'); a key that holds the whole path goes first. */
export function valueAt(document: unknown, path: string): unknown {
  if (isRecord(document) && Object.hasOwn(document, path)) return document[path];
  let current: unknown = document;
  for (const key of path.split('.')) {
    if (current === null || typeof current !== 'object' || !Object.hasOwn(current, key)) {
      return undefined;
    }
    current = (current as Record<string, unknown>)[key];
  }
  return current;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const EXCERPT_LENGTH_MAX = 80;

/** A value for a message: JSON, cut when long. */
export function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > EXCERPT_LENGTH_MAX ? `${text.slice(0, EXCERPT_LENGTH_MAX)}…` : text;
}
