/** What is known of the device: state, place, profile, gateway, age; and where more of it is. */

import type { ReactNode } from 'react';
import { Link } from 'wouter';
import type { DeviceItem } from '../../api/types.ts';
import { gatewayPath } from '../../app/address.ts';
import { useZoneOf } from '../../app/overview.ts';
import { formatDuration, zoneName } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Fact } from '../../ui/fact.tsx';
import { Mark, Name } from '../../ui/mark.tsx';
import { FreshnessMark } from '../../ui/reading.tsx';
import { Time } from '../../ui/time.tsx';
import look from './page.module.css';
import { DEVICE_WORDS } from './words.ts';

const STATE_LEVELS = { online: 'calm', late: 'note', silent: 'warn', unknown: 'calm' } as const;

export function DeviceHeader({ device }: { device: DeviceItem }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const zone = useZoneOf()(device.site);
  const { site, area, line, gateway, profile, unprofiled, state } = device;
  const place = [site, area, line].filter((part) => part !== '');
  const query = new URLSearchParams({ site, device: device.device }).toString();
  const gatewayHref = gatewayPath({ site, gateway });
  return (
    <section className={`panel ${look.header}`} aria-label={say('facts')}>
      <div className="title-row">
        <h1 id="device-title">
          <Name text={device.device} />
        </h1>
        <Mark level={STATE_LEVELS[state]}>{say(`state_${state}`)}</Mark>
        <p className={look.links}>
          <Link href={`/quality?${query}`}>{say('link_quality')}</Link>
          <Link href={`/quarantine?${query}`}>{say('link_quarantine')}</Link>
        </p>
      </div>
      <dl className={look.facts}>
        <Fact name={say('place')}>
          <Name text={place.join(' · ')} />
        </Fact>
        <Fact name={say('gateway')}>
          <Link href={gatewayHref}>
            <Name text={gateway} />
          </Link>
        </Fact>
        <Fact name={say('profile')}>
          {unprofiled ? (
            <Mark level="note">{say('unprofiled_why')}</Mark>
          ) : (
            <Name text={profile === '' ? '–' : profile} />
          )}
        </Fact>
        <Fact name={say('interval')}>
          <Interval device={device} />
        </Fact>
        <Fact name={say('last_reading')}>
          <Time ms={device.last_ms} site={site} /> · <FreshnessMark device={device} />
        </Fact>
      </dl>
      <p className="note">{say('zone', { zone: zoneName(zone, device.last_ms) })}</p>
    </section>
  );
}

function Interval({ device }: { device: DeviceItem }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const { interval_ms, expected_interval_ms } = device;
  if (interval_ms === null) return '–';
  const length = (ms: number): string =>
    ms < 1_000 ? `${Math.round(ms)} ms` : formatDuration(Math.round(ms / 1_000) * 1_000, say);
  const age = length(interval_ms);
  if (expected_interval_ms === null) return say('every', { age });
  const expected = length(expected_interval_ms);
  return age === expected ? say('every', { age }) : say('every_expected', { age, expected });
}
