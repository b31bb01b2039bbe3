/** The alert rules of a profile made ready for judging. */

import { compareSeverity } from '../../alert.ts';
import type { CompiledCondition, ExpressionValues } from '../../expressions.ts';
import { baselineKey, channelKey, compileCondition } from '../../expressions.ts';
import type { AlertRule, AlertSeverity, ChannelType, DeviceProfile } from '../../profile.ts';
import { builtInRules } from './built_in.ts';
import type { FactName } from './facts.ts';
import { FACTS, isFact } from './facts.ts';
import { FRESH_MS, RULES_MAX } from './limits.ts';

/** A channel that some rule names. Its place in AlertPlan.channels is its slot. */
export interface NamedChannel {
  name: string;
  /** Under which conditions find its value, and its baseline. */
  key: string;
  baselineKey: string;
  /** How values of an alert call them. */
  shownAs: string;
  baselineAs: string;
  isBoolean: boolean;
  title: string;
  titleKo: string;
  unit: string;
  decimals: number | undefined;
  /** Some condition asks for its baseline. */
  hasBaseline: boolean;
  /** Indexes of the rules that are looked at when it has a value. */
  rules: readonly number[];
}

export interface Condition {
  text: string;
  /** Channels whose value, and whose baseline, it needs. */
  slots: readonly number[];
  baselines: readonly number[];
  facts: readonly FactName[];
  decide(values: ExpressionValues): boolean | undefined;
}

export interface Level extends Condition {
  severity: AlertSeverity;
}

export interface CompiledRule {
  name: string;
  title: string;
  titleKo: string;
  /** Mildest first, each severity once; at least one. */
  levels: readonly Level[];
  until: Condition | undefined;
  forMs: number;
  resolveAfterMs: number;
  /** What it names, over all its conditions. */
  slots: readonly number[];
  baselines: readonly number[];
  facts: readonly FactName[];
  /**
   * What its times are: `rows`, those of readings; `receipts`, log time, looked at when readings came
   * (latency_seconds); `silence`, log time, looked at whenever it may have come true (silent_seconds).
   */
  clock: 'rows' | 'receipts' | 'silence';
  /** It names anomaly_score, which is another one with every row. */
  followsScore: boolean;
  /** Seconds of silence that a level waits for, by level; undefined: it is no mere comparison. */
  silences: readonly (number | undefined)[];
}

export interface AlertPlan {
  rules: readonly CompiledRule[];
  channels: readonly NamedChannel[];
  /** Slots by name. */
  slots: ReadonlyMap<string, number>;
  /** Indexes of the rules with clock `rows` that name facts. */
  factRules: readonly number[];
  /** Indexes of those with another clock. */
  logRules: readonly number[];
  /** Indexes of those that name `anomaly`. */
  anomalyRules: readonly number[];
  needsCounts: boolean;
  /** 0: none. */
  intervalMs: number;
  /** How many channels the profile has. */
  channelCount: number;
  /** A value is recent for so long, reading time; after a longer gap what was about to count begins anew. */
  freshMs: number;
}

const FRESH_INTERVALS = 3;
/** Compiling takes long, and devices share their profiles. */
const plans = new WeakMap<DeviceProfile, AlertPlan>();
let unprofiled: AlertPlan | undefined;

/** Never throws, whatever a configuration holds. The same object for the same profile. */
export function planOf(profile: DeviceProfile | undefined): AlertPlan {
  if (profile === undefined) {
    unprofiled ??= compilePlan(undefined);
    return unprofiled;
  }
  let plan = plans.get(profile);
  if (plan === undefined) {
    plan = compilePlan(profile);
    plans.set(profile, plan);
  }
  return plan;
}

function compilePlan(profile: DeviceProfile | undefined): AlertPlan {
  const types = Object.fromEntries(
    Object.entries(profile?.channels ?? {}).map(([name, { type }]) => [name, type]),
  );
  const slots = new Map<string, number>();
  const rules = rulesOf(profile).flatMap((rule) => {
    const compiled = compileRule(rule, types, slots);
    return compiled === undefined ? [] : [compiled];
  });
  const indexes = rules.map((_, i) => i);
  const interval = profile?.intervalMs ?? 0;
  return {
    rules,
    slots,
    channels: [...slots.keys()].map((name, slot) => namedChannel(profile, name, slot, rules)),
    factRules: indexes.filter((i) => rules[i]!.clock === 'rows' && rules[i]!.facts.length > 0),
    logRules: indexes.filter((i) => rules[i]!.clock !== 'rows'),
    anomalyRules: indexes.filter((i) => rules[i]!.facts.includes('anomaly')),
    needsCounts: rules.some(({ facts }) =>
      facts.some((fact) => fact === 'quality' || fact === 'error_percent'),
    ),
    intervalMs: interval,
    channelCount: Object.keys(types).length,
    freshMs:
      interval > 0
        ? Math.max(FRESH_INTERVALS * interval, profile?.lateAfterMs ?? 0)
        : Math.max(FRESH_MS, profile?.lateAfterMs ?? 0),
  };
}

/** Those of the profile, then the built-in ones whose names it does not use. */
function rulesOf(profile: DeviceProfile | undefined): AlertRule[] {
  const given: unknown = profile?.alerts ?? [];
  const own = (Array.isArray(given) ? given : []).slice(0, RULES_MAX) as AlertRule[];
  const names = new Set<string>();
  return [...own, ...builtInRules(profile)].filter((rule) => {
    if (typeof rule?.name !== 'string' || !Array.isArray(rule.levels)) return false;
    if (names.has(rule.name)) return false;
    names.add(rule.name);
    return rule.levels.length > 0;
  });
}

/** Undefined: it cannot be judged. Profiles were checked when they were read; this keeps out what was not. */
function compileRule(
  rule: AlertRule,
  types: Readonly<Record<string, ChannelType>>,
  slots: Map<string, number>,
): CompiledRule | undefined {
  const levels: Level[] = [];
  for (const { severity, when } of rule.levels) {
    const condition = compileOne(when, types, slots);
    if (condition === undefined || levels.some((level) => level.severity === severity)) return;
    levels.push({ ...condition, severity });
  }
  levels.sort((a, b) => compareSeverity(a.severity, b.severity));
  const until = rule.until === undefined ? undefined : compileOne(rule.until, types, slots);
  if (rule.until !== undefined && until === undefined) return;
  const conditions: Condition[] = until === undefined ? levels : [...levels, until];
  const facts = [...new Set(conditions.flatMap((one) => one.facts))];
  const title = String(rule.title || rule.name);
  return {
    name: rule.name,
    title,
    titleKo: String(rule.titleKo ?? title),
    levels,
    until,
    forMs: Number(rule.forMs) || 0,
    resolveAfterMs: Number(rule.resolveAfterMs) || 0,
    slots: [...new Set(conditions.flatMap((one) => one.slots))],
    baselines: [...new Set(conditions.flatMap((one) => one.baselines))],
    facts,
    clock: facts.includes('silent_seconds')
      ? 'silence'
      : facts.includes('latency_seconds')
        ? 'receipts'
        : 'rows',
    followsScore: facts.includes('anomaly_score'),
    silences: levels.map(({ text }) => silenceOf(text)),
  };
}

function compileOne(
  text: unknown,
  types: Readonly<Record<string, ChannelType>>,
  slots: Map<string, number>,
): Condition | undefined {
  if (typeof text !== 'string') return undefined;
  const compiled: CompiledCondition | { ok: false } = compileCondition(text, types, FACTS);
  if (!compiled.ok) return undefined;
  const slotOf = (channel: string): number => {
    const slot = slots.get(channel) ?? slots.size;
    slots.set(channel, slot);
    return slot;
  };
  return {
    text,
    slots: compiled.channels.map(slotOf),
    baselines: compiled.baselines.map(slotOf),
    facts: compiled.facts.filter(isFact),
    decide: compiled.decide,
  };
}

/** `silent_seconds > 180`: 180. */
function silenceOf(text: string): number | undefined {
  const found = /^\s*silent_seconds\s*>=?\s*(\d+(?:\.\d+)?)\s*$/.exec(text)?.[1];
  return found === undefined ? undefined : Number(found);
}

function namedChannel(
  profile: DeviceProfile | undefined,
  name: string,
  slot: number,
  rules: readonly CompiledRule[],
): NamedChannel {
  const channel = profile?.channels[name];
  const title = channel?.title ?? '';
  return {
    name,
    key: channelKey(name, FACTS),
    baselineKey: baselineKey(name),
    shownAs: channelKey(name, FACTS),
    baselineAs: `baseline(${name})`,
    isBoolean: channel?.type === 'boolean',
    title,
    titleKo: channel?.titleKo ?? title,
    unit: channel?.unit ?? '',
    decimals: channel?.decimals,
    hasBaseline: rules.some(({ baselines }) => baselines.includes(slot)),
    rules: rules.flatMap(({ clock, slots, baselines }, i) =>
      clock === 'rows' && (slots.includes(slot) || baselines.includes(slot)) ? [i] : [],
    ),
  };
}
