/** Devices as tiles: who needs a person, in which group and order. Pure. */

import type { Severity } from '../../api/types.ts';
import type { StateItem } from './types.ts';

const SEVERITIES: readonly Severity[] = ['INFO', 'WARNING', 'ERROR', 'CRITICAL'];

/** Up to so many are shown with all their values. */
export const VALUES_MAX = 12;
/** More than so many have tiles without names, but for those that need a person. */
export const NAMED_MAX = 240;

/** What a tile says first. */
export type Need = 'alert' | 'silent' | 'stale' | 'attention' | 'ahead';

/**
 * Why somebody should look now; undefined: nobody needs to. A device for which somebody cares already, or that was
 * silenced on purpose, is left alone whatever else it does.
 */
export function needOf({ alert, state, freshness, attention }: StateItem): Need | undefined {
  if (alert !== null) return alert.look === 'loud' ? 'alert' : undefined;
  if (state === 'silent') return 'silent';
  if (freshness === 'stale') return 'stale';
  if (attention > 0) return 'attention';
  return freshness === 'ahead' ? 'ahead' : undefined;
}

const NEEDS: readonly Need[] = ['alert', 'silent', 'stale', 'attention', 'ahead'];

/** Below 0: `a` needs a person more. Equal ones keep their order. */
export function compareNeed(a: StateItem, b: StateItem): number {
  return rankOf(b) - rankOf(a);
}

function rankOf(item: StateItem): number {
  const need = needOf(item);
  if (need === undefined) return 0;
  const severity = need === 'alert' ? SEVERITIES.indexOf(item.alert?.severity ?? 'INFO') : 0;
  return 10 * (NEEDS.length - NEEDS.indexOf(need)) + severity;
}

export function needy(items: readonly StateItem[]): StateItem[] {
  return items.filter((item) => needOf(item) !== undefined).sort(compareNeed);
}

/** As the search of /api/v1/devices: part of a name, in any case. */
export function matches(item: StateItem, search: string): boolean {
  const wanted = search.trim().toLowerCase();
  if (wanted === '') return true;
  return [item.device, item.gateway, item.site, item.area, item.line].some((name) =>
    name.toLowerCase().includes(wanted),
  );
}

export interface LineGroup {
  key: string;
  area: string;
  line: string;
  /** Those that need a person first. */
  items: StateItem[];
}

export interface SiteGroup {
  site: string;
  lines: LineGroup[];
  count: number;
}

/** By site, area and line, in the order of the answer. */
export function groupsOf(items: readonly StateItem[]): SiteGroup[] {
  return [...Map.groupBy(items, ({ site }) => site)].map(([site, ofSite]) => ({
    site,
    count: ofSite.length,
    lines: [...Map.groupBy(ofSite, ({ area, line }) => JSON.stringify([area, line]))].map(
      ([key, ofLine]) => ({
        key,
        area: ofLine[0]?.area ?? '',
        line: ofLine[0]?.line ?? '',
        items: [...ofLine].sort(compareNeed),
      }),
    ),
  }));
}

export function reportingCount(items: readonly StateItem[]): number {
  return items.filter(({ state, freshness }) => state !== 'silent' && freshness !== 'stale').length;
}
