/** Entries on their way into the log: bounded, well-formed, never cut in silence; and the head that is kept. */

import t from 'tap';
import type { AuditEntry } from '../../../collector/access/audit.ts';
import { LiveAudit } from '../../../collector/api/live/audit.ts';
import { CollectorError } from '../../../collector/errors.ts';
import type { Log, NewRecord } from '../../../collector/log/log.ts';
import { LogAudit } from '../../../collector/parts/audit.ts';
import { AuditHeadKeeper } from '../../../collector/parts/audit_head.ts';
import { AuditChain } from '../../../collector/processor/audit.ts';
import type { AuditValue } from '../../../collector/types.ts';
import { AUDIT_DETAIL_CHARS_MAX, AUDIT_TEXT_CHARS_MAX } from '../../../collector/types.ts';
import { auditEntries } from '../../support/audit-entries.ts';
import { until } from '../../support/running-collector.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const NOW = 1_700_000_000_000.5;
const clock = { wallMs: () => NOW };

function entry(more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    ...{ who: 'ann', kind: 'user', from: '192.0.2.7', action: 'silence.set', site: 'demo' },
    ...{ target: 's1', detail: '{"a":1}' },
    ...more,
  };
}

class FakeLog implements Pick<Log, 'append'> {
  readonly taken: { topic: string; partition: number; record: NewRecord }[] = [];
  gate: Promise<void> | undefined;
  failing: CollectorError | undefined;

  async append(topic: string, partition: number, record: NewRecord): Promise<number> {
    await this.gate;
    if (this.failing !== undefined) throw this.failing;
    return this.taken.push({ topic, partition, record }) - 1;
  }

  get values(): AuditValue[] {
    return this.taken.map(({ record }) => JSON.parse(String(record.value)) as AuditValue);
  }
}

t.test('an entry goes to partition 0, with an id and the time', async (t) => {
  const log = new FakeLog();
  const audit = new LogAudit({ log: () => log, clock });
  await audit.record(entry());
  await audit.record(entry());
  t.match(log.taken[0], { topic: 'raw', partition: 0, record: { key: '', kind: 'audit' } });
  const [first, second] = log.values;
  t.match(first, { ...entry(), id: /^[0-9a-f]{16}$/, atMs: Math.floor(NOW) });
  t.not(first?.id, second?.id);
});

t.test('the processor takes whatever callers make up, and nothing is cut in silence', async (t) => {
  const log = new FakeLog();
  const audit = new LogAudit({ log: () => log, clock });
  const long = '\u202e😀"\\'.repeat(2_000);
  const hostile = ['', '\ud800', '\u0000\u001f', long, `${'x'.repeat(511)}😀`, 'y'.repeat(512)];
  for (const text of hostile)
    await audit.record(
      entry({ who: text, kind: text, from: text, site: text, target: text, detail: text }),
    );
  const chain = new AuditChain();
  for (const { record } of log.taken) t.type(chain.take(record.value, NOW), 'object');
  for (const [i, { target, detail, who }] of log.values.entries()) {
    const text = hostile[i]!;
    t.ok(target.length <= AUDIT_TEXT_CHARS_MAX && detail.length <= AUDIT_DETAIL_CHARS_MAX);
    if (text.length <= AUDIT_TEXT_CHARS_MAX) t.equal(target, text.toWellFormed());
    else t.match(target, `… (${text.length} characters)`);
    t.equal(who, target || 'nobody');
  }
  t.match(JSON.parse(log.values[3]!.detail), { cut: true, characters: long.length });
  t.ok(long.startsWith(JSON.parse(log.values[3]!.detail).start.slice(0, 500)));
});

t.test('what cannot be recorded is refused', async (t) => {
  await t.rejects(new LogAudit({ log: () => undefined, clock }).record(entry()), {
    code: 'API_NOT_READY',
  });
  const log = new FakeLog();
  const audit = new LogAudit({ log: () => log, clock });
  log.failing = new CollectorError('LOG_FULL', 'full');
  await t.rejects(audit.record(entry()), { code: 'LOG_FULL' });
  log.failing = undefined;
  const { promise, resolve } = Promise.withResolvers<void>();
  log.gate = promise;
  const waiting = Array.from({ length: 64 }, () => audit.record(entry()));
  await t.rejects(audit.record(entry()), { code: 'API_BUSY' });
  resolve();
  await Promise.all(waiting);
  await audit.record(entry());
  t.equal(log.taken.length, 65);
});

/** Topic `control`, of one key. */
class FakeControl {
  readonly entries = new Map<string, Uint8Array>();
  readonly puts: string[] = [];
  isAway = false;

  get(key: string): Uint8Array | undefined {
    return this.entries.get(key);
  }

  on(prefix: string, listener: (key: string, value: Uint8Array | undefined) => void): void {
    for (const [key, value] of this.entries) if (key.startsWith(prefix)) listener(key, value);
  }

  async put(key: string, value: Uint8Array | null): Promise<void> {
    if (this.isAway || value === null) throw new CollectorError('LOG_UNAVAILABLE', 'away');
    this.puts.push(Buffer.from(value).toString());
    this.entries.set(key, value);
  }
}

t.test('the head is kept a moment later, and known again after a restart', async (t) => {
  const control = new FakeControl();
  const lines: object[] = [];
  const logger = { ...silentLogger, info: (fields: object) => void lines.push(fields) };
  const view = new LiveAudit();
  const keeper = new AuditHeadKeeper({ view, control, logger, keepAfterMs: 5 });
  keeper.start();
  const entries = auditEntries(3, NOW - 0.5);
  for (const [i, one] of entries.entries()) view.putEntry(one, i);
  view.putEntry(entries[0]!, 0);
  t.match(view.head, { number: 3, hash: entries[2]?.hash, offset: 2 });
  await until(async () => control.puts.length > 0);
  await keeper.stop();
  const { number, hash, loggedMs } = entries[2]!;
  t.same(
    control.puts.map((text) => JSON.parse(text)),
    [{ number, hash, loggedMs }],
    'once',
  );
  t.same(lines, [{ number, hash, logged_ms: loggedMs }], 'and is in the program log');

  const again = new LiveAudit();
  const next = new AuditHeadKeeper({
    view: again,
    control,
    logger: silentLogger,
    keepAfterMs: 1e6,
  });
  next.start();
  t.same(again.head, { number, hash, loggedMs });
  again.put({ number: 2, hash: 'x', loggedMs: 1 });
  t.equal(again.head?.number, 3, 'an older one changes nothing');
  again.put({ number: 4, hash: 'd', loggedMs: 5 });
  await next.stop();
  t.match(JSON.parse(control.puts.at(-1)!), { number: 4 }, 'the last one is kept at the end');
});

t.test('a control that is away, or holds what another version wrote, ends nothing', async (t) => {
  const control = new FakeControl();
  control.entries.set('audit/head', Buffer.from('{"number":"9"}'));
  control.isAway = true;
  const warnings: object[] = [];
  const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
  const view = new LiveAudit();
  const keeper = new AuditHeadKeeper({ view, control, logger, keepAfterMs: 1e6 });
  keeper.start();
  t.equal(view.head, undefined);
  view.put({ number: 1, hash: 'a', loggedMs: 1 });
  await keeper.stop();
  t.equal(warnings.length, 1);
});
