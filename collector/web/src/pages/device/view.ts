/** What the page shows, as it stands in the address. Pure. */

import type { Span } from '../../chart/zoom.ts';
import { spanOf } from '../../chart/zoom.ts';

export const RANGES = {
  '5m': 300_000,
  '1h': 3_600_000,
  '24h': 86_400_000,
  '7d': 7 * 86_400_000,
  '30d': 30 * 86_400_000,
  '1y': 365 * 86_400_000,
} as const;
export type Range = keyof typeof RANGES;
export const RANGE_NAMES = Object.keys(RANGES) as Range[];

export const VIEW_KEYS = ['range', 'from', 'to', 'scale', 'rows', 'anomaly'] as const;

/** live: the last while, moving on. fixed: two times. */
export type View = { kind: 'live'; range: Range } | ({ kind: 'fixed' } & Span);

export function viewOf({ range, from, to }: Record<'range' | 'from' | 'to', string>): View {
  const span =
    /^-?\d{1,15}$/.test(from) && /^-?\d{1,15}$/.test(to) ? spanOf(+from, +to) : undefined;
  if (span !== undefined) return { kind: 'fixed', ...span };
  return { kind: 'live', range: RANGE_NAMES.find((name) => name === range) ?? '1h' };
}

/** Parts of the address for it. */
export function addressOf(view: View): Record<'range' | 'from' | 'to', string> {
  if (view.kind === 'live')
    return { range: view.range === '1h' ? '' : view.range, from: '', to: '' };
  return { range: '', from: String(view.fromMs), to: String(view.toMs) };
}
