/**
 * What is written down of who did what. Nothing that is audited happens before its entry is durable in the log.
 * The processor numbers the entries and chains them by hashes (collector/processor/audit.ts).
 */

import type { AuditValue } from '../types.ts';

/** What may be in AuditValue.action: `thing.deed`. */
export const AUDIT_ACTIONS = [
  'session.login',
  'session.login_refused',
  'session.logout',
  'session.refused',
  'user.create',
  'user.change',
  'user.delete',
  'user.password',
  'token.create',
  'token.delete',
  'alert.acknowledge',
  'silence.set',
  'silence.end',
  'anomaly.mark',
  'quarantine.release',
  'profile.change',
  'job.run',
  'backup.make',
  'readings.export',
  'audit.export',
  /** Made by the processor itself when the log was replaced or restored. */
  'audit.chain_begun',
  'audit.chain_continued',
  'query.run',
  'query.refused',
  'gateway.add',
  'gateway.token',
  'gateway.revoke',
  'gateway.remove',
  'gateway.approve',
  'gateway.reject',
  /** By gateways: who is the gateway. */
  'gateway.enrol',
  'gateway.renew',
  'gateway.request',
  'gateway.token_replayed',
  'gateway.clone_refused',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Without what the one that records knows itself. */
export type AuditEntry = Omit<AuditValue, 'id' | 'atMs' | 'action'> & { action: AuditAction };

export interface Audit {
  /** Resolves when the entry is durable. Rejects with API_NOT_READY or as Log.append does: then the deed must not happen. */
  record(entry: AuditEntry): Promise<void>;
}
