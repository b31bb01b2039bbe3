/** What a silence is for and how long it holds. Pure. */

import type { Alert } from '../../api/types.ts';
import type { Silence } from './types.ts';

export const ANY = '*';
export const SCOPE_KEYS = ['site', 'area', 'line', 'device', 'rule'] as const;
export type ScopeKey = (typeof SCOPE_KEYS)[number];
export type Scope = Record<ScopeKey, string>;

/** What a person stood before when they asked for a silence. */
export interface SilenceSubject {
  site: string;
  /** '': none in particular; of `device`: of the gateway itself, or of many. */
  line: string;
  device: string;
  rule: string;
  title: string;
}

/** Of one alert; of many of one cause without the device. */
export function subjectOf(alert: Alert, isOfMany: boolean, title: string): SilenceSubject {
  const { site, line, device, rule } = alert;
  return { site, line: isOfMany ? '' : line, device: isOfMany ? '' : device, rule, title };
}

export const SCOPE_NAMES = ['device_rule', 'device', 'line', 'rule', 'site', 'own'] as const;
export type ScopeName = (typeof SCOPE_NAMES)[number];

/** What a silence may be set for, narrowest first; `own` is always the last. */
export function scopesOf(subject: SilenceSubject | undefined): ScopeName[] {
  if (subject === undefined) return ['own'];
  const { line, device, rule } = subject;
  const isThere: Record<ScopeName, boolean> = {
    device_rule: device !== '' && rule !== '',
    device: device !== '',
    line: line !== '',
    rule: rule !== '',
    site: true,
    own: true,
  };
  return SCOPE_NAMES.filter((name) => isThere[name]);
}

/** What the silence matches. */
export function scopeOf(name: Exclude<ScopeName, 'own'>, subject: SilenceSubject): Scope {
  const { site, line, device, rule } = subject;
  const all: Scope = { site: literal(site), area: ANY, line: ANY, device: ANY, rule: ANY };
  if (name === 'device_rule') return { ...all, device: literal(device), rule: literal(rule) };
  if (name === 'device') return { ...all, device: literal(device) };
  if (name === 'line') return { ...all, line: literal(line) };
  return name === 'rule' ? { ...all, rule: literal(rule) } : all;
}

/** A name with wildcards in it matches itself: `?` stands for any one character, `*` too. */
function literal(name: string): string {
  return name.replaceAll('*', '?');
}

export type TimeWrong = 'time_missing' | 'until_past' | 'until_before';

/** Undefined: it can be set. */
export function wrongTimes(fromMs: number, untilMs: number, nowMs: number): TimeWrong | undefined {
  if (Number.isNaN(fromMs) || Number.isNaN(untilMs)) return 'time_missing';
  if (untilMs <= nowMs) return 'until_past';
  return fromMs >= untilMs ? 'until_before' : undefined;
}

export const SILENCE_STATES = ['active', 'scheduled', 'ended'] as const;

/** By the clock of now: what the list said may be a while ago. */
export function stateOf(
  { from_ms, until_ms }: Pick<Silence, 'from_ms' | 'until_ms'>,
  nowMs: number,
): Silence['state'] {
  if (until_ms <= nowMs) return 'ended';
  return from_ms > nowMs ? 'scheduled' : 'active';
}

/** The parts that narrow it; none: all alerts of all sites. */
export function narrowing(silence: Scope): [ScopeKey, string][] {
  return SCOPE_KEYS.filter((key) => silence[key] !== ANY && silence[key] !== '').map((key) => [
    key,
    silence[key],
  ]);
}

/** It is of this one site, and no pattern. */
export function isOneSite(site: string): boolean {
  return !/[*?]/.test(site);
}
