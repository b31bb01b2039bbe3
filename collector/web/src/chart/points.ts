/** Readings and buckets of a channel as points of a chart, and those as columns for uPlot. Pure. */

/** A reading of /api/v1/readings (single or thinned out) or of the stream. */
export interface ReadingItem {
  channel: string;
  time_ms: number;
  value: number | string | null;
  quality: number;
  treatment?: string;
  findings?: string[];
}

/** Of /api/v1/readings with a step. */
export interface BucketItem {
  channel: string;
  time_ms: number;
  end_ms: number;
  min: number | null;
  max: number | null;
  avg: number | null;
  count: number;
  filled: number;
  bad: number;
  texts: number;
}

export interface Point {
  /** Seconds since 1970. */
  x: number;
  low: number | null;
  mid: number | null;
  high: number | null;
  /** Of bad quality, without a number, or made up: at least one reading of it. */
  isBad: boolean;
  /** Findings, where the rules doubt it; undefined: they do not. */
  doubt: readonly string[] | undefined;
}

const BAD = 2;
/** Treatments by which the rules say that a value is not quite what it seems. */
const DOUBTED: readonly (string | undefined)[] = ['flagged', 'clipped'];
/** A pause of this many usual distances breaks the line. */
const BREAK_AFTER = 3.5;

export function pointOfReading(item: ReadingItem): Point {
  const value = typeof item.value === 'number' && Number.isFinite(item.value) ? item.value : null;
  const isDoubted = DOUBTED.includes(item.treatment);
  return {
    x: item.time_ms / 1_000,
    low: value,
    mid: value,
    high: value,
    isBad: (item.quality & 3) === BAD || item.treatment === 'filled',
    doubt: isDoubted ? (item.findings ?? []) : undefined,
  };
}

export function pointOfBucket({ time_ms, min, avg, max, bad, filled }: BucketItem): Point {
  return {
    x: time_ms / 1_000,
    low: min,
    mid: avg,
    high: max,
    isBad: bad + filled > 0,
    doubt: undefined,
  };
}

/** By channel, ascending; of two of one time the later given. */
export function byChannel<Item extends { channel: string }>(
  items: readonly Item[],
  pointOf: (item: Item) => Point,
): Map<string, Point[]> {
  const all = new Map<string, Point[]>();
  for (const [channel, own] of Map.groupBy(items, (item) => item.channel))
    all.set(channel, ordered(own.map(pointOf)));
  return all;
}

function ordered(points: Point[]): Point[] {
  const isAscending = points.every((point, i) => i === 0 || point.x > (points[i - 1]?.x ?? 0));
  if (isAscending) return points;
  return [...new Map(points.map((point) => [point.x, point])).values()].sort((a, b) => a.x - b.x);
}

/** What came live after what was read; one that is in both counts once. */
export function merged(read: readonly Point[], live: readonly Point[]): readonly Point[] {
  const [first] = live;
  if (first === undefined) return read;
  const last = read.at(-1);
  if (last === undefined || first.x > last.x) return [...read, ...live];
  return ordered([...read, ...live]);
}

export type Columns = [
  x: number[],
  low: (number | null)[],
  mid: (number | null)[],
  high: (number | null)[],
  bad: (number | null)[],
  doubt: (number | null)[],
];

/** An empty place is put in where readings are missing, so that no line bridges it. */
export function columnsOf(points: readonly Point[]): Columns {
  const usual = usualDistance(points);
  const [x, low, mid, high, bad, doubt]: Columns = [[], [], [], [], [], []];
  let before: number | undefined;
  for (const point of points) {
    if (before !== undefined && point.x - before > usual * BREAK_AFTER) {
      x.push((before + point.x) / 2);
      for (const column of [low, mid, high, bad, doubt]) column.push(null);
    }
    x.push(point.x);
    low.push(point.low);
    mid.push(point.mid);
    high.push(point.high);
    bad.push(point.isBad ? point.mid : null);
    doubt.push(point.doubt !== undefined && !point.isBad ? point.mid : null);
    before = point.x;
  }
  return [x, low, mid, high, bad, doubt];
}

/** The median distance of neighbours. */
function usualDistance(points: readonly Point[]): number {
  const distances: number[] = [];
  for (let i = 1; i < points.length; i++)
    distances.push((points[i]?.x ?? 0) - (points[i - 1]?.x ?? 0));
  distances.sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] ?? Number.POSITIVE_INFINITY;
}

/** Index of the first one at or after `x`; the length when there is none. */
export function firstFrom(points: readonly Point[], x: number): number {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.x ?? 0) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** What is shown of a value axis: the values with some room; a value that hardly changes is not blown up. */
export function valueRange(
  min: number | null,
  max: number | null,
  normal: { min: number | null; max: number | null } | undefined,
): [number, number] {
  const known = [min, max, normal?.min, normal?.max].filter(
    (one): one is number => typeof one === 'number' && Number.isFinite(one),
  );
  if (known.length === 0) return [0, 1];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const size = high - low;
  // Values near the largest double: their distance is none.
  if (!Number.isFinite(size)) return [low, high];
  const pad = Math.max(
    size * 0.08,
    Math.max(Math.abs(low), Math.abs(high)) * 0.002,
    size === 0 ? 0.5 : 0,
  );
  return [low - pad, high + pad];
}
