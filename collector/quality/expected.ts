/**
 * How many readings a device should have sent: from what was known of it at each time (its interval, its
 * channels, which gateways read it). Pure.
 */

/** What held of a device on one gateway from `sinceMs` on, until the next of the same gateway. */
export interface DeviceSpan {
  gateway: string;
  sinceMs: number;
  /** 0: no interval is known. */
  intervalMs: number;
  channels: readonly string[];
  silent: boolean;
  firstReceivedMs: number;
  lastReceivedMs: number;
}

/** At a steady pace: `channels` readings every `intervalMs`. */
interface Pace {
  fromMs: number;
  toMs: number;
  intervalMs: number;
  channels: number;
}

/** A device that has been silent for longer is taken as removed: nothing is expected of it any more. */
export const REMOVED_AFTER_MS = 7 * 86_400_000;

/** The first known pace also holds for what came before the device was first seen; see before(). */
export class Expectation {
  readonly #paces: readonly Pace[];

  /** `spans` in any order. */
  constructor(spans: readonly DeviceSpan[]) {
    this.#paces = pacesOf(spans);
  }

  /** When the first reading was received; +Infinity if nothing is known of the device. */
  get sinceMs(): number {
    return this.#paces[0]?.fromMs ?? Number.POSITIVE_INFINITY;
  }

  /** Readings that should have been taken within [fromMs, toMs). */
  within(fromMs: number, toMs: number): number {
    let readings = 0;
    for (const pace of this.#paces) {
      readings += readingsOf(pace, Math.max(fromMs, pace.fromMs), Math.min(toMs, pace.toMs));
    }
    return readings;
  }

  /**
   * The same for a time before the device was first seen, from which readings arrived later: a device with
   * readings of a time was there then.
   */
  before(fromMs: number, toMs: number): number {
    const first = this.#paces[0];
    return first === undefined ? 0 : readingsOf(first, fromMs, Math.min(toMs, first.fromMs));
  }

  /** Of one poll of all channels: by so much a neighbour may be short when the clock hand falls between. */
  onePollAt(atMs: number): number {
    return this.#paces.find(({ toMs }) => atMs < toMs)?.channels ?? 0;
  }
}

function readingsOf(pace: Pace, fromMs: number, toMs: number): number {
  if (toMs <= fromMs || pace.intervalMs <= 0) return 0;
  return Math.floor((toMs - fromMs) / pace.intervalMs) * pace.channels;
}

function pacesOf(spans: readonly DeviceSpan[]): Pace[] {
  const sorted = [...spans].sort((a, b) => a.sinceMs - b.sinceMs);
  const current = new Map<string, DeviceSpan>();
  const paces: Pace[] = [];
  for (const [i, span] of sorted.entries()) {
    current.set(span.gateway, span);
    const untilMs = sorted[i + 1]?.sinceMs ?? Number.POSITIVE_INFINITY;
    const fromMs = i === 0 ? Math.min(span.sinceMs, span.firstReceivedMs) : span.sinceMs;
    if (untilMs > fromMs) addPace(paces, [...current.values()], fromMs, untilMs);
  }
  return paces;
}

/** Of the gateways that hear the device; when none does, of the one that heard it last. */
function addPace(
  paces: Pace[],
  known: readonly DeviceSpan[],
  fromMs: number,
  untilMs: number,
): void {
  let heard = known.filter(({ silent }) => !silent);
  let toMs = untilMs;
  if (heard.length === 0) {
    const last = known.reduce((a, b) => (b.lastReceivedMs > a.lastReceivedMs ? b : a));
    heard = [last];
    toMs = Math.min(untilMs, last.lastReceivedMs + REMOVED_AFTER_MS);
  }
  if (toMs <= fromMs) return;
  const intervals = heard.map(({ intervalMs }) => intervalMs).filter((ms) => ms > 0);
  const intervalMs = intervals.length === 0 ? 0 : Math.min(...intervals);
  const channels = new Set(heard.flatMap((span) => span.channels)).size;
  const before = paces.at(-1);
  const goesOn =
    before?.toMs === fromMs && before.intervalMs === intervalMs && before.channels === channels;
  if (goesOn) before.toMs = toMs;
  else paces.push({ fromMs, toMs, intervalMs, channels });
}
