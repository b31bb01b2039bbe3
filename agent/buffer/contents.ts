/** What the file holds, as far as it is kept in memory: ends of the queue, counts, epochs, gaps, meta. */

import { READINGS_PER_CHUNK_MAX } from '../../proto/limits.ts';
import type { Epoch } from '../../proto/model.ts';
import { AgentError } from '../errors.ts';
import type { DeclaredGap } from '../types.ts';
import type { Statements } from './database.ts';
import { BUFFER_FORMAT, DamagedError } from './database.ts';
import type { KnownEpoch } from './epochs.ts';
import { epochOfRow, epochWithoutRow } from './epochs.ts';
import { META_MARK } from './mark.ts';
import type { MetaRow, SizedHeadRow } from './rows.ts';
import { chunkHeadOk, gapOfRow, gapRowCrc, isName, metaRowCrc, toHex } from './rows.ts';
import type { BufferSeal } from './seal.ts';

export interface Contents {
  /** Oldest and newest row of the queue. */
  first: SizedHeadRow | undefined;
  last: SizedHeadRow | undefined;
  /** Rows, and the readings and rejects in them. */
  chunks: number;
  readings: number;
  /** Ids of deleted chunks are not given again while the process runs. */
  nextId: number;
  epochs: ReadonlyMap<Epoch, KnownEpoch>;
  /** The epoch that was opened last. */
  newest: Epoch | undefined;
  gaps: readonly DeclaredGap[];
  nextGapId: number;
  meta: ReadonlyMap<string, { id: number; value: string }>;
}

export const META_FORMAT = 'format';
/** `chunks readings`: rows missing between the ends of the queue, so that counting needs no scan. */
export const META_HOLES = 'holes';
export const NO_HOLES = '0 0';
/** Kept as they are; all other values are the agent's, and sealed where chunks are. */
export const OWN_META: ReadonlySet<string> = new Set([META_FORMAT, META_HOLES, META_MARK]);

/** Throws AGENT_BUFFER_VERSION for a file that a newer agent wrote. */
export function requireFormat(statements: Statements): void {
  const format = Number(loadMeta(statements.meta.all()).get(META_FORMAT)?.value ?? 0);
  if (format <= BUFFER_FORMAT) return;
  throw new AgentError(
    'AGENT_BUFFER_VERSION',
    `format ${format}, this agent knows ${BUFFER_FORMAT}`,
  );
}

/** Reads the ends of the queue and the small tables: the time does not depend on the backlog. */
export function loadContents(statements: Statements, seal: BufferSeal): Contents {
  const meta = loadMeta(statements.meta.all());
  const first = statements.firstHead.get();
  const last = statements.lastHead.get();
  for (const row of [first, last]) {
    if (row !== undefined && !(Number.isSafeInteger(row.id) && row.id > 0)) {
      throw new DamagedError('a chunk has an impossible id');
    }
  }
  if (first !== undefined && last !== undefined && first.id > last.id) {
    throw new DamagedError('chunks are out of order');
  }
  const gaps = statements.gaps
    .all()
    .filter((row) => isName(row.epoch) && gapRowCrc(row) === row.row_crc)
    .map(gapOfRow);
  const { epochs, newest } = loadEpochs(statements, seal, last, gaps);
  return {
    first,
    last,
    ...countRows(statements, first, last, meta.get(META_HOLES)?.value),
    nextId: (last?.id ?? 0) + 1,
    epochs,
    newest,
    gaps,
    nextGapId: Math.max(0, ...gaps.map((gap) => gap.id)) + 1,
    meta,
  };
}

function loadMeta(rows: readonly MetaRow[]): Contents['meta'] {
  const meta = new Map<string, { id: number; value: string }>();
  for (const row of rows) {
    if (metaRowCrc(row) === row.row_crc) meta.set(row.key, { id: row.id, value: row.value });
  }
  return meta;
}

function countRows(
  statements: Statements,
  first: SizedHeadRow | undefined,
  last: SizedHeadRow | undefined,
  holes: string | undefined,
): { chunks: number; readings: number } {
  if (first === undefined || last === undefined) return { chunks: 0, readings: 0 };
  if (!chunkHeadOk(first) || !chunkHeadOk(last)) return statements.totals.get()!;
  const [holeChunks = 0, holeReadings = 0] = (holes ?? NO_HOLES).split(' ').map(Number);
  const span = spanOf(first, last);
  return { chunks: span.chunks - holeChunks, readings: span.readings - holeReadings };
}

/** Counts all rows and notes how many are missing between the ends. Walks the table: after damage. */
export function writeHoles(statements: Statements): void {
  const totals = statements.totals.get()!;
  const first = statements.firstHead.get();
  const last = statements.lastHead.get();
  if (first === undefined || last === undefined) return;
  const span = spanOf(first, last);
  const rows = statements.meta.all();
  const old = rows.find((row) => row.key === META_HOLES);
  const id = old?.id ?? Math.max(0, ...rows.map((row) => row.id)) + 1;
  const value = `${span.chunks - totals.chunks} ${span.readings - totals.readings}`;
  const row = { id, key: META_HOLES, value };
  statements.putMeta.run({ ...row, row_crc: metaRowCrc(row) });
}

/** Rows and readings between the ends of the queue if nothing between them was deleted. */
export function spanOf(
  first: SizedHeadRow,
  last: SizedHeadRow,
): { chunks: number; readings: number } {
  return {
    chunks: last.id - first.id + 1,
    readings: last.readings_before + last.count - first.readings_before,
  };
}

function loadEpochs(
  statements: Statements,
  seal: BufferSeal,
  last: SizedHeadRow | undefined,
  gaps: readonly DeclaredGap[],
): { epochs: Map<Epoch, KnownEpoch>; newest: Epoch | undefined } {
  const epochs = new Map<Epoch, KnownEpoch>();
  let newest: Epoch | undefined;
  for (const row of statements.epochs.all()) {
    const known = epochOfRow(row);
    if (known === undefined) continue;
    epochs.set(known.info.epoch, known);
    newest = known.info.epoch;
  }
  // The row of the newest epoch is not written with every chunk: its last chunk says how far it got.
  const { end, behind } = trustedEnd(statements, seal, last);
  if (end !== undefined) {
    const epoch = toHex(end.epoch);
    if (!epochs.has(epoch)) {
      epochs.set(epoch, epochWithoutRow(epoch, '', 0));
      newest = epoch;
    }
    raiseLastSeq(epochs, epoch, end.first_seq + end.count - 1);
  }
  // Their numbers are no proof, but without them their loss could not be declared: no more than chunks hold.
  for (const head of behind) {
    const epoch = toHex(head.epoch);
    const known = epochs.get(epoch);
    if (known === undefined || !chunkHeadOk(head)) continue;
    const most = known.info.lastSeq + READINGS_PER_CHUNK_MAX;
    raiseLastSeq(epochs, epoch, Math.min(most, head.first_seq + head.count - 1));
  }
  for (const gap of gaps) {
    if (!epochs.has(gap.epoch)) epochs.set(gap.epoch, epochWithoutRow(gap.epoch, '', 0));
    raiseLastSeq(epochs, gap.epoch, gap.lastSeq);
  }
  return { epochs, newest };
}

/**
 * The newest row that is what was written, and those behind it that are not, oldest first. Without
 * encryption a right CRC is enough; with it the row must open, unless none does.
 */
function trustedEnd(
  statements: Statements,
  seal: BufferSeal,
  last: SizedHeadRow | undefined,
): { end: SizedHeadRow | undefined; behind: SizedHeadRow[] } {
  const opens = (head: SizedHeadRow): boolean => {
    const row = statements.chunk.get(head.id);
    return row !== undefined && seal.open(row) !== undefined;
  };
  const behind: SizedHeadRow[] = [];
  let head = last;
  for (let i = 0; i < 64 && head !== undefined; i++) {
    if (seal.on ? opens(head) : chunkHeadOk(head)) break;
    behind.unshift(head);
    head = statements.headBefore.get(head.id);
  }
  const isFound = head !== undefined && behind.length < 64;
  if (!seal.on) return { end: isFound ? head : undefined, behind: [] };
  return isFound ? { end: head, behind } : { end: behind.findLast(chunkHeadOk), behind: [] };
}

function raiseLastSeq(epochs: Map<Epoch, KnownEpoch>, epoch: Epoch, lastSeq: number): void {
  const known = epochs.get(epoch)!;
  if (known.info.lastSeq >= lastSeq) return;
  epochs.set(epoch, { ...known, info: { ...known.info, lastSeq } });
}
