/** A chart for each channel, one cursor and one range for all of them; texts as a list of their changes. */

import type { ReactNode } from 'react';
import { useMemo } from 'react';
import type { Channel, DeviceItem } from '../../api/types.ts';
import { useSay } from '../../i18n/say.ts';
import type { Anomaly } from '../alerts/types.ts';
import { ChannelPanel } from './channel_panel.tsx';
import look from './page.module.css';
import { TextPanel } from './text_panel.tsx';
import type { Readings } from './use_readings.ts';
import type { Shown } from './use_span.ts';
import { DEVICE_WORDS } from './words.ts';

export function Charts(props: {
  device: DeviceItem;
  channels: readonly Channel[];
  shown: Shown;
  readings: Readings;
  /** Newest first. */
  anomalies: readonly Anomaly[];
  pointed: string | undefined;
  onPoint: (id: string | undefined) => void;
  onOpen: (id: string) => void;
  showsNormal: boolean;
}): ReactNode {
  const { device, channels, shown, readings, anomalies, showsNormal } = props;
  const say = useSay(DEVICE_WORDS);
  const { error } = readings;
  const message = error instanceof Error ? error.message : '';
  const group = useMemo(() => `${device.site}/${device.device}`, [device.site, device.device]);
  return (
    <>
      {message === '' ? null : (
        <p className="note" role="alert">
          ▲ {say('history_failed', { message })}
        </p>
      )}
      <div className={look.charts} data-loading={readings.isLoading}>
        {channels.map((channel) =>
          channel.kind === 'text' ? (
            <TextPanel key={channel.channel} device={device} channel={channel} shown={shown} />
          ) : (
            <ChannelPanel
              key={channel.channel}
              site={device.site}
              channel={channel}
              shown={shown}
              points={readings.pointsOf(channel.channel)}
              isLoading={readings.isLoading}
              statistics={readings.statistics?.get(channel.channel)}
              anomalies={anomalies}
              pointed={props.pointed}
              onPoint={props.onPoint}
              onOpen={props.onOpen}
              showsNormal={showsNormal}
              group={group}
            />
          ),
        )}
      </div>
    </>
  );
}
