/** Looks at the rules of one device after the other, and says what became of their alerts. */

import type { AnomalyChange } from '../anomaly/detection.ts';
import type { AnomalyReason } from '../outputs/anomaly.ts';
import { ANOMALY_RULE, GATEWAY_BEHIND, GATEWAY_DOWN } from './built_in.ts';
import type { AlertContext } from './context.ts';
import type { DeviceWatch } from './device.ts';
import { UNKNOWN } from './device.ts';
import type { AlertEntries, Standing, Subject } from './entries.ts';
import type { GatewayOwn } from './gateway.ts';
import type { Life, LifeChange } from './life.ts';
import { BASELINE_GIVEN_UP_MS, PENDING_TOLD_MS, POLL_MS, REMOVED_AFTER_MS } from './limits.ts';
import type { RowLooker } from './rows.ts';
import type { CompiledRule } from './rule.ts';
import { summaryOf, valuesOf } from './words.ts';

/** Log times: of what was before, silence is not counted. */
export interface Away {
  /** What was known of devices was lost then. */
  anewMs: number;
  /** The gateway was down until then. */
  backMs: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** Reports come once a second: looks at what comes at an interval may be so much farther apart. */
const TICK_SLACK_MS = 2_000;

export class DeviceLooks implements RowLooker {
  readonly #entries: AlertEntries;
  #context!: AlertContext;
  #own!: GatewayOwn;
  /** By rule: the number of the row in which it was looked at. */
  #rowOf = new Int32Array(128);
  #row = 0;
  #areFactsDue = false;
  /** Why the anomaly was called one that is over now. */
  #ended: AnomalyReason | undefined;

  constructor(entries: AlertEntries) {
    this.#entries = entries;
  }

  /** What follows is about this device, in this context. */
  begin(device: DeviceWatch, context: AlertContext, own: GatewayOwn): void {
    this.#context = context;
    this.#own = own;
    this.#areFactsDue = false;
    const rules = device.lives.length;
    if (rules > this.#rowOf.length) this.#rowOf = new Int32Array(rules);
    else this.#rowOf.fill(0, 0, rules);
    this.#row = 0;
  }

  minuteEnds(device: DeviceWatch, atMs: number): void {
    for (const index of device.plan.factRules) this.#lookAt(device, index, atMs, Number.NaN);
    this.#areFactsDue = true;
  }

  row(device: DeviceWatch, atMs: number, slots: readonly number[]): void {
    const row = ++this.#row;
    const { channels } = device.plan;
    for (let s = 0; s < slots.length; s++) {
      const { rules } = channels[slots[s]!]!;
      for (let r = 0; r < rules.length; r++) {
        const index = rules[r]!;
        if (this.#rowOf[index] === row) continue;
        this.#rowOf[index] = row;
        this.#lookAt(device, index, atMs, Number.NaN);
      }
    }
  }

  /** Not while a condition that asks for the baseline holds, or is not quite over yet. */
  learn(device: DeviceWatch, atMs: number, slot: number, value: number): void {
    const baseline = device.baselines[slot]!;
    const { rules } = device.plan.channels[slot]!;
    if (!Number.isNaN(baseline.value))
      for (let r = 0; r < rules.length; r++) if (!device.lives[rules[r]!]!.isQuiet) return;
    baseline.learn(value, atMs);
    device.showBaseline(slot);
  }

  /** After the rows of a chunk. */
  end(device: DeviceWatch): void {
    const { plan, lives, newestMs, counts } = device;
    const areFactsDue =
      this.#areFactsDue ||
      counts?.isBlemished === true ||
      plan.factRules.some((i) => !lives[i]!.isQuiet || plan.rules[i]!.followsScore);
    if (areFactsDue && !Number.isNaN(newestMs)) {
      counts?.looked();
      for (const index of plan.factRules) this.#lookAt(device, index, newestMs, Number.NaN);
    }
    for (const index of plan.logRules) {
      const rule = plan.rules[index]!;
      if (!lives[index]!.isQuiet) device.isDirty = true;
      if (device.isDirty || rule.clock !== 'receipts') continue;
      device.lookUp(rule, newestMs, 0);
      if (device.rankOf(rule, -1, newestMs) >= 0) device.isDirty = true;
    }
    device.hasNews = true;
  }

  anomaly(device: DeviceWatch, change: AnomalyChange): void {
    const { phase, onsetMs, endMs, reason, channel } = change;
    const before = device.anomaly;
    if (before === undefined && phase === 'end') return;
    if (before !== undefined) {
      device.anomaly = undefined;
      this.#ended = before.reason;
      this.#lookAtAnomaly(device, phase === 'end' ? endMs : onsetMs);
      this.#ended = undefined;
    }
    if (phase !== 'onset') return;
    device.anomaly = { reason, onsetMs, channel };
    this.#lookAtAnomaly(device, onsetMs);
  }

  /** What is about log time. True: the device has not been heard of for so long that it is taken as removed. */
  tick(device: DeviceWatch, away: Away): boolean {
    const { nowMs, resumedMs } = this.#context;
    const { plan, lives } = device;
    device.isDirty = false;
    const removedMs = Math.max(device.receivedMs, away.anewMs, resumedMs) + REMOVED_AFTER_MS;
    if (nowMs >= removedMs) return true;
    device.dueMs = removedMs;
    for (const index of plan.logRules) {
      const rule = plan.rules[index]!;
      if (rule.clock === 'silence') {
        const silentMs = nowMs - this.#silentSince(device, rule, lives[index]!, away);
        this.#lookAt(device, index, nowMs, silentMs);
        const sinceMs = nowMs - silentMs;
        const dueMs = silenceDueMs(rule, lives[index]!, sinceMs, nowMs);
        device.dueMs = Math.min(device.dueMs, dueMs);
      } else if (device.hasNews) {
        this.#lookAt(device, index, nowMs, Number.NaN);
      }
    }
    device.hasNews = false;
    this.#tellPending(device);
    return false;
  }

  #lookAtAnomaly(device: DeviceWatch, atMs: number): void {
    for (const index of device.plan.anomalyRules)
      if (device.plan.rules[index]!.clock === 'rows') this.#lookAt(device, index, atMs, Number.NaN);
  }

  #lookAt(device: DeviceWatch, index: number, atMs: number, silentMs: number): void {
    const rule = device.plan.rules[index]!;
    const life = device.lives[index]!;
    if (rule.facts.length > 0) device.lookUp(rule, atMs, silentMs);
    const rank = device.rankOf(rule, life.level, atMs);
    if (rank === UNKNOWN || (rank < 0 && life.isQuiet)) return;
    const before = life.level;
    const sinceMs = life.sinceMs;
    const change = life.look(rank, atMs, rule, this.#isGap(device, rule, life, atMs));
    if (change === 'pending') device.pendingMs[index] = this.#context.nowMs;
    if (life.isPending) {
      const toldMs = device.pendingMs[index]! + PENDING_TOLD_MS;
      device.dueMs = Math.min(device.dueMs, toldMs);
    }
    if (change !== 'none') {
      const startedMs = Number.isNaN(life.sinceMs) ? sinceMs : life.sinceMs;
      const level = life.level >= 0 ? life.level : Math.max(0, before);
      const standing = this.#standing(device, rule, { change, level, startedMs, atMs });
      if (!this.#entries.turn(subjectOf(device, rule), standing, this.#context)) life.giveUp();
    }
    if (life.level >= 0) this.#goesOn(device, rule, life, rank, atMs);
  }

  #isGap(device: DeviceWatch, rule: CompiledRule, life: Life, atMs: number): boolean {
    const { freshMs } = device.plan;
    if (rule.clock === 'rows') return atMs - life.lastMs > freshMs;
    if (life.lastMs < this.#context.resumedMs) return true;
    return rule.clock === 'receipts' && atMs - life.lastMs > freshMs + TICK_SLACK_MS;
  }

  /** It is open. */
  #goesOn(device: DeviceWatch, rule: CompiledRule, life: Life, rank: number, atMs: number): void {
    const entry = this.#entries.open.find(device.name, rule.name);
    if (entry === undefined) return;
    // What stands for an anomaly has told of its cause: there is nothing to add once that is over.
    const waits = entry.inhibitedBy === GATEWAY_DOWN || entry.inhibitedBy === GATEWAY_BEHIND;
    if (waits && rank >= 0 && this.#inhibitorOf(device, rule) === '') {
      const { startedMs } = entry;
      const said = { change: 'none' as const, level: life.level, startedMs, atMs };
      this.#entries.release(entry, this.#standing(device, rule, said), this.#context);
    }
    if (rule.baselines.length === 0 || atMs - entry.startedMs < BASELINE_GIVEN_UP_MS) return;
    for (const slot of rule.baselines) {
      device.baselines[slot]!.forget();
      delete device.values[device.plan.channels[slot]!.baselineKey];
    }
  }

  #standing(
    device: DeviceWatch,
    rule: CompiledRule,
    now: { change: LifeChange; level: number; startedMs: number; atMs: number },
  ): Standing {
    const { change, level, startedMs, atMs } = now;
    const isOver = change === 'resolved' || change === 'dropped';
    return {
      change,
      startedMs,
      severity: rule.levels[level]!.severity,
      inhibitor: this.#inhibitorOf(device, rule),
      say: (sinceMs) => {
        const values = valuesOf(rule, device.plan, device.values);
        const anomaly = rule.facts.includes('anomaly')
          ? (device.anomaly?.reason ?? this.#ended)
          : undefined;
        const told = {
          rule,
          condition: isOver ? undefined : rule.levels[level],
          channels: device.plan.channels,
          values,
          heldMs: atMs - sinceMs,
          anomaly,
        };
        return { summary: summaryOf(told), values: Object.fromEntries(values) };
      },
    };
  }

  #inhibitorOf(device: DeviceWatch, { clock, name }: CompiledRule): string {
    if (name === ANOMALY_RULE) return this.#causeOf(device);
    if (clock === 'silence' && this.#own.isDown) return GATEWAY_DOWN;
    return clock === 'receipts' && this.#own.isBehind ? GATEWAY_BEHIND : '';
  }

  /** A rule about the channel of the anomaly whose alert people have been told of: one cause, one alert. */
  #causeOf({ name, anomaly, plan }: DeviceWatch): string {
    const slot = plan.slots.get(anomaly?.channel ?? '');
    if (slot === undefined) return '';
    for (const index of plan.channels[slot]!.rules) {
      const entry = this.#entries.open.find(name, plan.rules[index]!.name);
      if (entry === undefined || entry.state === 'pending' || entry.inhibitedBy !== '') continue;
      return entry.rule;
    }
    return '';
  }

  /**
   * NaN: not known. What people have been told of goes on until there is a reading; to what they have not,
   * pauses of the collector and of the gateway do not count.
   */
  #silentSince(device: DeviceWatch, rule: CompiledRule, life: Life, away: Away): number {
    const { receivedMs } = device;
    const entry = life.level < 0 ? undefined : this.#entries.open.find(device.name, rule.name);
    if (entry?.inhibitedBy === '') return receivedMs > 0 ? receivedMs : Number.NaN;
    return Math.max(receivedMs, this.#context.resumedMs, away.anewMs, away.backMs);
  }

  /** Not of what held at one look alone: that would tell of every value that flaps. */
  #tellPending(device: DeviceWatch): void {
    const { nowMs } = this.#context;
    for (const [index, life] of device.lives.entries()) {
      if (!life.isPending || !(life.lastMs > life.sinceMs)) continue;
      const rule = device.plan.rules[index]!;
      if (this.#entries.open.find(device.name, rule.name) !== undefined) continue;
      const toldMs = device.pendingMs[index]! + PENDING_TOLD_MS;
      if (toldMs > nowMs) {
        device.dueMs = Math.min(device.dueMs, toldMs);
        continue;
      }
      // Facts are looked up anew: they are not remembered from the look before.
      if (rule.clock !== 'silence') device.lookUp(rule, life.lastMs, Number.NaN);
      const now = { change: 'pending' as const, level: life.top, startedMs: life.sinceMs };
      const standing = this.#standing(device, rule, { ...now, atMs: life.lastMs });
      this.#entries.tellPending(subjectOf(device, rule), standing, this.#context);
    }
  }
}

function subjectOf(device: DeviceWatch, rule: CompiledRule): Subject {
  const { area = '', line = '' } = device.place ?? {};
  return { device: device.name, area, line, rule };
}

/** Log time at which silence that goes on is of interest; +Infinity: only a reading is. */
function silenceDueMs(rule: CompiledRule, life: Life, sinceMs: number, nowMs: number): number {
  if (Number.isNaN(sinceMs)) return NEVER;
  let dueMs = life.dueMs(rule);
  if (rule.until !== undefined && life.level >= 0) dueMs = Math.min(dueMs, nowMs + POLL_MS);
  for (const seconds of rule.silences) {
    const reachedMs = seconds === undefined ? nowMs + POLL_MS : sinceMs + seconds * 1_000;
    // `>` comes true right after.
    if (reachedMs >= nowMs) dueMs = Math.min(dueMs, Math.max(reachedMs, nowMs + 1));
  }
  return dueMs;
}
