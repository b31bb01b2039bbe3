/** One alert: what it says, who cares for it, its life, and the way to the charts of that time. Messages link here. */

import { queryOptions, useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useRef } from 'react';
import { Link, useParams } from 'wouter';
import { ApiFailure, ask } from '../../api/client.ts';
import type { FmsEvent, Page } from '../../api/types.ts';
import { devicePath, gatewayPath } from '../../app/address.ts';
import { activeAlertsQuery } from '../../app/firing.tsx';
import { useLookAgain } from '../../app/look_again.ts';
import { collectorNowMs } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatDuration, formatValue } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { useMoments } from '../../ui/moments.ts';
import { SeverityMark } from '../../ui/severity.tsx';
import { Empty, Resource } from '../../ui/states.tsx';
import { Time } from '../../ui/time.tsx';
import { ZoneNote } from '../../ui/zone_note.tsx';
import { Actions, Place, Subject } from './alert_row.tsx';
import { lookOf, standingOf, summaryOf, titleOf, withSiteTimes } from './alerts.ts';
import { resolvedWhy } from './history.tsx';
import type { LifeStep } from './life.ts';
import { chartSpan, lifeOf } from './life.ts';
import look from './page.module.css';
import { currentSilencesQuery } from './silences_tab.tsx';
import type { AlertWhole } from './types.ts';
import { useWhyLines, WhyLines } from './why_quiet.tsx';
import { ALERTS_WORDS } from './words.ts';

const EVERY_MS = 5_000;
const EVENTS_MAX = 200;
/** An event is written down a moment after its time; the times of readings may be of long before. */
const EVENT_MARGIN_MS = 60_000;

function alertQuery(id: string) {
  return queryOptions({
    queryKey: ['alerts', 'one', id],
    queryFn: ({ signal }) => ask<AlertWhole>(`alerts/${encodeURIComponent(id)}`, {}, { signal }),
    refetchInterval: EVERY_MS,
  });
}

export default function AlertPage(): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { id } = useParams<{ id: string }>();
  const query = useQuery(alertQuery(id));
  // An id that cannot be one is refused as a wrong parameter.
  const isMissing =
    query.error instanceof ApiFailure && (query.error.status === 404 || query.error.status === 400);
  return (
    <>
      <p>
        <Link href="/alerts">{say('back')}</Link>
      </p>
      {isMissing ? (
        <Empty text={say('alert_not_found')} />
      ) : (
        <Resource query={query}>{(alert) => <Whole alert={alert} />}</Resource>
      )}
    </>
  );
}

function Whole({ alert }: { alert: AlertWhole }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const { clock } = useMoments();
  const whyLines = useWhyLines();
  const lookAgain = useLookAgain();
  const row = useRef<HTMLElement>(null);
  const alerts = useQuery(activeAlertsQuery).data?.items ?? [];
  const silences = useQuery(currentSilencesQuery).data?.items ?? [];
  const standing = standingOf(alert);
  const summary = summaryOf(alert, language);
  const { site, gateway, device } = alert;
  const { fromMs, toMs } = chartSpan(alert, collectorNowMs());
  return (
    <>
      <section
        ref={row}
        tabIndex={-1}
        className={`panel ${look.whole}`}
        data-alert={alert.id}
        data-standing={standing}
      >
        <div className="title-row">
          <SeverityMark severity={alert.severity} look={lookOf(alert)} />
          <h1>
            <Subject alert={alert} /> {titleOf(alert, language)}
          </h1>
          <span className="note">{say(`standing_${standing}`)}</span>
          <ZoneNote site={site} />
        </div>
        {summary === '' ? null : (
          <p className={look.summary}>
            <Name text={withSiteTimes(summary, (ms) => clock(ms, site))} />
          </p>
        )}
        <WhyLines lines={whyLines(alert, { alerts, silences })} />
        <p className="note">
          <Place alert={alert} /> · {say('rule_named', { rule: alert.rule })}
        </p>
        <p className={look.links}>
          {device === '' ? null : (
            <Link href={`${devicePath({ site, device })}?from=${fromMs}&to=${toMs}`}>
              <Name text={say('chart_then', { device })} />
            </Link>
          )}
          <Link href={gatewayPath({ site, gateway })}>
            <Name text={say('gateway_page', { gateway })} />
          </Link>
        </p>
        {standing === 'resolved' ? null : (
          <Actions
            alerts={[alert]}
            row={row}
            onDecided={() => lookAgain(['alerts'], ['silences'])}
          />
        )}
      </section>
      <Life alert={alert} />
      <Values alert={alert} />
    </>
  );
}

function Life({ alert }: { alert: AlertWhole }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { site, gateway, device, started_ms, received_ms, version } = alert;
  const events = useQuery({
    queryKey: ['events', 'alert', alert.id, version],
    queryFn: ({ signal }) =>
      ask<Page<FmsEvent>>(
        'events',
        {
          site,
          gateway,
          device: device === '' ? undefined : device,
          from: started_ms - EVENT_MARGIN_MS,
          to: received_ms + EVENT_MARGIN_MS,
          limit: EVENTS_MAX,
        },
        { signal },
      ),
  });
  const steps = lifeOf(alert, events.data?.items ?? []);
  return (
    <section className={look.part}>
      <h2>{say('life')}</h2>
      <ol className={look.life} id="life">
        {steps.map((step, index) => (
          <Step key={step.kind} step={step} before={steps[index - 1]} alert={alert} />
        ))}
        {alert.state === 'resolved' ? null : (
          <li className={look.open} data-step="open">
            {say('life_open')}
          </li>
        )}
      </ol>
    </section>
  );
}

function Step(props: {
  step: LifeStep;
  before: LifeStep | undefined;
  alert: AlertWhole;
}): ReactNode {
  const { step, before, alert } = props;
  const say = useSay(ALERTS_WORDS);
  const { clock } = useMoments();
  const { site, acknowledged_by, acknowledged_note, resolved_by } = alert;
  const why = resolvedWhy(resolved_by);
  const text = {
    started: say('life_started'),
    fired: say('life_fired'),
    acknowledged: say('life_acknowledged', { by: acknowledged_by || '–' }),
    resolved:
      why === undefined ? say('life_resolved_plain') : say('life_resolved', { why: say(why) }),
  }[step.kind];
  return (
    <li data-step={step.kind}>
      <p>
        <Time ms={step.atMs} site={site} />{' '}
        <strong>
          <Name text={text} />
        </strong>{' '}
        {before === undefined ? null : (
          <span className="note">
            {say('after', { age: formatDuration(step.atMs - before.atMs, say) })}
          </span>
        )}
      </p>
      {step.kind === 'acknowledged' && acknowledged_note !== '' ? (
        <p>
          <Name text={`“${acknowledged_note}”`} />
        </p>
      ) : null}
      {step.summary === '' ? null : (
        <p className="note">
          <Name text={withSiteTimes(step.summary, (ms) => clock(ms, site))} />
        </p>
      )}
    </li>
  );
}

function Values({ alert: { values } }: { alert: AlertWhole }): ReactNode {
  const say = useSay(ALERTS_WORDS);
  const { language } = usePreferences();
  const entries = Object.entries(values);
  const textOf = (value: unknown): string => {
    if (typeof value === 'number') return formatValue(value, null, language);
    if (typeof value === 'boolean') return say(value ? 'yes' : 'no');
    return value === null ? '–' : String(value).slice(0, 300);
  };
  return (
    <section className={look.part}>
      <h2>{say('values')}</h2>
      {entries.length === 0 ? <Empty text={say('values_none')} /> : null}
      <dl className={look.values} id="values">
        {entries.map(([name, value]) => (
          <div key={name}>
            <dt>
              <Name text={name} />
            </dt>
            <dd>
              <Name text={textOf(value)} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
