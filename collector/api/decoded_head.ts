/** What the first bytes of a payload say, where they can be read: JSON, or a message of proto/fms.proto. */

import { decodeBatch } from '../../proto/batch.ts';
import { decodeState } from '../../proto/state.ts';
import type { JsonSchema } from './schemas.ts';
import { object } from './schemas.ts';

const TEXT_CHARS_MAX = 16_384;
const ITEMS_MAX = 50;
const STRING_CHARS_MAX = 500;

export const DECODED: JsonSchema = object(
  {
    format: { enum: ['json', 'batch', 'state'], description: 'batch, state: see proto/fms.proto.' },
    text: { type: 'string', description: 'JSON for people, cut where it is long.' },
  },
  'The head decoded. Null: it is none of those, or only the begin of one.',
);

export interface DecodedHead {
  format: 'json' | 'batch' | 'state';
  text: string;
}

/** Undefined: it can not be read as anything that is known. */
export function decodedHead(head: Uint8Array): DecodedHead | undefined {
  if (head.length === 0) return undefined;
  const json = jsonOf(head);
  if (json !== undefined) return { format: 'json', text: shown(json) };
  const state = decodeState(head);
  if (state.ok && state.value.site !== '') return { format: 'state', text: shown(state.value) };
  const batch = decodeBatch(head);
  if (batch.ok && batch.value.site !== '') return { format: 'batch', text: shown(batch.value) };
  return undefined;
}

/** Undefined: it is none, or a bare number or word, which says no more than the text itself. */
function jsonOf(head: Uint8Array): object | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(head).toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Bytes as their number: they stand beside it in hexadecimal. */
function shown(value: object): string {
  const text = JSON.stringify(
    value,
    (_, part: unknown) => {
      if (part instanceof Uint8Array) return `${part.length} bytes`;
      if (Array.isArray(part) && part.length > ITEMS_MAX)
        return [...part.slice(0, ITEMS_MAX), `… ${part.length - ITEMS_MAX} more`];
      if (typeof part === 'string' && part.length > STRING_CHARS_MAX)
        return `${part.slice(0, STRING_CHARS_MAX)}…`;
      return typeof part === 'bigint' ? String(part) : part;
    },
    2,
  );
  return text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
}
