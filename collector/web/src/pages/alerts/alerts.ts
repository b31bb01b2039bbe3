/** Alerts in the order and the groups in which people look at them. Pure. */

import type { Alert, Language, Severity } from '../../api/types.ts';

/** Severest first. */
export const SEVERITY_ORDER: readonly Severity[] = ['CRITICAL', 'ERROR', 'WARNING', 'INFO'];

/** How people tell alerts apart. The first two make messages, the next three do not. */
export const STANDINGS = [
  'firing',
  'acknowledged',
  'pending',
  'silenced',
  'inhibited',
  'resolved',
] as const;
export type Standing = (typeof STANDINGS)[number];

/** From so many alerts of one cause on they are shown as one line. */
export const GROUP_FROM = 4;

export interface AlertFilter {
  site: string;
  line: string;
  severity: string;
  standing: string;
  rule: string;
  from?: number;
  to?: number;
}

export function standingOf(alert: Alert): Standing {
  if (alert.state === 'resolved') return 'resolved';
  if (alert.silence !== '') return 'silenced';
  if (alert.inhibited_by !== '') return 'inhibited';
  return alert.state;
}

/** Shown apart: it makes no messages. */
export function isQuiet(alert: Alert): boolean {
  const standing = standingOf(alert);
  return standing !== 'firing' && standing !== 'acknowledged';
}

/** As the marks of severity have it. */
export function lookOf(alert: Alert): 'loud' | 'seen' | 'quiet' {
  const standing = standingOf(alert);
  return standing === 'firing' ? 'loud' : standing === 'acknowledged' ? 'seen' : 'quiet';
}

/** From when it counts, for people: since it holds. */
export function sinceMs({ started_ms, fired_ms }: Alert): number {
  return started_ms > 0 ? started_ms : (fired_ms ?? 0);
}

/** What it is about: a device, or the gateway itself. */
export function subjectOf({ device, gateway }: Alert): string {
  return device === '' ? gateway : device;
}

export function titleOf({ title, title_ko, rule }: Alert, language: Language): string {
  return (language === 'ko' && title_ko) || title || rule;
}

export function summaryOf({ summary, summary_ko }: Alert, language: Language): string {
  return (language === 'ko' && summary_ko) || summary;
}

export function matches(alert: Alert, filter: AlertFilter): boolean {
  const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter;
  const startedMs = sinceMs(alert);
  return (
    (filter.site === '' || alert.site === filter.site) &&
    (filter.line === '' || alert.line === filter.line) &&
    (filter.severity === '' || alert.severity === filter.severity) &&
    (filter.standing === '' || standingOf(alert) === filter.standing) &&
    (filter.rule === '' || alert.rule === filter.rule) &&
    startedMs >= from &&
    startedMs < to
  );
}

/** Severest first; unseen ones before those somebody cares for; then the newest. */
export function compareAlerts(a: Alert, b: Alert): number {
  return (
    SEVERITY_ORDER.indexOf(a.severity) - SEVERITY_ORDER.indexOf(b.severity) ||
    Number(a.state === 'acknowledged') - Number(b.state === 'acknowledged') ||
    sinceMs(b) - sinceMs(a) ||
    (a.id < b.id ? -1 : 1)
  );
}

/** One line of the list: an alert, or several of one cause (same site, rule, severity and standing, cause). */
export interface AlertGroup {
  key: string;
  /** In order; never empty. */
  alerts: readonly [Alert, ...Alert[]];
}

/** Sorted; where GROUP_FROM or more have one cause, as one group in the place of its first. */
export function groupsOf(alerts: readonly Alert[]): AlertGroup[] {
  const sorted = [...alerts].sort(compareAlerts);
  const byCause = Map.groupBy(sorted, causeOf);
  const groups: AlertGroup[] = [];
  for (const alert of sorted) {
    const cause = causeOf(alert);
    const of = byCause.get(cause);
    if (of === undefined) continue;
    const [first, ...others] = of;
    if (first !== undefined && of.length >= GROUP_FROM) {
      groups.push({ key: cause, alerts: [first, ...others] });
      byCause.delete(cause);
    } else groups.push({ key: alert.id, alerts: [alert] });
  }
  return groups;
}

/** What hangs on a gateway's alert is its doing; the others are one when the same rule says so at one site. */
function causeOf(alert: Alert): string {
  const { site, gateway, rule, severity, inhibited_by } = alert;
  const standing = standingOf(alert);
  if (standing === 'inhibited')
    return JSON.stringify([standing, site, isOfGateway(inhibited_by) ? gateway : '', inhibited_by]);
  return JSON.stringify([standing, site, rule, severity]);
}

/** Built-in rules of a gateway itself; what they inhibit is of its devices. */
export function isOfGateway(rule: string): boolean {
  return rule.startsWith('gateway_');
}

/** The alert that stands for this one, where it is known. */
export function inhibitorOf(alert: Alert, alerts: readonly Alert[]): Alert | undefined {
  if (alert.inhibited_by === '') return undefined;
  return alerts.find(
    ({ site, gateway, device, rule, inhibited_by }) =>
      rule === alert.inhibited_by &&
      inhibited_by === '' &&
      site === alert.site &&
      (device === '' ? gateway === alert.gateway : device === alert.device),
  );
}

/** How many alerts make no messages because of this one. */
export function inhibitedCount(alert: Alert, alerts: readonly Alert[]): number {
  if (alert.inhibited_by !== '') return 0;
  return alerts.filter(
    ({ site, gateway, device, inhibited_by }) =>
      inhibited_by === alert.rule &&
      site === alert.site &&
      (alert.device === '' ? gateway === alert.gateway : device === alert.device),
  ).length;
}

const UTC_TIME = /\b(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC\b/g;

/** What the collector says in UTC, with the times of the site: as everything else on the page. */
export function withSiteTimes(text: string, format: (ms: number) => string): string {
  return text.replace(UTC_TIME, (all, date: string, time: string) => {
    const ms = Date.parse(`${date}T${time}Z`);
    return Number.isNaN(ms) ? all : format(ms);
  });
}

/** The names that filters can choose from: those of the alerts at hand, and the one that is chosen. */
export function namesOf(
  alerts: readonly Alert[],
  key: 'site' | 'line' | 'rule',
  chosen: string,
): string[] {
  const names = new Set(alerts.map((alert) => alert[key]).filter((name) => name !== ''));
  if (chosen !== '') names.add(chosen);
  return [...names].sort();
}
