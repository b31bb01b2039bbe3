/** Few big numbers, to be read from three metres, each with what it was before. */

import type { ReactNode } from 'react';
import { memo } from 'react';
import { Link } from 'wouter';
import { isLoud, useActiveAlerts } from '../../app/firing.tsx';
import { useOverview } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { rangeOf } from '../../chart/spark_path.ts';
import { Sparkline } from '../../chart/sparkline.tsx';
import { formatCount, formatValue } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark } from '../../ui/mark.tsx';
import { bySeverity } from '../../ui/severities.ts';
import { SeverityMark } from '../../ui/severity.tsx';
import look from './page.module.css';
import { reportingCount } from './tiles.ts';
import type { States, Wall } from './types.ts';
import { OVERVIEW_WORDS } from './words.ts';

/** Below this the quality of the plant is worth a look: about what the targets of the dimensions come to. */
const QUALITY_TARGET = 97;

export const Figures = memo(function Figures(props: {
  states: States | undefined;
  wall: Wall | undefined;
}): ReactNode {
  const { states, wall } = props;
  const say = useSay(OVERVIEW_WORDS);
  const { language } = usePreferences();
  const overview = useOverview();
  const count = (value: number | undefined): string =>
    value === undefined ? '–' : formatCount(value, language);
  const rate = wall?.all.readings_per_second ?? undefined;
  const quality = wall?.all.quality ?? undefined;
  return (
    <section className={look.figures} aria-label={say('figures')}>
      <Figure name="devices" label={say('devices_reporting')}>
        <strong>{states === undefined ? '–' : count(reportingCount(states.items))}</strong>{' '}
        <span>{say('of_total', { total: count(states?.total) })}</span>
      </Figure>
      <Figure name="gateways" label={say('gateways_online')} href="/gateways">
        <strong>{count(overview?.gateways.online)}</strong>{' '}
        <span>{say('of_total', { total: count(overview?.gateways.total) })}</span>
      </Figure>
      <Figure name="ingest" label={say('ingest')}>
        <strong>{rate === undefined ? '–' : rateText(rate, language)}</strong>{' '}
        <Trend label={say('ingest')} values={wall?.all.readings_minutes ?? []} floor={0} />
      </Figure>
      <Figure name="quality" label={say('quality')} href="/quality">
        <strong>{quality === undefined ? '–' : formatValue(round(quality), 1, language)}</strong>
        <span>{quality === undefined ? '' : ' %'}</span>{' '}
        {quality !== undefined && quality < QUALITY_TARGET ? (
          <Mark level="warn">{say('quality_low', { target: QUALITY_TARGET })}</Mark>
        ) : null}
        <Trend label={say('quality')} values={wall?.all.quality_minutes ?? []} />
      </Figure>
      <AlertFigure />
    </section>
  );
});

function AlertFigure(): ReactNode {
  const say = useSay(OVERVIEW_WORDS);
  const { language } = usePreferences();
  const alerts = useActiveAlerts();
  const loud = (alerts ?? []).filter(isLoud);
  return (
    <Figure name="alerts" label={say('alerts_firing')} href="/alerts">
      <strong>{alerts === undefined ? '–' : formatCount(loud.length, language)}</strong>{' '}
      <span className={look.marks}>
        {alerts !== undefined && loud.length === 0 ? say('no_alerts') : null}
        {bySeverity(loud).map(([severity, of]) => (
          <SeverityMark key={severity} severity={severity} count={of.length} />
        ))}
      </span>
    </Figure>
  );
}

function Figure(props: {
  name: string;
  label: string;
  href?: string;
  children: ReactNode;
}): ReactNode {
  const { name, label, href, children } = props;
  return (
    <div className={`panel ${look.figure}`} data-figure={name}>
      <p className={look.label}>{href === undefined ? label : <Link href={href}>{label}</Link>}</p>
      <p className={look.number}>{children}</p>
    </div>
  );
}

function Trend(props: {
  label: string;
  values: readonly (number | null)[];
  floor?: number;
}): ReactNode {
  const { label, values, floor } = props;
  const say = useSay(OVERVIEW_WORDS);
  const { language } = usePreferences();
  const range = rangeOf(values);
  if (range === undefined) return null;
  const show = (value: number): string => formatValue(round(value), null, language);
  const now = values.findLast((value) => value !== null) ?? range.max;
  const words = say('trend_of', {
    what: label,
    now: show(now),
    min: show(range.min),
    max: show(range.max),
  });
  return <Sparkline label={words} values={values} {...(floor === undefined ? {} : { floor })} />;
}

export function rateText(rate: number, language: 'en' | 'ko'): string {
  return rate >= 100 ? formatCount(rate, language) : formatValue(round(rate), 1, language);
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
