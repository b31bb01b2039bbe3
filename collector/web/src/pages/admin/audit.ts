/** What the page asks of the audit log, and says of it. Pure. */

import type { Parameters } from '../../api/client.ts';
import type { Period } from '../../i18n/period.ts';
import { boundsOf, PERIOD_KEYS } from '../../i18n/period.ts';
import type { AuditVerdict } from './types.ts';

export const AUDIT_KEYS = ['who', 'action', 'site', 'text', ...PERIOD_KEYS] as const;
export type AuditKey = (typeof AUDIT_KEYS)[number];
export type AuditAsked = Readonly<Record<AuditKey, string>>;

/** Beginnings and whole names of actions, as the API takes them. */
export const ACTIONS = [
  'session.',
  'user.',
  'token.',
  'gateway.',
  'alert.acknowledge',
  'silence.',
  'anomaly.mark',
  'quarantine.release',
  'profile.change',
  'query.',
  'readings.export',
  'audit.',
  'job.run',
  'backup.make',
] as const;

/** Of the list and of the files. */
export function auditParameters(asked: AuditAsked, nowMs: number): Parameters {
  const { who, action, site, text } = asked;
  const period: Period = asked;
  return { ...boundsOf(period, nowMs), who: who.trim(), action, site, text: text.trim() };
}

export type VerdictKey =
  | 'verdict_going_on'
  | 'verdict_empty'
  | 'verdict_whole'
  | 'verdict_whole_alone'
  | `verdict_${NonNullable<AuditVerdict['reason']>}`;

/** Which sentence says it, and what stands in it. */
export function verdictKey(verdict: AuditVerdict): VerdictKey {
  if (!verdict.complete) return 'verdict_going_on';
  if (verdict.reason !== null) return `verdict_${verdict.reason}`;
  if (verdict.entries === 0) return 'verdict_empty';
  return verdict.compared ? 'verdict_whole' : 'verdict_whole_alone';
}

/** JSON as lines of `key: value`; what is no JSON object as it is. */
export function detailLines(detail: string): string[] {
  if (detail === '') return [];
  try {
    const parsed = JSON.parse(detail) as unknown;
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return [detail];
    return Object.entries(parsed).map(
      ([key, value]) => `${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
  } catch {
    return [detail];
  }
}
