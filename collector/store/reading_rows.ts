/** What columns of readings stand for, one by one. */

import { hasValue } from '../../proto/model.ts';
import { Treatment } from '../findings.ts';
import type { ReadingColumns } from './columns.ts';
import type { NewestRow, ReadingRow } from './store.ts';

/** The newest of each channel; of equal times the one that was logged last. */
export function newestOf(columns: ReadingColumns): NewestRow[] {
  const { runs, places, timesMs } = columns;
  const newestAt = new Int32Array(columns.series.length).fill(-1);
  const newestRun = new Uint32Array(columns.series.length);
  for (let r = 0; r < runs.length; r++) {
    const series = runs.series[r]!;
    let at = newestAt[series]!;
    const end = runs.starts[r]! + runs.counts[r]!;
    for (let i = runs.starts[r]!; i < end; i++) {
      if (at >= 0 && timesMs[i]! < timesMs[at]!) continue;
      at = i;
      newestRun[series] = r;
    }
    newestAt[series] = at;
  }
  const rows: NewestRow[] = [];
  for (const [s, { site, device, channel }] of columns.series.entries()) {
    const at = newestAt[s]!;
    if (at < 0) continue;
    const isText = runs.texts[newestRun[s]!] === 1;
    const { gateway, receivedMs, logPartition } = places[runs.places[newestRun[s]!]!]!;
    rows.push({
      site,
      gateway,
      device,
      channel,
      timeMs: timesMs[at]!,
      value: cellOf(columns, at, isText),
      text: textOf(columns, at, isText),
      quality: columns.qualities[at]!,
      receivedMs,
      logPartition,
    });
  }
  return rows;
}

/** One by one, for stores that keep rows. */
export function* rowsOf(columns: ReadingColumns): Generator<ReadingRow> {
  const { runs, places, series, said, cleaned } = columns;
  for (let r = 0; r < runs.length; r++) {
    const place = places[runs.places[r]!]!;
    const { device, channel } = series[runs.series[r]!]!;
    const start = runs.starts[r]!;
    const isText = runs.texts[r] === 1;
    for (let i = start; i < start + runs.counts[r]!; i++) {
      const isChanged = cleaned?.isChanged[i] === 1;
      yield {
        ...place,
        device,
        channel,
        timeMs: columns.timesMs[i]!,
        value: cellOf(columns, i, isText),
        text: textOf(columns, i, isText),
        quality: columns.qualities[i]!,
        seq: runs.firstSeqs[r]! + i - start,
        rawValue: isChanged && cleaned.rawIsNull[i] === 0 ? columns.numbers[i]! : null,
        findings: said?.findings[i] ?? 0,
        treatment: said?.treatments[i] ?? Treatment.KEPT,
      };
    }
  }
}

function cellOf(columns: ReadingColumns, i: number, isText: boolean): number | null {
  const { cleaned } = columns;
  if (cleaned?.isChanged[i] === 1) return cleaned.isNull[i] === 1 ? null : cleaned.values[i]!;
  return isText || !hasValue(columns.qualities[i]!) ? null : columns.numbers[i]!;
}

export function textOf(columns: ReadingColumns, i: number, isText: boolean): string | null {
  return isText && hasValue(columns.qualities[i]!) ? (columns.texts.get(i) ?? '') : null;
}
