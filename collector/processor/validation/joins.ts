/**
 * Rules over several channels of one device: wherever all channels of a rule have a value of one time.
 * The channels of a poll may come in two chunks: what remains of the chunks before is each channel's last
 * value. Only readings of the chunk at hand can get the finding.
 */

import { Severity, severityOf } from '../../../proto/model.ts';
import type { ExpressionValues } from '../../expressions.ts';
import { findingKinds, Treatment } from '../../findings.ts';
import type { DevicePlan, JoinPlan } from './compile.ts';
import { PolicyRank } from './policies.ts';
import type { Run, Sheet } from './run.ts';
import { Mark, UNUSABLE } from './run.ts';
import { QUARANTINED } from './settle.ts';
import type { ChannelStates, DeviceSlots } from './states.ts';
import { FIELDS, Field, ValueType } from './states.ts';

const CROSS_RULE = 1 << findingKinds.cross_rule.bit;

/** Readings of a channel in the chunk. */
interface Part {
  from: number;
  to: number;
  firstMs: number;
  type: ValueType;
}

/** One channel of the device, as far as rules over several need it. */
class Source {
  readonly parts: Part[] = [];
  /** Place of the channel's fields; -1: it was never seen. */
  readonly at: number;
  readonly isBoolean: boolean;
  #byTime: Map<number, number> | undefined;

  constructor(at: number, isBoolean: boolean) {
    this.at = at;
    this.isBoolean = isBoolean;
  }

  /** Index of a usable reading of this time, -1 if there is none. `offset`: where in a part to look first. */
  find(chunk: Join, timeMs: number, offset: number): number {
    const [part] = this.parts;
    if (part === undefined) return -1;
    const { timesMs } = chunk.columns;
    const likely = part.from + offset;
    if (likely < part.to && timesMs[likely] === timeMs && chunk.isUsable(likely)) return likely;
    if (this.#byTime === undefined) {
      this.#byTime = new Map();
      for (const { from, to } of this.parts) {
        for (let i = from; i < to; i++) if (chunk.isUsable(i)) this.#byTime.set(timesMs[i]!, i);
      }
    }
    return this.#byTime.get(timeMs) ?? -1;
  }

  typeAt(index: number): ValueType {
    const part = this.parts.find(({ from, to }) => index >= from && index < to);
    return part?.type ?? ValueType.NUMBER;
  }
}

/** What a device's rules over several channels see of a chunk. */
export class Join {
  readonly columns: Run['columns'];
  readonly #sheet: Sheet;
  readonly #states: ChannelStates;
  readonly #plan: DevicePlan;
  readonly #device: DeviceSlots;
  readonly #sources = new Map<string, Source>();
  readonly #refused: number[] = [];
  /** By index: the rule that sent the reading to quarantine. */
  readonly #quarantinedBy: Map<number, JoinPlan>;

  constructor(
    run: Run,
    device: DeviceSlots,
    plan: DevicePlan,
    quarantinedBy: Map<number, JoinPlan>,
  ) {
    this.columns = run.columns;
    this.#sheet = run.sheet;
    this.#states = run.states;
    this.#device = device;
    this.#plan = plan;
    this.#quarantinedBy = quarantinedBy;
  }

  /** A run of the device, after its own rules. */
  add(run: Run): void {
    const { from, to, firstMs, type } = run;
    this.#source(run.channelName).parts.push({ from, to, firstMs, type });
  }

  judge(): void {
    for (const rule of this.#plan.joins) {
      const sources = rule.channels.map((name) => this.#source(name));
      const [first] = sources;
      if (first === undefined || sources.every(({ parts }) => parts.length === 0)) continue;
      const { timesMs } = this.columns;
      for (const { from, to } of first.parts) {
        for (let i = from; i < to; i++) this.#evaluate(rule, sources, timesMs[i]!, i - from);
      }
      // Its value from before the chunk may be what others in it belong to.
      const lastMs = first.at < 0 ? Number.NaN : this.#states.fields[first.at + Field.JOIN_MS]!;
      const reached = sources.some(({ parts }) => parts.some(({ firstMs }) => firstMs <= lastMs));
      if (reached && first.find(this, lastMs, 0) < 0) this.#evaluate(rule, sources, lastMs, 0);
    }
    // Now only, so that all rules see the same readings.
    for (const index of this.#refused) this.#sheet.treatments[index] = QUARANTINED;
    for (const source of this.#sources.values()) this.#remember(source);
  }

  /** Whether the reading has a value that says something. */
  isUsable(index: number): boolean {
    const { findings, treatments } = this.#sheet;
    return (
      (findings[index]! & UNUSABLE) === 0 &&
      treatments[index] !== QUARANTINED &&
      severityOf(this.columns.qualities[index]!) !== Severity.BAD
    );
  }

  #evaluate(rule: JoinPlan, sources: readonly Source[], timeMs: number, offset: number): void {
    const values: ExpressionValues = Object.create(null);
    const indexes: number[] = [];
    for (let s = 0; s < sources.length; s++) {
      const source = sources[s]!;
      const index = source.find(this, timeMs, offset);
      const value = index < 0 ? this.#lastOf(source, timeMs) : this.#valueAt(source, index);
      if (value === undefined) return;
      values[rule.channels[s]!] = value;
      if (index >= 0) indexes.push(index);
    }
    if (indexes.length === 0 || rule.agrees(values)) return;
    for (const index of indexes) this.#note(rule, index);
  }

  #note(rule: JoinPlan, index: number): void {
    const { findings, treatments } = this.#sheet;
    findings[index] = findings[index]! | CROSS_RULE;
    this.#sheet.any = true;
    if (rule.policy === PolicyRank.quarantine) {
      this.#refused.push(index);
      if (!this.#quarantinedBy.has(index)) this.#quarantinedBy.set(index, rule);
    } else if (rule.policy === PolicyRank.flag && treatments[index] === Treatment.KEPT) {
      treatments[index] = Treatment.FLAGGED;
    }
  }

  #valueAt(source: Source, index: number): number | string | boolean {
    const type = source.typeAt(index);
    if (type === ValueType.TEXT) return this.columns.texts.get(index) ?? '';
    const number = this.columns.numbers[index]!;
    return source.isBoolean || type === ValueType.BOOLEAN ? number === 1 : number;
  }

  #lastOf(source: Source, timeMs: number): number | boolean | undefined {
    if (source.at < 0) return undefined;
    const { fields } = this.#states;
    if (fields[source.at + Field.JOIN_MS] !== timeMs) return undefined;
    const number = fields[source.at + Field.JOIN]!;
    const isBoolean = source.isBoolean || fields[source.at + Field.JOIN_TYPE] === ValueType.BOOLEAN;
    return isBoolean ? number === 1 : number;
  }

  /** Texts are not remembered: they have no place among numbers. */
  #remember(source: Source): void {
    const { fields } = this.#states;
    const { marks } = this.#sheet;
    const part = source.parts.at(-1);
    if (part === undefined || part.type === ValueType.TEXT) return;
    for (let i = part.to - 1; i >= part.from; i--) {
      if ((marks[i]! & Mark.ASIDE) !== 0 || !this.isUsable(i)) continue;
      fields[source.at + Field.JOIN] = this.columns.numbers[i]!;
      fields[source.at + Field.JOIN_MS] = this.columns.timesMs[i]!;
      fields[source.at + Field.JOIN_TYPE] = part.type;
      return;
    }
  }

  #source(name: string): Source {
    let source = this.#sources.get(name);
    if (source === undefined) {
      const slot = this.#device.channels.get(name);
      const isBoolean = this.#plan.channels.get(name)?.channel.type === 'boolean';
      source = new Source(slot === undefined ? -1 : slot * FIELDS, isBoolean);
      this.#sources.set(name, source);
    }
    return source;
  }
}
