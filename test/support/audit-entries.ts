/** A chain of audit entries as the processor makes it, and its rows as the writer makes them. */

import type { LogRecord } from '../../collector/log/log.ts';
import { AuditChain } from '../../collector/processor/audit.ts';
import type { AuditRecord } from '../../collector/processor/outputs/audit.ts';
import { encodeAudit } from '../../collector/processor/outputs/audit.ts';
import { addRecord, nothingGathered } from '../../collector/store/rows.ts';
import type { AuditRow } from '../../collector/store/store.ts';
import type { AuditValue } from '../../collector/types.ts';
import { OutputKind } from '../../collector/types.ts';

export function auditValue(n: number, atMs: number, more: Partial<AuditValue> = {}): AuditValue {
  return {
    id: n.toString(16).padStart(16, '0'),
    atMs,
    who: 'ann',
    kind: 'user',
    from: '192.0.2.7',
    action: 'silence.set',
    site: 'demo',
    target: `s${n}`,
    detail: `{"reason":"work ${n}"}`,
    ...more,
  };
}

/** One entry a second from `startMs`; `more` by index. */
export function auditEntries(
  count: number,
  startMs: number,
  more: readonly Partial<AuditValue>[] = [],
): AuditRecord[] {
  const chain = new AuditChain();
  return Array.from({ length: count }, (_, i) => {
    const atMs = startMs + i * 1_000;
    const value = auditValue(i + 1, atMs, more[i]);
    const entry = chain.take(Buffer.from(JSON.stringify(value)), atMs + 5);
    if (typeof entry === 'string') throw new Error(`${entry}: ${JSON.stringify(value)}`);
    return entry;
  });
}

export function auditRows(entries: readonly AuditRecord[], logId = 'a-log'): AuditRow[] {
  const gathered = nothingGathered();
  for (const entry of entries) {
    const record: LogRecord = {
      ...{ topic: 'events', partition: 0, offset: 10 * entry.number, key: '', appendedAtMs: 0 },
      kind: OutputKind.AUDIT,
      value: encodeAudit(entry),
    };
    addRecord(gathered, record, logId);
  }
  return gathered.rows.audit;
}
