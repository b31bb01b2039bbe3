/** What a schema cannot say of a profile: values that contradict each other, and expressions. Pure. */

import type { CompiledCondition, ExpressionMistake } from '../expressions.ts';
import { compileCondition, compileExpression } from '../expressions.ts';
import { BUILT_IN_RULES } from '../processor/alerts/built_in.ts';
import { FACTS } from '../processor/alerts/facts.ts';
import type { ChannelProfile, ChannelType, CrossRule, DeviceProfile } from '../profile.ts';
import type { Path } from '../yaml_file.ts';
import type { ChannelContent, ProfileContent } from './content.ts';

export interface ProfileMistake {
  path: Path;
  message: string;
  /** For a mistake inside a text: the text's own line, from 1. */
  lineInText?: number;
}

type Say = (path: Path, message: string) => void;

/** `content` tells what was written, `profile` what it means. The rules come back with their channels. */
export function checkProfile(
  content: ProfileContent,
  profile: DeviceProfile,
): { mistakes: ProfileMistake[]; rules: CrossRule[] } {
  const mistakes: ProfileMistake[] = [];
  const say: Say = (path, message) => mistakes.push({ path, message });
  if (profile.silentAfterMs <= profile.lateAfterMs)
    say(
      [content.silent_after_seconds === undefined ? 'late_after_seconds' : 'silent_after_seconds'],
      `silent_after_seconds (${profile.silentAfterMs / 1_000}) must be above late_after_seconds (${profile.lateAfterMs / 1_000})`,
    );
  checkFailure(profile, say);
  for (const [name, channel] of Object.entries(profile.channels)) {
    const written = content.channels[name];
    const at = (key: string): Path => ['channels', name, key];
    const sayHere = (key: string, message: string): void =>
      say(at(key), `channels.${name}: ${message}`);
    if (written === undefined) continue;
    checkType(written, sayHere);
    checkPolicies(written, sayHere);
    if (channel.type === 'number') checkNumbers(channel, sayHere);
    checkFill(written, channel, sayHere);
    checkAnomaly(written, channel, (key, message) =>
      say(['channels', name, 'anomaly', key], `channels.${name}.anomaly: ${message}`),
    );
  }
  const types = typesOf(profile);
  checkAlerts(profile, types, mistakes);
  return { mistakes, rules: checkRules(profile, types, mistakes) };
}

type SayHere = (key: string, message: string) => void;

function checkFailure({ failure, channels }: DeviceProfile, say: Say): void {
  if (failure === undefined) return;
  const channel = Object.hasOwn(channels, failure.channel) ? channels[failure.channel] : undefined;
  if (channel === undefined)
    say(
      ['failure', 'channel'],
      `failure.channel: no channel "${failure.channel}"; known: ${Object.keys(channels).join(', ')}`,
    );
  else if (channel.type === 'text')
    say(['failure', 'channel'], `failure.channel: ${failure.channel} is text`);
}

/** Keys that only channels of some type have. */
const NUMBERS_ONLY = [
  'min',
  'max',
  'on_range',
  'sentinels',
  'decimals',
  'rate_per_second_max',
  'on_rate',
  'outlier_ranges',
  'on_outlier',
  'z_score_max',
  'on_z_score',
] as const;

function checkType(written: ChannelContent, say: SayHere): void {
  if (written.type === 'number') return;
  for (const key of NUMBERS_ONLY) {
    const value = written[key];
    const isGiven = Array.isArray(value) ? value.length > 0 : value !== undefined;
    if (isGiven) say(key, `${key} is for numbers; this channel is ${written.type}`);
  }
  if (written.type === 'text' && written.attention_when !== undefined)
    say('attention_when', 'attention_when is for numbers and booleans; this channel is text');
}

/** A policy for something that is not judged is a mistake: somebody believes that it works. */
function checkPolicies(written: ChannelContent, say: SayHere): void {
  const hasRange = written.min !== undefined || written.max !== undefined;
  if (written.on_range !== undefined && !hasRange)
    say('on_range', 'on_range needs min or max beside it');
  const pairs = [
    ['on_rate', 'rate_per_second_max'],
    ['on_stuck', 'stuck_after_seconds'],
    ['on_outlier', 'outlier_ranges'],
    ['on_z_score', 'z_score_max'],
  ] as const;
  for (const [policy, limit] of pairs)
    if (written[policy] !== undefined && written[limit] === undefined)
      say(policy, `${policy} needs ${limit} beside it`);
}

function checkNumbers(channel: ChannelProfile, say: SayHere): void {
  const { min, max } = channel;
  if (min !== undefined && max !== undefined && min > max)
    say('max', `max (${max}) is below min (${min})`);
}

function checkAnomaly(written: ChannelContent, channel: ChannelProfile, say: SayHere): void {
  const { anomaly } = written;
  if (anomaly === undefined) return;
  const { low, high, hysteresis } = anomaly;
  for (const key of ['low', 'high', 'hysteresis'] as const)
    if (anomaly[key] !== undefined && channel.type !== 'number')
      say(key, `${key} is for numbers; this channel is ${channel.type}`);
  if (hysteresis !== undefined && low === undefined && high === undefined)
    say('hysteresis', 'hysteresis needs low or high beside it');
  if (low === undefined || high === undefined) return;
  if (low >= high) say('high', `high (${high}) must be above low (${low})`);
  else if ((hysteresis ?? 0) >= high - low)
    say('hysteresis', `hysteresis (${hysteresis}) must be below high - low (${high - low})`);
}

function checkFill(written: ChannelContent, channel: ChannelProfile, say: SayHere): void {
  const { fill } = written;
  if (fill === 'last') return;
  if (typeof fill === 'string') {
    say('fill', `fill must be last, a number, true or false, not "${fill}"`);
    return;
  }
  if (channel.type === 'text') say('fill', 'a text channel can only be filled with last');
  if (channel.type === 'boolean' && fill !== 0 && fill !== 1 && typeof fill !== 'boolean')
    say('fill', `fill must be true or false, not ${fill}`);
  if (channel.type !== 'number') return;
  if (typeof fill === 'boolean') say('fill', 'fill must be a number or last');
  else if (fill < (channel.min ?? fill) || fill > (channel.max ?? fill))
    say('fill', `fill (${fill}) lies outside min and max`);
  else if (channel.sentinels.includes(fill)) say('fill', `fill (${fill}) is a sentinel itself`);
}

type Types = Readonly<Record<string, ChannelType>>;

function typesOf(profile: DeviceProfile): Types {
  return Object.fromEntries(
    Object.entries(profile.channels).map(([name, { type }]) => [name, type]),
  );
}

function checkRules(profile: DeviceProfile, types: Types, mistakes: ProfileMistake[]): CrossRule[] {
  const names = new Set<string>();
  return profile.rules.map((rule, i) => {
    if (names.has(rule.name))
      mistakes.push({ path: ['rules', i, 'name'], message: `rule ${rule.name} is there twice` });
    names.add(rule.name);
    const compiled = compileExpression(rule.expect, types);
    if (compiled.ok) return { ...rule, channels: compiled.channels };
    mistakes.push(mistakeIn(`rule ${rule.name}`, ['rules', i, 'expect'], compiled));
    return rule;
  });
}

function checkAlerts(profile: DeviceProfile, types: Types, mistakes: ProfileMistake[]): void {
  const names = new Set<string>();
  for (const [i, { name, levels, until }] of (profile.alerts ?? []).entries()) {
    const say = (path: Path, message: string): number =>
      mistakes.push({ path: ['alerts', i, ...path], message: `alert ${name}: ${message}` });
    if (names.has(name)) say(['name'], 'is there twice');
    names.add(name);
    if (levels.length === 0 && !BUILT_IN_RULES.includes(name))
      say(
        ['levels'],
        `only a built-in rule can be switched off by no levels: ${BUILT_IN_RULES.join(', ')}`,
      );
    const conditions: [string, Path][] = levels.map(({ when }, k) => [when, ['levels', k, 'when']]);
    if (until !== undefined) conditions.push([until, ['until']]);
    for (const [text, path] of conditions) {
      const compiled: CompiledCondition | ExpressionMistake = compileCondition(text, types, FACTS);
      if (!compiled.ok) mistakes.push(mistakeIn(`alert ${name}`, ['alerts', i, ...path], compiled));
    }
    for (const [k, { severity }] of levels.entries())
      if (levels.findIndex((one) => one.severity === severity) < k)
        say(['levels', k, 'severity'], `has ${severity} twice`);
  }
}

function mistakeIn(
  what: string,
  path: Path,
  { message, line = 1, column }: ExpressionMistake,
): ProfileMistake {
  const where = column === undefined ? '' : ` (column ${column} of the expression)`;
  return { path, message: `${what}: ${message}${where}`, lineInText: line };
}
