/** All that looks at a range of time: charts, anomalies, readings. One range for all of them. */

import type { ReactNode } from 'react';
import { useMemo, useRef, useState } from 'react';
import { useStream } from '../../api/stream.ts';
import type { DeviceItem } from '../../api/types.ts';
import { useAddress } from '../../app/address.ts';
import type { ReadingItem } from '../../chart/points.ts';
import { useSay } from '../../i18n/say.ts';
import type { Anomaly } from '../alerts/types.ts';
import { AnomalyList } from './anomaly_list.tsx';
import { Charts } from './charts.tsx';
import look from './page.module.css';
import { ReadingsTable } from './readings_table.tsx';
import { Toolbar } from './toolbar.tsx';
import { useAnomalies } from './use_anomalies.ts';
import { useReadings } from './use_readings.ts';
import { useSpan } from './use_span.ts';
import { VIEW_KEYS } from './view.ts';
import { DEVICE_WORDS } from './words.ts';

const CHARTS_MAX = 24;

export function DeviceView({ device }: { device: DeviceItem }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const { site, device: name } = device;
  const [address, change] = useAddress(VIEW_KEYS);
  const shown = useSpan(device, address, change);
  const [chartsMax, setChartsMax] = useState(CHARTS_MAX);
  const channels = device.channels.slice(0, chartsMax);
  const readings = useReadings(device, shown.view, shown.span, namesToAsk(device, chartsMax));
  const anomalies = useAnomalies(site, name, shown.span);
  const [isLost, setLost] = useState(false);
  const [pointed, setPointed] = useState<string>();
  const isFirstHello = useRef(true);
  useStream({ kinds: ['readings', 'anomaly'], site, device: name }, (event, data) => {
    if (event === 'readings') readings.take((data as { readings: ReadingItem[] }).readings);
    else if (event === 'anomaly') anomalies.take(data as Anomaly);
    else if (event === 'lost') setLost(true);
    else {
      // Connected again: what came in between is read.
      if (!isFirstHello.current) {
        readings.reload();
        anomalies.reload();
      }
      isFirstHello.current = false;
      setLost(false);
    }
  });
  const list = useRef<HTMLElement>(null);
  const openAnomaly = (id: string): void => {
    change({ anomaly: id }, 'instead');
    list.current?.querySelector<HTMLElement>(`[data-anomaly="${CSS.escape(id)}"]`)?.focus();
  };
  const all = useMemo(() => anomalies.items, [anomalies.items]);
  return (
    <>
      <section className={look.charts_part} aria-label={say('charts')}>
        <Toolbar
          device={device}
          shown={shown}
          readings={readings}
          showsNormal={address.scale === 'normal'}
          onShowNormal={(on) => change({ scale: on ? 'normal' : '' }, 'instead')}
        />
        {isLost ? <p className="note">{say('lost')}</p> : null}
        <Charts
          device={device}
          channels={channels}
          shown={shown}
          readings={readings}
          anomalies={all}
          pointed={pointed}
          onPoint={setPointed}
          onOpen={openAnomaly}
          showsNormal={address.scale === 'normal'}
        />
        {device.channels.length > chartsMax ? (
          <p>
            <button
              type="button"
              className="act"
              onClick={() => setChartsMax((before) => before + CHARTS_MAX)}
            >
              {say('more_channels', { count: device.channels.length - chartsMax })}
            </button>
          </p>
        ) : null}
      </section>
      <AnomalyList
        ref={list}
        device={device}
        anomalies={anomalies}
        chosen={address.anomaly}
        onPoint={setPointed}
        onShow={shown.zoomTo}
      />
      <ReadingsTable
        device={device}
        span={shown.span}
        isOpen={address.rows === 'on'}
        onOpen={(on) => change({ rows: on ? 'on' : '' }, 'instead')}
      />
    </>
  );
}

/**
 * Channels to ask for: all (undefined) while all are shown. Names with a comma cannot be asked for one by one: then all
 * are, and what is not shown is left out here.
 */
function namesToAsk({ channels }: DeviceItem, max: number): string[] | undefined {
  if (channels.length <= max) return undefined;
  const names = channels.slice(0, Math.min(max, 100)).map(({ channel }) => channel);
  return names.some((name) => name.includes(',')) ? undefined : names;
}
