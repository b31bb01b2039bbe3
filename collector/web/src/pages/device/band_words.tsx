/** The anomalies of a chart in words, for who cannot see or point at their bands. */

import type { ReactNode } from 'react';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import type { Anomaly } from '../alerts/types.ts';
import look from './page.module.css';
import { ANOMALY_SHAPE, useAnomalyWords } from './say_anomaly.ts';
import { DEVICE_WORDS } from './words.ts';

const SAID_MAX = 3;

export function BandWords(props: {
  /** Newest first, never empty. */
  anomalies: readonly Anomaly[];
  pointed: string | undefined;
  /** Of the cursor. */
  atMs: number | undefined;
  onPoint: (id: string | undefined) => void;
  onOpen: (id: string) => void;
}): ReactNode {
  const { anomalies, pointed, atMs, onPoint, onOpen } = props;
  const say = useSay(DEVICE_WORDS);
  const { spanOf, reasonOf } = useAnomalyWords();
  const current =
    anomalies.find(({ id }) => id === pointed) ??
    (atMs === undefined ? undefined : anomalies.find((one) => isAt(one, atMs))) ??
    anomalies[0];
  return (
    <div className={look.band_words}>
      <ul>
        {anomalies.slice(0, SAID_MAX).map((anomaly) => (
          <li key={anomaly.id}>
            <button
              type="button"
              data-band={anomaly.id}
              className={anomaly === current ? look.current : undefined}
              aria-label={`${spanOf(anomaly)}: ${reasonOf(anomaly)}`}
              onMouseEnter={() => onPoint(anomaly.id)}
              onMouseLeave={() => onPoint(undefined)}
              onFocus={() => onPoint(anomaly.id)}
              onBlur={() => onPoint(undefined)}
              onClick={() => onOpen(anomaly.id)}
            >
              <span aria-hidden="true">{ANOMALY_SHAPE}</span> {spanOf(anomaly)}
            </button>
          </li>
        ))}
        {anomalies.length > SAID_MAX ? (
          <li>{say('more_bands', { count: anomalies.length - SAID_MAX })}</li>
        ) : null}
      </ul>
      <p className={look.why}>{current === undefined ? '' : <Name text={reasonOf(current)} />}</p>
    </div>
  );
}

function isAt({ onset_ms, end_ms, state }: Anomaly, ms: number): boolean {
  return onset_ms <= ms && (state === 'open' || ms <= (end_ms ?? 0));
}
