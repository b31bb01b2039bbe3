/**
 * The queue of chunks in its SQLite file: opening, committing, reading, space. All methods are
 * synchronous. A damaged file is salvaged inside and the operation repeated; what still comes out as an
 * exception is a disk that fails or is full.
 */

import type { Epoch, Gap } from '../../proto/model.ts';
import { AgentError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { DeclaredGap, EpochInfo, PendingChunk } from '../types.ts';
import type { Cap } from './bounds.ts';
import { walBytesFor } from './bounds.ts';
import type { CommitResult } from './commit.ts';
import { commitJob } from './commit.ts';
import type { Contents } from './contents.ts';
import { META_HOLES, NO_HOLES } from './contents.ts';
import type { BufferFile } from './database.ts';
import { isDamage } from './database.ts';
import { BufferDisk } from './disk.ts';
import { epochWithoutRow } from './epochs.ts';
import type { BufferKeys } from './keys.ts';
import type { Mark } from './mark.ts';
import type { SealedChunk } from './queue.ts';
import type { ReadLimits } from './reader.ts';
import { readChunks } from './reader.ts';
import type { RecoveryOptions } from './recovery.ts';
import { openSalvaged, openStoreFile } from './recovery.ts';
import { resealStep } from './reseal.ts';
import type { ChunkHeadRow, ChunkRow, SizedHeadRow } from './rows.ts';
import { PAGE_BYTES } from './rows.ts';
import type { BufferSeal } from './seal.ts';
import { withoutPast } from './settle.ts';
import { PendingValues } from './values.ts';

export interface StoreOptions {
  path: string;
  maxBytes: number;
  keys: BufferKeys;
  acceptPlain: boolean;
  log: Log;
}

export interface CommitRequest {
  chunks: readonly SealedChunk[];
  gaps: readonly Gap[];
  epoch: { epoch: Epoch; boot: string; wallMs: number };
  cap: Cap;
  expired: (head: SizedHeadRow) => boolean;
  extraPages: number;
  final: boolean;
}

/** Holes that are remembered as declared; beyond, one may be declared again. */
const DECLARED_HOLES_MAX = 16_384;
/** Free pages kept for the next readings rather than given back. */
const FREE_PAGES_KEPT = 1024;
/** A scrub that failed (a full disk) is tried again after so many turns, of a second each. */
const SCRUB_AGAIN_TURNS = 600;
/** Pages given back in one step, so that a step is short. */
const VACUUM_STEP_PAGES = 256;

export class ChunkStore {
  readonly #recovery: RecoveryOptions;
  readonly #walBytes: number;
  #disk: BufferDisk;
  #bytesWrittenBefore = 0;
  #syncsBefore = 0;
  #file: BufferFile;
  #contents: Contents;
  #seal: BufferSeal;
  /** Delivered or given up, not yet deleted: id → readings. */
  readonly #removed = new Map<number, number>();
  #removedReadings = 0;
  readonly #acknowledgedGaps = new Set<number>();
  /** Gaps found while reading, for the next commit. */
  #foundGaps: Gap[] = [];
  readonly #values = new PendingValues();
  /** Rests of readings from before encryption are looked for no earlier than at this turn. */
  #scrubTurn = 0;
  #turn = 0;
  /** Rows behind rows that vanished without a trace. */
  readonly #declaredHoles = new Set<number>();
  #lastRead: ChunkHeadRow | undefined;
  #corruptChunks = 0;
  #salvages: number;
  #droppedGaps = 0;

  /** Opens, repairs or creates the file. Throws AgentError when folder or disk do not allow it. */
  constructor(options: StoreOptions) {
    this.#walBytes = walBytesFor(options.maxBytes);
    const { path, keys, acceptPlain } = options;
    this.#recovery = { ...options, walBytes: this.#walBytes, keying: { keys, acceptPlain, path } };
    try {
      const opened = openStoreFile(this.#recovery);
      this.#file = opened.file;
      this.#contents = opened.contents;
      this.#seal = opened.settled.seal;
      this.#salvages = opened.salvaged ? 1 : 0;
      for (const note of opened.settled.notes) options.log.warn(`buffer: ${note}`);
      this.#values.takeOver(opened.settled, opened.contents.meta);
    } catch (error) {
      if (error instanceof AgentError) throw error;
      const detail = error instanceof Error ? error.message : String(error);
      throw new AgentError('AGENT_BUFFER_UNUSABLE', `${options.path}: ${detail}`, { cause: error });
    }
    this.#disk = new BufferDisk(this.#file, this.#recovery);
  }

  get contents(): Contents {
    return this.#contents;
  }

  get chunks(): number {
    return this.#contents.chunks - this.#removed.size;
  }

  get readings(): number {
    return this.#contents.readings - this.#removedReadings;
  }

  get corruptChunks(): number {
    return this.#corruptChunks;
  }

  get salvages(): number {
    return this.#salvages;
  }

  get droppedGaps(): number {
    return this.#droppedGaps;
  }

  get bytesWritten(): number {
    return this.#bytesWrittenBefore + this.#disk.bytesWritten;
  }

  get syncs(): number {
    return this.#syncsBefore + this.#disk.syncs;
  }

  /** What the disk holds: pages, used or free, and WAL. */
  get bytes(): number {
    return this.#disk.bytes;
  }

  /** Pages that hold rows. */
  get liveBytes(): number {
    return this.#disk.liveBytes;
  }

  /** Bytes of the cap that the pages may use. */
  pageBytesOf(cap: Cap): number {
    return cap.bytes - Math.max(this.#walBytes, this.#disk.walFileBytes);
  }

  /** Something waits for a commit besides readings. */
  get dirty(): boolean {
    if (this.#foundGaps.length > 0 || this.#acknowledgedGaps.size > 0) return true;
    if (this.#values.changes.size > 0) return true;
    const newest = this.#contents.last?.id;
    return this.#removed.size > 1 || (this.#removed.size === 1 && !this.#removed.has(newest ?? 0));
  }

  get removedCount(): number {
    return this.#removed.size;
  }

  meta(key: string): string | undefined {
    return this.#values.get(key, this.#contents.meta, this.#seal);
  }

  /** Written with the next commit. */
  setMeta(key: string, value: string): void {
    this.#values.set(key, value, this.#contents.meta, this.#seal);
  }

  /** Undefined: nothing here is encrypted. */
  get mark(): Mark | undefined {
    return this.#seal.mark;
  }

  /** Chunks that are not as new ones are: still without encryption, or under an older key. At most. */
  get oldChunks(): number {
    const mark = this.#seal.mark;
    const { first } = this.#contents;
    if (mark === undefined || first === undefined) return 0;
    const to = Math.max(mark.olderTo, mark.plainTo);
    return Math.max(0, Math.min(this.chunks, to - first.id + 1));
  }

  /** Allocates the WAL; after the first commit, which makes it. */
  reserve(): void {
    this.#disk.reserve();
  }

  /** One transaction with synchronous=FULL. Throws when the disk refuses; then nothing has changed. */
  commit(request: CommitRequest): CommitResult {
    const result = this.#repairing(() =>
      commitJob(this.#file, this.#contents, {
        ...request,
        seal: this.#seal,
        gaps: [...this.#foundGaps, ...request.gaps],
        removed: this.#removed,
        acknowledgedGaps: this.#acknowledgedGaps,
        capPages: Math.floor(this.pageBytesOf(request.cap) / PAGE_BYTES),
        capReason: request.cap.reason,
        meta: this.#values.changes,
        allocate: (pages) => this.#disk.allocate(pages),
      }),
    );
    this.#contents = result.contents;
    for (const id of result.deleted) this.#forget(id);
    this.#acknowledgedGaps.clear();
    this.#foundGaps = [];
    this.#values.committed();
    this.#droppedGaps += result.droppedGaps;
    if (result.recount) this.#recount();
    this.#disk.written();
    this.#forgetPast();
    return result;
  }

  /** Chunks behind afterId, checked. Damaged ones are removed and declared with the next commit. */
  next(afterId: number, limits: ReadLimits): PendingChunk[] {
    const result = this.#repairing(() =>
      readChunks(
        {
          statements: this.#file.statements,
          seal: this.#seal,
          epochs: this.#contents.epochs,
          removed: this.#removed,
          previous: this.#lastRead?.id === afterId ? this.#lastRead : undefined,
          holeKnown: (id) => this.#holesOnPurpose() || this.#declaredHoles.has(id),
        },
        afterId,
        limits,
      ),
    );
    for (const [id, readings] of result.bad) {
      this.#remove(id, readings);
      this.#corruptChunks++;
    }
    if (this.#declaredHoles.size >= DECLARED_HOLES_MAX) this.#declaredHoles.clear();
    for (const id of result.holes) this.#declaredHoles.add(id);
    if (result.holes.length > 0) this.#recount();
    this.#foundGaps.push(...result.gaps);
    if (result.last !== undefined) this.#lastRead = headOf(result.last);
    this.#learnEpochs(result.chunks);
    return result.chunks;
  }

  /** The bytes of the chunks that were in the file and are now to be deleted. */
  acknowledge(ids: readonly number[]): number {
    const sorted = [...ids].sort((a, b) => a - b);
    let bytes = 0;
    for (let i = 0; i < sorted.length; ) {
      let end = i;
      while (sorted[end + 1] === sorted[end]! + 1) end++;
      const heads = this.#repairing(() =>
        this.#file.statements.headsIn.all(sorted[i]!, sorted[end]!),
      );
      for (const head of heads) {
        if (this.#removed.has(head.id)) continue;
        this.#remove(head.id, head.count);
        bytes += head.size;
      }
      i = end + 1;
    }
    return bytes;
  }

  gaps(max: number): DeclaredGap[] {
    return this.#contents.gaps.filter((gap) => !this.#acknowledgedGaps.has(gap.id)).slice(0, max);
  }

  acknowledgeGaps(ids: readonly number[]): void {
    const known = new Set(this.#contents.gaps.map((gap) => gap.id));
    for (const id of ids) if (known.has(id)) this.#acknowledgedGaps.add(id);
  }

  epochInfo(epoch: Epoch): EpochInfo | undefined {
    return this.#contents.epochs.get(epoch)?.info;
  }

  /** Undefined: not known. */
  bootOf(epoch: Epoch): string | undefined {
    return this.#contents.epochs.get(epoch)?.boot;
  }

  /** Gives free pages back to the file system, a step at a time. True while there is more to do. */
  vacuumStep(capPages: number): boolean {
    const { all, free } = this.#disk.pages;
    const idle = free > FREE_PAGES_KEPT && free > all / 4;
    const over = all > capPages && free > 0;
    if (!idle && !over && !(this.#mayScrub() && free > 0)) return false;
    this.#repairing(() => this.#disk.vacuumStep(VACUUM_STEP_PAGES));
    return true;
  }

  /**
   * A step of bringing what was here before up to the present encryption: chunks are sealed under the
   * current key; when that is done, what pages still hold of deleted readings goes.
   */
  sealStep(): void {
    this.#turn++;
    // Not before the file says that it is encrypted.
    if (!this.#seal.on || this.#values.hasMark) return;
    if (this.#seal.oldTo > 0) {
      const { contents, mark } = this.#repairing(() =>
        resealStep(this.#file, this.#contents, this.#seal, (pages) => this.#disk.allocate(pages)),
      );
      this.#contents = contents;
      this.#seal.adopt(mark);
      this.#disk.written();
      if (mark.olderTo + mark.plainTo === 0) {
        this.#recovery.log.info('buffer: all chunks are encrypted with the current key');
      }
    } else if (this.#mayScrub() && this.liveBytes <= this.#walBytes) this.#scrub();
  }

  close(): void {
    try {
      this.#disk.checkpoint();
    } finally {
      this.#disk.close();
    }
  }

  #remove(id: number, readings: number): void {
    if (this.#removed.has(id)) return;
    this.#removed.set(id, readings);
    this.#removedReadings += readings;
  }

  #forget(id: number): void {
    this.#removedReadings -= this.#removed.get(id) ?? 0;
    this.#removed.delete(id);
  }

  /** Rows between others were delivered first: a missing row means nothing. */
  #holesOnPurpose(): boolean {
    const holes = this.#contents.meta.get(META_HOLES)?.value ?? NO_HOLES;
    // Fewer than none: rows were counted that have vanished.
    return Number(holes.split(' ')[0]) > 0;
  }

  #recount(): void {
    const totals = this.#repairing(() => this.#file.statements.totals.get()!);
    this.#contents = { ...this.#contents, ...totals };
  }

  /** Chunks of an epoch whose row was lost say how far it got. */
  #learnEpochs(chunks: readonly PendingChunk[]): void {
    const last = chunks.at(-1);
    if (last === undefined) return;
    const known = this.#contents.epochs.get(last.epoch);
    const lastSeq = last.frame.firstSeq + last.frame.count - 1;
    if (known !== undefined && (known.id > 0 || known.info.lastSeq >= lastSeq)) return;
    const epochs = new Map(this.#contents.epochs);
    epochs.set(last.epoch, epochWithoutRow(last.epoch, last.boot, lastSeq));
    this.#contents = { ...this.#contents, epochs };
  }

  /** The last chunk from before is gone. */
  #forgetPast(): void {
    const mark = this.#seal.mark;
    if (mark === undefined || mark.olderTo + mark.plainTo === 0) return;
    const next = withoutPast(mark, this.#contents.first?.id ?? 0);
    if (next.olderTo === mark.olderTo && next.plainTo === mark.plainTo) return;
    const isOver = !next.on && next.olderTo === 0;
    const kept = isOver ? undefined : { ...next, n: next.n + 1 };
    this.#values.setMark(this.#seal, kept);
    this.#seal.adopt(kept);
  }

  #mayScrub(): boolean {
    return (
      this.#seal.mark?.scrub === true && this.#seal.oldTo === 0 && this.#turn >= this.#scrubTurn
    );
  }

  /**
   * Makes the file anew, within the space that the WAL has anyway. Free pages and the slack in others
   * held what was deleted before encryption; what the disk keeps of freed blocks is out of reach.
   */
  #scrub(): void {
    this.#scrubTurn = this.#turn + SCRUB_AGAIN_TURNS;
    this.#repairing(() => this.#disk.remake());
    const mark = this.#seal.mark!;
    const next = { ...mark, n: mark.n + 1, scrub: false };
    this.#values.setMark(this.#seal, next);
    this.#seal.adopt(next);
    this.#recovery.log.info('buffer: nothing from before encryption is left in the file');
  }

  #repairing<T>(operation: () => T): T {
    if (!this.#file.db.open) this.#recover(new Error('an earlier repair did not succeed'));
    try {
      return operation();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#recover(error);
      return operation();
    }
  }

  /** Replaces the file. When that throws (no room for the new one), the next operation tries again. */
  #recover(cause: unknown): void {
    const before = this.#contents;
    if (this.#file.db.open) {
      this.#bytesWrittenBefore += this.#disk.bytesWritten;
      this.#syncsBefore += this.#disk.syncs;
      this.#disk.close();
    }
    const seal = this.#seal;
    const epochs = [...before.epochs.values()];
    const known = { epochs, gaps: before.gaps, first: before.first, seal };
    const opened = openSalvaged(this.#recovery, cause, [], known);
    this.#salvages++;
    this.#file = opened.file;
    this.#disk = new BufferDisk(opened.file, this.#recovery);
    const loaded = opened.contents;
    this.#seal = opened.settled.seal;
    this.#contents = {
      ...loaded,
      nextId: Math.max(before.nextId, loaded.nextId),
      nextGapId: Math.max(before.nextGapId, loaded.nextGapId),
    };
    const { settled } = opened;
    this.#values.restore({ meta: before.meta, seal }, { meta: loaded.meta, settled });
    for (const id of [...this.#removed.keys()]) {
      if (opened.file.statements.headsIn.get(id, id) === undefined) this.#forget(id);
    }
  }
}

/** Without the bytes, which are not to be kept alive. */
function headOf(row: ChunkHeadRow): ChunkHeadRow {
  const { bytes: _, ...head } = row as ChunkRow;
  return head;
}
