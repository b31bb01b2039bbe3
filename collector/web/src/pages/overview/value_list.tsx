/** Few devices: each with the newest value of every channel. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { memo, useMemo } from 'react';
import { Link } from 'wouter';
import { ask } from '../../api/client.ts';
import type { Channel, DeviceItem, Page } from '../../api/types.ts';
import { devicePath } from '../../app/address.ts';
import { useNowMs } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { useSay } from '../../i18n/say.ts';
import { freshness } from '../../ui/freshness.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { FreshnessMark, Value } from '../../ui/reading.tsx';
import { READING_WORDS } from '../../ui/reading_words.ts';
import { SeverityMark } from '../../ui/severity.tsx';
import { Resource } from '../../ui/states.tsx';
import look from './page.module.css';
import { compareNeed, VALUES_MAX } from './tiles.ts';
import type { StateItem } from './types.ts';

const EVERY_MS = 2_000;

export function ValueList(props: { search: string; states: readonly StateItem[] }): ReactNode {
  const { search, states } = props;
  const devices = useQuery({
    queryKey: ['devices', 'values', search.trim()],
    queryFn: ({ signal }) =>
      ask<Page<DeviceItem>>('devices', { limit: VALUES_MAX, search: search.trim() }, { signal }),
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
  });
  const order = useMemo(
    () => new Map([...states].sort(compareNeed).map((state, i) => [keyOf(state), { state, i }])),
    [states],
  );
  return (
    <Resource query={devices}>
      {({ items }) => (
        <ul className={look.values}>
          {items
            .filter((device) => order.has(keyOf(device)))
            .sort((a, b) => (order.get(keyOf(a))?.i ?? 0) - (order.get(keyOf(b))?.i ?? 0))
            .map((device) => (
              <Row
                key={keyOf(device)}
                device={device}
                alert={order.get(keyOf(device))?.state.alert ?? null}
              />
            ))}
        </ul>
      )}
    </Resource>
  );
}

function keyOf({ site, device }: { site: string; device: string }): string {
  return JSON.stringify([site, device]);
}

function Row({ device, alert }: { device: DeviceItem; alert: StateItem['alert'] }): ReactNode {
  const say = useSay(READING_WORDS);
  const isStale = freshness(device, useNowMs()) === 'stale';
  const place = [device.site, device.area, device.line, device.gateway].filter((p) => p !== '');
  return (
    <li className={`panel ${look.values_row} ${isStale ? look.stale : ''}`}>
      <Link href={devicePath(device)} className={look.who} data-device={device.device}>
        <strong>
          <Name text={device.device} />
        </strong>{' '}
        {alert === null ? null : (
          <SeverityMark
            severity={alert.severity}
            look={alert.look}
            {...(alert.count > 1 ? { count: alert.count } : {})}
          />
        )}
        <small>
          <Name text={place.join(' · ')} />
        </small>
        <small>
          <FreshnessMark device={device} />{' '}
          {device.unprofiled ? <Mark level="note">{say('unprofiled')}</Mark> : null}
        </small>
      </Link>
      <dl>
        {device.channels.map((channel) => (
          <Cell key={channel.channel} channel={channel} />
        ))}
      </dl>
    </li>
  );
}

/** Drawn again only when something of it changed: answers share what is the same, but for the time. */
const Cell = memo(
  function Cell({ channel }: { channel: Channel }): ReactNode {
    const { language } = usePreferences();
    return (
      <div data-channel={channel.channel}>
        <dt title={channel.channel}>
          <Name text={channel.title[language] || channel.channel} />
        </dt>
        <dd>
          <Value channel={channel} />
        </dd>
      </div>
    );
  },
  (before, after) => shownOf(before.channel) === shownOf(after.channel),
);

function shownOf({ channel, title, kind, unit, decimals, ...rest }: Channel): string {
  const { attention_when, value, quality, treatment } = rest;
  return JSON.stringify([
    channel,
    title,
    kind,
    unit,
    decimals,
    attention_when,
    value,
    quality,
    treatment,
  ]);
}
