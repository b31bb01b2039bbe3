/**
 * Report by exception: lets through what changed enough or has been silent long enough. Pure: the same
 * samples in the same order give the same result, whatever the clock says.
 */

import type { Value } from '../proto/model.ts';
import { Severity, severityOf } from '../proto/model.ts';
import type { ReaderOutput, Sample, SampledValue } from './types.ts';

/** A channel's `report` block. With one, an unchanged value waits for `maxIntervalMs`. */
export interface ReportRule {
  /** A number passes when it differs from the last reported one by more than this. */
  deadband?: number | undefined;
  /** … by more than this percentage of the last reported one. With both, by more than the larger. */
  deadbandPercent?: number | undefined;
  /** Changes within this time after the last reported value wait; default 0. */
  minIntervalMs?: number | undefined;
  /** An unchanged value passes when the last reported one is this old; default: never. */
  maxIntervalMs?: number | undefined;
}

interface LastReport {
  value: Value;
  quality: number;
  timeMs: number;
}

/** Is this value worth reporting after `last`? */
export function isReportable(
  rule: ReportRule,
  last: LastReport | undefined,
  next: SampledValue,
  timeMs: number,
): boolean {
  if (last === undefined) return true;
  if (severityOf(next.quality) === Severity.BAD || next.quality !== last.quality) return true;
  const ageMs = timeMs - last.timeMs;
  // Time running backwards is something that the collector must see; it also restarts both intervals.
  if (ageMs < 0) return true;
  if (ageMs >= (rule.maxIntervalMs ?? Number.POSITIVE_INFINITY)) return true;
  if (ageMs < (rule.minIntervalMs ?? 0)) return false;
  return hasChanged(rule, last.value, next.value);
}

function hasChanged(rule: ReportRule, last: Value, next: Value): boolean {
  if (typeof last !== 'number' || typeof next !== 'number') return last !== next;
  if (last === next) return false;
  const band = Math.max(rule.deadband ?? 0, (Math.abs(last) * (rule.deadbandPercent ?? 0)) / 100);
  // 23.5 - 23.4 is a little more than 0.1 in doubles: what equals the band must not pass for that.
  const slack = band === 0 ? 0 : 4 * Number.EPSILON * Math.max(Math.abs(last), Math.abs(next));
  const difference = Math.abs(next - last);
  // Infinity - Infinity cannot be compared with a band; unequal values are a change.
  return Number.isNaN(difference) || !Number.isFinite(slack) || difference > band + slack;
}

/** Applies the rules of one device's channels to its samples, in order. Holds one value a channel with a rule. */
export class ReportFilter {
  readonly #rules: ReadonlyMap<string, ReportRule>;
  readonly #last = new Map<string, LastReport>();
  #suppressedTotal = 0;

  constructor(rules: ReadonlyMap<string, ReportRule>) {
    this.#rules = rules;
  }

  /** Values held back since the start. */
  get suppressedTotal(): number {
    return this.#suppressedTotal;
  }

  /** `arrivalMs` stands in for the time of samples that have none. Samples left empty are dropped. */
  apply(output: ReaderOutput, arrivalMs: number): ReaderOutput {
    if (this.#rules.size === 0) return output;
    const samples: Sample[] = [];
    for (const sample of output.samples) {
      const timeMs = sample.sourceTimeMs ?? arrivalMs;
      const values = sample.values.filter((value) => this.#passes(value, timeMs));
      this.#suppressedTotal += sample.values.length - values.length;
      if (values.length > 0) samples.push({ ...sample, values });
    }
    return { samples, rejects: output.rejects };
  }

  #passes(value: SampledValue, timeMs: number): boolean {
    const rule = this.#rules.get(value.channel);
    if (rule === undefined) return true;
    if (!isReportable(rule, this.#last.get(value.channel), value, timeMs)) return false;
    this.#last.set(value.channel, { value: value.value, quality: value.quality, timeMs });
    return true;
  }
}
