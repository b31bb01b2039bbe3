/** Gateways: those that need a person first; and where every reading of them is. */

import { useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useEffect, useState } from 'react';
import { Link } from 'wouter';
import { ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { gatewayPath, useAddress } from '../../app/address.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Filters, SearchFilter, SiteFilter } from '../../ui/filters.tsx';
import { Name } from '../../ui/mark.tsx';
import { Select } from '../../ui/select.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import { Age } from '../../ui/time.tsx';
import { BufferCell, ClockCell, EvictionCell, LedgerCell, StateCell } from './cells.tsx';
import { byNeed, matches } from './fleet.ts';
import look from './page.module.css';
import type { Gateway } from './types.ts';
import { GATEWAYS_WORDS } from './words.ts';

const KEYS = ['site', 'status', 'search'] as const;
type Key = (typeof KEYS)[number];
const STATUSES = ['attention', 'online', 'late', 'silent', 'offline', 'never_seen'] as const;
const PAGE = 1_000;
/** More gateways than that are not read: the collector is not made for so many. */
const PAGES_MAX = 10;
const EVERY_MS = 5_000;
const SHOWN_STEP = 100;

export default function GatewaysPage(): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const { language } = usePreferences();
  const [address, change] = useAddress(KEYS);
  const [shownMax, setShownMax] = useState(SHOWN_STEP);
  const query = useInfiniteQuery({
    queryKey: ['gateways'],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Gateway>>('gateways', { limit: PAGE, cursor: pageParam }, { signal }),
    initialPageParam: '',
    getNextPageParam: ({ next }, pages) => (pages.length < PAGES_MAX ? next : null),
    refetchInterval: EVERY_MS,
  });
  const { hasNextPage, isFetching, fetchNextPage } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);
  const all = query.data?.pages.flatMap(({ items }) => items) ?? [];
  const matching = byNeed(all.filter((gateway) => matches(gateway, address)));
  const shown = matching.slice(0, shownMax);
  const count = (n: number): string => formatCount(n, language);
  const online = all.filter(({ status }) => status === 'online').length;
  return (
    <>
      <div className="title-row">
        <h1>{say('page_gateways')}</h1>
        {query.data === undefined ? null : (
          <p className="note">
            {say('summary', { online: count(online), total: count(all.length) })}
          </p>
        )}
      </div>
      <GatewayFilters address={address} change={change} />
      <Resource query={query}>
        {() =>
          matching.length === 0 ? (
            <Empty text={say(all.length === 0 ? 'none' : 'none_match')} />
          ) : (
            <>
              {matching.length > shown.length ? (
                <p className="note">
                  {say('shown', { shown: count(shown.length), total: count(matching.length) })}
                </p>
              ) : null}
              <GatewayTable gateways={shown} />
            </>
          )
        }
      </Resource>
      {matching.length > shown.length ? (
        <button
          type="button"
          className="act"
          data-action="more"
          onClick={() => setShownMax(shownMax + SHOWN_STEP)}
        >
          {say('more')}
        </button>
      ) : null}
    </>
  );
}

function GatewayFilters(props: { address: Address<Key>; change: ChangeAddress<Key> }): ReactNode {
  const { address, change } = props;
  const say = useSay(GATEWAYS_WORDS);
  return (
    <Filters keys={KEYS} address={address} change={change}>
      <SearchFilter value={address.search} change={change} />
      <SiteFilter value={address.site} onChange={(site) => change({ site })} />
      <Select
        label={say('state')}
        name="status"
        value={address.status}
        options={STATUSES.map((status) => [
          status,
          status === 'attention' ? say('attention') : say(`filter_${status}`),
        ])}
        any={say('any')}
        onChange={(status) => change({ status })}
      />
    </Filters>
  );
}

function GatewayTable({ gateways }: { gateways: readonly Gateway[] }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const seen =
    (cell: (gateway: Gateway) => ReactNode) =>
    (gateway: Gateway): ReactNode =>
      gateway.status === 'never_seen' ? '–' : cell(gateway);
  const columns: Column<Gateway>[] = [
    {
      key: 'gateway',
      head: say('gateway'),
      cell: ({ site, gateway }) => (
        <>
          <Link href={gatewayPath({ site, gateway })}>
            <Name text={gateway} />
          </Link>
          <small>
            <Name text={site} />
          </small>
        </>
      ),
    },
    { key: 'state', head: say('state'), cell: (gateway) => <StateCell gateway={gateway} /> },
    {
      key: 'last_seen',
      head: say('last_seen'),
      cell: ({ updated_ms }) => (updated_ms === null ? '–' : <Age ms={updated_ms} />),
    },
    {
      key: 'buffer',
      head: say('buffer'),
      isNumber: true,
      cell: seen((gateway) => <BufferCell gateway={gateway} />),
    },
    {
      key: 'eviction',
      head: say('eviction'),
      cell: seen((gateway) => <EvictionCell gateway={gateway} />),
    },
    {
      key: 'clock',
      head: say('clock'),
      cell: seen((gateway) => <ClockCell gateway={gateway} />),
    },
    {
      key: 'ledger',
      head: say('ledger'),
      cell: ({ ledger, status }) =>
        status === 'never_seen' && ledger.sent === 0 ? '–' : <LedgerCell ledger={ledger} />,
    },
    {
      key: 'version',
      head: say('version'),
      cell: ({ version }) => (
        <span className={look.version}>
          <Name text={version || '–'} />
        </span>
      ),
    },
  ];
  return (
    <Table
      label={say('page_gateways')}
      columns={columns}
      rows={gateways}
      keyOf={({ site, gateway }) => JSON.stringify([site, gateway])}
      attributesOf={({ site, gateway }) => ({ 'data-gateway': `${site}/${gateway}` })}
    />
  );
}
