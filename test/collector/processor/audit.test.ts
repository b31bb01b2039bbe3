/** The audit log's chain: numbers, hashes, what is repeated or malformed, logs that are new or restored. */

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { AUDIT_IDS_MAX } from '../../../collector/processor/audit.ts';
import type { AuditRecord } from '../../../collector/processor/outputs/audit.ts';
import { hashOf, NO_AUDIT } from '../../../collector/processor/outputs/audit.ts';
import { Processor } from '../../../collector/processor/processor.ts';
import type { AuditValue, RecoveryValue } from '../../../collector/types.ts';
import { AUDIT_DETAIL_CHARS_MAX, AUDIT_TEXT_CHARS_MAX, RawKind } from '../../../collector/types.ts';
import { logOf, stepSpec } from '../../support/random-raw.ts';
import { RawRecords, said } from '../../support/raw-records.ts';
import { cutWithin, run } from '../../support/replayed.ts';
import { T0 } from '../../support/wire.ts';

function auditValue(id: number, more: Partial<AuditValue> = {}): AuditValue {
  return {
    id: id.toString(16).padStart(16, '0'),
    atMs: T0 + id,
    who: 'ann',
    kind: 'user',
    from: '192.0.2.7',
    action: 'silence.set',
    site: 'demo',
    target: `s${id}`,
    detail: '{"reason":"점검 \\"now\\""}',
    ...more,
  };
}

class Chain {
  readonly raw = new RawRecords();
  processor: Processor;
  constructor(processor = new Processor(new Map())) {
    this.processor = processor;
  }

  add(value: unknown, kind: string = RawKind.AUDIT, partition = 0): ReturnType<typeof said> {
    const record = this.raw.add(kind, Buffer.from(JSON.stringify(value)), '');
    return said(this.processor.process({ ...record, partition }));
  }

  /** Made anew from what was committed. */
  restart(): Map<string, Uint8Array> {
    const state = new Map<string, Uint8Array>();
    for (const [key, bytes] of this.processor.takeChanges()) if (bytes) state.set(key, bytes);
    this.processor = new Processor(state);
    return state;
  }
}

function assertChained(entries: readonly AuditRecord[], before = NO_AUDIT): void {
  let { number, hash, loggedMs } = before;
  for (const entry of entries) {
    assert.equal(entry.number, number + 1);
    assert.equal(entry.previousHash, hash);
    assert.equal(entry.previousMs, loggedMs);
    assert.ok(entry.loggedMs >= loggedMs);
    assert.equal(entry.hash, hashOf(entry));
    ({ number, hash, loggedMs } = entry);
  }
}

t.test('the canonical form is what the decision says, byte for byte', async (t) => {
  const chain = new Chain();
  const [first] = chain.add(auditValue(1)).audit;
  const zeros = '0'.repeat(64);
  // Written by hand: the form must never change.
  const text = `["${zeros}",0,1,"0000000000000001",${T0},${T0 + 1},"ann","user","192.0.2.7","silence.set","demo","s1","{\\"reason\\":\\"점검 \\\\\\"now\\\\\\"\\"}"]`;
  t.equal(first?.hash, createHash('sha256').update(text, 'utf8').digest('hex'));
  const odd = { target: '\u0000\u001f\u007f\u2028/\\"\b\f\n\r\té😀', detail: '' };
  const [second] = chain.add(auditValue(2, odd)).audit;
  const target = '\\u0000\\u001f\u007f\u2028/\\\\\\"\\b\\f\\n\\r\\té😀';
  const next = `["${first?.hash}",${T0},2,"0000000000000002",${T0},${T0 + 2},"ann","user","192.0.2.7","silence.set","demo","${target}",""]`;
  t.equal(second?.hash, createHash('sha256').update(next, 'utf8').digest('hex'));
});

t.test('entries are numbered and chained, also across a restart', async (t) => {
  const chain = new Chain();
  const entries = [1, 2].flatMap((id) => chain.add(auditValue(id)).audit);
  chain.restart();
  chain.raw.tick(5_000);
  entries.push(...[3, 4].flatMap((id) => chain.add(auditValue(id)).audit));
  assertChained(entries);
  t.same(
    entries.map(({ number, id, loggedMs }) => [number, id, loggedMs]),
    [1, 2, 3, 4].map((n) => [n, auditValue(n).id, n < 3 ? T0 : T0 + 5_000]),
  );
  t.equal(chain.processor.takeChanges().has('.audit'), true);
  t.equal(chain.processor.takeChanges().has('.audit'), false, 'unchanged');
});

t.test('an append that was repeated is one entry, as far as ids are kept', async (t) => {
  const chain = new Chain();
  t.equal(chain.add(auditValue(1)).audit.length, 1);
  t.same(chain.add(auditValue(1)).audit, []);
  chain.restart();
  const again = chain.add(auditValue(1));
  t.same([again.audit, again.events], [[], []], 'nothing is said of it');
  for (let id = 2; id <= AUDIT_IDS_MAX; id++) chain.add(auditValue(id));
  t.same(chain.add(auditValue(1)).audit, [], 'the oldest of those that are kept');
  chain.add(auditValue(AUDIT_IDS_MAX + 1));
  const state = chain.restart();
  t.ok((state.get('.audit')?.length ?? 0) < 10_000);
  t.same(chain.add(auditValue(2)).audit, []);
  t.equal(chain.add(auditValue(1)).audit[0]?.number, AUDIT_IDS_MAX + 2);
});

t.test('what is no entry is refused with an event, and changes nothing', async (t) => {
  const chain = new Chain();
  const bad: unknown[] = [
    null,
    7,
    'text',
    [],
    {},
    auditValue(1, { id: 'ABCDEF0123456789' }),
    auditValue(1, { atMs: 1.5 }),
    auditValue(1, { atMs: -1 }),
    auditValue(1, { who: '' }),
    auditValue(1, { action: 'silence' }),
    auditValue(1, { action: '' }),
    auditValue(1, { target: '\ud800' }),
    auditValue(1, { target: 'x'.repeat(AUDIT_TEXT_CHARS_MAX + 1) }),
    auditValue(1, { detail: 'x'.repeat(AUDIT_DETAIL_CHARS_MAX + 1) }),
    { ...auditValue(1), from: 5 },
  ];
  for (const value of bad) {
    const { audit, events } = chain.add(value);
    t.same(audit, [], JSON.stringify(value)?.slice(0, 80));
    t.match(events, [
      {
        kind: 'decision_refused',
        severity: 'error',
        detail: { what: 'audit', reason: 'malformed' },
      },
    ]);
  }
  const elsewhere = chain.add(auditValue(1), RawKind.AUDIT, 1);
  t.same(elsewhere.audit, []);
  t.match(elsewhere.events, [{ detail: { what: 'audit', reason: 'wrong_partition' } }]);
  t.match(chain.add(auditValue(1)).audit, [{ number: 1 }]);
});

function recovery(reason: RecoveryValue['reason'], audit?: RecoveryValue['audit']): RecoveryValue {
  return { reason, accounts: [], ...(audit && { audit }) };
}

t.test('a new log goes on from what the store has, says so, and says it once', async (t) => {
  const told = { number: 41, hash: 'ab'.repeat(32), loggedMs: T0 + 60_000 };
  const chain = new Chain();
  const value = recovery('log_replaced', told);
  const [entry] = chain.add(value, RawKind.RECOVERY).audit;
  t.match(entry, { number: 42, who: 'collector', action: 'audit.chain_continued' });
  t.same(JSON.parse(entry?.detail ?? ''), { reason: 'log_replaced', log_had: 0, store_had: 41 });
  const [next] = chain.add(auditValue(1)).audit;
  assertChained([entry!, next!], told);
  t.same(chain.add(value, RawKind.RECOVERY).audit, [], 'another process told it too');
  t.match(chain.add(auditValue(2)).audit, [{ number: 44 }]);
});

t.test('a new log beside a store without entries begins the chain, and says so', async (t) => {
  const chain = new Chain();
  const none = recovery('log_replaced', { number: 0, hash: '', loggedMs: 0 });
  const { audit } = chain.add(none, RawKind.RECOVERY);
  t.match(audit, [{ number: 1, action: 'audit.chain_begun', previousHash: NO_AUDIT.hash }]);
  t.same(chain.add(none, RawKind.RECOVERY).audit, []);
  t.same(chain.add(recovery('log_replaced'), RawKind.RECOVERY).audit, [], 'of an older version');
  t.same(new Chain().add(none, RawKind.RECOVERY, 1).audit, [], 'partition 0 alone has the chain');
});

t.test(
  'a restored log goes on from itself, or from a store that has more; each time',
  async (t) => {
    const chain = new Chain();
    const all = [1, 2, 3].flatMap((id) => chain.add(auditValue(id)).audit);
    const none = recovery('log_restored', { number: 0, hash: '', loggedMs: 0 });
    for (const restored of [none, none]) all.push(...chain.add(restored, RawKind.RECOVERY).audit);
    assertChained(all);
    t.match(all.slice(3), [
      { number: 4, action: 'audit.chain_continued' },
      { number: 5, action: 'audit.chain_continued' },
    ]);
    const told = { number: 9, hash: 'cd'.repeat(32), loggedMs: T0 };
    const further = chain.add(recovery('log_restored', told), RawKind.RECOVERY).audit;
    assertChained(further, { ...told });
    t.equal(further[0]?.number, 10);
  },
);

t.test('the same records make the same chain, wherever the log is cut', async () => {
  fc.assert(
    fc.property(
      fc.array(stepSpec, { maxLength: 40 }),
      fc.array(cutWithin(40), { maxLength: 12 }),
      (steps, cuts) => {
        const records = logOf(steps.filter(({ kind }) => kind === 'audit' || kind === 'tick'));
        const { audit } = said(run(records, cuts).outputs);
        assertChained(audit);
        const ids = audit.map(({ id }) => id);
        assert.equal(new Set(ids).size, ids.length);
        assert.deepEqual(audit, said(run(records, []).outputs).audit);
      },
    ),
    { numRuns: 100 },
  );
});

t.test('state of a later version is not taken for one of this', async (t) => {
  const chain = new Chain();
  chain.add(auditValue(1));
  const state = chain.restart();
  const body = JSON.parse(Buffer.from(state.get('.audit')!).toString('utf8'));
  state.set('.audit', Buffer.from(JSON.stringify({ ...body, format: 2 })));
  t.throws(() => new Processor(state), { code: 'PROCESSOR_STATE_VERSION' });
});
