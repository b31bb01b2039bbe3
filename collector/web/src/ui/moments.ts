/** When something was, in words for a sentence: the time at the site, of today without the date. */

import { collectorNowMs, useZoneOf } from '../app/overview.ts';
import { formatDuration, timeFormat } from '../i18n/format.ts';
import { useCommonSay } from '../i18n/say.ts';

const DAY_MS = 86_400_000;

export interface Moments {
  clock: (ms: number, site: string) => string;
  /** `from – until (length)`. */
  span: (fromMs: number, toMs: number, site: string) => string;
  length: (ms: number) => string;
}

export function useMoments(): Moments {
  const zoneOf = useZoneOf();
  const say = useCommonSay();
  const length = (ms: number): string => formatDuration(ms, say);
  const clock = (ms: number, site: string): string => clockText(ms, zoneOf(site), collectorNowMs());
  return {
    clock,
    length,
    span: (fromMs, toMs, site) => {
      const zone = zoneOf(site);
      const end = isSameDay(fromMs, toMs, zone)
        ? timeFormat(zone, 'time').format(toMs)
        : clock(toMs, site);
      return `${clock(fromMs, site)} – ${end} (${length(toMs - fromMs)})`;
    },
  };
}

function clockText(ms: number, zone: string, nowMs: number): string {
  return timeFormat(zone, isSameDay(ms, nowMs, zone) ? 'time' : 'full').format(ms);
}

function isSameDay(a: number, b: number, zone: string): boolean {
  const day = timeFormat(zone, 'date');
  return Math.abs(a - b) < DAY_MS && day.format(a) === day.format(b);
}
