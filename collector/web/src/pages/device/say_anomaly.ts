/** What is said of an anomaly: when it was, why, what was expected. */

import type { Channel } from '../../api/types.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatValue } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { useMoments } from '../../ui/moments.ts';
import { withSiteTimes } from '../alerts/alerts.ts';
import type { Anomaly } from '../alerts/types.ts';
import { DEVICE_WORDS } from './words.ts';

/** In charts and rows alike. No alarm: neither its colours nor its shapes. */
export const ANOMALY_SHAPE = '▨';

export interface AnomalyWords {
  /** From when to when; of an open one since when. */
  spanOf: (anomaly: Anomaly) => string;
  reasonOf: (anomaly: Anomaly) => string;
  detectorOf: (of: Pick<Anomaly, 'detector'>) => string;
  /** Peak and detector. */
  peakOf: (anomaly: Anomaly) => string;
  /** Value, what was expected, what else had a part. */
  factsOf: (anomaly: Anomaly, channel: Channel | undefined) => string[];
}

export function useAnomalyWords(): AnomalyWords {
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const { clock, span } = useMoments();
  const detectorOf = ({ detector }: Pick<Anomaly, 'detector'>): string => {
    const word = say(`detector_${detector}` as 'detector_rate');
    return word === `detector_${detector}` ? detector : word;
  };
  return {
    detectorOf,
    spanOf: ({ onset_ms, end_ms, state, site }) =>
      state === 'open' || end_ms === null
        ? say('open_since', { time: clock(onset_ms, site) })
        : span(onset_ms, end_ms, site),
    reasonOf: ({ reason, site }) =>
      withSiteTimes((language === 'ko' && reason.ko) || reason.en, (ms) => clock(ms, site)),
    peakOf: (anomaly) => {
      const score = Math.min(1, Math.max(0, anomaly.score)).toFixed(2);
      const peak = say('peak_at', { time: clock(anomaly.peak_ms, anomaly.site), score });
      return `${peak} · ${say('found_by', { detector: detectorOf(anomaly) })}`;
    },
    factsOf: (anomaly, channel) => {
      const { value, expected_low: low, expected_high: high } = anomaly;
      const { unit = '', decimals = null } = channel ?? {};
      const show = (v: number): string => `${formatValue(v, decimals, language)} ${unit}`.trim();
      const facts: string[] = [];
      if (value !== null) facts.push(say('value_was', { value: show(value) }));
      if (low !== null && high !== null)
        facts.push(say('expected_between', { low: show(low), high: show(high) }));
      else if (low !== null) facts.push(say('expected_above', { low: show(low) }));
      else if (high !== null) facts.push(say('expected_below', { high: show(high) }));
      const names = anomaly.channels.map((part) => part.channel);
      const others = [...new Set(names)].filter((name) => name !== '' && name !== anomaly.channel);
      if (others.length > 0) facts.push(say('also_channels', { channels: others.join(', ') }));
      if (anomaly.maintenance !== '') facts.push(say('began_in_maintenance'));
      return facts;
    },
  };
}
