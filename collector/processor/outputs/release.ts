/** RELEASE, in topic events: a reading left quarantine for `readings`. */

import type { Epoch } from '../../../proto/model.ts';
import { decodeJson, encodeJson } from './json.ts';

/** A reading that left quarantine. */
export interface ReleaseEntry {
  site: string;
  gateway: string;
  epoch: Epoch;
  seq: number;
  by: string;
  releasedMs: number;
}

export function encodeRelease(entry: ReleaseEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeRelease(value: Uint8Array): ReleaseEntry {
  return decodeJson(value) as ReleaseEntry;
}
