/** /api/v1/audit on a real store: the list, files, and what verifying finds of what was tampered with. */

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { VerifyOptions } from '../../../collector/api/audit/verify.ts';
import { verifyAudit } from '../../../collector/api/audit/verify.ts';
import type { KnownHead } from '../../../collector/api/live/audit.ts';
import { boundedQueries } from '../../../collector/api/queries.ts';
import type { AuditRecord } from '../../../collector/processor/outputs/audit.ts';
import { hashOf, NO_AUDIT } from '../../../collector/processor/outputs/audit.ts';
import type { Store } from '../../../collector/store/store.ts';
import type { ApiOnStore } from '../../support/api-on-store.ts';
import { apiOnStore } from '../../support/api-on-store.ts';
import { auditEntries, auditRows } from '../../support/audit-entries.ts';
import { whyNotWithout } from '../../support/programs.ts';

const NOW = Math.floor(Date.now() / 1_000) * 1_000;
const START = NOW - 3_600_000;
const DAY_MS = 86_400_000;
const COUNT = 40;
const HOSTILE = '=cmd|"/c calc"!A1,\u202e<img src=x onerror=alert(1)>\r\n점검';
const MORE = [
  { who: HOSTILE, action: 'session.login_refused', site: '', target: '=1+1', detail: '' },
  { action: 'user.create', who: 'root', target: 'Lee', detail: '{"note":"Über 100%_"}' },
  { action: 'user.delete', who: 'root', target: 'Lee', site: 'other' },
];
const ENTRIES = auditEntries(COUNT, START, MORE);

interface Item extends Record<string, unknown> {
  number: number;
  hash: string;
}
interface Listed {
  items: Item[];
  next: string | null;
}
interface Said {
  ok: boolean | null;
  complete: boolean;
  next: string | null;
  entries: number;
  first_number: number;
  head_number: number;
  head_hash: string;
  broken_at: number | null;
  reason: string | null;
  compared: boolean;
  not_yet_stored: number;
}

let head: KnownHead | undefined;
const writtenTo = Number.MAX_SAFE_INTEGER;
const api: ApiOnStore = await apiOnStore(NOW, {
  auditHead: () => head,
  audit: () => ({
    store: api.store,
    writers: () => [{ topic: 'events', partition: 0, position: writtenTo }],
  }),
});
t.teardown(() => api.remove());
const { store } = api;

function headOf({ number, hash, loggedMs }: AuditRecord): KnownHead {
  return { number, hash, loggedMs, offset: 10 * number };
}

async function fill(entries: readonly AuditRecord[]): Promise<void> {
  const limits = { timeoutMs: 120_000, maxMemoryBytes: 2 ** 30 };
  await store.execute('TRUNCATE TABLE audit', {}, limits);
  await store.insert('audit', auditRows(entries), `fill ${Math.random()}`);
}

const list = (parameters: string) => api.get<Listed>(`/api/v1/audit?${parameters}`);
const verify = (parameters = '') => api.get<Said>(`/api/v1/audit/verify${parameters}`);
const numbers = ({ items }: Listed): number[] => items.map(({ number }) => number);

await fill(ENTRIES);

t.test('newest first, in pages, with all that was hashed', async (t) => {
  const first = await list('limit=25');
  t.same(
    numbers(first),
    Array.from({ length: 25 }, (_, i) => COUNT - i),
  );
  const second = await list(`limit=25&cursor=${first.next}`);
  t.same(
    numbers(second),
    Array.from({ length: 15 }, (_, i) => 15 - i),
  );
  t.equal(second.next, null);
  const { number, id, atMs, loggedMs, who, from, previousMs, previousHash, hash } = ENTRIES[0]!;
  t.same(second.items.at(-1), {
    ...{ number, id, at_ms: atMs, logged_ms: loggedMs, who, kind: 'user', from },
    ...{ action: 'session.login_refused', site: '', target: '=1+1', detail: '' },
    ...{ previous_ms: previousMs, previous_hash: previousHash, hash },
  });
});

t.test('filters', async (t) => {
  const cases: [string, number[]][] = [
    [`from=${START + 1_000}&to=${START + 3_000}`, [3, 2]],
    ['who=root', [3, 2]],
    [`who=${encodeURIComponent(HOSTILE)}`, [1]],
    ['action=user.create', [2]],
    ['action=user.', [3, 2]],
    ['action=user', []],
    ['site=other', [3]],
    ['text=lee', [3, 2]],
    [`text=${encodeURIComponent('über 100%_')}`, [2]],
    ['text=WORK%2040', [40]],
    [`who=root&text=lee&site=demo`, [2]],
    [`text=${encodeURIComponent("' OR 1=1 --")}`, []],
  ];
  for (const [parameters, expected] of cases)
    t.same(numbers(await list(parameters)), expected, parameters);
  const page = await list('who=root&limit=1');
  t.same(numbers(await list(`who=root&limit=1&cursor=${page.next}`)), [2]);
  for (const bad of ['from=5&to=5', 'cursor=xx', 'limit=0', 'text=', 'what=1']) {
    const { statusCode } = await ask(`/api/v1/audit?${bad}`);
    t.equal(statusCode, 400, bad);
  }
});

async function ask(url: string) {
  return await api.app.inject({ url, headers: { host: 'localhost' } });
}

t.test('files: JSON lines can be verified, CSV is harmless in a spreadsheet', async (t) => {
  const jsonl = await ask('/api/v1/audit/export?format=jsonl');
  t.equal(jsonl.headers['content-type'], 'application/x-ndjson; charset=utf-8');
  t.equal(jsonl.headers['content-disposition'], 'attachment; filename="audit.jsonl"');
  const items = jsonl.body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.same(items, [...(await list('limit=1000')).items].reverse());
  const csv = await ask('/api/v1/audit/export?format=csv&action=session.login_refused');
  const [names, ...rest] = csv.body.split('\r\n');
  t.equal(names, Object.keys(items[0]).join(','));
  const { id, hash } = ENTRIES[0]!;
  const who = `"'${HOSTILE.replaceAll('"', '""')}"`;
  t.equal(
    rest.join('\r\n'),
    `1,${id},${START},${START + 5},${who},user,192.0.2.7,session.login_refused,,'=1+1,,0,${NO_AUDIT.hash},${hash}\r\n`,
  );
  t.equal((await ask('/api/v1/audit/export')).statusCode, 400);
});

const DECISION = join(import.meta.dirname, '../../../docs/decisions/0028-audit-log.md');

t.test(
  'the script of the decision verifies such a file',
  { skip: whyNotWithout('python3') },
  async (t) => {
    const [, script] =
      /```python example=verify\n([\s\S]*?)```/.exec(readFileSync(DECISION, 'utf8')) ?? [];
    const folder = t.testdir({ 'verify.py': script ?? '' });
    const file = join(folder, 'audit.jsonl');
    const { body } = await ask('/api/v1/audit/export?format=jsonl');
    const run = (text: string): { status: number | null; said: string } => {
      writeFileSync(file, text);
      const { status, stdout, stderr } = spawnSync('python3', [join(folder, 'verify.py'), file]);
      return { status, said: `${stdout}${stderr}`.trim() };
    };
    const { number, hash } = ENTRIES.at(-1)!;
    t.same(run(body), { status: 0, said: `whole up to ${number}:${hash}` });
    const lines = body.split('\n');
    t.match(run(body.replace('"s7"', '"s8"')), { status: 1, said: 'entry 7 was changed' });
    t.match(run(lines.toSpliced(8, 1).join('\n')), { said: 'the chain breaks behind entry 8' });
  },
);

/** Rewrites the chain from this entry on, as somebody would who knows how it is made. */
function rehashed(entries: readonly AuditRecord[], from: number): AuditRecord[] {
  const all = entries.slice(0, from);
  for (const entry of entries.slice(from)) {
    const before = all.at(-1) ?? NO_AUDIT;
    const { number, hash: previousHash, loggedMs: previousMs } = before;
    const chained = { ...entry, number: number + 1, previousHash, previousMs };
    all.push({ ...chained, hash: hashOf(chained) });
  }
  return all;
}

function changed(index: number, more: Partial<AuditRecord>): AuditRecord[] {
  return ENTRIES.map((entry, i) => (i === index ? { ...entry, ...more } : entry));
}

t.test('what was not touched is found right', async (t) => {
  const last = ENTRIES.at(-1)!;
  const right = {
    ...{ ok: true, complete: true, next: null, entries: COUNT, first_number: 1 },
    ...{ head_number: COUNT, head_hash: last.hash, broken_at: null, reason: null },
    not_yet_stored: 0,
  };
  t.same(await verify(), { ...right, compared: false }, 'the log says nothing');
  head = headOf(last);
  t.same(await verify(), { ...right, compared: true });
  t.match(await verify('?after=30'), { ok: true, entries: 10, first_number: 30 });
  t.equal((await ask('/api/v1/audit/verify?after=41')).statusCode, 404);
});

async function finds(
  t: Test,
  entries: readonly AuditRecord[],
  broken_at: number,
  reason: string,
): Promise<void> {
  await fill(entries);
  t.match(
    await verify(),
    { ok: false, broken_at, reason, compared: true },
    `${reason} ${broken_at}`,
  );
}

t.test('each way to tamper with it is found', { timeout: 900_000 }, async (t) => {
  head = headOf(ENTRIES.at(-1)!);
  for (const more of [{ who: 'bob' }, { detail: '' }, { atMs: 5 }, { site: 'x' }, { from: '::1' }])
    await finds(t, changed(9, more), 10, 'changed');
  await finds(t, changed(9, { hash: 'f'.repeat(64) }), 10, 'changed');
  await finds(t, changed(0, { previousHash: 'f'.repeat(64) }), 1, 'changed');
  const [tenth] = changed(9, { who: 'bob' }).slice(9);
  await finds(t, changed(9, { who: 'bob', hash: hashOf(tenth!) }), 10, 'changed');
  await finds(
    t,
    ENTRIES.filter(({ number }) => number !== 7),
    7,
    'missing',
  );
  await finds(
    t,
    ENTRIES.filter(({ number }) => number > 3),
    1,
    'missing',
  );
  await finds(t, [...ENTRIES, ENTRIES[11]!], 12, 'inserted');
  await finds(t, [...ENTRIES, { ...ENTRIES[11]!, who: 'bob' }], 12, 'inserted');
  await finds(t, [...ENTRIES, ENTRIES[COUNT - 1]!], COUNT, 'inserted');
  await finds(t, ENTRIES.slice(0, 33), 34, 'cut');
  await finds(t, [], 1, 'cut');
  await finds(t, rehashed(changed(9, { who: 'bob' }), 9), COUNT, 'rewritten');
  const without = rehashed(
    ENTRIES.filter(({ number }) => number !== 7),
    6,
  );
  await finds(t, without, COUNT, 'cut');
});

const options: VerifyOptions = {
  queries: boundedQueries(store as Store),
  known: () => head,
  written: () => writtenTo,
  isInLog: async () => false,
  keptMs: 0,
  from: undefined,
  signal: new AbortController().signal,
  settleMs: 0,
};

t.test('an entry that the log never made', async (t) => {
  const made = ENTRIES.slice(0, COUNT - 1);
  await fill(ENTRIES);
  head = headOf(made.at(-1)!);
  const verdict = await verifyAudit(options);
  t.match(verdict, { ok: false, brokenAt: COUNT, reason: 'inserted' });
  let looks = 0;
  const later = (): KnownHead => headOf(ENTRIES[looks++ < 3 ? COUNT - 2 : COUNT - 1]!);
  t.match(
    await verifyAudit({ ...options, known: later, settleMs: 60_000 }),
    { ok: true },
    'one that this process hears of a moment later is none',
  );
  head = headOf(ENTRIES[COUNT - 4]!);
  const offsets: unknown[] = [];
  const isInLog: VerifyOptions['isInLog'] = async (row) => offsets.push(row.log_offset) > 0;
  t.match(await verifyAudit({ ...options, isInLog }), { ok: true, entries: COUNT });
  t.same(
    offsets,
    [COUNT - 2, COUNT - 1, COUNT].map((n) => 10 * n),
    'those that the log has, though the head was not kept before a kill',
  );
});

t.test('entries that the writer has not stored yet are not missed', async (t) => {
  await fill(ENTRIES.slice(0, COUNT - 2));
  head = headOf(ENTRIES.at(-1)!);
  const behind = { ...options, written: () => 10 * COUNT };
  t.match(await verifyAudit(behind), { ok: true, notYetStored: 2, isCompared: true });
  const nobodyKnows = { ...options, written: () => undefined };
  t.match(await verifyAudit(nobodyKnows), { ok: false, brokenAt: COUNT - 1, reason: 'cut' });
  let looks = 0;
  const written = (): number => {
    if (++looks === 2) void store.insert('audit', auditRows(ENTRIES.slice(COUNT - 2)), 'late');
    return looks > 3 ? 10 * COUNT + 1 : 10 * COUNT;
  };
  const whole = { ok: true, entries: COUNT, notYetStored: 0 };
  t.match(await verifyAudit({ ...options, written, settleMs: 60_000 }), whole);
});

t.test('what is older than it is kept may be gone, and nothing else', async (t) => {
  head = headOf(ENTRIES.at(-1)!);
  await fill(ENTRIES.slice(5));
  const { loggedMs } = ENTRIES[4]!;
  t.match(await verifyAudit({ ...options, keptMs: loggedMs + 1 }), {
    ...{ ok: true, first: 6, entries: COUNT - 5 },
  });
  t.match(await verifyAudit({ ...options, keptMs: loggedMs }), { ok: false, brokenAt: 1 });
  await fill(ENTRIES.filter(({ number }) => number !== 2 && number !== 4));
  t.match(await verifyAudit({ ...options, keptMs: loggedMs }), { ok: true, entries: COUNT - 2 });
  t.ok(store.retentionMs.audit > 3 * 365 * DAY_MS);
});

t.test('a long log in several answers', async (t) => {
  const many = auditEntries(6_000, NOW - 20_000_000);
  head = headOf(many.at(-1)!);
  await fill(many);
  const first = await verifyAudit({ ...options, walkMs: 0 });
  t.match(first, { ok: null, complete: false, entries: 5_000, brokenAt: null });
  const second = await verifyAudit({ ...options, walkMs: 0, from: first.next });
  t.match(second, { ok: true, complete: true, entries: 6_000, first: 1, isCompared: true });
  const jsonl = await ask('/api/v1/audit/export?format=jsonl');
  t.equal(jsonl.body.trimEnd().split('\n').length, 6_000);
});
