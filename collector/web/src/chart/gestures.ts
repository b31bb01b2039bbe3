/**
 * Zooming by hand: Ctrl and the wheel (a trackpad's pinch is that, too), Shift and the wheel to move, two fingers on a
 * touch screen. A wheel alone scrolls the page, as everywhere; dragging is uPlot's own selection.
 */

import type uPlot from 'uplot';
import type { Span } from './zoom.ts';
import { lengthOf, moved, wheelFactor, zoomed } from './zoom.ts';

export interface Gestures {
  /** What is shown now. */
  span: () => Span;
  /** Called at each step; the last one is the one that counts. */
  show: (span: Span) => void;
}

/** Answers how to end it. */
export function followGestures({ over }: uPlot, { span, show }: Gestures): () => void {
  const timeAt = (clientX: number): number => {
    const { left, width } = over.getBoundingClientRect();
    const { fromMs } = span();
    return fromMs + ((clientX - left) / Math.max(1, width)) * lengthOf(span());
  };
  const onWheel = (event: WheelEvent): void => {
    const delta = event.deltaY === 0 ? event.deltaX : event.deltaY;
    if (delta === 0 || !(event.ctrlKey || event.metaKey || event.shiftKey)) return;
    event.preventDefault();
    if (event.shiftKey) show(moved(span(), delta / 1_000));
    else show(zoomed(span(), wheelFactor(delta), timeAt(event.clientX)));
  };
  const fingers = new Map<number, number>();
  let before: { distance: number; middle: number } | undefined;
  const pinch = (): { distance: number; middle: number } | undefined => {
    const [a, b] = [...fingers.values()];
    if (a === undefined || b === undefined) return undefined;
    return { distance: Math.max(20, Math.abs(a - b)), middle: (a + b) / 2 };
  };
  const onDown = (event: PointerEvent): void => {
    if (event.pointerType !== 'touch') return;
    fingers.set(event.pointerId, event.clientX);
    before = pinch();
  };
  const onMove = (event: PointerEvent): void => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, event.clientX);
    const now = pinch();
    if (now === undefined || before === undefined) return;
    event.preventDefault();
    const { width } = over.getBoundingClientRect();
    const held = moved(span(), (before.middle - now.middle) / Math.max(1, width));
    show(zoomed(held, before.distance / now.distance, timeAt(now.middle)));
    before = now;
  };
  const onUp = (event: PointerEvent): void => {
    fingers.delete(event.pointerId);
    before = pinch();
  };
  const listeners = [
    ['wheel', onWheel],
    ['pointerdown', onDown],
    ['pointermove', onMove],
    ['pointerup', onUp],
    ['pointercancel', onUp],
  ] as const;
  for (const [name, listener] of listeners)
    over.addEventListener(name, listener as EventListener, { passive: false });
  return () => {
    for (const [name, listener] of listeners)
      over.removeEventListener(name, listener as EventListener);
  };
}
