/** What the page shows, as it stands in the address. Pure. */

import type { Shown } from './types.ts';
import { DIMENSIONS } from './types.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const RANGES = {
  '24h': { ms: DAY_MS, step: 'hour' },
  '3d': { ms: 3 * DAY_MS, step: 'hour' },
  '7d': { ms: 7 * DAY_MS, step: 'hour' },
  '30d': { ms: 30 * DAY_MS, step: 'day' },
} as const;
export type Range = keyof typeof RANGES;

export interface QualityView {
  /** '' : the first one that there is. */
  site: string;
  range: Range;
  shown: Shown;
  /** End of the range; undefined: now. */
  toMs: number | undefined;
  /** Whose reasons are shown. */
  device: string | undefined;
  /** Start of the chosen cell; undefined: the device's whole range. */
  atMs: number | undefined;
}

export function viewOf(parameters: URLSearchParams): QualityView {
  const range = parameters.get('range') ?? '';
  return {
    site: parameters.get('site') ?? '',
    range: Object.hasOwn(RANGES, range) ? (range as Range) : '24h',
    shown: DIMENSIONS.find((dimension) => dimension === parameters.get('dimension')) ?? 'all',
    toMs: timeOf(parameters.get('to')),
    device: parameters.get('device') ?? undefined,
    atMs: timeOf(parameters.get('at')),
  };
}

/** Query string of a view; what is as by default is left out. */
export function addressOf({ site, range, shown, toMs, device, atMs }: QualityView): string {
  const parameters = new URLSearchParams();
  if (site !== '') parameters.set('site', site);
  if (range !== '24h') parameters.set('range', range);
  if (shown !== 'all') parameters.set('dimension', shown);
  if (toMs !== undefined) parameters.set('to', String(toMs));
  if (device !== undefined) parameters.set('device', device);
  if (atMs !== undefined) parameters.set('at', String(atMs));
  return parameters.toString();
}

/** `toMs` whole hours on: the same cells for a while, and answers that can be kept. */
export function spanOf(
  { range, toMs }: QualityView,
  nowMs: number,
): { fromMs: number; toMs: number } {
  const endMs = toMs ?? Math.ceil(nowMs / HOUR_MS) * HOUR_MS;
  return { fromMs: endMs - RANGES[range].ms, toMs: endMs };
}

/** The range before or after; undefined: from now on it is the newest one. */
export function shifted(view: QualityView, nowMs: number, by: -1 | 1): QualityView {
  const { toMs } = spanOf(view, nowMs);
  const moved = toMs + by * RANGES[view.range].ms;
  return { ...view, atMs: undefined, toMs: moved >= nowMs ? undefined : moved };
}

function timeOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
