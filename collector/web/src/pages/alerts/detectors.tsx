/** How often each detector was right, as far as people have said. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import { collectorNowMs } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount, formatPercent } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import { useAnomalyWords } from '../device/say_anomaly.ts';
import look from './page.module.css';
import type { DetectorSummary } from './types.ts';
import { ALERTS_WORDS } from './words.ts';

const DAYS = 30;
const DAY_MS = 86_400_000;
const EVERY_MS = 60_000;
const COUNTS = [
  'anomalies',
  'marked_true',
  'marked_false',
  'marked_maintenance',
  'unmarked',
] as const;

export function Detectors({ site }: { site: string }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const { detectorOf } = useAnomalyWords();
  // Whole minutes: the collector may keep the answer of the same question.
  const to = Math.ceil(collectorNowMs() / 60_000) * 60_000;
  const query = useQuery({
    queryKey: ['anomalies', 'summary', site],
    queryFn: ({ signal }) =>
      ask<Page<DetectorSummary>>(
        'anomalies/summary',
        { site, from: to - DAYS * DAY_MS, to },
        { signal },
      ),
    refetchInterval: EVERY_MS,
  });
  const columns: Column<DetectorSummary>[] = [
    {
      key: 'detector',
      head: say('detector'),
      cell: (of) => <Name text={detectorOf(of)} />,
    },
    ...COUNTS.map(
      (key): Column<DetectorSummary> => ({
        key,
        head: say(`count_${key}`),
        isNumber: true,
        cell: (of) => formatCount(of[key] ?? 0, language),
      }),
    ),
    {
      key: 'right',
      head: say('count_right'),
      isNumber: true,
      cell: ({ marked_true, marked_false }) => {
        const judged = marked_true + marked_false;
        return judged === 0 ? '–' : formatPercent(marked_true / judged, language, 0);
      },
    },
  ];
  return (
    <section className={look.part} id="detectors">
      <h2>{say('detectors')}</h2>
      <Resource query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty text={say('detectors_none', { days: DAYS })} />
          ) : (
            <>
              <p className="note">{say('detectors_note', { days: DAYS })}</p>
              <Table
                label={say('detectors')}
                columns={columns}
                rows={items}
                keyOf={({ detector }) => detector}
                attributesOf={({ detector }) => ({ 'data-detector': detector })}
              />
            </>
          )
        }
      </Resource>
    </section>
  );
}
