/** One transaction of the buffer: what goes, what comes, and the new contents if it all succeeded. */

import type { Epoch, Gap } from '../../proto/model.ts';
import { GapReason, NO_EPOCH } from '../../proto/model.ts';
import type { Cap } from './bounds.ts';
import { SEAL_BYTES } from './cipher.ts';
import type { Contents } from './contents.ts';
import { META_HOLES, NO_HOLES, spanOf } from './contents.ts';
import type { BufferFile, Statements } from './database.ts';
import type { KnownEpoch } from './epochs.ts';
import { rowOfEpoch } from './epochs.ts';
import { planGaps } from './gaps.ts';
import { lostBetween, rangeOf } from './lost.ts';
import type { SealedChunk } from './queue.ts';
import type { GapRow, SizedHeadRow } from './rows.ts';
import {
  CHUNK_FLAG_UNSYNCED,
  chunkHeadOk,
  fromHex,
  gapRowCrc,
  metaRowCrc,
  PAGE_BYTES,
  toHex,
} from './rows.ts';
import type { BufferSeal } from './seal.ts';

export interface CommitJob {
  /** How rows are stored. */
  seal: BufferSeal;
  chunks: readonly SealedChunk[];
  /** To be declared: readings never written, damaged chunks. */
  gaps: readonly Gap[];
  /** Chunks delivered or given up, with the readings in each. */
  removed: ReadonlyMap<number, number>;
  acknowledgedGaps: ReadonlySet<number>;
  /** Opened with the first chunk or gap. */
  epoch: { epoch: Epoch; boot: string; wallMs: number };
  capPages: number;
  capReason: Cap['reason'];
  /** The chunk exceeds the age bound. */
  expired: (head: SizedHeadRow) => boolean;
  meta: ReadonlyMap<string, string>;
  /** Evict at least this many pages more than the cap asks for (the disk is full). */
  extraPages: number;
  /** Takes the disk space of so many pages, or throws. */
  allocate: (pages: number) => void;
  /** Also delete the newest chunk if it was removed: at close. */
  final: boolean;
}

export interface CommitResult {
  contents: Contents;
  /** Ids of `removed` that are gone from the file. */
  deleted: ReadonlySet<number>;
  evictedChunks: number;
  evictedReadings: number;
  droppedGaps: number;
  /** A row with damaged bookkeeping went: the counts are no longer sure. */
  recount: boolean;
}

/** Evictions of one transaction, so that its WAL and time stay small; the rest follows. */
const EVICTED_ROWS_MAX = 4096;
const EVICTION_STEP_ROWS = 64;
/** Room for b-tree splits, pointer maps, gap and epoch rows. */
const SPARE_PAGES = 8;
/** A record's header and columns besides the bytes. */
const ROW_BYTES = 100;

interface Working {
  statements: Statements;
  job: CommitJob;
  contents: Contents;
  chunks: number;
  readings: number;
  nextId: number;
  readingsBefore: number;
  epochs: Map<Epoch, KnownEpoch>;
  newest: Epoch | undefined;
  gaps: Gap[];
  deleted: Set<number>;
  evictedChunks: number;
  evictedReadings: number;
  recount: boolean;
}

/** Runs the job in a transaction with synchronous=FULL. Throws what SQLite throws, nothing changed. */
export function commitJob(file: BufferFile, contents: Contents, job: CommitJob): CommitResult {
  const { db } = file;
  db.exec('BEGIN IMMEDIATE');
  try {
    const working = begin(file.statements, contents, job);
    if (job.chunks.length > 0 || job.gaps.some((gap) => gap.epoch === job.epoch.epoch)) {
      openEpoch(working);
    }
    deleteRemoved(working);
    evict(working);
    insertChunks(working);
    const result = finish(working);
    job.allocate(file.statements.pageCount.get()!);
    db.exec('COMMIT');
    return result;
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function begin(statements: Statements, contents: Contents, job: CommitJob): Working {
  const { last } = contents;
  const readingsBefore = last === undefined ? 0 : last.readings_before + last.count;
  return {
    statements,
    job,
    contents,
    chunks: contents.chunks,
    readings: contents.readings,
    nextId: contents.nextId,
    // Only differences matter; starting over after damage keeps them small.
    readingsBefore: Number.isSafeInteger(readingsBefore) ? readingsBefore : 0,
    epochs: new Map(contents.epochs),
    newest: contents.newest,
    gaps: [...job.gaps],
    deleted: new Set(),
    evictedChunks: 0,
    evictedReadings: 0,
    recount: false,
  };
}

function openEpoch(w: Working): void {
  const { epoch, boot, wallMs } = w.job.epoch;
  if ((w.epochs.get(epoch)?.id ?? 0) > 0) return;
  const before = w.newest === undefined ? undefined : w.epochs.get(w.newest);
  if (before !== undefined && before.rowLastSeq < before.info.lastSeq) putEpoch(w, before);
  putEpoch(w, {
    id: 0,
    boot,
    openedMs: wallMs,
    rowLastSeq: 0,
    info: {
      epoch,
      predecessorEpoch: before?.info.epoch ?? NO_EPOCH,
      predecessorLastSeq: before?.info.lastSeq ?? 0,
      lastSeq: 0,
    },
  });
  w.newest = epoch;
}

function putEpoch(w: Working, known: KnownEpoch): void {
  const ids = [...w.epochs.values()].map((other) => other.id);
  const id = known.id > 0 ? known.id : Math.max(0, ...ids) + 1;
  const boot = known.boot === '' ? NO_EPOCH : known.boot;
  const written = { ...known, id, boot, rowLastSeq: known.info.lastSeq };
  w.statements.putEpoch.run(rowOfEpoch(written));
  w.epochs.set(known.info.epoch, written);
}

function deleteRemoved(w: Working): void {
  const { job } = w;
  // The newest chunk stays until another comes: its row says how far the epoch got, so that no other
  // page need be written for that. Killed meanwhile, the agent sends it once more.
  const keep = job.final || job.chunks.length > 0 ? undefined : w.contents.last?.id;
  const ids = [...job.removed.keys()].filter((id) => id !== keep).sort((a, b) => a - b);
  for (let i = 0; i < ids.length; ) {
    let end = i;
    while (ids[end + 1] === ids[end]! + 1) end++;
    w.chunks -= w.statements.deleteRange.run(ids[i]!, ids[end]!).changes;
    i = end + 1;
  }
  for (const id of ids) w.readings -= job.removed.get(id)!;
  w.deleted = new Set(ids);
}

function neededPages(chunks: readonly SealedChunk[]): number {
  let bytes = 0;
  for (const chunk of chunks) bytes += chunk.bytes.length + SEAL_BYTES + ROW_BYTES;
  // A long chunk ends in a page of its own.
  return Math.ceil(bytes / (PAGE_BYTES - 64)) + chunks.length + SPARE_PAGES;
}

function livePages(statements: Statements): number {
  return statements.pageCount.get()! - statements.freelistCount.get()!;
}

/** Oldest first: what is too old, then as much as the cap asks for. */
function evict(w: Working): void {
  const { statements, job } = w;
  const target = Math.min(
    job.capPages - neededPages(job.chunks),
    job.extraPages > 0 ? livePages(statements) - job.extraPages : Number.POSITIVE_INFINITY,
  );
  for (let rows = 0; rows < EVICTED_ROWS_MAX; ) {
    const first = statements.firstHead.get();
    if (first === undefined) return;
    const over = livePages(statements) - target;
    const expired = job.expired(first);
    if (over <= 0 && !expired) return;
    const heads = statements.headsFrom.all(first.id, EVICTION_STEP_ROWS + 1);
    const end = expired
      ? heads.findIndex((head) => !job.expired(head))
      : coveringBytes(heads, over * PAGE_BYTES);
    const count = Math.min(end < 0 ? heads.length : end, EVICTION_STEP_ROWS);
    evictRows(w, heads, count, expired ? GapReason.EVICTED_AGE : job.capReason);
    rows += count;
  }
}

/** How many of the rows hold that many bytes; at least one. */
function coveringBytes(heads: readonly SizedHeadRow[], bytes: number): number {
  let end = 0;
  for (let sum = 0; end < heads.length && sum < bytes; end++) sum += heads[end]!.size + ROW_BYTES;
  return end;
}

function evictRows(
  w: Working,
  heads: readonly SizedHeadRow[],
  end: number,
  reason: Gap['reason'],
): void {
  w.statements.deleteRange.run(heads[0]!.id, heads[end - 1]!.id);
  for (let i = 0; i < end; i++) {
    const head = heads[i]!;
    const removed = w.job.removed.get(head.id);
    const trusted = chunkHeadOk(head);
    w.chunks--;
    w.readings -= removed ?? head.count;
    w.recount ||= !trusted;
    if (removed !== undefined) {
      w.deleted.add(head.id);
      continue;
    }
    w.evictedChunks++;
    if (trusted) w.evictedReadings += head.count;
    w.gaps.push(
      ...(trusted
        ? [{ ...rangeOf(head), reason }]
        : lostBetween(heads[i - 1], head, heads[i + 1], w.epochs)),
    );
  }
}

function insertChunks(w: Working): void {
  for (const chunk of w.job.chunks) {
    const row = w.job.seal.seal({
      id: w.nextId++,
      epoch: fromHex(chunk.epoch),
      first_seq: chunk.firstSeq,
      count: chunk.count,
      first_ms: chunk.firstMs,
      last_ms: chunk.lastMs,
      crc32c: chunk.crc32c,
      sealed_wall_ms: chunk.sealedWallMs,
      sealed_mono_ms: chunk.sealedMonoMs,
      flags: chunk.unsynced ? CHUNK_FLAG_UNSYNCED : 0,
      readings_before: w.readingsBefore,
      bytes: chunk.bytes,
    });
    w.statements.insertChunk.run(row);
    w.readingsBefore += chunk.count;
    w.chunks++;
    w.readings += chunk.count;
  }
}

function finish(w: Working): CommitResult {
  const { statements, job, contents } = w;
  const first = statements.firstHead.get();
  const last = statements.lastHead.get();
  const plan = planGaps(contents.gaps, job.acknowledgedGaps, w.gaps, contents.nextGapId);
  for (const id of plan.removed) statements.deleteGap.run(id);
  for (const { id, epoch, firstSeq, lastSeq, firstMs, lastMs, reason } of plan.added) {
    const row: Omit<GapRow, 'row_crc'> = {
      id,
      epoch: fromHex(epoch),
      first_seq: firstSeq,
      last_seq: lastSeq,
      first_ms: firstMs,
      last_ms: lastMs,
      reason,
    };
    statements.putGap.run({ ...row, row_crc: gapRowCrc(row) });
  }
  noteLastSeq(w, last);
  forgetEpochs(w, first, plan.rows);
  const meta = writeMeta(w, first, last);
  return {
    contents: {
      first,
      last,
      chunks: first === undefined ? 0 : w.chunks,
      readings: first === undefined ? 0 : w.readings,
      nextId: w.nextId,
      epochs: w.epochs,
      newest: w.newest,
      gaps: plan.rows,
      nextGapId: plan.nextId,
      meta,
    },
    deleted: w.deleted,
    evictedChunks: w.evictedChunks,
    evictedReadings: w.evictedReadings,
    droppedGaps: plan.dropped,
    recount: w.recount,
  };
}

/** Raises the newest epoch's last seq, and writes it where neither its row nor its last chunk says it. */
function noteLastSeq(w: Working, last: SizedHeadRow | undefined): void {
  if (w.newest === undefined) return;
  const known = w.epochs.get(w.newest)!;
  const fromChunk =
    last !== undefined && toHex(last.epoch) === w.newest ? last.first_seq + last.count - 1 : 0;
  let lastSeq = Math.max(known.info.lastSeq, fromChunk);
  for (const gap of w.gaps) if (gap.epoch === w.newest) lastSeq = Math.max(lastSeq, gap.lastSeq);
  const changed = { ...known, info: { ...known.info, lastSeq } };
  w.epochs.set(w.newest, changed);
  if (Math.max(known.rowLastSeq, fromChunk) < lastSeq) putEpoch(w, changed);
}

/** Epochs before those of the oldest chunk and of all gaps have nothing left to say; the newest stays. */
function forgetEpochs(w: Working, first: SizedHeadRow | undefined, gaps: readonly Gap[]): void {
  const used = gaps.map((gap) => gap.epoch);
  if (first !== undefined) used.push(toHex(first.epoch));
  if (w.newest !== undefined) used.push(w.newest);
  const ids = used.map((epoch) => w.epochs.get(epoch)?.id ?? 0);
  const oldest = Math.min(...ids);
  if (!Number.isFinite(oldest) || oldest <= 1) return;
  let some = false;
  for (const [epoch, known] of w.epochs) {
    if (known.id >= oldest) continue;
    w.epochs.delete(epoch);
    some = true;
  }
  if (some) w.statements.deleteEpochsBelow.run(oldest);
}

function writeMeta(
  w: Working,
  first: SizedHeadRow | undefined,
  last: SizedHeadRow | undefined,
): Contents['meta'] {
  const changes = new Map(w.job.meta);
  const span = first === undefined || last === undefined ? undefined : spanOf(first, last);
  const holes =
    span === undefined ? NO_HOLES : `${span.chunks - w.chunks} ${span.readings - w.readings}`;
  if (holes !== (w.contents.meta.get(META_HOLES)?.value ?? NO_HOLES))
    changes.set(META_HOLES, holes);
  if (changes.size === 0) return w.contents.meta;
  const meta = new Map(w.contents.meta);
  for (const [key, value] of changes) {
    const id = meta.get(key)?.id ?? Math.max(0, ...[...meta.values()].map((m) => m.id)) + 1;
    const row = { id, key, value };
    w.statements.putMeta.run({ ...row, row_crc: metaRowCrc(row) });
    meta.set(key, { id, value });
  }
  return meta;
}
