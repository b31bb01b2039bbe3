/** Which gateways may connect, and which have been seen that may not; how to add one. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { Age } from '../../ui/time.tsx';
import look from './page.module.css';
import type { GatewayItem } from './types.ts';
import { ADMIN_WORDS } from './words.ts';

const EVERY_MS = 10_000;
const LIMIT = 1_000;

const SAMPLE = `gateways:
  - { site: plant1, gateway: gw7, token_file: gw7.token }`;

export function GatewaysSection(): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const gateways = useQuery({
    queryKey: ['admin', 'gateways'],
    queryFn: ({ signal }) => ask<Page<GatewayItem>>('gateways', { limit: LIMIT }, { signal }),
    refetchInterval: EVERY_MS,
  });
  return (
    <section aria-label={say('section_gateways')} className={look.parts}>
      <Resource query={gateways}>
        {({ items, next }) => (
          <>
            <List
              title={say('gateways_configured')}
              empty={say('gateways_none')}
              gateways={items.filter(({ configured }) => configured)}
            />
            <List
              title={say('gateways_unconfigured')}
              empty={say('gateways_unconfigured_none')}
              gateways={items.filter(({ configured }) => !configured)}
            />
            {next === null ? null : <p className="note">{say('first_only', { n: LIMIT })}</p>}
          </>
        )}
      </Resource>
      <div className="panel">
        <h2>{say('gateway_add')}</h2>
        <ol className={look.steps}>
          <li>{say('gateway_add_1')}</li>
          <li>
            {say('gateway_add_2')}
            <pre className={look.sample}>{SAMPLE}</pre>
          </li>
          <li>{say('gateway_add_3')}</li>
        </ol>
        <p className="note">{say('gateway_add_note')}</p>
      </div>
    </section>
  );
}

function List(props: {
  title: string;
  empty: string;
  gateways: readonly GatewayItem[];
}): ReactNode {
  const { title, empty, gateways } = props;
  const say = useSay(ADMIN_WORDS);
  return (
    <div>
      <h2>{title}</h2>
      {gateways.length === 0 ? (
        <Empty text={empty} />
      ) : (
        <Table
          isCards
          label={title}
          rows={gateways}
          keyOf={({ site, gateway }) => JSON.stringify([site, gateway])}
          columns={[
            {
              key: 'gateway',
              head: say('gateway'),
              cell: ({ site, gateway }) => (
                <Link href={`/gateways/${encodeURIComponent(site)}/${encodeURIComponent(gateway)}`}>
                  <Name text={gateway} />
                </Link>
              ),
            },
            { key: 'site', head: say('site'), cell: ({ site }) => <Name text={site} /> },
            { key: 'status', head: say('state'), cell: ({ status }) => say(`gateway_${status}`) },
            {
              key: 'seen',
              head: say('last_seen'),
              cell: ({ updated_ms }) =>
                updated_ms === null ? say('never') : <Age ms={updated_ms} />,
            },
            {
              key: 'version',
              head: say('version'),
              cell: ({ version }) => <Name text={version} />,
            },
            {
              key: 'install',
              head: say('install'),
              cell: ({ install_id }) => <code>{install_id}</code>,
            },
          ]}
        />
      )}
    </div>
  );
}
