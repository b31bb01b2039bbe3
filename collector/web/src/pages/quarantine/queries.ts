/** What the page asks of the API. */

import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import type { Address } from '../../app/address.ts';
import { collectorNowMs } from '../../app/overview.ts';
import { boundsOf, PERIOD_KEYS } from '../../i18n/period.ts';
import type { Entry, EntryWhole, Group, SummaryBy } from './types.ts';

export const FILTER_KEYS = [
  'site',
  'gateway',
  'device',
  'reason',
  'release',
  ...PERIOD_KEYS,
] as const;
export type FilterKey = (typeof FILTER_KEYS)[number];

/** In the address; what it asks for. */
export const RELEASE_STATES = {
  releasable: { releasable: true },
  released: { released: true },
  other: { releasable: false, released: false },
} as const;
export type ReleaseState = keyof typeof RELEASE_STATES;

const PAGE = 100;
/** More than that nobody reads here: the filters narrow down, and the API has all of it. */
const PAGES_MAX = 20;
const EVERY_MS = 15_000;

type Asked = Record<string, string | number | boolean | undefined>;

function places(address: Address<FilterKey>): Asked {
  const { site, gateway, device, reason } = address;
  return { site, gateway, device, reason, ...boundsOf(address, collectorNowMs()) };
}

export function entriesQuery(address: Address<FilterKey>) {
  const release = Object.hasOwn(RELEASE_STATES, address.release)
    ? RELEASE_STATES[address.release as ReleaseState]
    : {};
  const asked = { ...places(address), ...release };
  return infiniteQueryOptions({
    queryKey: ['quarantine', 'list', asked],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Entry>>('quarantine', { ...asked, limit: PAGE, cursor: pageParam }, { signal }),
    initialPageParam: '',
    getNextPageParam: ({ next }, pages) => (pages.length < PAGES_MAX ? next : null),
    refetchInterval: EVERY_MS,
  });
}

export function summaryQuery(address: Address<FilterKey>, by: SummaryBy) {
  const asked = { ...places(address), by };
  return queryOptions({
    queryKey: ['quarantine', 'summary', asked],
    queryFn: ({ signal }) => ask<Page<Group>>('quarantine/summary', asked, { signal }),
    refetchInterval: EVERY_MS,
  });
}

export function entryQuery(id: string) {
  return queryOptions({
    queryKey: ['quarantine', 'entry', id],
    queryFn: ({ signal }) =>
      ask<EntryWhole>(`quarantine/${encodeURIComponent(id)}`, {}, { signal }),
    refetchInterval: EVERY_MS,
  });
}
