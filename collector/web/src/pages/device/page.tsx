/** A device: its state, a chart for each channel, its alerts and anomalies, its readings. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { useEffect } from 'react';
import { Link, useLocation } from 'wouter';
import { ask } from '../../api/client.ts';
import type { DeviceItem, Page } from '../../api/types.ts';
import { pathNames } from '../../app/address.ts';
import { useSay } from '../../i18n/say.ts';
import { Empty, Resource } from '../../ui/states.tsx';
import { DeviceAlerts } from './alerts.tsx';
import { DeviceView } from './device_view.tsx';
import { DeviceHeader } from './header.tsx';
import { DEVICE_WORDS } from './words.ts';

const EVERY_MS = 2_000;

export default function DevicePage(): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const [, site = '', device = ''] = pathNames(window.location.pathname);
  useEscape();
  const query = useQuery({
    queryKey: ['devices', 'one', site, device],
    queryFn: async ({ signal }) => {
      const asked = { site, device, limit: 1 };
      const { items } = await ask<Page<DeviceItem>>('devices', asked, { signal });
      return items[0] ?? null;
    },
    refetchInterval: EVERY_MS,
  });
  return (
    <>
      <p>
        <Link href="/">{say('all_devices')}</Link>
      </p>
      <Resource query={query}>
        {(known) =>
          known === null ? (
            <Empty text={say('no_device', { site, device })} />
          ) : (
            <>
              <DeviceHeader device={known} />
              <DeviceAlerts site={site} device={device} />
              <DeviceView device={known} />
            </>
          )
        }
      </Resource>
    </>
  );
}

/** Escape goes back to all devices, unless it is meant for something on the page. */
function useEscape(): void {
  const [, navigate] = useLocation();
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== 'Escape' || event.defaultPrevented) return;
      const { activeElement } = document;
      const isTyping = activeElement?.matches('input, textarea, select') === true;
      if (!isTyping && document.querySelector('dialog[open]') === null) navigate('/');
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [navigate]);
}
