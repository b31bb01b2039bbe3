/** Cursors of paged lists: the sort key of the last row, opaque to the caller. */

import { CollectorError } from '../errors.ts';

export type CursorKey = readonly (string | number)[];

export function encodeCursor(key: CursorKey): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** `form` is an example of the key: the types of its parts must match; numbers are whole. */
export function decodeCursor<K extends CursorKey>(text: string, form: K): K {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    parts = undefined;
  }
  const fits =
    Array.isArray(parts) &&
    parts.length === form.length &&
    parts.every((part, i) => typeof part === typeof form[i] && isWhole(part));
  if (!fits) throw new CollectorError('API_PARAMETER_INVALID', 'cursor is not one of ours');
  return parts as unknown as K;
}

function isWhole(part: unknown): boolean {
  return typeof part !== 'number' || Number.isSafeInteger(part);
}

/** Cuts a result of `limit + 1` rows to a page. */
export function toPage<Row>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => CursorKey,
): { items: Row[]; next: string | null } {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const next = rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null;
  return { items, next };
}
