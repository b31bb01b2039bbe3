/**
 * A new file out of a damaged one: every row whose CRC is right moves over, what is missing is declared,
 * the damaged file is set aside. Killed at any point, the next start finishes or begins again.
 */

import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Epoch, Gap } from '../../proto/model.ts';
import { GapReason } from '../../proto/model.ts';
import type { DeclaredGap } from '../types.ts';
import { META_FORMAT, OWN_META, writeHoles } from './contents.ts';
import type { BufferFile } from './database.ts';
import { BUFFER_FORMAT, BUFFER_FORMAT_PLAIN, openFile, sqliteCode } from './database.ts';
import type { KnownEpoch } from './epochs.ts';
import { epochOfRow, epochWithoutRow, rowOfEpoch } from './epochs.ts';
import { planGaps } from './gaps.ts';
import { withRestoredHead } from './heads.ts';
import { META_MARK } from './mark.ts';
import type { FoundRow } from './pages.ts';
import { SeqRanges } from './ranges.ts';
import type { ChunkHeadRow, ChunkRow, GapRow, MetaRow } from './rows.ts';
import { chunkHeadOk, fromHex, gapOfRow, gapRowCrc, metaRowCrc, toHex } from './rows.ts';
import { rowsInFile } from './scan.ts';
import type { BufferSeal } from './seal.ts';

export interface SalvageOptions {
  path: string;
  walBytes: number;
  maxPages: number;
  /** Of damaged files set aside, all together; what is over is deleted. */
  keepBytes: number;
  /** Rows saved before the file was opened. */
  rescued: readonly FoundRow[];
  /** Settled for this file: its keys are right. */
  seal: BufferSeal;
  /** Encryption begins with this salvage. */
  valuesMayBePlain: boolean;
  /** What the running agent still knows; it is believed rather than the file. */
  known:
    | {
        epochs: readonly KnownEpoch[];
        gaps: readonly DeclaredGap[];
        /** The oldest chunk; what was before it was delivered or is declared. Undefined: none was left. */
        first: ChunkHeadRow | undefined;
      }
    | undefined;
}

export interface SalvageReport {
  chunks: number;
  readings: number;
  /** Ranges declared as lost. */
  gaps: number;
  /** Where the damaged file is now; '' when it was too large to keep. */
  setAside: string;
  /** The disk had no room for all that could be read. */
  incomplete: boolean;
}

const ROWS_PER_COMMIT = 512;
const SET_ASIDE_MAX = 2;
/** Holes declared one by one; beyond, neighbours are joined. */
const HOLES_MAX = 512;

/** Finishes a salvage that was interrupted between its renames, or removes what an earlier one left. */
export function prepareFolder(path: string): void {
  const fresh = `${path}.salvage`;
  if (existsSync(fresh) && !existsSync(path)) {
    rmSync(`${path}-wal`, { force: true });
    renameSync(fresh, path);
  }
  for (const leftover of [fresh, `${fresh}-wal`, `${fresh}-journal`]) {
    rmSync(leftover, { force: true });
  }
  // Of a mode that the buffer does not use; SQLite would play it back.
  rmSync(`${path}-journal`, { force: true });
}

/** The file must not be open. Throws what a failing disk throws; the damaged file is then still in place. */
export function replaceWithSalvage(options: SalvageOptions): SalvageReport {
  const fresh = `${options.path}.salvage`;
  const file = openFile({ path: fresh, walBytes: options.walBytes, maxPages: options.maxPages });
  let report: SalvageReport;
  try {
    file.db.pragma('synchronous = NORMAL');
    report = new Salvage(file, options).run();
    file.db.pragma('synchronous = FULL');
    file.db.pragma('wal_checkpoint(TRUNCATE)');
  } finally {
    file.db.close();
  }
  const setAside = setDamagedAside(options);
  renameSync(fresh, options.path);
  syncFolder(options.path);
  return { ...report, setAside };
}

class Salvage {
  readonly #file: BufferFile;
  readonly #options: SalvageOptions;
  readonly #epochs = new Map<Epoch, KnownEpoch>();
  readonly #ranges = new Map<Epoch, SeqRanges>();
  readonly #gaps: DeclaredGap[] = [];
  /** Chunks that are right but whose id is not: they go to the end. */
  readonly #displaced: ChunkRow[] = [];
  #chunks = 0;
  #readings = 0;
  #maxId = 0;
  #inTransaction = 0;
  #full = false;

  constructor(file: BufferFile, options: SalvageOptions) {
    this.#file = file;
    this.#options = options;
    for (const epoch of options.known?.epochs ?? []) this.#epochs.set(epoch.info.epoch, epoch);
    this.#gaps.push(...(options.known?.gaps ?? []));
  }

  run(): SalvageReport {
    const { db } = this.#file;
    try {
      db.exec('BEGIN');
      for (const row of this.#options.rescued) this.#take(row);
      for (const row of rowsInFile(this.#options.path)) this.#take(row);
      for (const row of this.#displaced) this.#insert({ ...row, id: this.#maxId + 1 }, undefined);
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      if (sqliteCode(error) !== 'SQLITE_FULL') throw error;
      this.#full = true;
    }
    const gaps = this.#declare();
    return {
      chunks: this.#chunks,
      readings: this.#readings,
      gaps,
      setAside: '',
      incomplete: this.#full,
    };
  }

  #take(found: FoundRow): void {
    const { known, seal } = this.#options;
    if (found.table === 'chunks') {
      const row = seal.open(found.row);
      if (row === undefined) return;
      if (!chunkHeadOk(row)) this.#displaced.push(copyOf(row));
      else if (row.id >= (known?.first?.id ?? 0)) this.#insert(row, found.row);
    } else if (found.table === 'epochs') {
      const epoch = epochOfRow(found.row);
      if (epoch !== undefined && !this.#epochs.has(epoch.info.epoch)) {
        this.#epochs.set(epoch.info.epoch, epoch);
      }
    } else if (found.table === 'gaps') {
      if (known === undefined) this.#gaps.push(gapOfRow(found.row));
    } else if (!OWN_META.has(found.row.key)) this.#takeValue(found.row);
  }

  #takeValue({ id, key, value: stored }: MetaRow): void {
    const { seal, valuesMayBePlain } = this.#options;
    const opened = seal.valueOf(key, stored, valuesMayBePlain);
    if (opened === undefined) return;
    const row = { id, key, value: seal.valueText(key, opened) };
    this.#file.statements.putMeta.run({ ...row, row_crc: metaRowCrc(row) });
  }

  /** `stored`: the same row as it was found, which may go over as it is. */
  #insert(row: ChunkRow, stored: ChunkRow | undefined): void {
    const { seal } = this.#options;
    const epoch = toHex(row.epoch);
    const ranges = this.#ranges.get(epoch) ?? new SeqRanges();
    this.#ranges.set(epoch, ranges);
    if (!ranges.add(row.first_seq, row.first_seq + row.count - 1)) return;
    const taken = this.#file.statements.chunk.get(row.id) !== undefined;
    const id = taken ? this.#maxId + 1 : row.id;
    const isSame = !taken && stored !== undefined && chunkHeadOk(stored) && seal.isCurrent(stored);
    this.#file.statements.insertChunk.run(isSame ? stored : this.#rewritten({ ...row, id }));
    this.#maxId = Math.max(this.#maxId, id);
    this.#chunks++;
    this.#readings += row.count;
    if (++this.#inTransaction < ROWS_PER_COMMIT) return;
    this.#file.db.exec('COMMIT');
    this.#file.db.pragma('wal_checkpoint(PASSIVE)');
    this.#file.db.exec('BEGIN');
    this.#inTransaction = 0;
  }

  #rewritten(row: ChunkRow): ChunkRow {
    return this.#options.seal.seal(chunkHeadOk(row) ? row : withRestoredHead(row, 0));
  }

  /** Epochs, old gaps, and what is missing of each epoch between 1 and its last seq. */
  #declare(): number {
    const { db, statements } = this.#file;
    for (const [epoch, ranges] of this.#ranges) {
      const known = this.#epochs.get(epoch) ?? epochWithoutRow(epoch, '', 0);
      const lastSeq = Math.max(known.info.lastSeq, ranges.last);
      this.#epochs.set(epoch, { ...known, info: { ...known.info, lastSeq } });
    }
    const lost: Gap[] = [];
    for (const known of this.#epochs.values()) {
      const { epoch, lastSeq } = known.info;
      const ranges = this.#ranges.get(epoch) ?? new SeqRanges();
      for (const [from, to] of ranges.missing(
        firstSeqOf(this.#options, known),
        lastSeq,
        HOLES_MAX,
      )) {
        const reason = GapReason.REPAIRED;
        lost.push({ epoch, firstSeq: from, lastSeq: to, firstMs: 0, lastMs: 0, reason });
      }
    }
    const nextGapId = Math.max(0, ...this.#gaps.map((gap) => gap.id)) + 1;
    const plan = planGaps(this.#gaps, new Set(), lost, nextGapId);
    db.transaction(() => {
      for (const gap of plan.rows) statements.putGap.run(rowOfGap(gap));
      const ordered = [...this.#epochs.values()].sort(byAge);
      ordered.forEach((epoch, i) => {
        statements.putEpoch.run(rowOfEpoch({ ...epoch, id: i + 1 }));
      });
      writeHoles(statements);
      this.#writeMark();
    })();
    return lost.length;
  }

  /** All chunks are as new ones are: sealed under the current key, or all without encryption. */
  #writeMark(): void {
    const { statements } = this.#file;
    const { seal } = this.#options;
    const { mark } = seal;
    if (mark === undefined) return;
    const next = { ...mark, n: mark.n + 1, older: [], olderTo: 0, plainTo: 0, scrub: false };
    const values = {
      [META_MARK]: seal.textOf(mark.on ? next : undefined),
      [META_FORMAT]: String(mark.on ? BUFFER_FORMAT : BUFFER_FORMAT_PLAIN),
    };
    let id = Math.max(0, ...statements.meta.all().map((row) => row.id));
    for (const [key, value] of Object.entries(values)) {
      const row = { id: ++id, key, value };
      statements.putMeta.run({ ...row, row_crc: metaRowCrc(row) });
    }
  }
}

/** Where in an epoch losses begin to count: at its first seq, unless the agent knows what is gone. */
function firstSeqOf({ known }: SalvageOptions, { id, info }: KnownEpoch): number {
  if (known === undefined) return 1;
  const { first } = known;
  if (first === undefined) return info.lastSeq + 1;
  if (toHex(first.epoch) === info.epoch) return chunkHeadOk(first) ? first.first_seq : 1;
  const oldest = [...known.epochs].find((epoch) => epoch.info.epoch === toHex(first.epoch));
  return oldest !== undefined && id > 0 && id < oldest.id ? info.lastSeq + 1 : 1;
}

/** Epochs without a row are put last: nothing tells when they were, and the newest row counts. */
function byAge(a: KnownEpoch, b: KnownEpoch): number {
  return (a.id || Number.MAX_SAFE_INTEGER) - (b.id || Number.MAX_SAFE_INTEGER);
}

function rowOfGap(gap: DeclaredGap): GapRow {
  const row = {
    id: gap.id,
    epoch: fromHex(gap.epoch),
    first_seq: gap.firstSeq,
    last_seq: gap.lastSeq,
    first_ms: gap.firstMs,
    last_ms: gap.lastMs,
    reason: gap.reason,
  };
  return { ...row, row_crc: gapRowCrc(row) };
}

function copyOf(row: ChunkRow): ChunkRow {
  return { ...row, epoch: Buffer.from(row.epoch), bytes: Buffer.from(row.bytes) };
}

/** Renames the damaged file to `.damaged-1`, older ones one up, and keeps the lot within its bounds. */
function setDamagedAside({ path, keepBytes }: SalvageOptions): string {
  const name = (n: number) => `${path}.damaged-${n}`;
  rmSync(name(SET_ASIDE_MAX), { force: true });
  rmSync(`${name(SET_ASIDE_MAX)}-wal`, { force: true });
  for (let n = SET_ASIDE_MAX - 1; n >= 1; n--) {
    renameIfThere(name(n), name(n + 1));
    renameIfThere(`${name(n)}-wal`, `${name(n + 1)}-wal`);
  }
  // The file first: without it and with a finished salvage, the next start goes on from here.
  renameIfThere(path, name(1));
  renameIfThere(`${path}-wal`, `${name(1)}-wal`);
  let bytes = 0;
  for (let n = 1; n <= SET_ASIDE_MAX; n++) {
    for (const file of [name(n), `${name(n)}-wal`]) {
      bytes += statSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (bytes > keepBytes) rmSync(file, { force: true });
    }
  }
  return existsSync(name(1)) ? name(1) : '';
}

function renameIfThere(from: string, to: string): void {
  if (existsSync(from)) renameSync(from, to);
}

function syncFolder(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
