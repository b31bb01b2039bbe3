/** How alerts speak to people, in English and Korean. No times of the clock: readers live in zones. */

import type { ExpressionValues } from '../../expressions.ts';
import type { AnomalyReason } from '../outputs/anomaly.ts';
import type { Words } from './duration.ts';
import { durationOf } from './duration.ts';
import { BASELINE_WORDS, FACT_WORDS } from './facts.ts';
import { CONDITION_SHOWN_MAX, SUMMARY_MAX, TEXT_VALUE_MAX } from './limits.ts';
import type { AlertPlan, CompiledRule, NamedChannel } from './rule.ts';

export type Shown = number | string | boolean | null;

/** What a summary is made of. */
export interface Told {
  rule: CompiledRule;
  /** The condition that holds, or held; undefined: the alert is over. */
  condition: { text: string } | undefined;
  channels: readonly NamedChannel[];
  /** As valuesOf() answered. */
  values: ReadonlyMap<string, Shown>;
  heldMs: number;
  /** Of the open anomaly, where the rule asks for it. */
  anomaly: AnomalyReason | undefined;
}

/** What a rule names, as it stands: channels, baselines, facts. Null: not known. */
export function valuesOf(
  rule: CompiledRule,
  { channels }: AlertPlan,
  values: ExpressionValues,
): Map<string, Shown> {
  const shown = new Map<string, Shown>();
  for (const slot of rule.slots) {
    const { shownAs, key } = channels[slot]!;
    shown.set(shownAs, shownValue(values[key]));
  }
  for (const slot of rule.baselines) {
    const { baselineAs, baselineKey } = channels[slot]!;
    shown.set(baselineAs, shownValue(values[baselineKey]));
  }
  for (const fact of rule.facts) shown.set(fact, shownValue(values[fact]));
  return shown;
}

function shownValue(value: number | string | boolean | undefined): Shown {
  if (typeof value === 'string') return cut(value, TEXT_VALUE_MAX);
  if (typeof value !== 'number') return value ?? null;
  return Number.isFinite(value) ? Number(value.toPrecision(12)) : null;
}

export function summaryOf(told: Told): Words {
  const { rule, condition, anomaly, heldMs } = told;
  const held = durationOf(heldMs);
  const limit =
    condition === undefined ? undefined : cut(condition.text.trim(), CONDITION_SHOWN_MAX);
  const tails =
    limit === undefined
      ? { en: `; over after ${held.en}`, ko: `; ${held.ko} 후 해소` }
      : anomaly !== undefined
        ? { en: '', ko: '' }
        : {
            en: ` (limit: ${limit})${heldMs >= 1_000 ? `, for ${held.en}` : ''}`,
            ko: ` (기준: ${limit})${heldMs >= 1_000 ? `, ${held.ko} 지속` : ''}`,
          };
  const said = { en: [] as string[], ko: [] as string[] };
  if (anomaly !== undefined) {
    said.en.push(anomaly.en);
    said.ko.push(anomaly.ko);
  } else {
    for (const [name, value] of told.values) say(name, value, told.channels, said);
  }
  if (said.en.length === 0) {
    said.en.push(rule.title);
    said.ko.push(rule.titleKo);
  }
  return {
    en: cut(said.en.join(', '), SUMMARY_MAX - tails.en.length) + tails.en,
    ko: cut(said.ko.join(', '), SUMMARY_MAX - tails.ko.length) + tails.ko,
  };
}

function say(
  name: string,
  value: Shown,
  channels: readonly NamedChannel[],
  into: { en: string[]; ko: string[] },
): void {
  const channel = channels.find((one) => one.shownAs === name || one.baselineAs === name);
  if (channel === undefined) {
    const fact = FACT_WORDS[name as keyof typeof FACT_WORDS];
    if (fact === undefined) return;
    const shown = withUnit(value, fact.unit, 1);
    into.en.push(`${fact.en} is ${shown}`);
    into.ko.push(`${fact.ko} ${shown}`);
    return;
  }
  const { unit, decimals } = channel;
  const shown = withUnit(value, unit, decimals);
  if (name === channel.baselineAs) {
    into.en.push(`${BASELINE_WORDS.en} ${channel.name} ${shown}`);
    into.ko.push(`${BASELINE_WORDS.ko} ${channel.name} ${shown}`);
    return;
  }
  const title = channel.title === '' ? channel.name : `${channel.name} ${channel.title}`;
  const titleKo = channel.titleKo === '' ? channel.name : `${channel.name} ${channel.titleKo}`;
  into.en.push(`${title} is ${shown}`);
  into.ko.push(`${titleKo} ${shown}`);
}

function withUnit(value: Shown, unit: string, decimals: number | undefined): string {
  const shown = typeof value === 'number' ? numberOf(value, decimals) : String(value ?? '–');
  return unit === '' ? shown : `${shown} ${unit}`;
}

function numberOf(value: number, decimals: number | undefined): string {
  if (decimals === undefined) return String(Number(value.toPrecision(6)));
  return String(Number(value.toFixed(decimals)));
}

/** Never cuts a character in two. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  return `${text.slice(0, length - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
