/** The epochs that the buffer knows: of its chunks, of its gaps, and the newest, which comes before the next. */

import type { Epoch } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import type { EpochInfo } from '../types.ts';
import type { EpochRow } from './rows.ts';
import { epochRowCrc, fromHex, isName, toHex } from './rows.ts';

export interface KnownEpoch {
  /** Row id; 0: known from its chunks only, because the row was lost. */
  id: number;
  info: EpochInfo;
  boot: string;
  openedMs: number;
  /** What the row says of last_seq: less than `info.lastSeq` while a chunk or gap says more. */
  rowLastSeq: number;
}

/** Undefined when the row is not what was written. */
export function epochOfRow(row: EpochRow): KnownEpoch | undefined {
  if (!isName(row.epoch) || !isName(row.boot) || !isName(row.predecessor_epoch)) return undefined;
  if (epochRowCrc(row) !== row.row_crc) return undefined;
  return {
    id: row.id,
    boot: toHex(row.boot),
    openedMs: row.opened_ms,
    rowLastSeq: row.last_seq,
    info: {
      epoch: toHex(row.epoch),
      predecessorEpoch: toHex(row.predecessor_epoch),
      predecessorLastSeq: row.predecessor_last_seq,
      lastSeq: row.last_seq,
    },
  };
}

export function rowOfEpoch(known: KnownEpoch): EpochRow {
  const row = {
    id: known.id,
    epoch: fromHex(known.info.epoch),
    boot: fromHex(known.boot),
    predecessor_epoch: fromHex(known.info.predecessorEpoch),
    predecessor_last_seq: known.info.predecessorLastSeq,
    last_seq: known.info.lastSeq,
    opened_ms: known.openedMs,
  };
  return { ...row, row_crc: epochRowCrc(row) };
}

/** An epoch whose row was lost, as far as one of its chunks tells. */
export function epochWithoutRow(epoch: Epoch, boot: string, lastSeq: number): KnownEpoch {
  const info = { epoch, predecessorEpoch: NO_EPOCH, predecessorLastSeq: 0, lastSeq };
  return { id: 0, boot, openedMs: 0, rowLastSeq: 0, info };
}
