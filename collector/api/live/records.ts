/**
 * Opens a record of the log's readings topic for views and streams. Pure. Only the newest reading of a
 * series is looked at here; the others become objects when a stream asks for them.
 */

import { decodeChunk } from '../../../proto/decode.ts';
import type { ChunkColumns, ChunkFrame, Series } from '../../../proto/model.ts';
import { hasValue, SeriesKind } from '../../../proto/model.ts';
import { Treatment } from '../../findings.ts';
import type { LogRecord } from '../../log/log.ts';
import type { Annotation } from '../../processor/outputs/readings.ts';
import { decodeReadings } from '../../processor/outputs/readings.ts';

export interface LiveReading {
  timeMs: number;
  /** After the rules. */
  value: number | string | null;
  quality: number;
  /** collector/findings.ts: Treatment, and bits of findings. */
  treatment: number;
  findings: number;
}

/** Readings of one channel in one record. */
export interface LiveSeries {
  channel: string;
  kind: 'number' | 'boolean' | 'text';
  /** Decimals of a scaled integer; null for doubles and text. */
  decimals: number | null;
  count: number;
  /** The one with the highest time. */
  newest: LiveReading;
  /** In the order in which they were read; of many the last READINGS_SHOWN_MAX. Made at each call. */
  readings(): LiveReading[];
}

export interface LiveDevice {
  device: string;
  series: LiveSeries[];
}

export interface LiveRecord {
  partition: number;
  offset: number;
  site: string;
  gateway: string;
  /** When the payload became durable in the collector. */
  receivedMs: number;
  devices: LiveDevice[];
}

/** Of one channel in one record; older ones are in the store. */
const READINGS_SHOWN_MAX = 500;

/** Undefined when the bytes are not what the processor writes. */
export function openReadings(record: LogRecord): LiveRecord | undefined {
  const decoded = decodeReadings(record.value);
  if (!decoded.ok) return undefined;
  const { batch, receivedMs, annotations } = decoded.value;
  const devices = new Map<string, Map<string, ColumnSeries>>();
  for (const frame of batch.chunks) addChunk(devices, frame, annotations);
  return {
    partition: record.partition,
    offset: record.offset,
    site: batch.site,
    gateway: batch.gateway,
    receivedMs,
    devices: [...devices].map(([device, series]) => ({ device, series: [...series.values()] })),
  };
}

function addChunk(
  devices: Map<string, Map<string, ColumnSeries>>,
  frame: ChunkFrame,
  annotations: readonly Annotation[],
): void {
  const decoded = decodeChunk(frame);
  if (!decoded.ok) return;
  const chunk: Chunk = {
    columns: decoded.value,
    firstSeq: frame.firstSeq,
    annotations: annotations.filter(
      ({ firstSeq, count }) =>
        firstSeq < frame.firstSeq + frame.count && firstSeq + count > frame.firstSeq,
    ),
  };
  for (const series of chunk.columns.series) {
    let ofDevice = devices.get(series.device);
    if (ofDevice === undefined) {
      ofDevice = new Map();
      devices.set(series.device, ofDevice);
    }
    const known = ofDevice.get(series.channel);
    if (known === undefined) ofDevice.set(series.channel, new ColumnSeries(chunk, series));
    else known.add(chunk, series);
  }
}

interface Chunk {
  columns: ChunkColumns;
  firstSeq: number;
  /** Those of its seqs, ascending. */
  annotations: readonly Annotation[];
}

/** A series over the columns that it came in. */
class ColumnSeries implements LiveSeries {
  readonly channel: string;
  readonly kind: LiveSeries['kind'];
  decimals: number | null;
  count = 0;
  newest: LiveReading;
  readonly #parts: { chunk: Chunk; series: Series }[] = [];

  constructor(chunk: Chunk, series: Series) {
    this.channel = series.channel;
    this.kind = kindOf(series);
    this.decimals = decimalsOf(series);
    this.newest = readingAt(chunk, series, series.start);
    this.add(chunk, series);
  }

  add(chunk: Chunk, series: Series): void {
    this.#parts.push({ chunk, series });
    this.count += series.count;
    const { timesMs } = chunk.columns;
    let newest = -1;
    let newestMs = this.newest.timeMs;
    for (let i = series.start; i < series.start + series.count; i++) {
      const timeMs = timesMs[i] as number;
      if (timeMs < newestMs) continue;
      newestMs = timeMs;
      newest = i;
    }
    if (newest >= 0) this.newest = readingAt(chunk, series, newest);
    const decimals = decimalsOf(series);
    if (decimals !== null) this.decimals = Math.max(this.decimals ?? 0, decimals);
  }

  readings(): LiveReading[] {
    const readings: LiveReading[] = [];
    let skip = Math.max(0, this.count - READINGS_SHOWN_MAX);
    for (const { chunk, series } of this.#parts) {
      const from = Math.min(skip, series.count);
      skip -= from;
      for (let i = series.start + from; i < series.start + series.count; i++)
        readings.push(readingAt(chunk, series, i));
    }
    return readings;
  }
}

function kindOf({ kind }: Series): LiveSeries['kind'] {
  if (kind === SeriesKind.TEXT) return 'text';
  return kind === SeriesKind.BOOLEAN ? 'boolean' : 'number';
}

function decimalsOf({ kind }: Series): number | null {
  if (kind === SeriesKind.BOOLEAN) return 0;
  return kind === SeriesKind.TEXT || kind === SeriesKind.DOUBLE ? null : kind;
}

function readingAt(chunk: Chunk, series: Series, i: number): LiveReading {
  const { columns, firstSeq, annotations } = chunk;
  const quality = columns.qualities[i] as number;
  const reading: LiveReading = {
    timeMs: columns.timesMs[i] as number,
    value: hasValue(quality) ? valueAt(columns, series, i) : null,
    quality,
    treatment: Treatment.KEPT,
    findings: 0,
  };
  const said = annotations.length === 0 ? undefined : annotationOf(annotations, firstSeq + i);
  if (said === undefined) return reading;
  reading.treatment = said.treatment;
  reading.findings = said.findings;
  if (said.treatment === Treatment.KEPT || said.treatment === Treatment.FLAGGED) return reading;
  const cleaned = said.values?.[firstSeq + i - said.firstSeq];
  reading.value = cleaned === undefined || !Number.isFinite(cleaned) ? null : cleaned;
  return reading;
}

/** Runs are ascending and never overlap: halved until the one that may hold the seq is left. */
function annotationOf(annotations: readonly Annotation[], seq: number): Annotation | undefined {
  let low = 0;
  let high = annotations.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((annotations[middle] as Annotation).firstSeq <= seq) low = middle + 1;
    else high = middle;
  }
  const found = annotations[low - 1];
  return found !== undefined && seq < found.firstSeq + found.count ? found : undefined;
}

/** Null also for NaN and infinities, which JSON cannot say. */
function valueAt(columns: ChunkColumns, series: Series, i: number): number | string | null {
  if (series.kind === SeriesKind.TEXT) return columns.texts.get(i) ?? '';
  const value = columns.numbers[i] as number;
  return Number.isFinite(value) ? value : null;
}
