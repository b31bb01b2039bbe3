/** What needs a person: devices and gateways by name, worst first, and the newest alerts. */

import type { ReactNode } from 'react';
import { memo, useMemo } from 'react';
import { Link } from 'wouter';
import type { Alert } from '../../api/types.ts';
import { devicePath, gatewayPath } from '../../app/address.ts';
import { isLoud, useActiveAlerts } from '../../app/firing.tsx';
import { useZoneOf } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount, formatDuration } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { SeverityMark } from '../../ui/severity.tsx';
import { Age } from '../../ui/time.tsx';
import { NeedMark } from './need_mark.tsx';
import look from './page.module.css';
import { needy } from './tiles.ts';
import type { NeedyGateway, StateItem, States, Wall } from './types.ts';
import { OVERVIEW_WORDS } from './words.ts';

const DEVICES_MAX = 10;
const GATEWAYS_MAX = 6;
const ALERTS_MAX = 6;

export const Needs = memo(function Needs(props: {
  states: States;
  wall: Wall | undefined;
}): ReactNode {
  const { states, wall } = props;
  const say = useSay(OVERVIEW_WORDS);
  const { language } = usePreferences();
  const devices = useMemo(() => needy(states.items), [states]);
  const alerts = useActiveAlerts();
  const newest = useMemo(
    () =>
      (alerts ?? [])
        .filter(isLoud)
        .sort((a, b) => b.started_ms - a.started_ms)
        .slice(0, ALERTS_MAX),
    [alerts],
  );
  const gateways = wall?.gateways ?? { total: 0, items: [] };
  if (devices.length === 0 && gateways.total === 0 && newest.length === 0)
    return <p className={`panel ${look.calm}`}>{say('needs_nobody')}</p>;
  const count = (value: number): string => formatCount(value, language);
  return (
    <section className={look.needs} aria-labelledby="needs-title">
      <h2 id="needs-title" className="unseen">
        {say('needs')}
      </h2>
      {devices.length === 0 ? null : (
        <Part title={say('needs_devices', { count: count(devices.length) })} name="devices">
          {devices.slice(0, DEVICES_MAX).map((item) => (
            <DeviceLine key={`${item.site}/${item.device}`} item={item} />
          ))}
          {devices.length > DEVICES_MAX ? (
            <li className="note">
              {say('more_below', { count: count(devices.length - DEVICES_MAX) })}
            </li>
          ) : null}
        </Part>
      )}
      {gateways.total === 0 ? null : (
        <Part title={say('needs_gateways', { count: count(gateways.total) })} name="gateways">
          {gateways.items.slice(0, GATEWAYS_MAX).map((gateway) => (
            <GatewayLine key={`${gateway.site}/${gateway.gateway}`} gateway={gateway} />
          ))}
          {gateways.total > GATEWAYS_MAX ? (
            <li>
              <Link href="/gateways">
                {say('more_gateways', { count: count(gateways.total - GATEWAYS_MAX) })}
              </Link>
            </li>
          ) : null}
        </Part>
      )}
      {newest.length === 0 ? null : (
        <Part title={say('newest_alerts')} name="alerts">
          {newest.map((alert) => (
            <AlertLine key={alert.id} alert={alert} />
          ))}
          <li>
            <Link href="/alerts">{say('all_alerts')}</Link>
          </li>
        </Part>
      )}
    </section>
  );
});

function Part(props: { title: string; name: string; children: ReactNode }): ReactNode {
  const { title, name, children } = props;
  return (
    <div className={`panel ${look.need}`} data-needs={name}>
      <h3>{title}</h3>
      <ul>{children}</ul>
    </div>
  );
}

function DeviceLine({ item }: { item: StateItem }): ReactNode {
  const zone = useZoneOf()(item.site);
  const { language } = usePreferences();
  const title = (language === 'ko' && item.alert?.title_ko) || item.alert?.title;
  return (
    <li>
      <Link href={devicePath(item)}>
        <Name text={item.device} />
      </Link>{' '}
      <NeedMark item={item} zone={zone} />{' '}
      <small>{title === undefined ? null : <Name text={title} />}</small>
    </li>
  );
}

function GatewayLine({ gateway }: { gateway: NeedyGateway }): ReactNode {
  const say = useSay(OVERVIEW_WORDS);
  const left = formatDuration((gateway.seconds_until_eviction ?? 0) * 1_000, say);
  const [worst = 'offline', ...others] = gateway.needs;
  const level = worst === 'unbalanced' || gateway.needs.includes('evicting') ? 'bad' : 'warn';
  const href = gatewayPath(gateway);
  return (
    <li>
      <Link href={href}>
        <Name text={gateway.gateway} />
      </Link>{' '}
      <small>
        <Name text={gateway.site} />
      </small>{' '}
      <Mark level={level}>
        {[worst, ...others].map((need) => say(`need_${need}`, { left })).join(', ')}
      </Mark>
    </li>
  );
}

function AlertLine({ alert }: { alert: Alert }): ReactNode {
  const { language } = usePreferences();
  const title = (language === 'ko' && alert.title_ko) || alert.title || alert.rule;
  return (
    <li>
      <SeverityMark severity={alert.severity} />{' '}
      <Link href={`/alerts/${encodeURIComponent(alert.id)}`}>
        <Name text={alert.device === '' ? alert.gateway : alert.device} />
      </Link>{' '}
      <small>
        <Name text={title} /> · <Age ms={alert.started_ms} />
      </small>
    </li>
  );
}
