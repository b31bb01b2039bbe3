/** What the guard and the routes write into the audit log about a request. */

import type { FastifyRequest } from 'fastify';
import type { AuditAction } from '../access/audit.ts';
import { AUDIT_DETAIL_CHARS_MAX } from '../types.ts';
import type { ApiContext } from './context.ts';

/** Never written down. */
const SECRETS = new Set(['password', 'current', 'token', 'csrf']);
const TEXT_CHARS_MAX = 500;

export interface Deed {
  action: AuditAction;
  /** '' or left out: of no site, or of every one. */
  site?: string;
  target?: string;
  detail?: Record<string, unknown>;
}

/**
 * Resolves when it is durable: to be awaited before the deed. Rejects as Audit.record does. What another process
 * of the log asks for somebody it has recorded itself.
 */
export async function recordDeed(
  request: FastifyRequest,
  { auditLog }: Pick<ApiContext, 'auditLog'>,
  { action, site = '', target = '', detail = {} }: Deed,
): Promise<void> {
  const { kind, name } = request.principal;
  if (kind === 'member') return;
  const from = request.ip;
  await auditLog.record({ who: name, kind, from, action, site, target, detail: detailOf(detail) });
}

/** Of a route that says no more: its parameters, query and body. */
export function deedOf(request: FastifyRequest, action: AuditAction): Deed {
  const params = fieldsOf(request.params);
  const query = fieldsOf(request.query);
  const body = fieldsOf(request.body);
  const site = [params.site, body.site, query.site].find((one) => typeof one === 'string');
  const target = Object.entries(params)
    .filter(([name]) => name !== 'site')
    .map(([, value]) => value)
    .join(' ');
  return { action, site: String(site ?? ''), target, detail: { ...params, ...query, ...body } };
}

/** JSON; '' for nothing. Long texts are cut, secrets left out. */
function detailOf(detail: Record<string, unknown>): string {
  const said = Object.entries(detail).filter(
    ([name, value]) => value !== undefined && !SECRETS.has(name),
  );
  if (said.length === 0) return '';
  const text = JSON.stringify(Object.fromEntries(said), (name, value: unknown) => {
    if (SECRETS.has(name)) return undefined;
    return typeof value === 'string' && value.length > TEXT_CHARS_MAX
      ? `${value.slice(0, TEXT_CHARS_MAX)}…`
      : value;
  });
  if (text.length <= AUDIT_DETAIL_CHARS_MAX) return text;
  return JSON.stringify({ cut: text.slice(0, AUDIT_DETAIL_CHARS_MAX / 3) });
}

function fieldsOf(said: unknown): Record<string, unknown> {
  return typeof said === 'object' && said !== null ? (said as Record<string, unknown>) : {};
}
