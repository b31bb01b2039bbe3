/** What happened to a gateway and its devices, newest first. */

import { useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ask } from '../../api/client.ts';
import type { FmsEvent, Page } from '../../api/types.ts';
import { useSay } from '../../i18n/say.ts';
import type { Level } from '../../ui/level.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { OlderButton } from '../../ui/older.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import { eventDetail } from './event_detail.ts';
import look from './page.module.css';
import { GATEWAYS_WORDS } from './words.ts';

const PAGE = 30;
const PAGES_MAX = 20;
const EVERY_MS = 10_000;
/** Events are over: nobody has to act on the list of them. */
const LEVELS: Record<FmsEvent['severity'], Level> = {
  info: 'calm',
  warning: 'note',
  error: 'note',
};

export function EventsPart({ site, gateway }: { site: string; gateway: string }): ReactNode {
  const say = useSay(GATEWAYS_WORDS);
  const query = useInfiniteQuery({
    queryKey: ['events', site, gateway],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<FmsEvent>>('events', { site, gateway, limit: PAGE, cursor: pageParam }, { signal }),
    initialPageParam: '',
    getNextPageParam: ({ next }, pages) => (pages.length < PAGES_MAX ? next : null),
    refetchInterval: EVERY_MS,
  });
  const events = query.data?.pages.flatMap(({ items }) => items) ?? [];
  const columns: Column<[FmsEvent, number]>[] = [
    {
      key: 'time',
      head: say('time'),
      cell: ([event]) => <Time ms={event.time_ms} site={event.site} />,
    },
    {
      key: 'event',
      head: say('event'),
      cell: ([{ kind, severity }]) => (
        <Mark level={LEVELS[severity]}>
          {`event_${kind}` in GATEWAYS_WORDS.en ? say(`event_${kind}` as 'event_gap') : kind}
        </Mark>
      ),
    },
    { key: 'device', head: say('device'), cell: ([{ device }]) => <Name text={device} /> },
    {
      key: 'detail',
      head: '',
      cell: ([event]) => (
        <span className={look.detail}>
          <Name text={eventDetail(event.detail)} />
        </span>
      ),
    },
  ];
  return (
    <section className={look.part} id="events">
      <h2>{say('events')}</h2>
      <Resource query={query}>
        {() =>
          events.length === 0 ? (
            <Empty text={say('events_none')} />
          ) : (
            <Table
              label={say('events')}
              columns={columns}
              rows={events.map((event, index): [FmsEvent, number] => [event, index])}
              // Two events may say the same at the same time.
              keyOf={([{ kind, time_ms }, index]) => `${time_ms} ${kind} ${index}`}
            />
          )
        }
      </Resource>
      <OlderButton query={query} />
    </section>
  );
}
