/** A real buffer in a temporary folder, on clocks and a disk that a test bends. */

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BufferOptions, SqliteBuffer } from '../../agent/buffer/buffer.ts';
import { openBuffer } from '../../agent/buffer/buffer.ts';
import type { BufferKeys } from '../../agent/buffer/keys.ts';
import { bufferKey, NO_KEYS } from '../../agent/buffer/keys.ts';
import type { Log } from '../../agent/log.ts';
import type { ClockState, PendingChunk } from '../../agent/types.ts';
import { readingAt } from '../../proto/chunk.ts';
import { decodeChunk } from '../../proto/decode.ts';
import type { Reading, Reject } from '../../proto/model.ts';
import { Quality, RejectReason } from '../../proto/model.ts';

export const BOOT = '00000000000000b1';
export const ALL = { maxBytes: 1e9, maxReadings: 1e9, maxChunks: 10_000 };

/** Keys that encrypt, made of a number each; the first is the current one. */
export function keysOf(...numbers: readonly number[]): BufferKeys {
  const keys = numbers.map((number) =>
    bufferKey(Uint8Array.from({ length: 32 }, (_, i) => (number * 37 + i * 7) % 256)),
  );
  return { ...NO_KEYS, keys, encrypt: true };
}

const modes = ['plain', 'encrypted', 'mixed'] as const;
type Mode = (typeof modes)[number];

/** What `openIn` opens with; mixed: a new file without keys, an old one with them. */
let mode: Mode = 'plain';

export function modeInUse(folder?: string): { mode: Mode; keys: BufferKeys } {
  const files = folder === undefined ? [] : [fileIn(folder), `${fileIn(folder)}-wal`];
  const isNew = folder !== undefined && !files.some((file) => existsSync(file));
  const isPlain = mode === 'plain' || (mode === 'mixed' && isNew);
  return { mode, keys: isPlain ? NO_KEYS : keysOf(1) };
}

/** For suites that run in either mode: the one that FMS_BUFFER_MODE says, else `fallback`, said aloud. */
export function chooseMode(
  t: { comment: (text: string) => void },
  fallback: Mode = modes[Math.floor(Math.random() * modes.length)]!,
): void {
  mode = modes.find((known) => known === process.env.FMS_BUFFER_MODE) ?? fallback;
  t.comment(`FMS_BUFFER_MODE=${mode}`);
}

export interface BentWorld {
  wallMs: number;
  monoMs: number;
  state: ClockState;
  freeBytes: number;
  /** What the buffer logged at warn and error. */
  lines: string[];
}

export function bentWorld(): BentWorld {
  return {
    wallMs: Date.UTC(2026, 5, 1),
    monoMs: 1_000_000,
    state: { boot: BOOT, unsynced: false, lastStepMs: 0, stepsTotal: 0, corrections: [] },
    freeBytes: 1e12,
    lines: [],
  };
}

export function logInto(lines: string[]): Log {
  const note = (message: string, fields?: object): void => {
    lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  return { debug() {}, info() {}, warn: note, error: note };
}

/** A folder in memory where there is one: for tests with hundreds of commits or buffers. */
export function memoryFolder(t: { teardown: (end: () => void) => void }): string {
  const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const folder = mkdtempSync(join(base, 'fms-buffer-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function fileIn(folder: string): string {
  return join(folder, 'buffer.sqlite');
}

/** A commit interval so long that only flush() and full chunks commit. */
export function openIn(
  folder: string,
  world: BentWorld = bentWorld(),
  overrides: Partial<BufferOptions> = {},
): SqliteBuffer {
  return openBuffer({
    path: fileIn(folder),
    commitIntervalMs: 10_000,
    maxBytes: 64 * 1024 * 1024,
    maxAgeMs: 30 * 24 * 3600 * 1000,
    minFreeBytes: 0,
    clock: { wallMs: () => world.wallMs, monoMs: () => world.monoMs },
    clockState: () => world.state,
    log: logInto(world.lines),
    keys: modeInUse(folder).keys,
    freeBytes: () => world.freeBytes,
    ...overrides,
  });
}

/** Readings whose values count up from `from`, so that each can be told from all others. */
export function numbered(from: number, count: number, timeMs = 1_780_000_000_000): Reading[] {
  return Array.from({ length: count }, (_, i) => ({
    device: 'D01',
    channel: 'n',
    timeMs: timeMs + from + i,
    value: from + i,
    quality: Quality.GOOD,
  }));
}

export function rejectAt(timeMs: number, detail = 'not JSON'): Reject {
  return { timeMs, device: 'D01', reason: RejectReason.GARBAGE, detail, head: Buffer.from('<') };
}

/** Everything behind `afterId`, however many calls it takes. */
export function drain(buffer: SqliteBuffer, afterId = 0): PendingChunk[] {
  const chunks: PendingChunk[] = [];
  for (let position = afterId; ; ) {
    const part = buffer.next(position, ALL);
    if (part.length === 0) return chunks;
    position = part.at(-1)!.id;
    for (const chunk of part) chunks.push(chunk);
  }
}

/** The values of numbered() readings in a chunk, by seq. Throws when it does not decode. */
export function valuesOf(chunk: PendingChunk): Map<number, number> {
  const decoded = decodeChunk(chunk.frame);
  if (!decoded.ok) throw decoded.error;
  const values = new Map<number, number>();
  for (const series of decoded.value.series) {
    for (let i = 0; i < series.count; i++) {
      const reading = readingAt(decoded.value, series, i);
      values.set(chunk.frame.firstSeq + series.start + i, reading.value as number);
    }
  }
  return values;
}
