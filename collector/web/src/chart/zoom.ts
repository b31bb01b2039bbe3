/** The part of time that charts show, and how it is moved and zoomed. Pure. */

export interface Span {
  fromMs: number;
  /** Exclusive. */
  toMs: number;
}

export const SPAN_MIN_MS = 1_000;
const YEAR_MS = 366 * 86_400_000;
export const SPAN_MAX_MS = 5 * YEAR_MS;

export function lengthOf({ fromMs, toMs }: Span): number {
  return toMs - fromMs;
}

/** `factor` below 1 zooms in; what is at `atMs` stays where it is. Default: the middle. */
export function zoomed(span: Span, factor: number, atMs = (span.fromMs + span.toMs) / 2): Span {
  const before = lengthOf(span);
  const length = Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, before * factor));
  const share = Math.min(1, Math.max(0, (atMs - span.fromMs) / before));
  const fromMs = Math.round(atMs - share * length);
  return { fromMs, toMs: fromMs + Math.round(length) };
}

/** By a share of what is shown; below 0: earlier. */
export function moved(span: Span, share: number): Span {
  const byMs = Math.round(lengthOf(span) * share);
  return { fromMs: span.fromMs + byMs, toMs: span.toMs + byMs };
}

/** As it can be asked for: in order, whole, not shorter or longer than can be shown. Undefined: no span. */
export function spanOf(a: number, b: number): Span | undefined {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return undefined;
  const [from, to] = a < b ? [a, b] : [b, a];
  return zoomed(
    { fromMs: Math.floor(from), toMs: Math.max(Math.ceil(to), Math.floor(from) + 1) },
    1,
  );
}

/** What a wheel does: a turn of 100 is a fifth more or less. */
export function wheelFactor(deltaY: number): number {
  const turns = Math.max(-5, Math.min(5, deltaY / 100));
  return 1.25 ** turns;
}
