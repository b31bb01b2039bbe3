/** From readers to the buffer: report by exception, time and its quality, names. */

import {
  REJECT_DETAIL_BYTES,
  REJECT_HEAD_BYTES,
  TIME_MS_MAX,
  TIME_MS_MIN,
} from '../proto/limits.ts';
import type { Reading, Reject } from '../proto/model.ts';
import { NO_VALUE_BIT, QualityReason, RejectReason, Severity, severityOf } from '../proto/model.ts';
import { cutUtf8 } from '../proto/text.ts';
import type { ReportFilter } from './report.ts';
import type { Clock, ClockState, ReaderOutput, ReadingBuffer, Sample, Sink } from './types.ts';

export interface SinkOptions {
  buffer: Pick<ReadingBuffer, 'append'>;
  clock: Clock;
  clockState: () => ClockState;
  /** Of the device; undefined: everything is reported. */
  filterOf: (device: string) => ReportFilter | undefined;
}

/** Turns readers' output into numbered readings. Accepting resolves when they are committed. */
export class BufferSink implements Sink {
  readonly #options: SinkOptions;

  constructor(options: SinkOptions) {
    this.#options = options;
  }

  async accept(device: string, output: ReaderOutput): Promise<void> {
    const { buffer, clock, clockState, filterOf } = this.#options;
    const arrivalMs = Math.round(clock.wallMs());
    const reported = filterOf(device)?.apply(output, arrivalMs) ?? output;
    const unsynced = clockState().unsynced;
    const readings: Reading[] = [];
    const rejects: Reject[] = reported.rejects.map(({ reason, detail, payload }) => ({
      timeMs: arrivalMs,
      device,
      reason,
      detail: cutUtf8(detail, REJECT_DETAIL_BYTES),
      // A copy: the head must not keep a whole payload alive until the chunk is sealed.
      head: Uint8Array.from(payload.subarray(0, REJECT_HEAD_BYTES)),
    }));
    for (const sample of reported.samples) {
      if (isTimed(sample)) addReadings(readings, device, sample, arrivalMs, unsynced);
      else rejects.push(badTime(device, sample, arrivalMs));
    }
    if (readings.length === 0 && rejects.length === 0) return;
    await buffer.append(readings, rejects);
  }
}

function addReadings(
  readings: Reading[],
  device: string,
  sample: Sample,
  arrivalMs: number,
  unsynced: boolean,
): void {
  const { sourceTimeMs, values } = sample;
  const timeMs = sourceTimeMs === undefined ? arrivalMs : Math.round(sourceTimeMs);
  const isDoubtful = unsynced && sourceTimeMs === undefined;
  for (const { channel, value, quality } of values) {
    readings.push({
      device,
      channel,
      timeMs,
      value,
      quality: isDoubtful ? markUnsynced(quality) : quality,
    });
  }
}

/**
 * The reason becomes CLOCK_UNSYNCED, so that the collector shifts the time of bad readings too; the
 * severity and 'no value' stay.
 */
export function markUnsynced(quality: number): number {
  const severity = Math.max(severityOf(quality), Severity.UNCERTAIN);
  return severity | (QualityReason.CLOCK_UNSYNCED << 2) | (quality & NO_VALUE_BIT);
}

/** Readers check the times that they read; a time that the wire cannot carry must not stop a chunk. */
function isTimed({ sourceTimeMs }: Sample): boolean {
  return sourceTimeMs === undefined || (sourceTimeMs >= TIME_MS_MIN && sourceTimeMs <= TIME_MS_MAX);
}

function badTime(device: string, sample: Sample, arrivalMs: number): Reject {
  return {
    timeMs: arrivalMs,
    device,
    reason: RejectReason.BAD_TIME,
    detail: `time ${String(sample.sourceTimeMs)}`,
    head: Buffer.from(JSON.stringify(sample.values)).subarray(0, REJECT_HEAD_BYTES),
  };
}
