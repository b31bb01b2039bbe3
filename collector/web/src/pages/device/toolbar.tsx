/** Which time is shown: ranges, zoom, moving, live; all of it by buttons and keys, too. */

import type { ReactNode } from 'react';
import { useEffect, useEffectEvent, useState } from 'react';
import type { DeviceItem } from '../../api/types.ts';
import { useZoneOf } from '../../app/overview.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { lengthOf, moved, zoomed } from '../../chart/zoom.ts';
import { formatCount, formatDuration, timeFormat } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Choice } from '../../ui/choice.tsx';
import { ExportDialog } from './export_dialog.tsx';
import look from './page.module.css';
import type { Readings } from './use_readings.ts';
import type { Shown } from './use_span.ts';
import { RANGE_NAMES } from './view.ts';
import { DEVICE_WORDS } from './words.ts';

const STEP = 0.5;
const DAY_MS = 86_400_000;

export function Toolbar(props: {
  device: DeviceItem;
  shown: Shown;
  readings: Readings;
  showsNormal: boolean;
  onShowNormal: (on: boolean) => void;
}): ReactNode {
  const { device, shown, readings, showsNormal, onShowNormal } = props;
  const say = useSay(DEVICE_WORDS);
  const [isExporting, setExporting] = useState(false);
  const { view, span, zoomTo, goLive } = shown;
  const acts = {
    zoom_in: () => zoomTo(zoomed(span, STEP)),
    zoom_out: () => zoomTo(zoomed(span, 1 / STEP)),
    earlier: () => zoomTo(moved(span, -STEP)),
    later: () => zoomTo(moved(span, STEP)),
    live: () => goLive(view.kind === 'live' ? view.range : '1h'),
  };
  useKeys(acts);
  const isLive = view.kind === 'live';
  return (
    <div className={look.toolbar}>
      <div className="title-row">
        <h2>{say('charts')}</h2>
        <Choice
          label={say('range')}
          options={RANGE_NAMES.map((value) => ({ value, text: say(`range_${value}`) }))}
          value={isLive ? view.range : undefined}
          onChange={goLive}
        />
        <span className={look.buttons}>
          <Step name="earlier" text="◀" onClick={acts.earlier} />
          <Step name="later" text="▶" onClick={acts.later} />
          <Step name="zoom_in" text="+" onClick={acts.zoom_in} />
          <Step name="zoom_out" text="−" onClick={acts.zoom_out} />
        </span>
        <button
          type="button"
          className="act"
          data-action="live"
          aria-pressed={isLive}
          title={say('live_on')}
          onClick={isLive ? () => zoomTo(span) : acts.live}
        >
          {say('live')}
        </button>
        <label>
          <input
            type="checkbox"
            checked={showsNormal}
            onChange={({ target }) => onShowNormal(target.checked)}
          />{' '}
          {say('whole_normal')}
        </label>
        <button
          type="button"
          className="act"
          data-action="export"
          onClick={() => setExporting(true)}
        >
          {say('export')}…
        </button>
      </div>
      <p className="note" id="shown-span">
        <SpanText device={device} shown={shown} /> · <Kind readings={readings} />
        {shown.endsAtLast ? ` · ${say('ends_at_last')}` : ''}
      </p>
      <p className={`note ${look.hint}`}>{say('charts_hint')}</p>
      {isExporting ? (
        <ExportDialog device={device} span={span} onClose={() => setExporting(false)} />
      ) : null}
    </div>
  );
}

function Step(props: {
  name: 'zoom_in' | 'zoom_out' | 'earlier' | 'later';
  text: string;
  onClick: () => void;
}): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const { name, text, onClick } = props;
  return (
    <button
      type="button"
      className="act"
      data-action={name}
      aria-label={say(name)}
      title={say(name)}
      onClick={onClick}
    >
      <span aria-hidden="true">{text}</span>
    </button>
  );
}

function SpanText({ device, shown }: { device: DeviceItem; shown: Shown }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const zone = useZoneOf()(device.site);
  const { span } = shown;
  const form = lengthOf(span) < 60_000 ? 'millisecond' : 'full';
  const format = timeFormat(zone, form);
  return say('shown_span', {
    from: format.format(span.fromMs),
    to: format.format(span.toMs),
    length: formatDuration(lengthOf(span), say),
  });
}

/** What the charts are made of, and what it cost: nobody should take means for readings. */
function Kind({ readings }: { readings: Readings }): ReactNode {
  const say = useSay(DEVICE_WORDS);
  const { language } = usePreferences();
  const { history, isLoading } = readings;
  if (history === undefined || isLoading) return say('loading');
  let count = 0;
  for (const points of history.points.values()) count += points.length;
  const kind =
    history.kind === 'buckets'
      ? say('kind_buckets', {
          step:
            history.stepMs === DAY_MS
              ? say('hours', { n: 24 })
              : formatDuration(history.stepMs, say),
        })
      : say(`kind_${history.kind}`);
  return (
    <span id="chart-kind" data-kind={history.kind} data-took-ms={history.tookMs}>
      {kind} · {say('took', { count: formatCount(count, language), ms: history.tookMs })}
    </span>
  );
}

type Acts = Record<'zoom_in' | 'zoom_out' | 'earlier' | 'later' | 'live', () => void>;

/** Keys work wherever the focus is, but where they mean something else. */
function useKeys(acts: Acts): void {
  const onKey = useEffectEvent((event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector('dialog[open]') !== null) return;
    const { activeElement } = document;
    // Fields have their own use for them, and what scrolls sideways.
    if (activeElement?.matches('input, textarea, select, .table-frame') === true) return;
    const act = {
      '+': acts.zoom_in,
      '=': acts.zoom_in,
      '-': acts.zoom_out,
      ArrowLeft: acts.earlier,
      ArrowRight: acts.later,
      l: acts.live,
      L: acts.live,
    }[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  });
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => onKey(event);
    document.addEventListener('keydown', listener);
    return () => document.removeEventListener('keydown', listener);
  }, []);
}
