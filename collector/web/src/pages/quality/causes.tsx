/** What cost a device its points in an hour, a day or the whole range, down to the single readings. */

import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { Link } from 'wouter';
import { ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import { devicePath } from '../../app/address.ts';
import { collectorNowMs, useZoneOf } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount, formatDuration, formatValue, timeFormat } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { Empty, Failure, Loading, Resource } from '../../ui/states.tsx';
import type { Column } from '../../ui/table.tsx';
import { Table } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import styles from './page.module.css';
import type { QualityView } from './request.ts';
import { spanOf } from './request.ts';
import type { Bucket, QualityAnswer, Reason } from './types.ts';
import { QUALITY_WORDS } from './words.ts';

const READINGS_PAGE = 50;
/** Codes of what never became a reading: they are in quarantine, or nowhere. */
const NOT_READ = ['rejected', 'wrong_device', 'too_old', 'too_new'];
const MINUTES_MAX_MS = 24 * 3_600_000;

interface Props {
  view: QualityView & { device: string };
  answer: QualityAnswer;
  show: (view: QualityView) => void;
}

export function Causes({ view, answer, show }: Props): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { device, site, atMs } = view;
  const zone = useZoneOf()(site);
  const title = useRef<HTMLHeadingElement>(null);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another cell was chosen
  useEffect(() => title.current?.focus(), [device, atMs]);
  const { fromMs, toMs } = spanOf(view, collectorNowMs());
  const cell = answer.items.find((item) => item.device === device && item.from_ms === atMs);
  const whole = useQuery({
    queryKey: ['quality', 'device', site, device, fromMs, toMs],
    queryFn: ({ signal }) =>
      ask<QualityAnswer>(
        'quality',
        { site, device, from: fromMs, to: toMs, step: 'all' },
        { signal },
      ),
    enabled: atMs === undefined,
  });
  const when = atMs === undefined ? say('reasons_whole') : timeFormat(zone, 'full').format(atMs);
  const shown = (bucket: Bucket | undefined): ReactNode =>
    bucket === undefined ? <Empty text={say('no_devices')} /> : <OfBucket bucket={bucket} />;
  return (
    <section className="panel" aria-labelledby="causes-title">
      <div className="title-row">
        <h2 id="causes-title" tabIndex={-1} ref={title}>
          {say('reasons', { device })} · {when}
        </h2>
        {atMs === undefined ? null : (
          <button type="button" className="act" onClick={() => show({ ...view, atMs: undefined })}>
            {say('back_to_range')}
          </button>
        )}
        <Link href={devicePath({ site, device })}>{say('device_page', { device })}</Link>
        <button
          type="button"
          className="act"
          onClick={() => show({ ...view, device: undefined, atMs: undefined } as QualityView)}
        >
          {say('close')}
        </button>
      </div>
      {atMs !== undefined ? (
        shown(cell)
      ) : (
        <Resource query={whole}>{({ items }) => shown(items[0])}</Resource>
      )}
    </section>
  );
}

function OfBucket({ bucket }: { bucket: Bucket }): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { language } = usePreferences();
  const count = (value: number): string => formatCount(value, language);
  const { expected, received, quarantined, filled, latency_avg_ms, latency_max_ms } = bucket;
  return (
    <>
      <p>
        {say('counts', {
          expected: count(expected),
          received: count(received),
          quarantined: count(quarantined),
          filled: count(filled),
        })}
      </p>
      {latency_avg_ms === null ? null : (
        <p className="note">
          {say('latency', {
            mean: `${formatValue(latency_avg_ms / 1000, null, language)} s`,
            longest: formatDuration(latency_max_ms, say),
          })}
        </p>
      )}
      {bucket.reasons.length === 0 ? (
        <Empty text={say('nothing_lost')} />
      ) : (
        <ul className={styles.reasons}>
          {bucket.reasons.map((reason) => (
            <ReasonItem key={reason.code} reason={reason} bucket={bucket} />
          ))}
        </ul>
      )}
    </>
  );
}

function ReasonItem({ reason, bucket }: { reason: Reason; bucket: Bucket }): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { language } = usePreferences();
  const [isOpen, setOpen] = useState(false);
  const points = formatValue(reason.points, reason.points < 0.1 ? 3 : 1, language);
  return (
    <li data-reason={reason.code}>
      <p className={styles.reason}>
        <strong>{reason[language]}</strong>
        <span>
          {say('readings')}: {formatCount(reason.count, language)}
        </span>
        <span>
          {say('points', { points: `−${points}` })}{' '}
          <small className="note">
            {say('of_dimension', { dimension: say(reason.dimension) })}
          </small>
        </span>
        {NOT_READ.includes(reason.code) ? (
          <Link href={quarantineLink(bucket)}>{say('in_quarantine')}</Link>
        ) : (
          <button
            type="button"
            className="act"
            aria-expanded={isOpen}
            onClick={() => setOpen(!isOpen)}
          >
            {isOpen
              ? say('hide_readings')
              : say(reason.code === 'not_received' ? 'show_minutes' : 'show_readings')}
          </button>
        )}
      </p>
      {!isOpen ? null : reason.code === 'not_received' ? (
        <Minutes bucket={bucket} />
      ) : (
        <Readings bucket={bucket} finding={reason.code} />
      )}
    </li>
  );
}

function quarantineLink({ site, device, from_ms, to_ms }: Bucket): string {
  const query = new URLSearchParams({ site, device, from: String(from_ms), to: String(to_ms) });
  return `/quarantine?${query}`;
}

interface Reading {
  channel: string;
  time_ms: number;
  value: number | string | null;
  raw_value: number | null;
  treatment: 'kept' | 'flagged' | 'clipped' | 'filled' | 'missing';
  epoch: string;
  seq: number;
  received_ms: number;
}

function Readings({ bucket, finding }: { bucket: Bucket; finding: string }): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { language } = usePreferences();
  const { site, device, from_ms: from, to_ms: to } = bucket;
  const asked = { site, device, from, to, finding, limit: READINGS_PAGE };
  const query = useInfiniteQuery({
    queryKey: ['readings', asked],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Reading>>('readings', { ...asked, cursor: pageParam }, { signal }),
    initialPageParam: '',
    getNextPageParam: ({ next }) => next,
  });
  const shownValue = (value: number | string | null): ReactNode =>
    value === null ? (
      '–'
    ) : typeof value === 'string' ? (
      <Name text={value} />
    ) : (
      formatValue(value, null, language)
    );
  const columns: Column<Reading>[] = [
    {
      key: 'time',
      head: say('time'),
      cell: (r) => <Time ms={r.time_ms} site={site} form="millisecond" />,
    },
    { key: 'channel', head: say('channel'), cell: (r) => <Name text={r.channel} /> },
    { key: 'value', head: say('value'), isNumber: true, cell: (r) => shownValue(r.value) },
    {
      key: 'raw',
      head: say('raw_value'),
      isNumber: true,
      cell: (r) => shownValue(r.raw_value ?? r.value),
    },
    { key: 'treatment', head: say('treatment'), cell: (r) => say(r.treatment) },
    {
      key: 'received',
      head: say('received_at'),
      cell: (r) => <Time ms={r.received_ms} site={site} />,
    },
  ];
  if (query.data === undefined)
    return query.error === null ? (
      <Loading />
    ) : (
      <Failure error={query.error} retry={() => void query.refetch()} />
    );
  const rows = query.data.pages.flatMap(({ items }) => items);
  if (rows.length === 0) return <Empty text={say('no_readings')} />;
  return (
    <>
      <Table
        label={say('readings')}
        columns={columns}
        rows={rows}
        keyOf={({ epoch, seq }) => `${epoch}/${seq}`}
      />
      {query.hasNextPage ? (
        <p className="actions">
          <button
            type="button"
            className="act"
            disabled={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            {say('more')}
          </button>
        </p>
      ) : null}
    </>
  );
}

/** When readings were missing: the minutes with fewer than expected. */
function Minutes({ bucket }: { bucket: Bucket }): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const { language } = usePreferences();
  const { site, device, from_ms: from } = bucket;
  const to = Math.min(bucket.to_ms, from + MINUTES_MAX_MS);
  const query = useQuery({
    queryKey: ['quality', 'minutes', site, device, from, to],
    queryFn: ({ signal }) =>
      ask<QualityAnswer>(
        'quality',
        { site, device, from, to, step: 'minute', limit: 1_440 },
        { signal },
      ),
  });
  const columns: Column<Bucket>[] = [
    { key: 'minute', head: say('minute'), cell: (b) => <Time ms={b.from_ms} site={site} /> },
    {
      key: 'expected',
      head: say('expected'),
      isNumber: true,
      cell: (b) => formatCount(b.expected, language),
    },
    {
      key: 'received',
      head: say('received'),
      isNumber: true,
      cell: (b) => formatCount(b.received + b.quarantined, language),
    },
  ];
  return (
    <Resource query={query}>
      {({ items }) => {
        const short = items.filter((b) => b.received + b.quarantined < b.expected);
        return short.length === 0 ? (
          <Empty text={say('nothing_lost')} />
        ) : (
          <Table
            label={say('minute')}
            columns={columns}
            rows={short}
            keyOf={({ from_ms }) => String(from_ms)}
          />
        );
      }}
    </Resource>
  );
}
