/** The readings themselves, page by page: value, what came, quality, what the rules did and said. */

import { useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useState } from 'react';
import { ask } from '../../api/client.ts';
import type { DeviceItem, Page } from '../../api/types.ts';
import { usePreferences } from '../../app/preferences.tsx';
import type { ReadingItem } from '../../chart/points.ts';
import type { Span } from '../../chart/zoom.ts';
import { formatValue } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { READING_WORDS } from '../../ui/reading_words.ts';
import { Select } from '../../ui/select.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import { Table } from '../../ui/table.tsx';
import { Time } from '../../ui/time.tsx';
import look from './page.module.css';
import { useFindingWords } from './readout.tsx';
import { DEVICE_WORDS } from './words.ts';

const PAGE = 100;
const TEXT_CHARACTERS_MAX = 200;

export interface RawReading extends ReadingItem {
  raw_value: number | null;
  treatment: string;
  findings: string[];
  gateway: string;
  epoch: string;
  seq: number;
  received_ms: number;
}

const FINDINGS = Object.keys(READING_WORDS.en)
  .filter((key) => key.startsWith('finding_'))
  .map((key) => key.slice('finding_'.length));

export function ReadingsTable(props: {
  device: DeviceItem;
  span: Span;
  isOpen: boolean;
  onOpen: (on: boolean) => void;
}): ReactNode {
  const { device, span, isOpen, onOpen } = props;
  const say = useSay(DEVICE_WORDS);
  return (
    <details
      className={look.rows}
      open={isOpen}
      onToggle={({ currentTarget }) => {
        if (currentTarget.open !== isOpen) onOpen(currentTarget.open);
      }}
    >
      <summary>
        <h2>{say('readings')}</h2>
      </summary>
      {isOpen ? <Rows device={device} span={span} /> : null}
    </details>
  );
}

function Rows({ device, span }: { device: DeviceItem; span: Span }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const sayReading = useSay(READING_WORDS);
  const [channel, setChannel] = useState('');
  const [finding, setFinding] = useState('');
  // What is live moves on: the rows stay those of when they were asked for, until somebody asks again.
  const [kept, setKept] = useState(span);
  const moves = kept.fromMs !== span.fromMs || kept.toMs !== span.toMs;
  const { site, device: name } = device;
  const query = useInfiniteQuery({
    queryKey: ['readings', 'rows', site, name, kept, channel, finding],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<RawReading>>(
        'readings',
        {
          site,
          device: name,
          channels: channel,
          finding,
          from: kept.fromMs,
          to: kept.toMs,
          order: 'desc',
          limit: PAGE,
          cursor: pageParam,
        },
        { signal },
      ),
    initialPageParam: '',
    getNextPageParam: ({ next }) => next ?? undefined,
    staleTime: Number.POSITIVE_INFINITY,
  });
  return (
    <>
      <div className="filters">
        <Select
          label={say('only_channel')}
          name="channel"
          value={channel}
          options={device.channels
            .filter((one) => !one.channel.includes(','))
            .map((one) => [one.channel, one.channel])}
          any={say('every_channel')}
          onChange={setChannel}
        />
        <Select
          label={say('only_finding')}
          name="finding"
          value={finding}
          options={FINDINGS.map((code) => [code, sayReading(`finding_${code}` as 'finding_late')])}
          any={say('any_finding')}
          onChange={setFinding}
        />
        <button
          type="button"
          className="act"
          data-action="reload-rows"
          disabled={!moves}
          onClick={() => setKept(span)}
        >
          {say('reload_rows')}
        </button>
      </div>
      <p className="note">
        {say('readings_note')} <Time ms={kept.fromMs} site={site} /> –{' '}
        <Time ms={kept.toMs} site={site} />
      </p>
      <Resource query={query}>
        {({ pages }) => {
          const rows = pages.flatMap(({ items }) => items);
          if (rows.length === 0) return <Empty text={say('no_history')} />;
          return <ReadingRows device={device} rows={rows} />;
        }}
      </Resource>
      {query.hasNextPage ? (
        <p>
          <button
            type="button"
            className="act"
            data-action="older-rows"
            disabled={query.isFetchingNextPage}
            onClick={() => void query.fetchNextPage()}
          >
            {say('older')}
          </button>
        </p>
      ) : null}
    </>
  );
}

function ReadingRows(props: { device: DeviceItem; rows: readonly RawReading[] }): ReactNode {
  const { device, rows } = props;
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const findings = useFindingWords();
  const { site } = device;
  const channels = new Map(device.channels.map((one) => [one.channel, one]));
  const show = (channel: string, value: number | string | null): string => {
    if (value === null) return '–';
    if (typeof value === 'string') return value.slice(0, TEXT_CHARACTERS_MAX);
    const { kind, decimals = null, unit = '' } = channels.get(channel) ?? {};
    if (kind === 'boolean') return say(value === 0 ? 'no' : 'yes');
    return `${formatValue(value, decimals, language)} ${unit}`.trim();
  };
  return (
    <Table
      label={say('readings')}
      rows={rows}
      keyOf={({ epoch, seq, channel }) => `${epoch}/${seq}/${channel}`}
      columns={[
        {
          key: 'time',
          head: say('time'),
          cell: ({ time_ms }) => <Time ms={time_ms} site={site} form="millisecond" />,
        },
        { key: 'channel', head: say('only_channel'), cell: (row) => <Name text={row.channel} /> },
        {
          key: 'value',
          head: say('value'),
          isNumber: true,
          cell: (row) => <Name text={show(row.channel, row.value)} />,
        },
        {
          key: 'raw',
          head: say('raw_value'),
          isNumber: true,
          cell: (row) => (row.raw_value === null ? '' : show(row.channel, row.raw_value)),
        },
        { key: 'quality', head: say('quality'), cell: (row) => <Quality value={row.quality} /> },
        { key: 'treatment', head: say('treatment'), cell: (row) => <Treatment row={row} /> },
        { key: 'findings', head: say('findings'), cell: (row) => findings(row.findings) },
        { key: 'gateway', head: say('gateway'), cell: (row) => <Name text={row.gateway} /> },
        {
          key: 'received',
          head: say('received'),
          cell: ({ received_ms }) => <Time ms={received_ms} site={site} form="millisecond" />,
        },
      ]}
    />
  );
}

function Quality({ value }: { value: number }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const sayReading = useSay(READING_WORDS);
  const severity = value & 3;
  if (severity === 0) return say('quality_good');
  return severity === 1 ? (
    <Mark level="note">{sayReading('uncertain')}</Mark>
  ) : (
    <Mark level="warn">{sayReading('bad')}</Mark>
  );
}

function Treatment({ row }: { row: RawReading }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const sayReading = useSay(READING_WORDS);
  const { treatment } = row;
  if (treatment === 'kept') return say('treatment_kept');
  return <Mark level="note">{sayReading(treatment as 'filled')}</Mark>;
}
