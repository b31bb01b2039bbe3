/** The quality reports that the collector makes by day, week and month. */

import { useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { apiUrl, ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { useSay } from '../../i18n/say.ts';
import { OlderButton } from '../../ui/older.tsx';
import { Empty, Failure, Loading } from '../../ui/states.tsx';
import styles from './page.module.css';
import { QUALITY_WORDS } from './words.ts';

const LIMIT = 30;

interface Report {
  site: string;
  period: 'day' | 'week' | 'month';
  /** 2026-11-22, 2026-W47 or 2026-11: dates of the site. */
  label: string;
}

export function Reports({ site }: { site: string }): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { language } = usePreferences();
  const query = useInfiniteQuery({
    queryKey: ['reports', site],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Report>>('reports', { site, limit: LIMIT, cursor: pageParam }, { signal }),
    initialPageParam: '',
    getNextPageParam: ({ next }) => next,
    staleTime: 60_000,
  });
  if (query.data === undefined)
    return query.error === null ? (
      <Loading />
    ) : (
      <Failure error={query.error} retry={() => void query.refetch()} />
    );
  const reports = query.data.pages.flatMap(({ items }) => items);
  if (reports.length === 0) return <Empty text={say('no_reports')} />;
  return (
    <>
      <ul className={styles.reports}>
        {reports.map(({ period, label }) => {
          const path = `reports/${encodeURIComponent(site)}/${period}/${label}`;
          return (
            <li key={`${period}/${label}`} data-report={label}>
              {say(period)}{' '}
              <a
                href={apiUrl(path, { format: 'html', lang: language })}
                target="_blank"
                rel="noreferrer"
              >
                {label}
              </a>{' '}
              <a href={apiUrl(path)} target="_blank" rel="noreferrer" className="note">
                JSON
              </a>
            </li>
          );
        })}
      </ul>
      <OlderButton query={query} />
    </>
  );
}
