/** Which gateways may connect: tokens for new ones, those that ask, certificates, and who signs them. */

import { useQuery, useQueryClient } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { ApiFailure, ask } from '../../../api/client.ts';
import type { Page } from '../../../api/types.ts';
import { useAddress } from '../../../app/address.ts';
import { useNowMs, useOverview } from '../../../app/overview.ts';
import { usePermissions } from '../../../app/session.ts';
import { useSay } from '../../../i18n/say.ts';
import { SearchFilter } from '../../../ui/filters.tsx';
import { Name } from '../../../ui/mark.tsx';
import { Select } from '../../../ui/select.tsx';
import { Empty, Resource } from '../../../ui/states.tsx';
import { Age } from '../../../ui/time.tsx';
import look from '../page.module.css';
import type { GatewayItem } from '../types.ts';
import { AddDialog } from './add.tsx';
import type { Deed } from './asked.tsx';
import { AskedDialog } from './asked.tsx';
import { AuthorityPanel } from './authority.tsx';
import type { Row } from './list.tsx';
import { GatewayList } from './list.tsx';
import { MadeDialog } from './made.tsx';
import { RequestsPanel } from './requests.tsx';
import { filtered, keyOf, sortedRows, unregistered } from './rows.ts';
import type { AuthorityItem, EnrolmentRequest, MadeTokens, Registered } from './types.ts';
import { STATES } from './types.ts';
import { ENROLMENT_WORDS } from './words.ts';

const EVERY_MS = 5_000;
const AUTHORITY_EVERY_MS = 60_000;
const LIMIT = 1_000;
const SHOWN_MAX = 200;
const FILTERS = ['search', 'state'] as const;
const KEY = ['enrolment'] as const;
const SAMPLE = `mqtt:
  tls: {}`;

type Asks = { what: 'add' } | { what: 'made'; made: MadeTokens } | { what: Deed; row: Row };

export function GatewaysSection(): ReactNode {
  const say = useSay(ENROLMENT_WORDS);
  const client = useQueryClient();
  const { mayAt, mayEverywhere } = usePermissions();
  const [asks, setAsks] = useState<Asks>();
  const { registered, seen, requests, authority } = useEnrolment(mayEverywhere('viewer'));
  const known = (useOverview()?.sites ?? []).map(({ site }) => site);
  const named = (registered.data?.items ?? []).map(({ site }) => site);
  const sites = [...new Set([...known, ...named])].filter((site) => mayAt('admin', site)).sort();
  const again = (): Promise<void> => client.invalidateQueries({ queryKey: KEY });
  const close = (): void => setAsks(undefined);
  const isOff = authority.error instanceof ApiFailure && authority.error.code === 'TRUST_OFF';
  return (
    <section aria-label={say('section_gateways')} className={look.parts}>
      {isOff ? (
        <div className="panel">
          <h2>{say('off_title')}</h2>
          <p>{say('off_note')}</p>
          <pre className={look.sample}>{SAMPLE}</pre>
        </div>
      ) : null}
      {isOff || authority.isLoading ? null : (
        <p>
          <button
            type="button"
            className="act"
            data-action="add"
            onClick={() => setAsks({ what: 'add' })}
          >
            {say('add')}
          </button>
        </p>
      )}
      <RequestsPanel requests={requests.data?.items ?? []} onDecided={again} />
      <Resource query={registered}>
        {({ items }) => (
          <>
            <Registry
              registered={items}
              seen={seen.data?.items ?? []}
              mayChange={(site) => !isOff && mayAt('admin', site)}
              onAsk={(what, row) => setAsks({ what, row })}
            />
            <Unregistered gateways={unregistered(seen.data?.items ?? [], items)} />
          </>
        )}
      </Resource>
      {authority.data === undefined ? null : <AuthorityPanel authority={authority.data} />}
      {asks?.what === 'add' ? (
        <AddDialog
          sites={sites}
          onMade={(made) => {
            void again();
            setAsks({ what: 'made', made });
          }}
          onClose={close}
        />
      ) : null}
      {asks?.what === 'made' ? <MadeDialog made={asks.made} onClose={close} /> : null}
      {asks !== undefined && 'row' in asks ? (
        <AskedDialog
          deed={asks.what}
          gateway={asks.row}
          onDone={(made) => {
            void again();
            setAsks(made === undefined ? undefined : { what: 'made', made });
          }}
          onClose={close}
        />
      ) : null}
    </section>
  );
}

/** All under one key, so that a change looks at all of it again. */
function useEnrolment(mayLookEverywhere: boolean) {
  const registered = useQuery({
    queryKey: [...KEY, 'gateways'],
    queryFn: ({ signal }) => ask<Page<Registered>>('enrolment/gateways', {}, { signal }),
    refetchInterval: EVERY_MS,
  });
  const seen = useQuery({
    queryKey: [...KEY, 'seen'],
    queryFn: ({ signal }) => ask<Page<GatewayItem>>('gateways', { limit: LIMIT }, { signal }),
    refetchInterval: EVERY_MS,
  });
  const requests = useQuery({
    queryKey: [...KEY, 'requests'],
    queryFn: ({ signal }) => ask<Page<EnrolmentRequest>>('enrolment/requests', {}, { signal }),
    refetchInterval: EVERY_MS,
  });
  const authority = useQuery({
    queryKey: [...KEY, 'ca'],
    queryFn: ({ signal }) => ask<AuthorityItem>('enrolment/ca', {}, { signal }),
    refetchInterval: AUTHORITY_EVERY_MS,
    // A refusal says that there is none.
    retry: false,
    enabled: mayLookEverywhere,
  });
  return { registered, seen, requests, authority };
}

function Registry(props: {
  registered: readonly Registered[];
  seen: readonly GatewayItem[];
  mayChange: (site: string) => boolean;
  onAsk: (deed: Deed, row: Row) => void;
}): ReactNode {
  const { registered, seen, mayChange, onAsk } = props;
  const say = useSay(ENROLMENT_WORDS);
  const nowMs = useNowMs();
  const [filters, change] = useAddress(FILTERS);
  const byKey = new Map(seen.map((one) => [keyOf(one), one]));
  const rows = filtered(registered, filters).map((one) => ({
    ...one,
    seen: byKey.get(keyOf(one)),
  }));
  const shown = sortedRows(rows, nowMs).slice(0, SHOWN_MAX);
  return (
    <div>
      <h2>
        {say('list_title')} <small className="note">{say('count', { n: registered.length })}</small>
      </h2>
      {registered.length === 0 ? (
        <Empty text={say('list_none')} />
      ) : (
        <>
          <search className="filters">
            <SearchFilter value={filters.search} change={change} />
            <Select
              label={say('state')}
              name="state"
              value={filters.state}
              any={say('any')}
              options={STATES.map((state) => [state, say(`state_${state}`)] as const)}
              onChange={(state) => change({ state })}
            />
          </search>
          {shown.length === 0 ? (
            <Empty text={say('list_none_match')} />
          ) : (
            <GatewayList rows={shown} mayChange={mayChange} onAsk={onAsk} />
          )}
          {rows.length > shown.length ? (
            <p className="note">{say('first_only', { n: shown.length, total: rows.length })}</p>
          ) : null}
        </>
      )}
    </div>
  );
}

function Unregistered({ gateways }: { gateways: readonly GatewayItem[] }): ReactNode {
  const say = useSay(ENROLMENT_WORDS);
  if (gateways.length === 0) return null;
  return (
    <div data-unregistered={gateways.length}>
      <h2>{say('unregistered')}</h2>
      <p className="note">{say('unregistered_note')}</p>
      <ul className={look.plain}>
        {gateways.slice(0, SHOWN_MAX).map((one) => (
          <li key={keyOf(one)}>
            <Name text={one.gateway} />{' '}
            <small className="note">
              <Name text={one.site} />
              {one.updated_ms === null ? null : (
                <>
                  {' · '}
                  {say('last_seen')} <Age ms={one.updated_ms} />
                </>
              )}
            </small>
          </li>
        ))}
      </ul>
    </div>
  );
}
