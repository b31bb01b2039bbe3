/** One channel: its newest value, its chart, statistics of the range, anomalies in it in words. */

import type { ReactNode } from 'react';
import { memo, useMemo, useState } from 'react';
import type { Channel } from '../../api/types.ts';
import { useZoneOf } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { ChannelPlot } from '../../chart/channel_plot.tsx';
import type { Point } from '../../chart/points.ts';
import { firstFrom } from '../../chart/points.ts';
import type { Statistics } from '../../chart/statistics.ts';
import { goodShare } from '../../chart/statistics.ts';
import { lengthOf } from '../../chart/zoom.ts';
import {
  formatCount,
  formatDuration,
  formatPercent,
  formatValue,
  timeFormat,
} from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Mark, Name } from '../../ui/mark.tsx';
import { Value } from '../../ui/reading.tsx';
import type { Anomaly } from '../alerts/types.ts';
import { BandWords } from './band_words.tsx';
import { anomaliesOf, bandOf } from './bands.ts';
import look from './page.module.css';
import { Readout } from './readout.tsx';
import type { Shown } from './use_span.ts';
import { DEVICE_WORDS } from './words.ts';

export interface ChannelPanelProps {
  site: string;
  channel: Channel;
  shown: Shown;
  points: readonly Point[];
  isLoading: boolean;
  statistics: Statistics | undefined;
  anomalies: readonly Anomaly[];
  pointed: string | undefined;
  onPoint: (id: string | undefined) => void;
  onOpen: (id: string) => void;
  showsNormal: boolean;
  group: string;
}

export const ChannelPanel = memo(function ChannelPanel(props: ChannelPanelProps): ReactNode {
  const { site, channel, shown, points, anomalies, pointed } = props;
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const zone = useZoneOf()(site);
  const { span } = shown;
  const [cursor, setCursor] = useState<{ x: number; s: number }>();
  const { min, max } = channel;
  const normal = useMemo(() => ({ min, max }), [min, max]);
  const here = useMemo(
    () => anomaliesOf(anomalies, channel.channel, span),
    [anomalies, channel.channel, span],
  );
  const bands = useSame(
    useMemo(() => here.map((anomaly) => bandOf(anomaly, channel.channel)), [here, channel.channel]),
  );
  const no = say('no');
  const yes = say('yes');
  const truth = useMemo(() => [no, yes] as const, [no, yes]);
  const from = firstFrom(points, span.fromMs / 1_000);
  const to = firstFrom(points, span.toMs / 1_000);
  const isEmpty = !points.slice(from, to).some(({ mid }) => mid !== null);
  const bad = countBad(points, from, to);
  const words = useStatisticWords(channel)(props.statistics);
  const label = say('chart_of', {
    channel: channel.channel,
    span: formatDuration(lengthOf(span), say),
    statistics: words.map(({ name, text }) => `${name} ${text}`).join(', '),
  });
  return (
    <article className={`panel ${look.chart}`} data-channel={channel.channel}>
      <div className={look.chart_head}>
        <h3>
          <Name text={channel.title[language] || channel.channel} />{' '}
          {channel.title[language] === channel.channel ? null : (
            <small className={look.code}>
              <Name text={channel.channel} />
            </small>
          )}
        </h3>
        <NormalText channel={channel} />
        <span className={look.value}>
          <Value channel={channel} />
        </span>
      </div>
      <div className={look.plot_place}>
        <ChannelPlot
          label={label}
          points={points}
          span={span}
          timeZone={zone}
          isBoolean={channel.kind === 'boolean'}
          truth={truth}
          normal={normal}
          showsNormal={props.showsNormal}
          bands={bands}
          pointed={pointed}
          group={props.group}
          onZoom={shown.zoomTo}
          onGesture={shown.gesture}
          onCursor={setCursor}
        />
        {isEmpty ? (
          <p className={look.none}>{say(props.isLoading ? 'loading' : 'no_history')}</p>
        ) : null}
      </div>
      {cursor === undefined ? (
        <p className={look.readout}>
          {words.map(({ name, text }) => (
            <span key={name}>
              {name} <b>{text}</b>
            </span>
          ))}
          {bad > 0 ? (
            <Mark level="note">{say('bad_points', { count: formatCount(bad, language) })}</Mark>
          ) : null}
        </p>
      ) : (
        <Readout
          channel={channel}
          points={points}
          x={cursor.x}
          format={timeFormat(zone, lengthOf(span) < 600_000 ? 'millisecond' : 'full')}
          truth={truth}
        />
      )}
      {here.length === 0 ? null : (
        <BandWords
          anomalies={here}
          pointed={pointed}
          atMs={cursor === undefined ? undefined : cursor.s * 1_000}
          onPoint={props.onPoint}
          onOpen={props.onOpen}
        />
      )}
    </article>
  );
});

/** The array of before while it says the same: what is drawn of it is not drawn again. */
function useSame<T>(value: T): T {
  const text = JSON.stringify(value);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text stands for the value
  return useMemo(() => value, [text]);
}

function countBad(points: readonly Point[], from: number, to: number): number {
  let bad = 0;
  for (let i = from; i < to; i++) if (points[i]?.isBad === true) bad++;
  return bad;
}

function NormalText({ channel }: { channel: Channel }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const { min, max, unit, kind, decimals } = channel;
  if (kind === 'boolean' || (min === null && max === null)) return null;
  const shorter = decimals === null ? null : Math.min(decimals, 2);
  const show = (value: number): string =>
    formatValue(value, Number.isInteger(value) ? 0 : shorter, language);
  const values = { low: min === null ? '' : show(min), high: max === null ? '' : show(max) };
  const key = min === null ? 'normal_below' : max === null ? 'normal_above' : 'normal_between';
  return (
    <small className={look.normal}>
      {say(key, values)} {unit}
    </small>
  );
}

function useStatisticWords(
  channel: Channel,
): (statistics: Statistics | undefined) => { name: string; text: string }[] {
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const { decimals, unit, kind } = channel;
  return (statistics) => {
    if (statistics === undefined) return [];
    const words: { name: string; text: string }[] = [];
    const isBoolean = kind === 'boolean';
    for (const name of ['min', 'mean', 'max'] as const) {
      const value = statistics[name];
      if (value === null || (isBoolean && name !== 'mean')) continue;
      const text = isBoolean
        ? `${say('yes')} ${formatPercent(value, language)}`
        : `${formatValue(value, decimals, language)} ${unit}`.trim();
      words.push({ name: say(`stat_${name}`), text });
    }
    const share = goodShare(statistics);
    if (share !== null)
      words.push({
        name: say('stat_good'),
        // Rounded down: 100 % means all of them.
        text: `${formatPercent(Math.floor(share * 1_000) / 1_000, language)} (${say('stat_readings', { count: formatCount(statistics.good + statistics.filled + statistics.bad, language) })})`,
      });
    return words;
  };
}
