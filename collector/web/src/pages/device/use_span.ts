/** What the charts show: from the address, or moving on with the clock. */

import { useEffect, useMemo, useRef, useState } from 'react';
import type { DeviceItem } from '../../api/types.ts';
import type { ChangeAddress } from '../../app/address.ts';
import { collectorNowMs } from '../../app/overview.ts';
import type { Span } from '../../chart/zoom.ts';
import { freshness } from '../../ui/freshness.ts';
import type { Range, View } from './view.ts';
import { addressOf, RANGES, viewOf } from './view.ts';

/** A gesture is one step for the back button: this long after its last turn. */
const GESTURE_MS = 350;
const MOVES_MS = 1_000;
/** So many steps of the clock move a chart by about a pixel: more often is of no use. */
const STEPS = 1_000;

export interface Shown {
  view: View;
  span: Span;
  /** The charts end at the last reading, which is not of now. */
  endsAtLast: boolean;
  zoomTo: (span: Span) => void;
  /** Shown at once, and in the address when it rests. */
  gesture: (span: Span) => void;
  goLive: (range: Range) => void;
}

export function useSpan(
  device: DeviceItem,
  address: Record<'range' | 'from' | 'to', string>,
  change: ChangeAddress<'range' | 'from' | 'to'>,
): Shown {
  const { range, from, to } = address;
  const view = useMemo(() => viewOf({ range, from, to }), [range, from, to]);
  const [turning, setTurning] = useState<Span>();
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const nowMs = useSteps(view.kind === 'live' ? RANGES[view.range] / STEPS : undefined);
  const endsAtLast = view.kind === 'live' && freshness(device, nowMs) !== 'live';
  const span = useMemo((): Span => {
    if (turning !== undefined) return turning;
    if (view.kind === 'fixed') return { fromMs: view.fromMs, toMs: view.toMs };
    // The last reading itself is shown, too.
    const endMs = endsAtLast ? device.last_ms + 1 : nowMs;
    return { fromMs: endMs - RANGES[view.range], toMs: endMs };
  }, [turning, view, endsAtLast, device.last_ms, nowMs]);
  const zoomTo = (next: Span): void => {
    clearTimeout(timer.current);
    setTurning(undefined);
    change(addressOf({ kind: 'fixed', ...next }));
  };
  return {
    view,
    span,
    endsAtLast,
    zoomTo,
    gesture: (next) => {
      setTurning(next);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => zoomTo(next), GESTURE_MS);
    },
    goLive: (next) => {
      clearTimeout(timer.current);
      setTurning(undefined);
      change(addressOf({ kind: 'live', range: next }));
    },
  };
}

/** The collector's clock, in steps; undefined: it stands still. */
function useSteps(stepMs: number | undefined): number {
  const [nowMs, setNowMs] = useState(collectorNowMs);
  const everyMs = stepMs === undefined ? undefined : Math.max(MOVES_MS, stepMs);
  useEffect(() => {
    if (everyMs === undefined) return;
    const move = (): void => {
      if (!document.hidden) setNowMs(collectorNowMs());
    };
    move();
    const timer = setInterval(move, everyMs);
    document.addEventListener('visibilitychange', move);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', move);
    };
  }, [everyMs]);
  return nowMs;
}
