/** uPlot in the look of the pages: axes, zone, colours of now, size of its place. What is drawn is the caller's. */

import type { ReactNode } from 'react';
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { usePreferences } from '../app/preferences.tsx';
import { formatValue, timeFormat } from '../i18n/format.ts';

const DAY_S = 86_400;

/** Columns: x ascending (seconds since 1970 where x is time), then one a series; null: nothing there. */
export type PlotData = uPlot.AlignedData;

export interface PlotProps {
  /** What the picture shows, for those who do not see it. */
  label: string;
  data: PlotData;
  heightPx: number;
  /** IANA name; undefined: x is a number, not a time. */
  timeZone: string | undefined;
  /** Series, scales, hooks and so on, beside the look. A new object makes a new chart: keep it (useMemo). */
  options: Partial<uPlot.Options> & Pick<uPlot.Options, 'series'>;
  /** What x shows; undefined: all of the data. */
  window?: { min: number; max: number } | undefined;
  /** The chart when it is made, undefined when it is gone. */
  onPlot?: (plot: uPlot | undefined) => void;
}

export function Plot(props: PlotProps): ReactNode {
  const { label, data, heightPx, timeZone, options, window: shown, onPlot } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const { language, colours } = usePreferences();
  const latest = useRef({ data, shown, onPlot });
  latest.current = { data, shown, onPlot };

  // biome-ignore lint/correctness/useExhaustiveDependencies: charts keep the colours that they were made in
  useEffect(() => {
    const node = place.current;
    if (node === null) return;
    const width = Math.max(node.clientWidth, 100);
    const look = lookOf({ width, heightPx, timeZone, language, options });
    const made = new uPlot(look, latest.current.data, node);
    plot.current = made;
    if (latest.current.shown !== undefined) made.setScale('x', latest.current.shown);
    latest.current.onPlot?.(made);
    const resized = new ResizeObserver(() => {
      const width = node.clientWidth;
      if (width > 0 && width !== made.width) made.setSize({ width, height: heightPx });
    });
    resized.observe(node);
    return () => {
      resized.disconnect();
      latest.current.onPlot?.(undefined);
      made.destroy();
      plot.current = undefined;
    };
  }, [heightPx, timeZone, language, colours, options]);

  useEffect(() => {
    const { current } = plot;
    if (current === undefined) return;
    current.batch(() => {
      current.setData(data, shown === undefined);
      if (shown !== undefined) current.setScale('x', shown);
    });
  }, [data, shown]);

  return <div ref={place} className="plot" role="img" aria-label={label} />;
}

/** A colour of styles/tokens.css as it is now, for canvases: `colourOf('--trace')`. */
export function colourOf(property: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

function lookOf(asked: {
  width: number;
  heightPx: number;
  timeZone: string | undefined;
  language: 'en' | 'ko';
  options: PlotProps['options'];
}): uPlot.Options {
  const { width, heightPx, timeZone, language, options } = asked;
  const { axes: [xAxis = {}, yAxis = {}] = [], scales, ...rest } = options;
  const time: Partial<uPlot.Options> =
    timeZone === undefined ? {} : { tzDate: (s) => uPlot.tzDate(new Date(s * 1000), timeZone) };
  const timeValues: uPlot.Axis =
    timeZone === undefined
      ? {}
      : { values: (_, splits, __, ___, stepS) => timeLabels(splits, stepS, timeZone) };
  return {
    width,
    height: heightPx,
    legend: { show: false },
    cursor: { drag: { x: false, y: false }, points: { size: 5 }, y: false },
    padding: [6, 16, 0, 0],
    ...time,
    ...rest,
    scales: { ...scales, x: { time: timeZone !== undefined, ...scales?.x } },
    axes: [
      { ...axisLook(), space: 70, size: 24, ...timeValues, ...xAxis },
      {
        ...axisLook(),
        size: 58,
        space: 24,
        values: (_, splits) => splits.map((value) => formatValue(value, null, language)),
        ...yAxis,
      },
    ],
  };
}

function timeLabels(splits: number[], stepS: number, timeZone: string): string[] {
  const form =
    stepS >= DAY_S ? 'date' : stepS >= 60 ? 'minute' : stepS >= 1 ? 'time' : 'millisecond';
  const format = timeFormat(timeZone, form);
  return splits.map((s) => format.format(s * 1000));
}

function axisLook(): uPlot.Axis {
  const line = { stroke: colourOf('--line'), width: 1 };
  return {
    stroke: colourOf('--muted'),
    grid: line,
    ticks: { ...line, size: 4 },
    font: '11px system-ui, sans-serif',
    gap: 4,
  };
}
