/**
 * The rules again, one reading at a time and as plain as can be: what GatewayValidation must say of
 * channels whose values are all numbers (or all booleans). Of one device, without rules over several
 * channels.
 */

import type { FindingCode } from '../../collector/findings.ts';
import { Treatment } from '../../collector/findings.ts';
import type {
  ChannelProfile,
  Configuration,
  DeviceProfile,
  Policy,
} from '../../collector/profile.ts';
import type { Reading } from '../../proto/model.ts';
import { hasValue } from '../../proto/model.ts';
import type { Verdict } from './validation.ts';

const RANKS: readonly Policy[] = ['keep', 'flag', 'clip', 'fill', 'quarantine'];

interface Memory {
  order: number;
  seq: number;
  previousMs: number | undefined;
  newestMs: number | undefined;
  behind: number;
  good: { value: number; timeMs: number } | undefined;
  base: { value: number; timeMs: number } | undefined;
  run: { value: number; sinceMs: number; lastMs: number } | undefined;
  window: number[];
}

export interface Arrival {
  reading: Reading;
  seq: number;
  order: number;
  receivedMs: number;
}

export class ValidationModel {
  readonly #configuration: Configuration;
  readonly #profile: DeviceProfile;
  readonly #memories = new Map<string, Memory>();

  constructor(configuration: Configuration, profile: DeviceProfile) {
    this.#configuration = configuration;
    this.#profile = profile;
  }

  /** undefined: nothing is said; a text: why it goes to quarantine. */
  judge({ reading, seq, order, receivedMs }: Arrival): Verdict | string | undefined {
    const { timeMs, quality } = reading;
    const profile = this.#profile;
    const channel = profile.channels[reading.channel]!;
    const memory = this.#memory(reading.channel);
    const inTurn = order > memory.order || (order === memory.order && seq > memory.seq);
    if (inTurn) Object.assign(memory, { order, seq });
    const { retentionMs, aheadMaxMs } = this.#configuration;
    if (retentionMs > 0 && timeMs < receivedMs - retentionMs) return 'too_old';
    if (timeMs > receivedMs + aheadMaxMs) return 'too_new';

    const said: [FindingCode, Policy][] = [];
    const learns = inTurn && this.#order(memory, timeMs, said);
    if (timeMs < receivedMs - profile.timelyWithinMs) said.push(['late', profile.onLate]);
    if (timeMs > receivedMs + profile.futureToleranceMs) said.push(['future', profile.onFuture]);
    const value = Number(reading.value);
    if (!hasValue(quality)) said.push(['null_value', channel.onNull]);
    else if (!Number.isFinite(value)) said.push(['not_finite', channel.onNull]);
    else if (channel.sentinels.includes(value)) said.push(['sentinel', channel.onNull]);
    else this.#value(channel, memory, value, timeMs, learns, said);
    return settle(channel, memory, value, timeMs, learns, said);
  }

  #order(memory: Memory, timeMs: number, said: [FindingCode, Policy][]): boolean {
    const { previousMs, newestMs } = memory;
    memory.previousMs = timeMs;
    if (timeMs === previousMs || timeMs === newestMs) {
      said.push(['same_time', this.#profile.onSameTime]);
    } else if (previousMs !== undefined && timeMs < previousMs) {
      said.push(['time_backwards', this.#profile.onTimeBackwards]);
    }
    if (newestMs !== undefined && timeMs === newestMs) return false;
    if (newestMs !== undefined && timeMs < newestMs) {
      memory.behind++;
      if (memory.behind <= 20 || timeMs <= previousMs!) return false;
    }
    memory.newestMs = timeMs;
    memory.behind = 0;
    return true;
  }

  #value(
    channel: ChannelProfile,
    memory: Memory,
    value: number,
    timeMs: number,
    learns: boolean,
    said: [FindingCode, Policy][],
  ): void {
    const isNumber = channel.type === 'number';
    const { min = -Infinity, max = Infinity } = channel;
    const within = !isNumber || (value >= min && value <= max);
    if (!within) said.push(['out_of_range', channel.onRange]);
    if (!learns) return;
    if (isNumber && within && channel.ratePerSecondMax !== undefined) {
      const { base } = memory;
      const seconds = base === undefined ? 0 : (timeMs - base.timeMs) / 1_000;
      const jump = seconds > 0 ? Math.abs(value - base!.value) / seconds : 0;
      // The rates of the cases are whole, and no value lies that close to them.
      if (jump > channel.ratePerSecondMax + 1e-9) said.push(['rate_of_change', channel.onRate]);
      else memory.base = { value, timeMs };
    }
    if (channel.stuckAfterMs !== undefined) {
      const { run } = memory;
      const gapMs = run === undefined ? Infinity : timeMs - run.lastMs;
      const goesOn = gapMs > 0 && gapMs <= 60_000 && run!.value === value;
      memory.run = { value, sinceMs: goesOn ? run!.sinceMs : timeMs, lastMs: timeMs };
      if (timeMs - memory.run.sinceMs > channel.stuckAfterMs) said.push(['stuck', channel.onStuck]);
    }
    if (isNumber && within && channel.outlierRanges !== undefined) {
      const sorted = memory.window.toSorted((a, b) => a - b);
      const quarter = Math.floor((sorted.length - 1) / 4);
      const low = sorted[quarter] ?? 0;
      const high = sorted[sorted.length - 1 - quarter] ?? 0;
      const far = channel.outlierRanges * (high - low);
      const outside = value < low - far || value > high + far;
      if (sorted.length >= 20 && high > low && outside) said.push(['outlier', channel.onOutlier]);
      memory.window = [...memory.window, value].slice(-100);
    }
  }

  #memory(name: string): Memory {
    let memory = this.#memories.get(name);
    if (memory === undefined) {
      memory = {
        order: -1,
        seq: 0,
        previousMs: undefined,
        newestMs: undefined,
        behind: 0,
        good: undefined,
        base: undefined,
        run: undefined,
        window: [],
      };
      this.#memories.set(name, memory);
    }
    return memory;
  }
}

const ABOUT_TIME: readonly FindingCode[] = ['late', 'future', 'same_time', 'time_backwards'];
const NOT_GOOD: readonly FindingCode[] = [
  'null_value',
  'not_finite',
  'sentinel',
  'out_of_range',
  'rate_of_change',
  'outlier',
];

function settle(
  channel: ChannelProfile,
  memory: Memory,
  value: number,
  timeMs: number,
  learns: boolean,
  said: readonly [FindingCode, Policy][],
): Verdict | string | undefined {
  const codes = said.map(([code]) => code);
  const rank = Math.max(0, ...said.map(([code, policy]) => rankOf(code, policy)));
  if (RANKS[rank] === 'quarantine') return 'rule';
  const { good } = memory;
  if (learns && !codes.some((code) => NOT_GOOD.includes(code))) memory.good = { value, timeMs };
  if (codes.length === 0) return undefined;
  const findings = codes;
  if (RANKS[rank] === 'fill') {
    const last = good !== undefined && good.timeMs <= timeMs ? good.value : undefined;
    const fill = channel.fill.kind === 'constant' ? channel.fill.value : last;
    if (fill !== undefined) return { findings, treatment: Treatment.FILLED, value: fill };
  }
  if (codes.includes('sentinel') || codes.includes('not_finite')) {
    return { findings, treatment: Treatment.MISSING };
  }
  if (RANKS[rank] === 'clip') {
    const bound = value < channel.min! ? channel.min! : channel.max!;
    return { findings, treatment: Treatment.CLIPPED, value: bound };
  }
  return { findings, treatment: RANKS[rank] === 'keep' ? Treatment.KEPT : Treatment.FLAGGED };
}

function rankOf(code: FindingCode, policy: Policy): number {
  if (policy === 'clip' && code !== 'out_of_range') return RANKS.indexOf('flag');
  if (policy === 'fill' && ABOUT_TIME.includes(code)) return RANKS.indexOf('flag');
  return RANKS.indexOf(policy);
}
