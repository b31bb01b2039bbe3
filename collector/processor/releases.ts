/** A person moves a reading from quarantine to readings: once, and only what a rule sent there. */

import { encodeBatch } from '../../proto/batch.ts';
import {
  NAME_BYTES_MAX,
  SEQ_MAX,
  TEXT_BYTES_MAX,
  TIME_MS_MAX,
  TIME_MS_MIN,
} from '../../proto/limits.ts';
import type { ChunkColumns, Epoch } from '../../proto/model.ts';
import { NO_EPOCH, NO_VALUE_BIT, SeriesKind } from '../../proto/model.ts';
import type { QuarantinedReading, ReleaseValue } from '../types.ts';
import { cutFrames } from './columns.ts';
import type { GatewayBook } from './gateway.ts';
import { EventKind } from './outputs/event.ts';
import { encodeReadings } from './outputs/readings.ts';
import { parseJson } from './parse.ts';
import type { Step } from './step.ts';

const BY_LENGTH_MAX = 256;
const EPOCH = /^[0-9a-f]{16}$/;
const NUMBERS: Record<string, number> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  '-0': -0,
};

/** The key of the record is the gateway's. */
export function processRelease(book: GatewayBook, value: Uint8Array, step: Step): void {
  const release = parseJson<ReleaseValue>(value);
  const epoch = String(release?.epoch ?? '');
  const seq = Number(release?.seq ?? 0);
  const by = String(release?.by ?? '').slice(0, BY_LENGTH_MAX);
  const columns = columnsOf(release?.reading, step.receivedMs);
  const named = EPOCH.test(epoch) && Number.isInteger(seq) && seq >= 1 && seq < SEQ_MAX;
  const account = named && columns !== undefined ? book.find(epoch) : undefined;
  if (columns === undefined || account?.release(seq) !== true) {
    const reason = named && columns !== undefined ? 'not_in_quarantine' : 'malformed';
    const detail = { epoch, seq, by, reason };
    step.event(book, { kind: EventKind.RELEASE_REFUSED, severity: 'warning', detail });
    return;
  }
  putReading(book, { epoch, seq, lastSeq: account.lastSeq }, columns, step);
  const { site, gateway } = book;
  step.release(book, { site, gateway, epoch, seq, by, releasedMs: step.nowMs });
  const [series] = columns.series;
  const detail = { epoch, seq, by, channel: series?.channel ?? '' };
  const device = series?.device ?? '';
  step.event(book, { kind: EventKind.RELEASED, severity: 'info', device, detail });
}

function putReading(
  book: GatewayBook,
  at: { epoch: Epoch; seq: number; lastSeq: number },
  columns: ChunkColumns,
  step: Step,
): void {
  const header = {
    site: book.site,
    gateway: book.gateway,
    epoch: at.epoch,
    predecessorEpoch: NO_EPOCH,
    predecessorLastSeq: 0,
    lastSeq: at.lastSeq,
    sentMs: step.receivedMs,
    installId: '',
    corrections: [],
    gaps: [],
  };
  const envelope = encodeBatch(header, cutFrames(at.epoch, columns, at.seq, 0, 1), 'none');
  step.readings(book, encodeReadings(envelope, step.receivedMs));
  step.stats.readingsTotal++;
}

/** The reading as a chunk's columns; undefined when it is none. */
function columnsOf(reading: unknown, wallMs: number): ChunkColumns | undefined {
  if (typeof reading !== 'object' || reading === null) return undefined;
  const { device, channel, timeMs, value, text, kind, quality } =
    reading as Partial<QuarantinedReading>;
  if (!isName(device) || !isName(channel)) return undefined;
  if (!isInteger(timeMs, TIME_MS_MIN, TIME_MS_MAX) || !isInteger(quality, 0, 255)) return undefined;
  const texts = new Map<number, string>();
  let number = Number.NaN;
  let valued = true;
  if (kind === 'text') {
    valued = typeof text === 'string' && Buffer.byteLength(text) <= TEXT_BYTES_MAX;
    if (valued) texts.set(0, String(text));
  } else {
    const named = typeof value === 'string' ? NUMBERS[value] : value;
    valued = typeof named === 'number';
    if (typeof named === 'number') number = named;
  }
  const isBoolean = kind === 'boolean' && (number === 0 || number === 1);
  const others = isBoolean ? SeriesKind.BOOLEAN : SeriesKind.DOUBLE;
  return {
    clock: { boot: NO_EPOCH, wallMs, monoMs: 0, unsynced: false },
    series: [
      { device, channel, kind: kind === 'text' ? SeriesKind.TEXT : others, start: 0, count: 1 },
    ],
    timesMs: Float64Array.of(timeMs),
    numbers: Float64Array.of(number),
    texts,
    qualities: Uint8Array.of(valued ? quality & ~NO_VALUE_BIT : quality | NO_VALUE_BIT),
    rejects: [],
  };
}

/** The wire takes an empty name, too. */
function isName(name: unknown): name is string {
  return typeof name === 'string' && Buffer.byteLength(name) <= NAME_BYTES_MAX;
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return Number.isInteger(value) && (value as number) >= min && (value as number) <= max;
}
