/** The order of table `readings`, for runs of readings: sorting these is quicker than sorting rows. */

import type { ReadingColumns } from './columns.ts';
import { BUCKET_MS } from './columns.ts';

/** Index of a series by site, device and channel. */
export type SeriesIndex = ReadonlyMap<string, ReadonlyMap<string, ReadonlyMap<string, number>>>;

type Sortable = Pick<ReadingColumns, 'runs' | 'series' | 'timesMs'>;

/** See ReadingColumns.order(). */
export function orderOf(columns: Sortable, index: SeriesIndex): Uint32Array {
  const { runs, series } = columns;
  const { rank, deviceOf } = ranksOf(index, series.length);
  // A counting sort by series, stable; mostly the runs of a series come in the order of time.
  const next = new Uint32Array(series.length + 1);
  for (let r = 0; r < runs.length; r++) next[rank[runs.series[r]!]! + 1]!++;
  for (let s = 1; s < next.length; s++) next[s]! += next[s - 1]!;
  const order = new Uint32Array(runs.length);
  for (let r = 0; r < runs.length; r++) {
    const at = rank[runs.series[r]!]!;
    order[next[at]!] = r;
    next[at]!++;
  }
  // What belongs to one device may span several steps of the sort key.
  for (let from = 0, to = 0; from < order.length; from = to) {
    const device = deviceOf[runs.series[order[from]!]!]!;
    while (to < order.length && deviceOf[runs.series[order[to]!]!] === device) to++;
    sortDevice(columns, order.subarray(from, to), rank);
  }
  return order;
}

/** The step of the sort key: as the engine's intDiv. */
export function bucketOf(timeMs: number): number {
  return Math.trunc(timeMs / BUCKET_MS);
}

/** Of each series: its place by site, device and channel, and a number of its device. */
function ranksOf(index: SeriesIndex, count: number): { rank: Uint32Array; deviceOf: Uint32Array } {
  const rank = new Uint32Array(count);
  const deviceOf = new Uint32Array(count);
  let next = 0;
  let device = 0;
  for (const [, devices] of byName(index)) {
    for (const [, channels] of byName(devices)) {
      for (const [, series] of byName(channels)) {
        rank[series] = next++;
        deviceOf[series] = device;
      }
      device++;
    }
  }
  return { rank, deviceOf };
}

/** By step, series, time; only if they are not so already. */
function sortDevice({ runs, timesMs }: Sortable, order: Uint32Array, rank: Uint32Array): void {
  const { starts, series } = runs;
  const compare = (a: number, b: number): number => {
    const aMs = timesMs[starts[a]!]!;
    const bMs = timesMs[starts[b]!]!;
    return (
      bucketOf(aMs) - bucketOf(bMs) || rank[series[a]!]! - rank[series[b]!]! || aMs - bMs || a - b
    );
  };
  for (let i = 1; i < order.length; i++) {
    if (compare(order[i - 1]!, order[i]!) <= 0) continue;
    order.sort(compare);
    return;
  }
}

function byName<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
