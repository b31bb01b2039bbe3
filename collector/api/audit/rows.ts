/** Rows of table `audit` → entries as the processor made them, and what lists and files filter by. */

import { CollectorError } from '../../errors.ts';
import type { AuditRecord } from '../../processor/outputs/audit.ts';
import type { JsonSchema } from '../schemas.ts';
import { COUNT, NAME, object, TIME_MS } from '../schemas.ts';

export type Row = Record<string, unknown>;

/** Numbers beyond 2^53, which only a hand could have written, are not what they seem; their hash says so. */
export function toAudit(row: Row): AuditRecord {
  return {
    number: Number(row.number),
    id: String(row.id),
    atMs: Number(row.at_ms),
    loggedMs: Number(row.logged_ms),
    who: String(row.who),
    kind: String(row.kind),
    from: String(row.from_address),
    action: String(row.action),
    site: String(row.site),
    target: String(row.target),
    detail: String(row.detail),
    previousMs: Number(row.previous_ms),
    previousHash: String(row.previous_hash),
    hash: String(row.hash),
  };
}

export const HASH = { type: 'string', examples: ['0'.repeat(64)] } as const;

export const AUDIT_ENTRY = object({
  number: { type: 'integer', description: '1, 2, 3, … without gaps.' },
  id: { type: 'string' },
  at_ms: { ...TIME_MS, description: 'Clock of the process that was asked.' },
  logged_ms: { ...TIME_MS, description: 'When the entry became durable.' },
  who: {
    type: 'string',
    description: 'A user, `user/token`, local, anonymous, member, collector.',
  },
  kind: { type: 'string', description: 'user, token, local, anonymous, member, collector.' },
  from: { type: 'string', description: 'Address of the caller.' },
  action: { type: 'string', examples: ['silence.set'] },
  site: { type: 'string', description: 'Empty: of no site, or of every one.' },
  target: { type: 'string' },
  detail: {
    type: 'string',
    description:
      'JSON text, or empty. One that was too long: {"cut": true, "characters", "start"}.',
  },
  previous_ms: { ...TIME_MS, description: 'logged_ms of the entry before; 0: there is none.' },
  previous_hash: HASH,
  hash: HASH,
});

/** Names and order are those of exported files too. */
export function auditItem(entry: AuditRecord): Record<string, string | number> {
  return {
    number: entry.number,
    id: entry.id,
    at_ms: entry.atMs,
    logged_ms: entry.loggedMs,
    who: entry.who,
    kind: entry.kind,
    from: entry.from,
    action: entry.action,
    site: entry.site,
    target: entry.target,
    detail: entry.detail,
    previous_ms: entry.previousMs,
    previous_hash: entry.previousHash,
    hash: entry.hash,
  };
}

export interface AuditFilter {
  number?: number;
  from?: number;
  to?: number;
  who?: string;
  action?: string;
  site?: string;
  text?: string;
}

const TEXT = { type: 'string', minLength: 1, maxLength: 512 } as const;

export const FILTER_PARAMETERS = {
  number: { ...COUNT, minimum: 1, description: 'Only this entry.' },
  from: { ...TIME_MS, description: 'First at_ms, inclusive.' },
  to: { ...TIME_MS, description: 'Last at_ms, exclusive.' },
  who: { ...TEXT, description: 'The whole name.' },
  action: { ...TEXT, description: 'Such as `user.create`; `user.` for all that begin so.' },
  site: NAME,
  text: { ...TEXT, maxLength: 200, description: 'In target or detail, whatever the case.' },
} satisfies Record<string, JsonSchema>;

/** Throws API_PARAMETER_INVALID. */
export function auditWhere(asked: AuditFilter): {
  where: string[];
  params: Record<string, unknown>;
} {
  const { number, from, to, who, action, site, text } = asked;
  if (from !== undefined && to !== undefined && from >= to)
    throw new CollectorError('API_PARAMETER_INVALID', 'from must be before to');
  const conditions = {
    'number = {only:UInt64}': number,
    'at_ms >= {from:Int64}': from,
    'at_ms < {to:Int64}': to,
    'who = {who:String}': who,
    [action?.endsWith('.') ? 'startsWith(action, {action:String})' : 'action = {action:String}']:
      action,
    'site = {site:String}': site,
    '(positionCaseInsensitiveUTF8(target, {text:String}) > 0 OR positionCaseInsensitiveUTF8(detail, {text:String}) > 0)':
      text,
  };
  const where = ['1'];
  for (const [condition, value] of Object.entries(conditions))
    if (value !== undefined) where.push(condition);
  const given = Object.entries({ only: number, from, to, who, action, site, text });
  return { where, params: Object.fromEntries(given.filter(([, value]) => value !== undefined)) };
}
