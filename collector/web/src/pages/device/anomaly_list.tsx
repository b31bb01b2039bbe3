/** The anomalies of the device: what, when, why, how sure; and what a person said that it was. */

import type { ReactNode, Ref } from 'react';
import { useEffect, useRef, useState } from 'react';
import type { DeviceItem } from '../../api/types.ts';
import { collectorNowMs } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { usePermissions } from '../../app/session.ts';
import type { Span } from '../../chart/zoom.ts';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Name } from '../../ui/mark.tsx';
import { Failure } from '../../ui/states.tsx';
import type { Anomaly } from '../alerts/types.ts';
import { AnomalyMarks } from './anomaly_marks.tsx';
import { spanAround } from './bands.ts';
import look from './page.module.css';
import { ANOMALY_SHAPE, useAnomalyWords } from './say_anomaly.ts';
import type { Anomalies } from './use_anomalies.ts';
import { DEVICE_WORDS } from './words.ts';

const SHOWN_FIRST = 5;
const SHOWN_STEP = 20;

export function AnomalyList(props: {
  ref: Ref<HTMLElement>;
  device: DeviceItem;
  anomalies: Anomalies;
  /** Id of the one that an address or a chart points to. */
  chosen: string;
  onPoint: (id: string | undefined) => void;
  onShow: (span: Span) => void;
}): ReactNode {
  const { ref, device, anomalies, chosen, onPoint, onShow } = props;
  const { items, isLoaded, error, hasOlder } = anomalies;
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const [shownMax, setShownMax] = useState(SHOWN_FIRST);
  const open = items.filter(({ state }) => state === 'open').length;
  const count = `${formatCount(items.length, language)}${hasOlder ? '+' : ''}`;
  const place = items.findIndex(({ id }) => id === chosen);
  const shown = items.slice(0, Math.max(shownMax, place + 1));
  const showOlder = (): void => {
    setShownMax(shown.length + SHOWN_STEP);
    if (items.length < shown.length + SHOWN_STEP && hasOlder) anomalies.loadOlder();
  };
  return (
    <section ref={ref} className={look.anomalies} aria-labelledby="anomalies-title">
      <h2 id="anomalies-title" tabIndex={-1}>
        {open > 0
          ? say('anomalies_with_open', { count, open: formatCount(open, language) })
          : say('anomalies', { count })}
      </h2>
      {error === null || isLoaded ? null : <Failure error={error} retry={anomalies.reload} />}
      {items.length === 0 && error === null ? (
        <p className="note">{say(isLoaded ? 'anomalies_none' : 'loading')}</p>
      ) : null}
      <ul className={look.list}>
        {shown.map((anomaly) => (
          <Row
            key={anomaly.id}
            device={device}
            anomaly={anomaly}
            isChosen={anomaly.id === chosen}
            onPoint={onPoint}
            onShow={onShow}
          />
        ))}
      </ul>
      {shown.length < items.length || hasOlder ? (
        <p>
          <button type="button" className="act" data-action="older" onClick={showOlder}>
            {say('older')}
          </button>
        </p>
      ) : null}
    </section>
  );
}

function Row(props: {
  device: DeviceItem;
  anomaly: Anomaly;
  isChosen: boolean;
  onPoint: (id: string | undefined) => void;
  onShow: (span: Span) => void;
}): ReactNode {
  const { device, anomaly, isChosen, onPoint, onShow } = props;
  const say = useSay(DEVICE_WORDS);
  const { mayAt } = usePermissions();
  const { spanOf, reasonOf, peakOf, factsOf } = useAnomalyWords();
  const row = useRef<HTMLLIElement>(null);
  // Chosen in a chart: what was chosen is what has the focus. Not while the page opens.
  const wasChosen = useRef(isChosen);
  useEffect(() => {
    if (isChosen && !wasChosen.current) row.current?.focus();
    wasChosen.current = isChosen;
  }, [isChosen]);
  const channel = device.channels.find((one) => one.channel === anomaly.channel);
  const facts = factsOf(anomaly, channel);
  const isOpen = anomaly.state === 'open';
  return (
    <li
      ref={row}
      tabIndex={-1}
      data-anomaly={anomaly.id}
      className={`${look.anomaly} ${isOpen ? look.open : ''} ${isChosen ? look.chosen : ''}`}
      onMouseEnter={() => onPoint(anomaly.id)}
      onMouseLeave={() => onPoint(undefined)}
      onFocus={() => onPoint(anomaly.id)}
      onBlur={() => onPoint(undefined)}
    >
      <p>
        <span className={look.sign} aria-hidden="true">
          {ANOMALY_SHAPE}
        </span>{' '}
        <strong>
          {anomaly.channel === '' ? say('whole_device') : <Name text={anomaly.channel} />}
        </strong>{' '}
        {isOpen ? <span className={look.sign}>{say('anomaly_open')}</span> : null}
      </p>
      <p>
        <Name text={reasonOf(anomaly)} />
      </p>
      <p className="note">
        {spanOf(anomaly)} · {peakOf(anomaly)}
      </p>
      {facts.length === 0 ? null : (
        <p className="note">
          <Name text={facts.join(' · ')} />
        </p>
      )}
      <div className={look.marks}>
        <button
          type="button"
          className="act"
          data-action="show"
          onClick={() => onShow(spanAround(anomaly, collectorNowMs()))}
        >
          {say('show_in_charts')}
        </button>
        <AnomalyMarks anomaly={anomaly} mayMark={mayAt('operator', anomaly.site)} />
      </div>
    </li>
  );
}
