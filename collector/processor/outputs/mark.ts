/** MARK, in topic events: what a person said of an anomaly. */

import type { MarkValue } from '../../types.ts';
import { decodeJson, encodeJson } from './json.ts';

/** What a person said of an anomaly; the newest of an anomaly holds. */
export interface MarkEntry extends MarkValue {
  site: string;
  gateway: string;
  markedMs: number;
}

export function encodeMark(entry: MarkEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeMark(value: Uint8Array): MarkEntry {
  return decodeJson(value) as MarkEntry;
}
