/** The heat map as numbers: which devices, which columns, how bad a cell is. Pure. */

import type { Level } from '../../ui/level.ts';
import type { Bucket, Shown, Targets } from './types.ts';

/** Below this a score needs a person, whatever its target. */
export const BAD_BELOW = 70;
/** Points of timeliness that count as on target: most readings were in time. */
const TIMELY_POINTS = 95;
/** Rows on the page; the rest are the better ones. */
export const ROWS_MAX = 50;

export interface MapRow {
  device: string;
  /** By column; undefined: nothing was expected and nothing came. */
  cells: (Bucket | undefined)[];
  /** Lowest score of the row; 101: none was judged. */
  worst: number;
}

/** Points that a score of this dimension should have. */
export function targetOf(shown: Shown, targets: Targets): number {
  if (shown === 'timeliness') return TIMELY_POINTS;
  if (shown === 'all')
    return (targets.completeness + targets.accuracy + targets.consistency + TIMELY_POINTS) / 4;
  return targets[shown];
}

/** calm: on target. warn: below it. bad: far below. Null, not judged: calm. */
export function levelOf(points: number | null, shown: Shown, targets: Targets): Level {
  if (points === null || points >= targetOf(shown, targets)) return 'calm';
  return points < BAD_BELOW ? 'bad' : 'warn';
}

/** Worst devices first, at most ROWS_MAX; columns ascending by time. */
export function heatMap(
  buckets: readonly Bucket[],
  shown: Shown,
): { columns: { fromMs: number; toMs: number }[]; rows: MapRow[]; devices: number } {
  const ends = new Map(buckets.map(({ from_ms, to_ms }) => [from_ms, to_ms]));
  const columns = [...ends].sort(([a], [b]) => a - b).map(([fromMs, toMs]) => ({ fromMs, toMs }));
  const place = new Map(columns.map(({ fromMs }, i) => [fromMs, i]));
  const rows = new Map<string, MapRow>();
  for (const bucket of buckets) {
    const row = rows.get(bucket.device) ?? {
      device: bucket.device,
      cells: new Array<Bucket | undefined>(columns.length).fill(undefined),
      worst: 101,
    };
    rows.set(bucket.device, row);
    row.cells[place.get(bucket.from_ms) ?? 0] = bucket;
    row.worst = Math.min(row.worst, bucket.score[shown] ?? 101);
  }
  const sorted = [...rows.values()].sort(
    (a, b) => a.worst - b.worst || a.device.localeCompare(b.device),
  );
  return { columns, rows: sorted.slice(0, ROWS_MAX), devices: sorted.length };
}

/** Where an arrow key leads in a grid; undefined: another key. */
export function moved(
  at: { row: number; column: number },
  key: string,
  size: { rows: number; columns: number },
): { row: number; column: number } | undefined {
  const clamp = (value: number, most: number): number => Math.max(0, Math.min(value, most - 1));
  const { row, column } = at;
  const to = {
    ArrowUp: { row: row - 1, column },
    ArrowDown: { row: row + 1, column },
    ArrowLeft: { row, column: column - 1 },
    ArrowRight: { row, column: column + 1 },
    Home: { row, column: 0 },
    End: { row, column: size.columns - 1 },
  }[key];
  return to === undefined
    ? undefined
    : { row: clamp(to.row, size.rows), column: clamp(to.column, size.columns) };
}
