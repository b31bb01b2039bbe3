/** Alerts that are over, newest first, page by page. */

import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { ask } from '../../api/client.ts';
import type { Alert, Page } from '../../api/types.ts';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { isFiltered } from '../../app/address.ts';
import { activeAlertsQuery } from '../../app/firing.tsx';
import { usePreferences } from '../../app/preferences.tsx';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import { OlderButton } from '../../ui/older.tsx';
import { SeverityMark } from '../../ui/severity.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import { Place, Subject } from './alert_row.tsx';
import { namesOf, sinceMs, summaryOf, titleOf, withSiteTimes } from './alerts.ts';
import type { FilterKey } from './filters.tsx';
import { AlertFilters, FILTER_KEYS, filterOf } from './filters.tsx';
import look from './page.module.css';
import { ALERTS_WORDS } from './words.ts';

const PAGE = 50;
/** More than that nobody reads here: the filters narrow down, and the API has all of it. */
const PAGES_MAX = 20;
/** What has just ended is in the store a moment later. Many pages are not read again so often. */
const EVERY_MS = 5_000;
const MANY_EVERY_MS = 60_000;

export function HistoryTab(props: {
  address: Address<FilterKey>;
  change: ChangeAddress<FilterKey>;
}): ReactNode {
  const { address, change } = props;
  const say = useSay(ALERTS_WORDS);
  const { standing, ...filter } = filterOf(address);
  const query = useInfiniteQuery({
    queryKey: ['alerts', 'over', filter],
    queryFn: ({ pageParam, signal }) => {
      const asked = { ...filter, state: 'resolved', limit: PAGE, cursor: pageParam };
      return ask<Page<Alert>>('alerts', asked, { signal });
    },
    initialPageParam: '',
    getNextPageParam: ({ next }, pages) => (pages.length < PAGES_MAX ? next : null),
    refetchInterval: ({ state }) =>
      (state.data?.pages.length ?? 0) > 1 ? MANY_EVERY_MS : EVERY_MS,
  });
  const known = query.data?.pages.flatMap(({ items }) => items) ?? [];
  const around = [...known, ...(useQuery(activeAlertsQuery).data?.items ?? [])];
  const choices = {
    lines: namesOf(around, 'line', address.line),
    rules: namesOf(around, 'rule', address.rule),
  };
  return (
    <>
      <AlertFilters address={address} change={change} choices={choices} />
      <Resource query={query}>
        {() => (
          <>
            {known.length === 0 ? (
              <Empty
                text={say(
                  isFiltered(address, FILTER_KEYS) ? 'history_none_match' : 'history_empty',
                )}
              />
            ) : null}
            <ul id="alert-history" className={look.rows}>
              {known.map((alert) => (
                <OverRow key={alert.id} alert={alert} />
              ))}
            </ul>
          </>
        )}
      </Resource>
      <OlderButton query={query} />
    </>
  );
}

function OverRow({ alert }: { alert: Alert }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const { clock, span } = useMoments();
  const { site, resolved_ms, resolved_by, acknowledged_ms, acknowledged_by } = alert;
  const facts = [span(sinceMs(alert), resolved_ms ?? sinceMs(alert), site)];
  const why = resolvedWhy(resolved_by);
  if (why !== undefined) facts.push(say(why));
  if (acknowledged_ms !== null) {
    const time = clock(acknowledged_ms, site);
    facts.push(say('acknowledged_by', { by: acknowledged_by || '–', time }));
  }
  const summary = summaryOf(alert, language);
  return (
    <li className={`${look.row} ${look.quiet}`} data-alert={alert.id}>
      <div className={look.badge}>
        <SeverityMark severity={alert.severity} look="quiet" />
      </div>
      <div className={look.what}>
        <p className={look.rowHead}>
          <Subject alert={alert} />{' '}
          <Link href={`/alerts/${alert.id}`}>
            <strong>{titleOf(alert, language)}</strong>
          </Link>
        </p>
        {summary === '' ? null : (
          <p>
            <Name text={withSiteTimes(summary, (ms) => clock(ms, site))} />
          </p>
        )}
        <p className="note">
          <Name text={facts.join(' · ')} />
        </p>
        <p className="note">
          <Place alert={alert} />
        </p>
      </div>
    </li>
  );
}

/** Undefined: not said, or by a later version of the collector. */
export function resolvedWhy(
  by: string,
): 'resolved_cleared' | 'resolved_no_device' | 'resolved_rule_removed' | undefined {
  if (by === 'cleared' || by === 'no_device' || by === 'rule_removed') return `resolved_${by}`;
  return undefined;
}
