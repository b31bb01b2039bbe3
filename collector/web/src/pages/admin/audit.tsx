/** Who did what, and whether somebody has changed the record of it. */

import { useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ApiFailure, apiUrl, ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { useAddress } from '../../app/address.ts';
import { collectorNowMs, useOverview, useZoneOf } from '../../app/overview.ts';
import { zoneName } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { PeriodFields } from '../../ui/period.tsx';
import { Select } from '../../ui/select.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import type { AuditKey } from './audit.ts';
import { ACTIONS, AUDIT_KEYS, auditParameters, detailLines } from './audit.ts';
import { AuditVerify } from './audit_verify.tsx';
import look from './page.module.css';
import type { AuditItem } from './types.ts';
import { ADMIN_WORDS } from './words.ts';

const LIMIT = 100;
const DETAIL_CHARS = 160;

export function AuditSection(): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const [address, change] = useAddress(AUDIT_KEYS);
  const firstSite = useFirstSite();
  const zone = useZoneOf()(address.site || firstSite);
  const parameters = auditParameters(address, collectorNowMs());
  const entries = useInfiniteQuery({
    queryKey: ['audit', parameters],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<AuditItem>>(
        'audit',
        { ...parameters, limit: LIMIT, cursor: pageParam ?? undefined },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: ({ next }) => next,
    retry: (failures, error) => error instanceof ApiFailure && error.status === 0 && failures < 2,
  });
  const file = (format: string): string => apiUrl('audit/export', { ...parameters, format });
  return (
    <section aria-label={say('section_audit')} className={look.parts}>
      <AuditVerify />
      <div>
        <Filters address={address} change={change} />
        <p className={look.above}>
          <a className="act" href={file('csv')} download="audit.csv">
            {say('export_csv')}
          </a>{' '}
          <a className="act" href={file('jsonl')} download="audit.jsonl">
            {say('export_jsonl')}
          </a>{' '}
          <button type="button" className="act" onClick={() => void entries.refetch()}>
            {say('look_again')}
          </button>{' '}
          <span className="note">{say('zone', { zone: zoneName(zone, collectorNowMs()) })}</span>
        </p>
        <Resource query={entries}>
          {({ pages }) => {
            const items = pages.flatMap((page) => page.items);
            if (items.length === 0) return <Empty text={say('audit_none')} />;
            return <Entries entries={items} site={address.site} />;
          }}
        </Resource>
        {entries.hasNextPage ? (
          <p className={look.above}>
            <button
              type="button"
              className="act"
              data-action="older"
              disabled={entries.isFetchingNextPage}
              onClick={() => void entries.fetchNextPage()}
            >
              {say(entries.isFetchingNextPage ? 'loading' : 'older')}
            </button>
          </p>
        ) : null}
      </div>
    </section>
  );
}

/** Whose clock the times are shown by while no site is chosen. */
function useFirstSite(): string {
  return useOverview()?.sites[0]?.site ?? '';
}

function Filters(props: {
  address: Address<AuditKey>;
  change: ChangeAddress<AuditKey>;
}): ReactNode {
  const { address, change } = props;
  const say = useSay(ADMIN_WORDS);
  const sites = useOverview()?.sites ?? [];
  const text = (key: 'who' | 'text', label: string): ReactNode => (
    <label className="field">
      <span>{label}</span>
      <input
        // What changes in the address by the back button shows here, too.
        key={address[key]}
        name={key}
        type="search"
        autoComplete="off"
        maxLength={200}
        defaultValue={address[key]}
        onBlur={({ target }) => {
          if (target.value !== address[key]) change({ [key]: target.value });
        }}
        onKeyDown={({ key: pressed, currentTarget }) => {
          if (pressed === 'Enter') change({ [key]: currentTarget.value });
        }}
      />
    </label>
  );
  return (
    <search className="filters">
      {text('who', say('audit_who'))}
      <Select
        label={say('audit_action')}
        name="action"
        value={address.action}
        options={ACTIONS.map((action) => [action, say(`action_${action}`)])}
        any={say('audit_any')}
        onChange={(action) => change({ action })}
      />
      <Select
        label={say('site')}
        name="site"
        value={address.site}
        options={sites.map(({ site }) => [site, site])}
        any={say('audit_any')}
        onChange={(site) => change({ site })}
      />
      {text('text', say('audit_text'))}
      <PeriodFields
        period={address}
        site={address.site || (sites[0]?.site ?? '')}
        onChange={change}
      />
    </search>
  );
}

function Entries({ entries, site }: { entries: readonly AuditItem[]; site: string }): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const firstSite = useFirstSite();
  const shownSite = site || firstSite;
  return (
    <Table
      isCards
      label={say('section_audit')}
      rows={entries}
      keyOf={({ number, hash }) => `${number} ${hash}`}
      attributesOf={({ number }) => ({ 'data-entry': String(number) })}
      columns={[
        { key: 'number', head: say('audit_number'), isNumber: true, cell: ({ number }) => number },
        {
          key: 'time',
          head: say('time'),
          cell: ({ at_ms }) => (
            <span className={look.noBreak}>
              <Time ms={at_ms} site={shownSite} />
            </span>
          ),
        },
        {
          key: 'who',
          head: say('audit_who'),
          cell: ({ who, from }) => (
            <>
              <Name text={who} />
              <small>
                <Name text={from} />
              </small>
            </>
          ),
        },
        { key: 'action', head: say('audit_action'), cell: ({ action }) => <code>{action}</code> },
        { key: 'site', head: say('site'), cell: (entry) => <Name text={entry.site} /> },
        {
          key: 'target',
          head: say('audit_target'),
          cell: ({ target }) => <Name text={target} />,
        },
        {
          key: 'detail',
          head: say('audit_detail'),
          cell: ({ detail }) => <Detail text={detail} />,
        },
      ]}
    />
  );
}

/** A short one is shown at once, a longer one on demand. */
function Detail({ text }: { text: string }): ReactNode {
  const say = useSay(ADMIN_WORDS);
  const lines = detailLines(text);
  if (lines.length === 0) return null;
  if (text.length <= DETAIL_CHARS)
    return (
      <span className={look.detail}>
        <Name text={lines.join(' · ')} />
      </span>
    );
  return (
    <details>
      <summary>{say('audit_lines', { n: lines.length })}</summary>
      <ul className={look.plain}>
        {lines.map((line, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: lines of a text that does not change
          <li key={index} className={look.detail}>
            <Name text={line} />
          </li>
        ))}
      </ul>
    </details>
  );
}
