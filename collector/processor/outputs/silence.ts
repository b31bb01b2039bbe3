/** SILENCE, in topic events: what keeps alerts from making messages. */

import type { SilenceValue } from '../../types.ts';
import { decodeJson, encodeJson } from './json.ts';

/** A silence as it stands. */
export interface SilenceEntry extends SilenceValue {
  updatedMs: number;
}

export function encodeSilence(entry: SilenceEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeSilence(value: Uint8Array): SilenceEntry {
  return decodeJson(value) as SilenceEntry;
}
