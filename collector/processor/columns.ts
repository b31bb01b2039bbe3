/** Works on decoded chunks: the correction of their clock, and cutting them. */

import { chunkCrc } from '../../proto/crc32c.ts';
import { encodeColumns } from '../../proto/encode.ts';
import { CHUNK_SPAN_MS_MAX, TIME_MS_MAX, TIME_MS_MIN } from '../../proto/limits.ts';
import type { ChunkColumns, ChunkFrame, Epoch } from '../../proto/model.ts';
import { NO_VALUE_BIT, QualityReason, reasonOf, Severity, severityOf } from '../../proto/model.ts';

/**
 * Shifts the times that came from the gateway's unsynced clock, now that it is known what `wall - mono`
 * should have been, and marks them. Answers undefined where there is nothing to shift. Times that the
 * devices gave stay; so does one that the shift would move out of the wire's range.
 */
export function correctClock(columns: ChunkColumns, offsetMs: number): ChunkColumns | undefined {
  const { clock, qualities } = columns;
  if (!clock.unsynced) return undefined;
  const shiftMs = offsetMs - (clock.wallMs - clock.monoMs);
  let corrected: ChunkColumns | undefined;
  for (let i = 0; i < qualities.length; i++) {
    const quality = qualities[i]!;
    if (reasonOf(quality) !== QualityReason.CLOCK_UNSYNCED) continue;
    const timeMs = columns.timesMs[i]! + shiftMs;
    if (timeMs < TIME_MS_MIN || timeMs > TIME_MS_MAX) continue;
    corrected ??= {
      ...columns,
      timesMs: columns.timesMs.slice(),
      qualities: qualities.slice(),
    };
    corrected.timesMs[i] = timeMs;
    corrected.qualities[i] = correctedQuality(quality);
  }
  return corrected;
}

/** Doubt about the time is gone; a value that was bad stays bad. */
function correctedQuality(quality: number): number {
  const severity = severityOf(quality) === Severity.UNCERTAIN ? Severity.GOOD : severityOf(quality);
  return severity | (QualityReason.CLOCK_CORRECTED << 2) | (quality & NO_VALUE_BIT);
}

/**
 * Readings [from, to) of a chunk as frames of their own, with the seqs that they have. Rejects are left
 * out. Several frames where one would exceed the wire's span of times (after a correction) or bytes.
 */
export function cutFrames(
  epoch: Epoch,
  columns: ChunkColumns,
  firstSeq: number,
  from: number,
  to: number,
): ChunkFrame[] {
  const frames: ChunkFrame[] = [];
  let start = from;
  while (start < to) {
    const end = endOfSpan(columns.timesMs, start, to);
    let seq = firstSeq + start;
    for (const chunk of encodeColumns(columns, start, end)) {
      const { count, firstMs, lastMs, bytes } = chunk;
      const header = { firstSeq: seq, count, firstMs, lastMs };
      frames.push({ ...header, crc32c: chunkCrc(epoch, header, bytes), bytes });
      seq += count;
    }
    start = end;
  }
  return frames;
}

/** The longest run from `start` whose times fit one chunk. */
function endOfSpan(timesMs: Float64Array, start: number, to: number): number {
  let firstMs = timesMs[start]!;
  let lastMs = firstMs;
  for (let i = start + 1; i < to; i++) {
    firstMs = Math.min(firstMs, timesMs[i]!);
    lastMs = Math.max(lastMs, timesMs[i]!);
    if (lastMs - firstMs > CHUNK_SPAN_MS_MAX) return i;
  }
  return to;
}
