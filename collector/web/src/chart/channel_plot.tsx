/** The chart of one channel: values with their extremes, what is doubtful or bad, the normal band, anomalies. */

import type { ReactNode, RefObject } from 'react';
import { memo, useEffect, useMemo, useRef } from 'react';
import uPlot from 'uplot';
import type { Band, Bounds } from './band.ts';
import { drawBands, drawNormal } from './draw.ts';
import type { Gestures } from './gestures.ts';
import { followGestures } from './gestures.ts';
import type { PlotProps } from './plot.tsx';
import { colourOf, Plot } from './plot.tsx';
import type { Point } from './points.ts';
import { columnsOf, valueRange } from './points.ts';
import type { Span } from './zoom.ts';
import { spanOf } from './zoom.ts';

const HEIGHT_PX = 170;
const DRAG_MIN_PX = 5;

export interface ChannelPlotProps {
  label: string;
  points: readonly Point[];
  span: Span;
  timeZone: string;
  isBoolean: boolean;
  /** Words for 0 and 1. */
  truth: readonly [no: string, yes: string];
  /** Of the profile; where nothing is known both are null. */
  normal: Bounds;
  /** The value axis shows all of the normal band. */
  showsNormal: boolean;
  bands: readonly Band[];
  /** Id of the band that is brought out. */
  pointed: string | undefined;
  /** Charts of one group share the cursor. */
  group: string;
  onZoom: (span: Span) => void;
  /** While a wheel turns or fingers move. */
  onGesture: (span: Span) => void;
  /** Index of the point at the cursor and its time in seconds; undefined: the cursor is elsewhere. */
  onCursor: (at: { x: number; s: number } | undefined) => void;
}

export const ChannelPlot = memo(function ChannelPlot(props: ChannelPlotProps): ReactNode {
  const { points, span, isBoolean, truth, showsNormal, normal, bands, pointed, group } = props;
  const latest = useRef(props);
  latest.current = props;
  const plot = useRef<uPlot>(undefined);
  const stopGestures = useRef<() => void>(undefined);
  const data = useMemo(() => columnsOf(points), [points]);
  const shown = useMemo(
    () => ({ min: span.fromMs / 1_000, max: span.toMs / 1_000 }),
    [span.fromMs, span.toMs],
  );
  const [no, yes] = truth;
  const options = useMemo(
    () => optionsOf(latest, { isBoolean, truth: [no, yes], group }),
    [isBoolean, no, yes, group],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is drawn by hooks is drawn again when it changes
  useEffect(() => plot.current?.redraw(false), [bands, pointed, normal.min, normal.max]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the value axis is found anew
  useEffect(() => {
    plot.current?.setData(data, false);
    if (plot.current !== undefined) plot.current.setScale('x', shown);
  }, [showsNormal]);
  const onPlot = useRef((made: uPlot | undefined) => {
    plot.current = made;
    stopGestures.current?.();
    if (made === undefined) return;
    const gestures: Gestures = {
      span: () => latest.current.span,
      show: (next) => latest.current.onGesture(next),
    };
    stopGestures.current = followGestures(made, gestures);
  });
  return (
    <Plot
      label={props.label}
      data={data}
      heightPx={HEIGHT_PX}
      timeZone={props.timeZone}
      options={options}
      window={shown}
      onPlot={onPlot.current}
    />
  );
});

/** Made once for a chart: what changes is looked up when it is drawn. */
function optionsOf(
  latest: RefObject<ChannelPlotProps>,
  fixed: { isBoolean: boolean; truth: readonly [string, string]; group: string },
): PlotProps['options'] {
  const { isBoolean, truth, group } = fixed;
  const { stepped, linear } = uPlot.paths;
  const paths: uPlot.Series.PathBuilder =
    (isBoolean ? stepped?.({ align: 1 }) : linear?.()) ?? (() => null);
  const line: uPlot.Series = {
    stroke: () => colourOf('--trace'),
    width: 1.5,
    paths,
    points: { show: false },
    spanGaps: false,
  };
  const edge: uPlot.Series = { ...line, width: 0, stroke: 'transparent' };
  const marks = (stroke: string, fill: string): uPlot.Series => ({
    stroke: () => colourOf(stroke),
    width: 0,
    paths: () => null,
    points: {
      show: true,
      size: 7,
      stroke: () => colourOf(stroke),
      fill: () => colourOf(fill),
    },
  });
  const words: Partial<uPlot.Axis> = isBoolean
    ? { splits: () => [0, 1], values: (_, splits) => splits.map((value) => truth[value] ?? '') }
    : {};
  return {
    series: [{}, edge, line, edge, marks('--warn', '--warn-bg'), marks('--trace', '--panel')],
    bands: [{ series: [3, 1], fill: () => colourOf('--band') }],
    scales: {
      y: {
        range: (_, min, max) =>
          isBoolean
            ? [-0.1, 1.1]
            : valueRange(min, max, latest.current.showsNormal ? latest.current.normal : undefined),
      },
    },
    axes: [{}, words],
    cursor: {
      y: false,
      points: { size: 5 },
      drag: { x: true, y: false, setScale: false, dist: DRAG_MIN_PX },
      sync: {
        key: group,
        // The place of the cursor is shared; a selection is of one chart.
        filters: {
          pub: (type) => type === 'mousemove' || type === 'mouseleave',
          sub: () => true,
        },
      },
    },
    hooks: {
      drawAxes: [
        (u) => {
          const { normal, bands, pointed } = latest.current;
          if (!isBoolean)
            drawNormal(u, normal, { fill: colourOf('--normal'), edge: colourOf('--line') });
          const colours = { fill: colourOf('--anomaly-band'), edge: colourOf('--anomaly') };
          drawBands(u, bands, pointed, colours);
        },
      ],
      setCursor: [(u) => latest.current.onCursor(cursorOf(u))],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          if (width < DRAG_MIN_PX) return;
          const from = u.posToVal(left, 'x') * 1_000;
          const to = u.posToVal(left + width, 'x') * 1_000;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          const span = spanOf(from, to);
          if (span !== undefined) latest.current.onZoom(span);
        },
      ],
    },
  };
}

function cursorOf(u: uPlot): { x: number; s: number } | undefined {
  const { idx, left = -1 } = u.cursor;
  if (idx === null || idx === undefined || left < 0) return undefined;
  const x = u.data[0][idx];
  return x === undefined ? undefined : { x, s: u.posToVal(left, 'x') };
}
