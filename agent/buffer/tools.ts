/**
 * What `fms-agent buffer check | repair | export` do. They take the buffer's lock: while an agent runs on
 * the file they throw AGENT_BUFFER_IN_USE. Without a file: AGENT_BUFFER_MISSING. With an encrypted one they
 * want its keys, and else throw AGENT_BUFFER_KEY_* with nothing changed, however damaged the file is.
 */

import { existsSync, statSync } from 'node:fs';
import { decodeChunk } from '../../proto/decode.ts';
import type { ChunkColumns, ChunkFrame, Epoch, Gap } from '../../proto/model.ts';
import { hasValue, SeriesKind } from '../../proto/model.ts';
import { AgentError } from '../errors.ts';
import { walBytesFor } from './bounds.ts';
import { keyIdOf } from './cipher.ts';
import { loadContents, requireFormat } from './contents.ts';
import type { BufferFile } from './database.ts';
import { isDamage, openFile } from './database.ts';
import type { BufferKeys } from './keys.ts';
import { NO_KEYS } from './keys.ts';
import { takeLock } from './lock.ts';
import { readWal, rescueFromWal } from './rescue.ts';
import type { ChunkRow } from './rows.ts';
import { chunkHeadOk, isSealed, toHex } from './rows.ts';
import type { SalvageReport } from './salvage.ts';
import { prepareFolder, replaceWithSalvage } from './salvage.ts';
import type { BufferSeal } from './seal.ts';
import type { Keying } from './settle.ts';
import { refuseForeign, settleFile, settlePages } from './settle.ts';

export interface EpochSummary {
  epoch: Epoch;
  predecessorEpoch: Epoch;
  predecessorLastSeq: number;
  /** Highest seq numbered in this epoch, as far as the buffer knows. */
  lastSeq: number;
  /** Of its chunks that are still here. */
  chunks: number;
  readings: number;
  firstMs: number;
  lastMs: number;
}

export interface BufferCheck {
  path: string;
  /** Nothing is wrong. */
  ok: boolean;
  /** One line each; empty when ok. */
  problems: string[];
  fileBytes: number;
  walBytes: number;
  chunks: number;
  /** Readings and rejects. */
  readings: number;
  badChunks: number;
  epochs: EpochSummary[];
  gaps: Gap[];
  /** Chunks by what they are encrypted with, a key's id or 'none'; the first is what new ones get. */
  keys: { key: string; chunks: number }[];
}

export interface ToolOptions {
  keys?: BufferKeys;
  /** As BufferOptions; for repair, which makes a file that is encrypted throughout. */
  acceptPlain?: boolean;
}

/** As many pages as SQLite allows: the tools do not bound the file. */
const MAX_PAGES = 0xfffffffe;
const PROBLEMS_MAX = 20;
const EXPORT_TEXT_BYTES = 64 * 1024;

/** Reads every page and chunk. Changes nothing but may move the WAL into the file, as any opening does. */
export function checkBuffer(path: string, { keys = NO_KEYS }: ToolOptions = {}): BufferCheck {
  const keying = { keys, acceptPlain: true, path };
  return locked(path, () => {
    const check: BufferCheck = {
      path,
      ok: false,
      problems: [],
      fileBytes: statSync(path).size,
      walBytes: statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0,
      chunks: 0,
      readings: 0,
      badChunks: 0,
      epochs: [],
      gaps: [],
      keys: [],
    };
    const rescued = rescueFromWal(path);
    refuseForeign(rescued, keying);
    const { beyond } = readWal(`${path}-wal`);
    if (beyond > 0 || rescued.length > 0) {
      // Opening it would drop what the agent or a repair can still save.
      const frames = `${beyond} frames follow a damaged one`;
      check.problems.push(`the write-ahead log: ${frames}, ${rescued.length} rows are only in it`);
      return check;
    }
    try {
      withFile(path, (file) => inspect(file, check, keying));
    } catch (error) {
      if (!isDamage(error)) throw error;
      settlePages([], keying);
      check.problems.push(error instanceof Error ? error.message : String(error));
    }
    check.ok = check.problems.length === 0;
    return check;
  });
}

/** Moves all that can be read into a new file, declares the rest, and sets the old file aside. */
export function repairBuffer(path: string, options: ToolOptions = {}): SalvageReport {
  const { keys = NO_KEYS, acceptPlain = true } = options;
  return locked(path, () => {
    const rescued = rescueFromWal(path);
    const { seal, begins } = settlePages(rescued, { keys, acceptPlain, path });
    return replaceWithSalvage({
      path,
      walBytes: walBytesFor(Number.MAX_SAFE_INTEGER),
      maxPages: MAX_PAGES,
      keepBytes: Number.POSITIVE_INFINITY,
      rescued,
      known: undefined,
      seal,
      valuesMayBePlain: begins,
    });
  });
}

export interface ExportResult {
  readings: number;
  rejects: number;
  /** Left out, with all their readings. */
  badChunks: number;
}

/**
 * Writes every reading and reject in the buffer's order, a line each, through `write` (awaited, some
 * 64 KB at a time). Throws AGENT_BUFFER_DAMAGED when the file must be repaired first.
 */
export async function exportBuffer(
  path: string,
  format: 'jsonl' | 'csv',
  write: (text: string) => Promise<void>,
  { keys = NO_KEYS }: ToolOptions = {},
): Promise<ExportResult> {
  requireFile(path);
  const keying = { keys, acceptPlain: true, path };
  const lock = takeLock(path);
  try {
    prepareFolder(path);
    const rescued = rescueFromWal(path);
    refuseForeign(rescued, keying);
    const isTorn = rescued.length > 0 || readWal(`${path}-wal`).beyond > 0;
    if (isTorn) throw damaged(path, 'the write-ahead log');
    const file = openTool(path);
    try {
      requireFormat(file.statements);
      const { seal } = settleFile(file, keying);
      return await exportChunks(file, seal, format, write);
    } finally {
      file.db.close();
    }
  } catch (error) {
    if (!isDamage(error)) throw error;
    settlePages([], keying);
    throw damaged(path, (error as Error).message, error);
  } finally {
    lock.release();
  }
}

function damaged(path: string, detail: string, cause?: unknown): AgentError {
  return new AgentError('AGENT_BUFFER_DAMAGED', `${path}: ${detail}`, { cause });
}

function requireFile(path: string): void {
  if (!existsSync(path) && !existsSync(`${path}.salvage`)) {
    throw new AgentError('AGENT_BUFFER_MISSING', path);
  }
}

function locked<T>(path: string, work: () => T): T {
  requireFile(path);
  const lock = takeLock(path);
  try {
    prepareFolder(path);
    return work();
  } finally {
    lock.release();
  }
}

function openTool(path: string): BufferFile {
  const walBytes = walBytesFor(Number.MAX_SAFE_INTEGER);
  return openFile({ path, walBytes, maxPages: MAX_PAGES });
}

function withFile(path: string, work: (file: BufferFile) => void): void {
  const file = openTool(path);
  try {
    work(file);
  } finally {
    file.db.close();
  }
}

function inspect(file: BufferFile, check: BufferCheck, keying: Keying): void {
  requireFormat(file.statements);
  const { seal, notes } = settleFile(file, keying);
  const chunksByKey = new Map<string, number>();
  if (seal.mark?.on === true) chunksByKey.set(seal.mark.key, 0);
  if (seal.mark !== undefined) check.problems.push(...notes);
  const lines = file.db.pragma(`integrity_check(${PROBLEMS_MAX})`) as { integrity_check: string }[];
  for (const { integrity_check: line } of lines) if (line !== 'ok') check.problems.push(line);
  const contents = loadContents(file.statements, seal);
  check.gaps = contents.gaps.map(({ id: _, ...gap }) => gap);
  const summaries = new Map<Epoch, EpochSummary>();
  for (const { info } of contents.epochs.values()) {
    summaries.set(info.epoch, { ...info, chunks: 0, readings: 0, firstMs: 0, lastMs: 0 });
  }
  for (const row of file.statements.nextChunks.iterate(0)) {
    check.chunks++;
    const key = isSealed(row) ? (keyIdOf(row) ?? 'none') : 'none';
    chunksByKey.set(key, (chunksByKey.get(key) ?? 0) + 1);
    const isReadable = seal.open(row) !== undefined;
    if (!isReadable || !chunkHeadOk(row)) {
      if (!isReadable) check.badChunks++;
      if (check.problems.length < PROBLEMS_MAX) {
        check.problems.push(`chunk ${row.id}: it is not what was written`);
      }
      if (!isReadable) continue;
    }
    check.readings += row.count;
    summarise(summaries, row);
  }
  check.epochs = [...summaries.values()];
  check.keys = [...chunksByKey].map(([key, chunks]) => ({ key, chunks }));
}

function summarise(summaries: Map<Epoch, EpochSummary>, row: ChunkRow): void {
  const epoch = toHex(row.epoch);
  let summary = summaries.get(epoch);
  if (summary === undefined) {
    const predecessorEpoch = '';
    summary = {
      ...{ epoch, predecessorEpoch, predecessorLastSeq: 0, lastSeq: 0 },
      ...{ chunks: 0, readings: 0, firstMs: row.first_ms, lastMs: row.last_ms },
    };
    summaries.set(epoch, summary);
  }
  const isFirst = summary.chunks === 0;
  summary.firstMs = isFirst ? row.first_ms : Math.min(summary.firstMs, row.first_ms);
  summary.lastMs = isFirst ? row.last_ms : Math.max(summary.lastMs, row.last_ms);
  summary.lastSeq = Math.max(summary.lastSeq, row.first_seq + row.count - 1);
  summary.chunks++;
  summary.readings += row.count;
}

async function exportChunks(
  file: BufferFile,
  seal: BufferSeal,
  format: 'jsonl' | 'csv',
  write: (text: string) => Promise<void>,
): Promise<ExportResult> {
  const result: ExportResult = { readings: 0, rejects: 0, badChunks: 0 };
  const lineOf = format === 'csv' ? csvLine : jsonLine;
  let text = format === 'csv' ? `${CSV_COLUMNS.join(',')}\n` : '';
  for (const stored of file.statements.nextChunks.iterate(0)) {
    const row = seal.open(stored);
    const decoded = row === undefined ? undefined : decodeChunk(frameOf(row));
    if (row === undefined || decoded?.ok !== true) {
      result.badChunks++;
      continue;
    }
    result.rejects += decoded.value.rejects.length;
    result.readings += decoded.value.timesMs.length;
    for (const item of itemsOf(toHex(row.epoch), row.first_seq, decoded.value)) {
      text += lineOf(item);
      if (text.length < EXPORT_TEXT_BYTES) continue;
      await write(text);
      text = '';
    }
  }
  if (text !== '') await write(text);
  return result;
}

function frameOf(row: ChunkRow): ChunkFrame {
  return {
    firstSeq: row.first_seq,
    count: row.count,
    firstMs: row.first_ms,
    lastMs: row.last_ms,
    crc32c: row.crc32c,
    bytes: row.bytes,
  };
}

const CSV_COLUMNS = [
  'epoch',
  'seq',
  'kind',
  'device',
  'channel',
  'time_ms',
  'value',
  'quality',
  'detail',
] as const;

type ExportItem = Partial<Record<(typeof CSV_COLUMNS)[number], string | number | boolean | null>>;

function* itemsOf(epoch: Epoch, firstSeq: number, columns: ChunkColumns): Generator<ExportItem> {
  for (const { device, channel, kind, start, count } of columns.series) {
    for (let at = start; at < start + count; at++) {
      const quality = columns.qualities[at]!;
      let value: ExportItem['value'] = null;
      if (hasValue(quality)) {
        const number = columns.numbers[at]!;
        if (kind === SeriesKind.TEXT) value = columns.texts.get(at) ?? '';
        else if (kind === SeriesKind.BOOLEAN) value = number === 1;
        else value = number;
      }
      const time = { time_ms: columns.timesMs[at]! };
      const seq = firstSeq + at;
      yield { epoch, seq, kind: 'reading', device, channel, ...time, value, quality };
    }
  }
  let seq = firstSeq + columns.timesMs.length;
  for (const { device, timeMs, reason, detail } of columns.rejects) {
    const text = `${reason}: ${detail}`;
    yield { epoch, seq: seq++, kind: 'reject', device, time_ms: timeMs, detail: text };
  }
}

function jsonLine(item: ExportItem): string {
  return `${JSON.stringify(item)}\n`;
}

function csvLine(item: ExportItem): string {
  const fields = CSV_COLUMNS.map((column) => {
    const text = String(item[column] ?? '');
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  });
  return `${fields.join(',')}\n`;
}
