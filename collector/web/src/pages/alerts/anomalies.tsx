/** Anomalies of all devices, to be judged; and how often the detectors were right. */

import { useInfiniteQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { Link } from 'wouter';
import { ask } from '../../api/client.ts';
import type { Page } from '../../api/types.ts';
import type { Address, ChangeAddress } from '../../app/address.ts';
import { devicePath, isFiltered } from '../../app/address.ts';
import { collectorNowMs } from '../../app/overview.ts';
import { usePermissions } from '../../app/session.ts';
import { boundsOf } from '../../i18n/period.ts';
import { useSay } from '../../i18n/say.ts';
import { Filters, SiteFilter } from '../../ui/filters.tsx';
import { Name } from '../../ui/mark.tsx';
import { OlderButton } from '../../ui/older.tsx';
import { PeriodFields } from '../../ui/period.tsx';
import { Select } from '../../ui/select.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import { AnomalyMarks } from '../device/anomaly_marks.tsx';
import { ANOMALY_SHAPE, useAnomalyWords } from '../device/say_anomaly.ts';
import { DETECTOR_NAMES } from './detector_names.ts';
import { Detectors } from './detectors.tsx';
import type { FilterKey } from './filters.tsx';
import look from './page.module.css';
import type { Anomaly } from './types.ts';
import { ALERTS_WORDS } from './words.ts';

/** Beside the filters that alerts have too. */
export const ANOMALY_KEYS = ['detector', 'mark', 'was'] as const;
type Key = FilterKey | (typeof ANOMALY_KEYS)[number];
const SHOWN_KEYS: readonly Key[] = ['site', 'last', 'from', 'to', ...ANOMALY_KEYS];

const STATES = ['open', 'ended'] as const;
const MARKS = ['none', 'true', 'false', 'maintenance'] as const;
const PAGE = 50;
const PAGES_MAX = 20;
const EVERY_MS = 15_000;

export function AnomaliesTab(props: {
  address: Address<Key>;
  change: ChangeAddress<Key>;
}): ReactNode {
  const { address, change } = props;
  const say = useSay(ALERTS_WORDS);
  const { site, detector, mark, was } = address;
  const filter = { site, detector, mark, state: was, ...boundsOf(address, collectorNowMs()) };
  const query = useInfiniteQuery({
    queryKey: ['anomalies', 'list', filter],
    queryFn: ({ pageParam, signal }) =>
      ask<Page<Anomaly>>('anomalies', { ...filter, limit: PAGE, cursor: pageParam }, { signal }),
    initialPageParam: '',
    getNextPageParam: ({ next }, pages) => (pages.length < PAGES_MAX ? next : null),
    refetchInterval: EVERY_MS,
  });
  const items = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <AnomalyFilters address={address} change={change} />
      <Resource query={query}>
        {() => (
          <>
            {items.length === 0 ? (
              <Empty
                text={say(
                  isFiltered(address, SHOWN_KEYS) ? 'anomalies_none_match' : 'anomalies_none',
                )}
              />
            ) : null}
            <ul className={look.rows} id="anomalies">
              {items.map((anomaly) => (
                <AnomalyRow key={anomaly.id} anomaly={anomaly} />
              ))}
            </ul>
          </>
        )}
      </Resource>
      <OlderButton query={query} />
      <Detectors site={site} />
    </>
  );
}

function AnomalyFilters(props: { address: Address<Key>; change: ChangeAddress<Key> }): ReactNode {
  const { address, change } = props;
  const say = useSay(ALERTS_WORDS);
  const { detectorOf } = useAnomalyWords();
  return (
    <Filters keys={SHOWN_KEYS} address={address} change={change}>
      <SiteFilter value={address.site} onChange={(site) => change({ site })} />
      <Select
        label={say('detector')}
        name="detector"
        value={address.detector}
        options={DETECTOR_NAMES.map((detector) => [detector, detectorOf({ detector })])}
        any={say('any')}
        onChange={(detector) => change({ detector })}
      />
      <Select
        label={say('anomaly_state')}
        name="was"
        value={address.was}
        options={STATES.map((state) => [state, say(`anomaly_${state}`)])}
        any={say('any')}
        onChange={(was) => change({ was })}
      />
      <Select
        label={say('mark')}
        name="mark"
        value={address.mark}
        options={MARKS.map((mark) => [mark, say(`mark_${mark}`)])}
        any={say('any')}
        onChange={(mark) => change({ mark })}
      />
      <PeriodFields period={address} site={address.site} onChange={change} />
    </Filters>
  );
}

function AnomalyRow({ anomaly }: { anomaly: Anomaly }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { mayAt } = usePermissions();
  const { spanOf, reasonOf, peakOf, factsOf } = useAnomalyWords();
  const { site, device, channel, state } = anomaly;
  const facts = factsOf(anomaly, undefined);
  const fromMs = anomaly.onset_ms - AROUND_MS;
  const toMs = Math.min(anomaly.end_ms ?? collectorNowMs(), anomaly.onset_ms + SHOWN_MAX_MS);
  return (
    <li className={`${look.row} ${look.quiet}`} data-anomaly={anomaly.id}>
      <div className={look.badge}>
        <span aria-hidden="true">{ANOMALY_SHAPE}</span> {say(`anomaly_${state}`)}
      </div>
      <div className={look.what}>
        <p className={look.rowHead}>
          <Link
            href={`${devicePath(anomaly)}?from=${fromMs}&to=${toMs + AROUND_MS}&anomaly=${anomaly.id}`}
          >
            <Name text={device} />
          </Link>{' '}
          <strong>{channel === '' ? say('whole_device') : <Name text={channel} />}</strong>
        </p>
        <p>
          <Name text={reasonOf(anomaly)} />
        </p>
        <p className="note">
          {spanOf(anomaly)} · {peakOf(anomaly)}
        </p>
        {facts.length === 0 ? null : (
          <p className="note">
            <Name text={facts.join(' · ')} />
          </p>
        )}
        <p className="note">
          <Name text={site} /> · <Name text={anomaly.gateway} />
        </p>
      </div>
      <div className={look.rowActions}>
        <AnomalyMarks anomaly={anomaly} mayMark={mayAt('operator', site)} />
      </div>
    </li>
  );
}

/** Shown before and after an anomaly in the charts; of a long one the first day. */
const AROUND_MS = 30 * 60_000;
const SHOWN_MAX_MS = 86_400_000;
