/** Consecutive fresh readings of one series, on their way through the rules. */

import type { ChunkColumns, Series } from '../../../proto/model.ts';
import { SeriesKind } from '../../../proto/model.ts';
import type { FindingCode } from '../../findings.ts';
import { findingKinds, maskOf } from '../../findings.ts';
import type { ChannelType } from '../../profile.ts';
import type { Interval } from '../ranges.ts';
import type { CompiledChannel } from './channel.ts';
import { PolicyRank } from './policies.ts';
import type { ChannelStates } from './states.ts';
import { FIELDS, ValueType } from './states.ts';

/** There is no value of the channel's type in the reading: nothing to judge it by. */
export const UNUSABLE = maskOf('null_value', 'sentinel', 'not_finite', 'wrong_type');
/** Not a value to measure others by. */
export const IMPLAUSIBLE = UNUSABLE | maskOf('device_bad', 'out_of_range');
/** Not a value to fill others with. */
export const NOT_GOOD = IMPLAUSIBLE | maskOf('rate_of_change', 'outlier');

/** Marks of a reading that are no findings. */
export const Mark = {
  /** For quarantine because of its time: no rule looks at it. */
  TOO_OLD: 1,
  TOO_NEW: 2,
  /** Behind newer ones, or of the same time: it must not change what the rules remember. */
  ASIDE: 4,
} as const;
export const TIME_FAULT = Mark.TOO_OLD | Mark.TOO_NEW;

/** What the rules said of the readings of a chunk, by index. Shared by all: valid while one is judged. */
export class Sheet {
  findings = new Int32Array();
  /** PolicyRank: the strictest of the findings' policies. */
  policies = new Uint8Array();
  /** Mark. */
  marks = new Uint8Array();
  /** Treatment, or QUARANTINED. */
  treatments = new Uint8Array();
  /** Values in place of those that came; see treatments. */
  cleaned = new Float64Array();
  /** Something is to be said of some reading. */
  any = false;

  clear(readings: number): void {
    if (readings > this.findings.length) {
      const room = 2 * readings;
      this.findings = new Int32Array(room);
      this.policies = new Uint8Array(room);
      this.marks = new Uint8Array(room);
      this.treatments = new Uint8Array(room);
      this.cleaned = new Float64Array(room);
    } else if (this.any) {
      this.findings.fill(0);
      this.policies.fill(0);
      this.marks.fill(0);
      this.treatments.fill(0);
    }
    this.any = false;
  }
}

export interface TypeChange {
  device: string;
  channel: string;
  from: ChannelType;
  to: ChannelType;
}

/** The chunk, and what it is judged in. */
export interface RunInput {
  columns: ChunkColumns;
  /** Seq of the reading at index 0. */
  firstSeq: number;
  receivedMs: number;
  order: number;
}

export class Run {
  readonly sheet: Sheet;
  readonly states: ChannelStates;
  readonly columns: ChunkColumns;
  readonly receivedMs: number;
  /** Place of the epoch among the gateway's. */
  readonly order: number;
  readonly #chunkSeq: number;
  readonly typeChanges: TypeChange[] = [];

  // What it is about: see begin().
  channel: CompiledChannel;
  device = '';
  channelName = '';
  /** The channel's slot, and where its fields begin. */
  slot = 0;
  at = 0;
  type: ValueType = ValueType.NUMBER;
  /** Indexes [from, to), at least one. */
  from = 0;
  to = 0;
  /** Seq of the reading at index `from`. */
  firstSeq = 0;
  /**
   * Time to compare the first reading's with, where another series of the same channel in this chunk came
   * first: their readings were mixed, so that one behind the other says nothing. Else undefined.
   */
  previousMs: number | undefined = undefined;

  // Facts of all its readings.
  firstMs = 0;
  lastMs = 0;
  ascending = true;
  /** All quality octets, or-ed. */
  qualities = 0;
  /** Of the values that are numbers; not finite ones included, NaN not. */
  low = 0;
  high = 0;
  finite = true;
  /** A finding was noted, or a mark set. */
  any = false;

  /** `channel`: whatever, until begin(). */
  constructor(sheet: Sheet, states: ChannelStates, input: RunInput, channel: CompiledChannel) {
    this.channel = channel;
    this.sheet = sheet;
    this.states = states;
    this.columns = input.columns;
    this.receivedMs = input.receivedMs;
    this.order = input.order;
    this.#chunkSeq = input.firstSeq;
  }

  /** Goes on to readings [from, to) of a series. */
  begin(channel: CompiledChannel, series: Series, slot: number, from: number, to: number): void {
    this.channel = channel;
    this.device = series.device;
    this.channelName = series.channel;
    this.slot = slot;
    this.at = slot * FIELDS;
    this.type = typeOf(series.kind);
    this.from = from;
    this.to = to;
    this.firstSeq = this.#chunkSeq + from;
    this.previousMs = undefined;
    this.#scan();
  }

  #scan(): void {
    const { timesMs, numbers, qualities } = this.columns;
    let firstMs = timesMs[this.from]!;
    let lastMs = firstMs;
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    let ascending = true;
    let quality = 0;
    let zero = 0;
    for (let i = this.from; i < this.to; i++) {
      const timeMs = timesMs[i]!;
      if (timeMs > lastMs) lastMs = timeMs;
      else if (i > this.from) ascending = false;
      if (timeMs < firstMs) firstMs = timeMs;
      quality |= qualities[i]!;
      const value = numbers[i]!;
      if (value < low) low = value;
      if (value > high) high = value;
      // NaN as soon as one value is not finite.
      zero += value - value;
    }
    this.firstMs = firstMs;
    this.lastMs = lastMs;
    this.ascending = ascending;
    this.qualities = quality;
    this.low = low;
    this.high = high;
    this.finite = zero === 0;
    this.any = false;
  }

  get isText(): boolean {
    return this.type === ValueType.TEXT;
  }

  /** Notes a finding of the reading at index i. */
  note(i: number, code: FindingCode): void {
    const { bit } = findingKinds[code];
    const { findings, policies } = this.sheet;
    findings[i] = findings[i]! | (1 << bit);
    const policy = this.channel.policies[bit]!;
    if (policy > policies[i]!) policies[i] = policy;
    this.any = true;
  }

  mark(i: number, mark: number): void {
    const { marks, policies } = this.sheet;
    marks[i] = marks[i]! | mark;
    if ((mark & TIME_FAULT) !== 0) policies[i] = PolicyRank.quarantine;
    this.any = true;
  }
}

function typeOf(kind: number): ValueType {
  if (kind === SeriesKind.TEXT) return ValueType.TEXT;
  return kind === SeriesKind.BOOLEAN ? ValueType.BOOLEAN : ValueType.NUMBER;
}

/** Calls back for the consecutive fresh readings of each series: ascending by seq. */
export function eachRun(
  allSeries: readonly Series[],
  firstSeq: number,
  fresh: readonly Interval[],
  call: (series: Series, from: number, to: number) => void,
): void {
  let first = 0;
  for (const series of allSeries) {
    const { start } = series;
    const end = start + series.count;
    while (first < fresh.length && fresh[first]!.to - firstSeq < start) first++;
    for (let p = first; p < fresh.length && fresh[p]!.from - firstSeq < end; p++) {
      const { from, to } = fresh[p]!;
      call(series, Math.max(start, from - firstSeq), Math.min(end, to - firstSeq + 1));
    }
  }
}
