/** How to ask for the readings of a time range, so that a chart is right and the answer is cheap. Pure. */

export type Plan =
  /** All of them. */
  | { kind: 'raw' }
  /** The lowest and the highest of each part, with their own times, at most so many of a channel. */
  | { kind: 'points'; points: number }
  /** Buckets, of roll-ups: quick however many readings there were. */
  | { kind: 'buckets'; stepMs: number };

/** Of one answer. */
export const RAW_MAX = 10_000;
/** Rows of one answer with points, less some for what is estimated wrongly. */
const POINTS_ROWS_MAX = 45_000;
const POINTS_MAX = 2_000;
/** Thinning out looks at every reading: more than so many take too long. */
const SCANNED_MAX = 300_000;
const BUCKETS_ROWS_MAX = 9_500;
const BUCKETS_MAX = 700;
/** Fewer buckets than this are no picture. */
const BUCKETS_MIN = 60;

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Whole hours and days come of the hours' roll-ups. */
const STEPS_MS = [
  ...[1, 2, 3, 5, 10, 15, 20, 30].map((n) => n * MINUTE_MS),
  ...[1, 2, 3, 4, 6, 8, 12].map((n) => n * HOUR_MS),
  ...[1, 2, 4, 7, 14, 28].map((n) => n * DAY_MS),
];

export function planOf(asked: {
  lengthMs: number;
  channels: number;
  /** From reading to reading of a channel, estimated; null: not known. */
  intervalMs: number | null;
}): Plan {
  const { lengthMs, intervalMs } = asked;
  const channels = Math.max(1, asked.channels);
  const readings = (lengthMs / Math.max(1, intervalMs ?? 1_000)) * channels;
  if (readings <= RAW_MAX * 0.8) return { kind: 'raw' };
  const stepMs = stepFor(lengthMs, Math.min(BUCKETS_MAX, Math.floor(BUCKETS_ROWS_MAX / channels)));
  if (readings <= SCANNED_MAX || lengthMs / stepMs < BUCKETS_MIN) return pointsPlan(channels);
  return { kind: 'buckets', stepMs };
}

/** When there are more readings than were thought. */
export function pointsPlan(channels: number): Plan & { kind: 'points' } {
  const points = Math.floor(POINTS_ROWS_MAX / Math.max(1, channels));
  return { kind: 'points', points: Math.max(2, Math.min(POINTS_MAX, points)) };
}

function stepFor(lengthMs: number, buckets: number): number {
  const wanted = lengthMs / Math.max(1, buckets);
  const step = STEPS_MS.find((known) => known >= wanted);
  return step ?? Math.ceil(wanted / DAY_MS) * DAY_MS;
}
