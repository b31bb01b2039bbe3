/** QUARANTINE, in topic quarantine: what must not enter `readings`, and why. */

import type { Epoch } from '../../../proto/model.ts';
import type { QuarantinedReading } from '../../types.ts';
import { decodeJson, encodeJson } from './json.ts';

/** What must not enter `readings`. */
export interface QuarantineEntry {
  site: string;
  gateway: string;
  /** '' when it is a whole payload or chunk. */
  device: string;
  /** A RejectReason, a wire error code in lower case, or one of QuarantineReason. */
  reason: string;
  detail: string;
  timeMs: number;
  receivedMs: number;
  epoch: Epoch;
  /** The seqs [seq, seq + count) that the ledger counts as quarantined through this entry. */
  seq: number;
  /** 0: evidence only (a payload that cannot be read, a second copy of what is stored already). */
  count: number;
  head: Uint8Array;
  /** The reading itself, when a rule sent it here: such an entry can be released. */
  reading?: QuarantinedReading;
}

export const QuarantineReason = {
  /** The payload names another gateway than the one that published it. */
  WRONG_IDENTITY: 'wrong_identity',
  /** Another chunk under seqs that are stored already. */
  IDENTITY_CONFLICT: 'identity_conflict',
  /** Larger than intake takes. */
  OVERSIZED: 'oversized',
  /** A raw record that this version does not know. */
  UNKNOWN_RECORD: 'unknown_record',
  /** A batch with chunks but without an epoch. */
  NO_EPOCH: 'no_epoch',
  /** The reading's time is before the retention. */
  TOO_OLD: 'too_old',
  /** The reading's time is too far ahead. */
  TOO_NEW: 'too_new',
  /** A rule of the profile with the policy quarantine; the detail begins with the finding's code. */
  RULE: 'rule',
} as const;

export function encodeQuarantine(entries: readonly QuarantineEntry[]): Uint8Array {
  return encodeJson(
    entries.map((entry) => ({ ...entry, head: Buffer.from(entry.head).toString('base64') })),
  );
}

/** Throws when the value is not what encodeQuarantine makes. */
export function decodeQuarantine(value: Uint8Array): QuarantineEntry[] {
  const entries = decodeJson(value) as (Omit<QuarantineEntry, 'head'> & { head: string })[];
  return entries.map((entry) => ({ ...entry, head: Buffer.from(entry.head, 'base64') }));
}
