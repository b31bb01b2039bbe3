/** Data quality: four dimensions by device and hour as a heat map, down to the readings that cost the points. */

import { keepPreviousData, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useLocation, useSearch } from 'wouter';
import { ask } from '../../api/client.ts';
import { collectorNowMs, useNowMs, useOverview, useZoneOf } from '../../app/overview.ts';
import { zoneName } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Choice } from '../../ui/choice.tsx';
import { Empty, Loading, Resource } from '../../ui/states.tsx';
import { Causes } from './causes.tsx';
import { HeatMap } from './heat_map.tsx';
import styles from './page.module.css';
import { Reports } from './reports.tsx';
import type { QualityView } from './request.ts';
import { addressOf, RANGES, shifted, spanOf, viewOf } from './request.ts';
import { SiteScores } from './site_scores.tsx';
import type { QualityAnswer, Shown } from './types.ts';
import { DIMENSIONS } from './types.ts';
import { QUALITY_WORDS } from './words.ts';

const EVERY_MS = 60_000;
const LIMIT = 10_000;
const HOUR_MS = 3_600_000;

export default function QualityPage(): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const overview = useOverview();
  const [view, show] = useView();
  if (overview === undefined) return <Loading />;
  const sites = overview.sites.map(({ site }) => site);
  const site = view.site === '' ? (sites[0] ?? '') : view.site;
  if (site === '') return <Empty text={say('no_devices')} />;
  return (
    <>
      <Controls view={view} site={site} sites={sites} show={show} />
      <OfSite key={site} view={{ ...view, site }} show={show} />
      <section className={`panel ${styles.reportsPanel}`} aria-labelledby="reports-title">
        <h2 id="reports-title">{say('reports')}</h2>
        <Reports site={site} />
      </section>
    </>
  );
}

type Show = (view: QualityView, replace?: boolean) => void;

/** The view stands in the address: back, reload and links work. */
function useView(): [QualityView, Show] {
  const search = useSearch();
  const [, navigate] = useLocation();
  const show: Show = (view, replace = false) => {
    const query = addressOf(view);
    navigate(`/quality${query === '' ? '' : `?${query}`}`, { replace });
  };
  return [viewOf(new URLSearchParams(search)), show];
}

function Controls(props: {
  view: QualityView;
  site: string;
  sites: readonly string[];
  show: Show;
}): ReactNode {
  const say = useSay(QUALITY_WORDS);
  const zoneOf = useZoneOf();
  const { view, site, sites, show } = props;
  const nowMs = collectorNowMs();
  const elsewhere = { device: undefined, atMs: undefined };
  const ranges = (Object.keys(RANGES) as (keyof typeof RANGES)[]).map((value) => ({
    value,
    text: say(`range_${value}`),
  }));
  const zone = zoneOf(site);
  return (
    <div className="title-row">
      <h1>{say('page_quality')}</h1>
      <label>
        <span className="unseen">{say('site')}</span>
        <select
          value={site}
          onChange={({ target }) => show({ ...view, ...elsewhere, site: target.value })}
        >
          {sites.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </label>
      <Choice
        label={say('dimension')}
        options={(['all', ...DIMENSIONS] as const).map((value) => ({ value, text: say(value) }))}
        value={view.shown}
        onChange={(shown: Shown) => show({ ...view, shown }, true)}
      />
      <Choice
        label={say('range')}
        options={ranges}
        value={view.range}
        onChange={(range) => show({ ...view, range, atMs: undefined })}
      />
      <span>
        <button type="button" className="act" onClick={() => show(shifted(view, nowMs, -1))}>
          {say('earlier')}
        </button>{' '}
        <button
          type="button"
          className="act"
          disabled={view.toMs === undefined}
          onClick={() => show(shifted(view, nowMs, 1))}
        >
          {say('later')}
        </button>{' '}
        <button
          type="button"
          className="act"
          disabled={view.toMs === undefined}
          onClick={() => show({ ...view, toMs: undefined, atMs: undefined })}
        >
          {say('now')}
        </button>
      </span>
      <p className="note">{say('zone', { zone: zoneName(zone, nowMs) })}</p>
    </div>
  );
}

function OfSite({ view, show }: { view: QualityView; show: Show }): ReactNode {
  const say = useSay(QUALITY_WORDS);
  // Drawn again when the hour changes, not each second.
  const hourMs = Math.floor(useNowMs() / HOUR_MS) * HOUR_MS;
  const { fromMs, toMs } = spanOf(view, hourMs + 1);
  const { site } = view;
  const { step } = RANGES[view.range];
  const range = { site, from: fromMs, to: toMs };
  const whole = useQuery({
    queryKey: ['quality', 'site', range],
    queryFn: ({ signal }) =>
      ask<QualityAnswer>('quality', { ...range, by: 'site', step: 'all' }, { signal }),
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
  });
  const cells = useQuery({
    queryKey: ['quality', 'devices', range, step],
    queryFn: ({ signal }) =>
      ask<QualityAnswer>('quality', { ...range, step, limit: LIMIT }, { signal }),
    refetchInterval: EVERY_MS,
    placeholderData: keepPreviousData,
  });
  return (
    <>
      <Resource query={whole}>
        {(answer) => <SiteScores answer={answer} label={say('site_score')} />}
      </Resource>
      <Resource query={cells}>
        {(answer) =>
          answer.items.length === 0 ? (
            <Empty text={say('no_devices')} />
          ) : (
            <>
              <HeatMap
                answer={answer}
                view={view}
                onChoose={(device, atMs) => show({ ...view, device, atMs })}
              />
              {view.device === undefined ? null : (
                <Causes view={{ ...view, device: view.device }} answer={answer} show={show} />
              )}
            </>
          )
        }
      </Resource>
    </>
  );
}
