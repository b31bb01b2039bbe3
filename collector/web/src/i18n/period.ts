/** A time range as it stands in an address: the last while, or from one time until another. Pure. */

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

/** Lengths of the last while; '' in the address: all of the time. */
export const LAST = {
  '1h': HOUR_MS,
  '24h': 24 * HOUR_MS,
  '7d': 7 * 24 * HOUR_MS,
  '30d': 30 * 24 * HOUR_MS,
} as const;
export type Last = keyof typeof LAST;

export const PERIOD_KEYS = ['last', 'from', 'to'] as const;

/** As in the address: `last` one of LAST, or `from` and `to` in UTC milliseconds. */
export type Period = Readonly<Record<(typeof PERIOD_KEYS)[number], string>>;

/** In whole minutes where it follows the clock: the same question within a minute is the same request. */
export function boundsOf(period: Period, nowMs: number): { from?: number; to?: number } {
  if (isLast(period.last)) {
    const startMs = nowMs - LAST[period.last];
    return { from: Math.floor(startMs / MINUTE_MS) * MINUTE_MS };
  }
  const bounds: { from?: number; to?: number } = {};
  const from = msOf(period.from);
  const to = msOf(period.to);
  if (from !== undefined) bounds.from = from;
  if (to !== undefined) bounds.to = to;
  return bounds;
}

export function isLast(text: string): text is Last {
  return Object.hasOwn(LAST, text);
}

function msOf(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
