/** /api/v1/query on a real store: results, errors in the engine's words, audit, watching and cancelling. */

import t from 'tap';
import type { AuditEntry } from '../../../collector/access/audit.ts';
import { CollectorError } from '../../../collector/errors.ts';
import { OPEN_TABLES } from '../../../collector/query/tables.ts';
import { AUDIT_DETAIL_CHARS_MAX } from '../../../collector/types.ts';
import { fakeAccess } from '../../support/api-context.ts';
import { apiOnStore } from '../../support/api-on-store.ts';
import { FORM_TIMEOUT_MS } from '../../support/form.ts';
import { until } from '../../support/running-collector.ts';

t.setTimeout(FORM_TIMEOUT_MS);

const NOW_MS = Date.UTC(2026, 4, 1);
const audit: AuditEntry[] = [];
let auditFails = false;
const api = await apiOnStore(NOW_MS, {
  auditLog: {
    record: async (entry) => {
      if (auditFails) throw new CollectorError('LOG_UNAVAILABLE', 'the disk is gone');
      audit.push(entry);
    },
  },
});
t.teardown(() => api.remove());

interface Answer {
  status: number;
  body: Record<string, unknown> & { error?: { code: string; message: string; hint: string } };
}

async function ask(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  payload?: object,
): Promise<Answer> {
  const response = await api.app.inject({
    method,
    url: `/api/v1/query${path}`,
    headers: { host: 'localhost' },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: response.statusCode, body: response.json() as Answer['body'] };
}

const run = (sql: string, more: object = {}): Promise<Answer> => ask('POST', '', { sql, ...more });
const ENDLESS = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';

t.test('columns and rows; what JSON cannot say is a text', async (t) => {
  const { status, body } = await run(
    `SELECT toUInt64(9007199254740991) AS fits, toUInt64(18446744073709551615) AS beyond, toInt64(-5) AS small,
  nan AS a, inf AS b, 1e308 AS c, NULL AS d, toDecimal64(1.10, 2) AS money, 'a<b>' AS s, [1, 2] AS list,
  tuple(1 AS x, 'y' AS z) AS t, toDateTime64('2026-01-01 00:00:00.5', 3, 'UTC') AS at, true AS yes`,
  );
  t.equal(status, 200);
  t.match(body, { truncated: false, read_rows: Number, read_bytes: Number, elapsed_ms: Number });
  t.same((body.rows as unknown[][])[0]?.slice(0, 10), [
    9007199254740991,
    '18446744073709551615',
    -5,
    'nan',
    'inf',
    1e308,
    null,
    '1.1',
    'a<b>',
    [1, 2],
  ]);
  t.match((body.columns as unknown[]).slice(0, 2), [
    { name: 'fits', type: 'UInt64' },
    { name: 'beyond', type: 'UInt64' },
  ]);
});

t.test('rows beyond max_rows are left out, and it is said', async (t) => {
  const cut = await run('SELECT number FROM numbers(100)', { max_rows: 3 });
  t.match(cut.body, { truncated: true, rows: [[0], [1], [2]] });
  const whole = await run('SELECT number FROM numbers(3)', { max_rows: 3 });
  t.match(whole.body, { truncated: false, rows: [[0], [1], [2]] });
  const own = await run('SELECT number FROM numbers(100) LIMIT 2', { max_rows: 3 });
  t.match(own.body, { truncated: false, rows: [[0], [1]], rows_before_limit: Number });
  const united = await run('SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3', { max_rows: 2 });
  t.match(united.body, { truncated: true, rows: { length: 2 } });
  t.match((await run('SELECT 1 WHERE 0')).body, { rows: [], truncated: false });
  const setting = await run('SELECT number FROM numbers(100) SETTINGS limit = 1 FORMAT CSV');
  t.match(setting.body, { rows: [[0]] }, 'its FORMAT is left aside');
});

t.test('parameters', async (t) => {
  const text = `'; DROP TABLE readings; \t\n\\ 한`;
  const { body } = await run('SELECT {text:String} AS text, {n:UInt8} AS n', {
    params: { text, n: '7' },
  });
  t.same(body.rows, [[text, 7]]);
});

t.test('mistakes come back in the words of the engine, with the place', async (t) => {
  const wrong = await run('SELECT 1 FRM x');
  t.equal(wrong.status, 422);
  t.match(wrong.body.error, {
    code: 'STORE_QUERY_REFUSED',
    message: /Syntax error: failed at position 14 .*SYNTAX_ERROR/,
  });
  t.notMatch(wrong.body.error?.message, /formatQuery|EXPLAIN AST/, 'not of how it is parsed');
  t.match(
    (await run('SELECT nope FROM readings')).body.error?.message,
    /`nope`.*UNKNOWN_IDENTIFIER/,
  );
  t.match(
    (await run('SELECT sit FROM readings')).body.error?.message,
    /Maybe you meant: \['site'\]/,
  );
  t.match(await run(ENDLESS, { timeout_ms: 200 }), {
    status: 422,
    body: { error: { message: /Timeout/ } },
  });
  t.match(await run("SELECT repeat('x', 1000) FROM numbers(1000000)", { max_rows: 50_000 }), {
    status: 422,
    body: { error: { message: /exceeded/ } },
  });
  t.match(await run('DROP TABLE readings'), {
    status: 422,
    body: { error: { code: 'QUERY_NOT_ALLOWED' } },
  });
  t.match(await run(''), { status: 400 });
  t.match(await run('SELECT 1', { max_rows: 1_000_000 }), { status: 400 });
  t.match(await run('SELECT 1', { id: '../x' }), { status: 400 });
  t.same(api.defects, []);
});

t.test('each is in the audit log before it runs, with as much of its text as fits', async (t) => {
  audit.length = 0;
  await run('SELECT 42', { id: 'audited' });
  await run('DROP TABLE readings', { id: 'refused' });
  const long = `SELECT '${'"\\\\한'.repeat(4_000)}'`;
  await run(long, { id: 'long' });
  t.match(audit, [
    { action: 'query.run', target: 'audited', who: 'local', detail: /"via":"api".*SELECT 42/ },
    { action: 'query.refused', target: 'refused', detail: /DROP TABLE readings/ },
    { action: 'query.run', target: 'long', detail: /"cut":true/ },
  ]);
  for (const { detail } of audit) {
    t.ok(detail.length <= AUDIT_DETAIL_CHARS_MAX);
    t.ok(JSON.parse(detail));
  }
  auditFails = true;
  t.match(await run('SELECT 1'), { status: 503, body: { error: { code: 'LOG_UNAVAILABLE' } } });
  auditFails = false;
});

t.test('what runs can be watched and cancelled; its id is free again afterwards', async (t) => {
  const asked = run(ENDLESS, { id: 'endless', timeout_ms: 120_000 });
  await until(async () => {
    const { body } = await ask('GET', '/running/endless');
    return body.state === 'running' && Number(body.read_rows) > 0;
  });
  t.match(await run('SELECT 1', { id: 'endless' }), { status: 400 }, 'an id is one query');
  t.match(await ask('DELETE', '/running/endless'), { status: 202, body: { accepted: true } });
  t.match(await asked, { status: 422, body: { error: { message: /given up/ } } });
  t.match(await ask('GET', '/running/endless'), { status: 200, body: { state: 'cancelled' } });
  t.match(await run('SELECT 1', { id: 'endless' }), { status: 200 });
  t.match(await ask('GET', '/running/endless'), { status: 200, body: { state: 'done' } });
  t.match(await ask('GET', '/running/unknown'), { status: 404 });
  t.match(await ask('DELETE', '/running/unknown'), { status: 404 });
  const left = await api.store.query<{ n: number }>(
    "SELECT count() AS n FROM system.processes WHERE query LIKE '%sipHash64(number)) FROM numbers%' AND query NOT LIKE '%processes%'",
    {},
    { timeoutMs: 120_000, maxRows: 1, maxMemoryBytes: 1e8 },
  );
  t.same(left, [{ n: 0 }], 'the engine runs it no more');
});

t.test('pages and writer go on while people ask for much', async (t) => {
  const ids = ['a', 'b', 'c', 'd'];
  const asked = ids.map((id) => run(ENDLESS, { id, timeout_ms: 120_000 }));
  await until(async () => {
    const states = await Promise.all(
      ids.map(async (id) => (await ask('GET', `/running/${id}`)).body.state),
    );
    return states.filter((state) => state === 'running').length === 2;
  });
  const page = await api.get<{ items: unknown[] }>('/api/v1/events?from=0&to=1');
  t.same(page.items, []);
  const row = {
    id: 'x',
    kind: 'silence',
    site: 's',
    area: '',
    line: '',
    device: '',
    rule: '',
  } as const;
  await api.store.insert(
    'silences',
    [{ ...row, fromMs: 1, untilMs: 2, by: 'b', reason: '', updatedMs: Date.now() }],
    'token-1',
  );
  for (const id of ids) await ask('DELETE', `/running/${id}`);
  for (const answer of await Promise.all(asked)) t.equal(answer.status, 422);
  t.match(await run('SELECT count() FROM silences'), { body: { rows: [[1]] } });
});

t.test('tables and columns, in English and Korean', async (t) => {
  const { body } = await ask('GET', '/tables');
  const items = body.items as {
    table: string;
    comment: string;
    columns: { name: string; comment: string }[];
  }[];
  t.same(
    items.map(({ table }) => table),
    [...OPEN_TABLES].sort(),
  );
  for (const { table, comment, columns } of items) {
    t.match(comment, /^[A-Z]/, table);
    t.ok(columns.length > 4);
  }
  const korean = (await ask('GET', '/tables?language=ko')).body.items as typeof items;
  for (const { table, comment } of korean) t.match(comment, /[가-힣]/, table);
  t.match(await ask('GET', '/tables?language=fr'), { status: 400 });
});

t.test('without login there is no SQL', async (t) => {
  const closed = await apiOnStoreless();
  t.teardown(() => closed.app.close());
  const response = await closed.app.inject({
    method: 'POST',
    url: '/api/v1/query',
    headers: { host: 'localhost' },
    payload: { sql: 'SELECT 1' },
  });
  t.equal(response.statusCode, 401);
});

async function apiOnStoreless(): Promise<Pick<typeof api, 'app'>> {
  const { createApi } = await import('../../../collector/api/server.ts');
  const { fakeContext } = await import('../../support/api-context.ts');
  const context = fakeContext(NOW_MS, { access: fakeAccess(NOW_MS, { thisMachine: 'none' }) });
  return { app: await createApi(context, { allowedHosts: [], onDefect: () => undefined }) };
}
