/**
 * What alerts remember of a device: soft state. Last values and baselines of the channels that rules name,
 * counts of the last minutes, and the life of each rule's alert.
 */

import { compareSeverity } from '../../alert.ts';
import type { ExpressionValues } from '../../expressions.ts';
import type { AlertEntry } from '../outputs/alert.ts';
import type { AnomalyReason } from '../outputs/anomaly.ts';
import type { DevicePlace } from '../validation/compile.ts';
import type { EncodedBaseline } from './baseline.ts';
import { Baseline } from './baseline.ts';
import { RollingCounts } from './counters.ts';
import type { FactName } from './facts.ts';
import type { EncodedLife } from './life.ts';
import { Life } from './life.ts';
import type { AlertPlan, CompiledRule, Condition } from './rule.ts';
import { planOf } from './rule.ts';

/** In place of a rank: nothing can be said. */
export const UNKNOWN = -2;

export interface DeviceAnomaly {
  reason: AnomalyReason;
  onsetMs: number;
  /** '': the device as a whole. */
  channel: string;
}

/** By the names of channels and rules: places in a plan change with the configuration. */
interface Kept {
  values: [channel: string, timeMs: number, value: number | string | boolean][];
  baselines: [channel: string, ...EncodedBaseline][];
  counts: (number | null)[] | null;
  lives: [rule: string, pendingMs: number | null, ...EncodedLife][];
}

export interface EncodedDevice extends Kept {
  name: string;
  receivedMs: number;
  newestMs: number | null;
  latencyMs: number | null;
  score: number;
  rejects: number;
  anomaly: DeviceAnomaly | null;
  dueMs: number | null;
  isDirty: boolean;
  hasNews: boolean;
}

const NOTHING: Kept = { values: [], baselines: [], counts: null, lives: [] };

export class DeviceWatch {
  readonly name: string;
  /** Log time of the last reading's receipt; 0: not known. */
  receivedMs = 0;
  /** Of the readings, those behind newer ones left out; NaN: none yet. */
  newestMs = Number.NaN;
  /** From reading time to receipt, of the newest reading; NaN: not known. */
  latencyMs = Number.NaN;
  score = 0;
  /** Rejects since the last reading: counted with the next one. */
  rejects = 0;
  anomaly: DeviceAnomaly | undefined;
  /** Log time from which a tick has something to look at. */
  dueMs = 0;
  /** The next tick looks at it, whatever dueMs says. */
  isDirty = false;
  /** Readings came since the last tick that looked at it. */
  hasNews = false;
  /** Undefined until bind(). */
  place: DevicePlace | undefined;
  plan: AlertPlan;
  /** Under the keys of conditions: channels' last values, baselines, and facts as they were looked up. */
  values: ExpressionValues = Object.create(null);
  /** By slot: of the last value; NaN: there is none. */
  timesMs = new Float64Array();
  /** By slot; undefined where no rule asks for it. */
  baselines: (Baseline | undefined)[] = [];
  counts: RollingCounts | undefined;
  /** By rule. */
  lives: Life[] = [];
  /** By rule: log time from which it is pending; NaN: it is not. */
  pendingMs = new Float64Array();
  #kept: Kept | undefined = NOTHING;

  constructor(name: string) {
    this.name = name;
    this.plan = planOf(undefined);
  }

  /** Makes it ready under what is expected of the device; keeps what it remembers as far as that is still asked for. */
  bind(place: DevicePlace, open: ReadonlyMap<string, AlertEntry>): void {
    const plan = planOf(place.profile);
    this.place = place;
    if (plan === this.plan && this.#kept === undefined) return;
    const kept = this.#keep();
    this.#kept = undefined;
    this.plan = plan;
    this.values = Object.create(null);
    this.timesMs = new Float64Array(plan.channels.length).fill(Number.NaN);
    this.baselines = plan.channels.map(({ hasBaseline }) =>
      hasBaseline ? new Baseline() : undefined,
    );
    for (const [channel, timeMs, value] of kept.values) {
      const slot = plan.slots.get(channel);
      if (slot !== undefined) this.put(slot, timeMs, value);
    }
    for (const [channel, ...encoded] of kept.baselines) {
      const slot = plan.slots.get(channel);
      if (slot === undefined || this.baselines[slot] === undefined) continue;
      this.baselines[slot] = Baseline.decode(encoded);
      this.showBaseline(slot);
    }
    this.counts = plan.needsCounts ? RollingCounts.decode(kept.counts) : undefined;
    const lives = new Map(kept.lives.map(([rule, ...rest]) => [rule, rest]));
    this.pendingMs = new Float64Array(plan.rules.length).fill(Number.NaN);
    this.lives = plan.rules.map((rule, i) => {
      const [pendingMs, ...encoded] = lives.get(rule.name) ?? [];
      this.pendingMs[i] = pendingMs ?? Number.NaN;
      const entry = open.get(rule.name);
      const isPending = entry?.state === 'pending';
      const life = encoded.length === 0 ? undefined : encoded;
      const level = entry === undefined || isPending ? -1 : levelOf(rule, entry);
      return Life.decode(life, level, rule.levels.length, isPending);
    });
  }

  /** The channel's value now. */
  put(slot: number, timeMs: number, value: number | string | boolean): void {
    this.values[this.plan.channels[slot]!.key] = value;
    this.timesMs[slot] = timeMs;
  }

  countRejects(): void {
    if (this.rejects > 0) this.counts?.addRejects(this.rejects);
    this.rejects = 0;
  }

  showBaseline(slot: number): void {
    const value = this.baselines[slot]?.value ?? Number.NaN;
    if (!Number.isNaN(value)) this.values[this.plan.channels[slot]!.baselineKey] = value;
  }

  /** Looks up what a rule names; undefined facts are not known. `silentMs`: NaN where it is not known. */
  lookUp(rule: CompiledRule, atMs: number, silentMs: number): void {
    for (const fact of rule.facts) {
      const value = this.#factOf(fact, atMs, silentMs);
      if (value === undefined) delete this.values[fact];
      else this.values[fact] = value;
    }
  }

  /**
   * Index of the severest level that holds, -1: none; UNKNOWN: nothing can be said. lookUp() comes first.
   * Between the levels and `until` what is open stays open, at its mildest level.
   */
  rankOf(rule: CompiledRule, level: number, atMs: number): number {
    let unknown = -1;
    for (let i = rule.levels.length - 1; i >= 0; i--) {
      const holds = this.#decide(rule, rule.levels[i]!, atMs);
      if (holds === true) return Math.max(i, Math.min(level, unknown));
      if (holds === undefined && unknown < 0) unknown = i;
    }
    if (unknown >= 0) return UNKNOWN;
    if (level < 0 || rule.until === undefined) return -1;
    const isOver = this.#decide(rule, rule.until, atMs);
    if (isOver === undefined) return UNKNOWN;
    return isOver ? -1 : 0;
  }

  encode(): EncodedDevice {
    return {
      name: this.name,
      receivedMs: this.receivedMs,
      newestMs: finite(this.newestMs),
      latencyMs: finite(this.latencyMs),
      score: this.score,
      rejects: this.rejects,
      anomaly: this.anomaly ?? null,
      dueMs: finite(this.dueMs),
      isDirty: this.isDirty,
      hasNews: this.hasNews,
      ...this.#keep(),
    };
  }

  static decode(encoded: EncodedDevice): DeviceWatch {
    const { name, receivedMs, newestMs, latencyMs, score, anomaly, dueMs, isDirty, hasNews } =
      encoded;
    const { values, baselines, counts, lives } = encoded;
    const device = new DeviceWatch(name);
    device.receivedMs = receivedMs;
    device.newestMs = newestMs ?? Number.NaN;
    device.latencyMs = latencyMs ?? Number.NaN;
    device.score = score;
    device.rejects = encoded.rejects;
    device.anomaly = anomaly ?? undefined;
    device.dueMs = dueMs ?? Number.POSITIVE_INFINITY;
    device.isDirty = isDirty;
    device.hasNews = hasNews;
    device.#kept = { values, baselines, counts, lives };
    return device;
  }

  #decide(rule: CompiledRule, condition: Condition, atMs: number): boolean | undefined {
    // In log time the last value counts however old it is: it is silence that is asked for.
    const oldestMs = rule.clock === 'rows' ? atMs - this.plan.freshMs : Number.NEGATIVE_INFINITY;
    for (const slot of condition.slots) if (!(this.timesMs[slot]! >= oldestMs)) return undefined;
    for (const slot of condition.baselines)
      if (Number.isNaN(this.baselines[slot]!.value)) return undefined;
    for (const fact of condition.facts) if (this.values[fact] === undefined) return undefined;
    return condition.decide(this.values);
  }

  #factOf(fact: FactName, atMs: number, silentMs: number): number | boolean | undefined {
    switch (fact) {
      case 'quality': {
        const { intervalMs, channelCount: channels } = this.plan;
        return this.counts?.quality(atMs, { intervalMs, channels }) ?? undefined;
      }
      case 'error_percent':
        return this.counts?.errorPercent() ?? undefined;
      case 'silent_seconds':
        return known(silentMs / 1_000);
      case 'latency_seconds':
        return known(this.latencyMs / 1_000);
      case 'anomaly':
        return this.anomaly !== undefined;
      case 'anomaly_score':
        return this.score;
    }
  }

  #keep(): Kept {
    if (this.#kept !== undefined) return this.#kept;
    const { plan, timesMs, pendingMs } = this;
    const kept: Kept = { ...NOTHING, values: [], baselines: [], lives: [] };
    for (const [slot, { name, key }] of plan.channels.entries()) {
      const timeMs = timesMs[slot]!;
      if (!Number.isNaN(timeMs)) kept.values.push([name, timeMs, this.values[key]!]);
      const baseline = this.baselines[slot]?.encode();
      if (baseline !== undefined) kept.baselines.push([name, ...baseline]);
    }
    kept.counts = this.counts?.encode() ?? null;
    for (const [i, life] of this.lives.entries()) {
      const encoded = life.encode();
      if (encoded === undefined) continue;
      kept.lives.push([plan.rules[i]!.name, finite(pendingMs[i]!), ...encoded]);
    }
    return kept;
  }
}

/** Index of the level that an open alert is at: under another configuration the nearest one below. */
function levelOf(rule: CompiledRule, { severity }: AlertEntry): number {
  const level = rule.levels.findLastIndex((one) => compareSeverity(one.severity, severity) <= 0);
  return Math.max(0, level);
}

/** JSON knows neither NaN nor infinity. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function known(value: number): number | undefined {
  return Number.isNaN(value) ? undefined : value;
}
