/** The ClickHouse interface of a running collector: the official client, unmodified, and plain HTTP. */

import { gunzipSync } from 'node:zlib';
import type { ClickHouseClient } from '@clickhouse/client';
import { createClient } from '@clickhouse/client';
import t from 'tap';
import { FORM_TIMEOUT_MS } from '../support/form.ts';
import { TestCollector, until } from '../support/running-collector.ts';

t.setTimeout(FORM_TIMEOUT_MS);

const collector = new TestCollector({ clickhouse_http: { port: 0 } });
await collector.start();
t.teardown(() => collector.remove());

const PASSWORD = 'correct horse battery staple';
const EVERYWHERE = [{ site: '*', role: 'viewer' }];

async function api(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: Record<string, unknown>; headers: Headers }> {
  const response = await fetch(`${collector.base}/api/v1${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
    headers: response.headers,
  };
}

async function makeUser(name: string, grants: unknown): Promise<void> {
  const { status } = await api('POST', '/users', { name, grants, password: PASSWORD });
  if (status !== 201) throw new Error(`user ${name}: ${status}`);
}

/** An API token of the user. */
async function makeToken(name: string): Promise<string> {
  const login = await api('POST', '/session', { name, password: PASSWORD });
  const cookie = (login.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const headers = { cookie, 'x-csrf-token': String(login.body.csrf) };
  const asked = { name: 'grafana', grants: EVERYWHERE, expires_ms: null };
  const made = await api('POST', '/tokens', asked, headers);
  if (made.status !== 201) throw new Error(`token: ${JSON.stringify(made.body)}`);
  return String(made.body.token);
}

await makeUser('wall', EVERYWHERE);
await makeUser('김철수', EVERYWHERE);
await makeUser('one-site', [{ site: 'demo', role: 'operator' }]);
const token = await makeToken('wall');

const url = `http://127.0.0.1:${collector.clickhousePort}`;
const opened: ClickHouseClient[] = [];
t.teardown(() => Promise.all(opened.map((client) => client.close())));

function connect(options: Parameters<typeof createClient>[0] = {}): ClickHouseClient {
  const client = createClient({ url, username: 'wall', password: PASSWORD, ...options });
  opened.push(client);
  return client;
}
const client = connect();

async function plain(
  path: string,
  options: RequestInit = {},
  credentials = `wall:${token}`,
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(url + path, {
    ...options,
    headers: {
      authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
      ...(options.headers as Record<string, string> | undefined),
    },
  });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function failure(
  asked: Promise<unknown>,
): Promise<{ code: string; type: string; message: string }> {
  return asked.then(
    () => ({ code: 'none', type: 'none', message: 'it was answered' }),
    (error: { code: string; type: string; message: string }) => error,
  );
}

t.test('the official client: ping, with and without a query', async (t) => {
  t.match(await client.ping(), { success: true });
  t.match(await client.ping({ select: true }), { success: true });
  t.match(await connect({ password: 'wrong' }).ping({ select: true }), { success: false });
});

t.test('the official client: rows in each of its formats', async (t) => {
  const query = 'SELECT number AS n, toString(number) AS s, number / 2 AS h FROM numbers(3)';
  const objects = [
    { n: 0, s: '0', h: 0 },
    { n: 1, s: '1', h: 0.5 },
    { n: 2, s: '2', h: 1 },
  ];
  const arrays = objects.map(({ n, s, h }) => [n, s, h]);
  const clickhouse_settings = { output_format_json_quote_64bit_integers: 0 } as const;
  const rows = async (format: 'JSONEachRow' | 'JSONCompactEachRow' | 'JSON' | 'JSONCompact') =>
    (await client.query({ query, format, clickhouse_settings })).json<unknown>();
  t.same(await rows('JSONEachRow'), objects);
  t.same(await rows('JSONCompactEachRow'), arrays);
  t.match(await rows('JSON'), {
    data: objects,
    rows: 3,
    meta: [{ name: 'n', type: 'UInt64' }, {}, {}],
  });
  t.match(await rows('JSONCompact'), { data: arrays, rows: 3 });
  for (const format of [
    'CSV',
    'CSVWithNames',
    'TabSeparated',
    'TabSeparatedWithNamesAndTypes',
    'Parquet',
  ] as const) {
    const result = await client.exec({ query: `${query} FORMAT ${format}` });
    const chunks: Buffer[] = [];
    for await (const chunk of result.stream) chunks.push(chunk as Buffer);
    const bytes = Buffer.concat(chunks);
    if (format === 'Parquet') t.equal(bytes.subarray(0, 4).toString(), 'PAR1');
    else t.match(bytes.toString(), /^1[,\t]"?1"?[,\t]0\.5$/m, format);
  }
});

t.test('the official client: parameters of all kinds, bound by the engine', async (t) => {
  const hostile = `'; DROP TABLE readings; -- \\ \t \n "quoted" 한국어 \u202e`;
  const result = await client.query({
    query: `SELECT {text:String} AS text, {list:Array(String)} AS list, {n:UInt32} AS n, {f:Float64} AS f,
  {nothing:Nullable(String)} AS nothing, {at:DateTime64(3)} = toDateTime64('2026-01-02 03:04:05.678', 3) AS at`,
    query_params: {
      text: hostile,
      list: [hostile, ''],
      n: 7,
      f: 1e300,
      nothing: null,
      at: new Date('2026-01-02T03:04:05.678Z'),
    },
    format: 'JSONEachRow',
  });
  t.same(await result.json(), [
    { text: hostile, list: [hostile, ''], n: 7, f: 1e300, nothing: null, at: 1 },
  ]);
  const many = connect({ use_multipart_params_auto: true } as never);
  const long = 'x'.repeat(10_000);
  const echoed = await many.query({
    query: 'SELECT length({long:String}) AS length',
    query_params: { long },
    format: 'JSONEachRow',
  });
  t.same(await echoed.json(), [{ length: '10000' }], 'long ones come as a form');
});

t.test('the official client: a stream of many rows, compressed', async (t) => {
  const packed = connect({ compression: { response: true, request: true } });
  const result = await packed.query({
    query: 'SELECT number FROM numbers(200000)',
    format: 'JSONCompactEachRow',
  });
  let rows = 0;
  for await (const part of result.stream()) rows += part.length;
  t.equal(rows, 200_000);
});

t.test('the official client: summary and headers', async (t) => {
  const result = await client.query({
    query: 'SELECT count() AS n FROM numbers(1000)',
    format: 'JSONEachRow',
    query_id: 'my.query-1',
  });
  t.equal(result.query_id, 'my.query-1');
  t.match(result.response_headers, {
    'x-clickhouse-query-id': 'my.query-1',
    'x-clickhouse-format': 'JSONEachRow',
    'x-clickhouse-timezone': /^\w/,
    'x-clickhouse-summary': /"read_rows":"\d+"/,
  });
});

t.test('the official client: errors are its own, with code and type', async (t) => {
  const asked = (query: string): Promise<unknown> => client.query({ query, format: 'JSONEachRow' });
  t.match(await failure(asked('SELECT nope')), { code: '47', type: 'UNKNOWN_IDENTIFIER' });
  t.match(await failure(asked('SELEC 1')), {
    code: '62',
    type: 'SYNTAX_ERROR',
    message: /failed at position \d/,
  });
  t.match(await failure(asked("SELECT toDate('x')")), { code: '38', type: 'CANNOT_PARSE_DATE' });
  t.match(await failure(asked('SELECT * FROM system.users')), {
    code: '497',
    type: 'ACCESS_DENIED',
  });
  t.match(await failure(asked("SELECT file('/etc/passwd')")), {
    code: '497',
    type: 'ACCESS_DENIED',
  });
  t.match(
    await failure(
      client.insert({ table: 'readings', values: [{ site: 'x' }], format: 'JSONEachRow' }),
    ),
    { code: '164', type: 'READONLY' },
  );
  t.match(await failure(client.command({ query: 'DROP TABLE readings' })), {
    code: '164',
    type: 'READONLY',
  });
  t.match(
    await failure(client.query({ query: 'SELECT 1', clickhouse_settings: { max_ast_depth: '1' } })),
    { code: '164', type: 'READONLY' },
    'a setting that is not ours to change',
  );
  const wrong = (options: Parameters<typeof createClient>[0]): Promise<unknown> =>
    connect(options).query({ query: 'SELECT 1' });
  t.match(await failure(wrong({ password: 'wrong' })), {
    code: '516',
    type: 'AUTHENTICATION_FAILED',
  });
  t.match(await failure(wrong({ username: 'nobody' })), {
    code: '516',
    type: 'AUTHENTICATION_FAILED',
  });
  t.match(await failure(wrong({ username: 'one-site' })), { code: '497', type: 'ACCESS_DENIED' });
  t.match(await failure(wrong({ database: 'other' })), { code: '81', type: 'UNKNOWN_DATABASE' });
  const rows = await client.query({
    query: 'SELECT count() AS n FROM readings',
    format: 'JSONEachRow',
  });
  t.same(await rows.json(), [{ n: '0' }], 'nothing was written');
});

t.test(
  'the official client: settings that are allowed work, those of its transport are taken',
  async (t) => {
    const result = await client.query({
      query: 'SELECT toDateTime(0) AS at FROM numbers(10)',
      format: 'JSONEachRow',
      clickhouse_settings: {
        session_timezone: 'Asia/Seoul',
        limit: '2',
        wait_end_of_query: 1,
        send_progress_in_http_headers: 1,
      },
    });
    const at = '1970-01-01 09:00:00';
    t.same(await result.json(), [{ at }, { at }]);
    t.match(
      await failure(
        client.query({
          query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
          clickhouse_settings: { max_execution_time: 0.2 as never },
        }),
      ),
      { code: '159', type: 'TIMEOUT_EXCEEDED' },
    );
  },
);

t.test('the official client: an aborted query is ended in the engine', async (t) => {
  const controller = new AbortController();
  const asked = failure(
    client.query({
      query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
      query_id: 'to-be-aborted',
      abort_signal: controller.signal,
    }),
  );
  const owner = await runningState('to-be-aborted', ['running']);
  t.equal(owner, 'running');
  controller.abort();
  t.match(await asked, { message: /abort/i });
  t.equal(
    await runningState('to-be-aborted', ['cancelled', 'failed']),
    'failed',
    'its caller went',
  );
});

async function runningState(id: string, wanted: string[]): Promise<string> {
  let state = '';
  await until(async () => {
    state = String((await api('GET', `/query/running/${id}`)).body.state);
    return wanted.includes(state);
  });
  return state;
}

t.test('an administrator ends a query of a program', async (t) => {
  const asked = failure(
    client.query({
      query: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
      query_id: 'to-be-cancelled',
    }),
  );
  await runningState('to-be-cancelled', ['running']);
  t.match(await api('DELETE', '/query/running/to-be-cancelled'), { status: 202 });
  t.match(await asked, { code: '394', type: 'QUERY_WAS_CANCELLED' });
});

t.test('plain HTTP as a server answers it', async (t) => {
  t.match(await plain('/ping', {}, ''), { status: 200, text: 'Ok.\n' });
  t.match(await plain('/', {}, ''), { status: 200, text: 'Ok.\n' });
  t.match(await plain('/replicas_status', {}, ''), { status: 200, text: 'Ok.\n' });
  t.match(await plain('/play'), { status: 404 });
  t.match(await plain('/?query=SELECT%201'), { status: 200, text: '1\n' });
  t.match(await plain('/', { method: 'POST', body: 'SELECT 1, 2' }), {
    status: 200,
    text: '1\t2\n',
  });
  const both = await plain('/?query=SELECT&default_format=CSV', {
    method: 'POST',
    body: " 'a', {x:UInt8}",
  });
  t.match(both, { status: 400, text: /Code: 456\. DB::Exception: Substitution `x` is not set/ });
  t.match(
    await plain('/?query=SELECT&default_format=CSV&param_x=3&database=fms', {
      method: 'POST',
      body: " 'a', {x:UInt8}",
    }),
    {
      status: 200,
      text: '"a",3\n',
    },
  );
  const version = await plain('/?query=SELECT%20version()');
  t.match(version.text, /^\d+\.\d+\.\d+/);
  const refused = await plain('/?query=INSERT%20INTO%20readings%20VALUES', {
    method: 'POST',
    body: '(1)',
  });
  t.equal(refused.status, 403);
  t.match(
    refused.text,
    /^Code: 164\. DB::Exception: Cannot execute query in readonly mode.*\(READONLY\) \(version /,
  );
  t.equal(refused.headers.get('x-clickhouse-exception-code'), '164');
  const multi = await plain('/', { method: 'POST', body: 'SELECT 1; SELECT 2' });
  t.match(multi, { status: 400, text: /Code: 62.*Multi-statements are not allowed/ });
  const both2 = await fetch(`${url}/?query=SELECT%201`, { method: 'DELETE' });
  t.equal(both2.status, 501);
});

t.test('who asks: headers, Basic, a token under any name; nothing in the address', async (t) => {
  const query = '/?query=SELECT%201';
  const header = { 'x-clickhouse-user': 'wall', 'x-clickhouse-key': PASSWORD, authorization: '' };
  t.match(await plain(query, { headers: header }), { status: 200 });
  t.match(await plain(query, {}, `anything:${token}`), { status: 200 });
  t.match(await plain(query, {}, `김철수:${PASSWORD}`), { status: 200 });
  t.match(await plain(query, { headers: { authorization: `Bearer ${token}` } }), { status: 200 });
  const none = await fetch(url + query);
  t.equal(none.status, 401);
  t.match(await none.text(), /Code: 194\..*REQUIRED_PASSWORD/);
  const inUrl = await fetch(`${url + query}&user=wall&password=${encodeURIComponent(PASSWORD)}`);
  t.equal(inUrl.status, 401, 'as if there were none');
  t.match(await plain(`${query}&password=x`), { status: 403, text: /address/ });
  t.match(await plain(query, {}, `wall:fms_${'x'.repeat(43)}`), { status: 403, text: /Code: 516/ });
});

t.test('who guesses passwords must wait', async (t) => {
  const attempts: number[] = [];
  for (let i = 0; i < 8; i++)
    attempts.push((await plain('/?query=SELECT%201', {}, `victim:guess-${i}`)).status);
  t.same(new Set(attempts), new Set([403, 429]));
  const waiting = await plain('/?query=SELECT%201', {}, 'victim:again');
  t.equal(waiting.status, 429);
  t.ok(Number(waiting.headers.get('retry-after')) >= 1);
  t.match(await plain('/?query=SELECT%201'), { status: 200 }, 'a token is no guess');
});

t.test('compression by accept-encoding, only where it is asked for', async (t) => {
  const path = '/?query=SELECT%20number%20FROM%20numbers(1000)';
  const packed = await fetch(`${url + path}&enable_http_compression=1`, {
    headers: { authorization: `Bearer ${token}`, 'accept-encoding': 'gzip' },
  });
  t.equal(packed.headers.get('content-encoding'), 'gzip');
  t.match(await packed.text(), /^0\n1\n2\n/);
  const bare = await plain(path, { headers: { 'accept-encoding': 'gzip' } });
  t.equal(bare.headers.get('content-encoding'), null);
  t.match(await plain(`${path}&compress=1`), { status: 501, text: /NOT_IMPLEMENTED/ });
  t.type(gunzipSync, 'function');
});

t.test('binary formats, byte by byte as the engine writes them', async (t) => {
  const bytes = async (format: string): Promise<Buffer> => {
    const query = encodeURIComponent(`SELECT toUInt32(4294967295) AS n, unhex('00ff80') AS b`);
    const response = await fetch(`${url}/?query=${query}&default_format=${format}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    t.equal(response.headers.get('content-type'), 'application/octet-stream');
    return Buffer.from(await response.arrayBuffer());
  };
  const row = Buffer.from([0xff, 0xff, 0xff, 0xff, 3, 0x00, 0xff, 0x80]);
  t.same(await bytes('RowBinary'), row);
  const native = await bytes('Native');
  t.same([...native.subarray(0, 2)], [2, 1], 'columns, rows; no block info');
  t.ok(native.includes(Buffer.from('UInt32')));
});

t.test('what query builders ask: databases, tables, columns; only ours', async (t) => {
  const ask = async (query: string): Promise<unknown[]> =>
    (await client.query({ query, format: 'JSONCompactEachRow' })).json();
  t.same(await ask('SHOW DATABASES'), [['fms']]);
  const tables = (await ask('SHOW TABLES FROM fms')) as string[][];
  t.ok(tables.some(([name]) => name === 'readings'));
  t.notOk(tables.some(([name]) => name === 'audit'));
  t.ok(((await ask('DESC TABLE fms.readings')) as string[][]).some(([name]) => name === 'value'));
  t.same(await ask('SELECT DISTINCT database FROM system.tables'), [['fms']]);
  const columns = await ask(
    "SELECT database, table, name, type, comment FROM system.columns WHERE (database, table) IN (('fms', 'readings')) ORDER BY database, table, position",
  );
  t.ok(columns.length > 10);
  t.match(await failure(ask('SELECT data_paths FROM system.tables')), { code: '497' });
  t.match(await failure(ask('SELECT * FROM system.tables')), { code: '497' });
  t.same(await ask('SELECT DISTINCT site FROM readings SETTINGS max_execution_time = 10'), []);
});

t.test('the first question of the Go client, in the form that it reads', async (t) => {
  const response = await fetch(
    `${url}/?default_format=Native&client_protocol_version=54460&database=fms`,
    {
      method: 'POST',
      body: 'SELECT displayName(), version(), revision(), timezone()',
      headers: { authorization: `Bearer ${token}` },
    },
  );
  const bytes = Buffer.from(await response.arrayBuffer());
  t.same(
    [...bytes.subarray(0, 10)],
    [1, 0, 2, 0xff, 0xff, 0xff, 0xff, 0, 4, 1],
    'block info, 4 columns, 1 row',
  );
  t.ok(bytes.includes(Buffer.from('\rdisplayName()')), 'lengths before names');
});

t.test('every query is in the audit log, with its text and its door', async (t) => {
  await until(async () => {
    const { body } = await api('GET', '/audit?action=query.refused&limit=200');
    return JSON.stringify(body).includes('DROP TABLE readings');
  });
  const { body } = await api('GET', '/audit?action=query.run&limit=200');
  const items = body.items as { who: string; detail: string }[];
  t.ok(
    items.some(
      ({ who, detail }) =>
        who === 'wall/grafana' && JSON.stringify(detail).includes('clickhouse_http'),
    ),
  );
  t.notOk(JSON.stringify(items).includes(PASSWORD));
  t.notOk(JSON.stringify(items).includes(token));
});
