/** Which minutes of which devices a record of topic readings touches. */

import { decodeChunk } from '../../../proto/decode.ts';
import type { ChunkColumns } from '../../../proto/model.ts';
import { CollectorError } from '../../errors.ts';
import type { LogRecord } from '../../log/log.ts';
import { decodeReadings } from '../../processor/outputs/readings.ts';
import { OutputKind } from '../../types.ts';
import type { MinuteRange } from './touched.ts';

export interface Touch {
  site: string;
  device: string;
  /** Of the device in this chunk. */
  channels: number;
  /** Ascending only where the times are; may overlap. */
  ranges: MinuteRange[];
}

const MINUTE_MS = 60_000;

/** Throws LOG_DAMAGED where the record is not what the processor makes. */
export function touchesOf(record: LogRecord): { receivedMs: number; touches: Touch[] } {
  if (record.kind !== OutputKind.READINGS) return { receivedMs: 0, touches: [] };
  const decoded = decodeReadings(record.value);
  if (!decoded.ok) throw damaged(record, decoded.error);
  const { batch, receivedMs } = decoded.value;
  const touches: Touch[] = [];
  for (const frame of batch.chunks) {
    const columns = decodeChunk(frame);
    if (!columns.ok) throw damaged(record, columns.error);
    addTouches(touches, batch.site, columns.value);
  }
  return { receivedMs, touches };
}

function addTouches(into: Touch[], site: string, { series, timesMs }: ChunkColumns): void {
  const devices = new Map<string, Touch>();
  for (const { device, start, count } of series) {
    let touch = devices.get(device);
    if (touch === undefined) {
      touch = { site, device, channels: 0, ranges: [] };
      devices.set(device, touch);
      into.push(touch);
    }
    touch.channels++;
    addRanges(touch.ranges, timesMs, start, start + count);
  }
}

function addRanges(ranges: MinuteRange[], timesMs: Float64Array, start: number, end: number): void {
  // Channels of a device have most often the same times.
  let range = ranges.at(-1);
  let fromMs = range === undefined ? 0 : range.from * MINUTE_MS;
  let toMs = range === undefined ? 0 : range.to * MINUTE_MS;
  for (let i = start; i < end; i++) {
    const timeMs = timesMs[i]!;
    if (timeMs >= fromMs && timeMs < toMs) continue;
    const minute = Math.floor(timeMs / MINUTE_MS);
    if (range !== undefined && minute === range.to) range.to++;
    else {
      range = { from: minute, to: minute + 1 };
      ranges.push(range);
    }
    fromMs = range.from * MINUTE_MS;
    toMs = range.to * MINUTE_MS;
  }
}

function damaged(record: LogRecord, cause: Error): CollectorError {
  const place = `${record.topic}/${record.partition} offset ${record.offset}`;
  return new CollectorError('LOG_DAMAGED', `${place}: ${cause.message}`, { cause });
}
