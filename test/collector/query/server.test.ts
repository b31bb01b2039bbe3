/** The same where the store is a ClickHouse server: gate, answers, cancel, and the interface in front of it. */

import { createClient } from '@clickhouse/client';
import t from 'tap';
import { ClickHouseHttp } from '../../../collector/clickhouse_http/server.ts';
import { CollectorError } from '../../../collector/errors.ts';
import { pass } from '../../../collector/query/gate.ts';
import { PeopleQueries } from '../../../collector/query/people.ts';
import { OPEN_TABLES } from '../../../collector/query/tables.ts';
import type { Asked } from '../../../collector/store/asking.ts';
import { openClickHouseStore } from '../../../collector/store/clickhouse.ts';
import { startClickHouseFront } from '../../support/clickhouse-front.ts';
import { FORM_TIMEOUT_MS } from '../../support/form.ts';
import { until } from '../../support/running-collector.ts';
import { ATTACKS, HARMLESS } from '../../support/sql-statements.ts';

t.setTimeout(FORM_TIMEOUT_MS);

const front = await startClickHouseFront(t);
const store = await openClickHouseStore({ clickhouse: front.config(), retentionDays: 0 });
t.teardown(() => store.close());
await store.migrate();
const { asking } = store;
const limits = { timeoutMs: 60_000, maxMemoryBytes: 2e8, maxResultBytes: 1e7, maxThreads: 1 };

function ask(sql: string, params: Record<string, string> = {}, signal?: AbortSignal): Asked {
  const given = new Map(Object.entries(params));
  const settings = new Map<string, string>();
  return asking.ask(
    { sql, params: given, settings, format: 'TabSeparated', limits, tables: OPEN_TABLES },
    signal,
  );
}

async function run(statement: string, params: Record<string, string> = {}): Promise<string> {
  const { sql } = await pass(asking, statement, new Map(Object.entries(params)));
  return (await ask(sql, params).answer).body.toString();
}

async function refusal(asked: Promise<unknown>): Promise<CollectorError | undefined> {
  return asked.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof CollectorError) return error;
      throw error;
    },
  );
}

/** The gate is the same: what differs is how the engine is asked. */
function everyFourth(statements: readonly string[]): string[] {
  return statements.filter((_, i) => i % 4 === 0);
}

t.test('attacks are refused', async (t) => {
  for (const attack of everyFourth(ATTACKS)) {
    const sql = attack.replaceAll('$CANARY', '/etc/passwd').replaceAll('$OUT', '/tmp/fms-never');
    const error = await refusal(pass(asking, sql));
    t.match(error?.code, /^(QUERY_NOT_ALLOWED|STORE_QUERY_REFUSED)$/, attack);
  }
});

t.test('harmless statements run', async (t) => {
  for (const sql of everyFourth(HARMLESS))
    t.equal((await refusal(run(sql)))?.message, undefined, sql);
});

t.test('parameters go through as they came, and mistakes come back in words', async (t) => {
  t.equal(
    await run('SELECT {a:String}, {b:Array(String)}[1]', { a: 'x\\ty', b: "['z']" }),
    'x\\ty\tz\n',
  );
  const error = await refusal(run('SELECT 1 FRM x'));
  t.match(error, {
    code: 'STORE_QUERY_REFUSED',
    message: /failed at position 14 .*\(SYNTAX_ERROR\)$/,
  });
  t.notMatch(error?.message, /formatQuery/);
});

t.test('what runs is seen, and ends when it is given up', async (t) => {
  const controller = new AbortController();
  const asked = ask(
    'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
    {},
    controller.signal,
  );
  const ended = refusal(asked.answer);
  await until(async () => ((await asked.progress())?.readRows ?? 0) > 0);
  controller.abort();
  t.match(await ended, { code: 'STORE_QUERY_REFUSED', message: /given up/ });
  t.equal(await asked.progress(), undefined);
});

t.test('the ClickHouse interface before it, by the official client', async (t) => {
  const audit = { record: async () => undefined };
  const people = new PeopleQueries({
    asking: () => asking,
    audit,
    clock: { wallMs: () => Date.now() },
  });
  const grants = [{ site: '*', role: 'viewer' }] as const;
  const defects: unknown[] = [];
  const server = new ClickHouseHttp({
    people,
    callers: { authenticate: async () => ({ kind: 'user', name: 'wall', grants }) },
    onDefect: (error) => defects.push(error),
  });
  await server.listen('127.0.0.1', 0);
  const client = createClient({ url: `http://127.0.0.1:${server.port}`, password: 'x' });
  t.teardown(async () => {
    await client.close();
    await server.close();
  });
  const result = await client.query({
    query: 'SELECT {text:String} AS text, number AS n FROM numbers(2)',
    query_params: { text: "it's\t한" },
    format: 'JSONEachRow',
  });
  t.same(await result.json(), [
    { text: "it's\t한", n: '0' },
    { text: "it's\t한", n: '1' },
  ]);
  await t.rejects(client.command({ query: 'DROP TABLE readings' }), { code: '164' });
  await t.rejects(client.query({ query: 'SELECT nope' }), { code: '47' });
  const { stream } = await client.exec({ query: "SELECT unhex('00ff80') FORMAT RowBinary" });
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  t.same(Buffer.concat(chunks), Buffer.from([3, 0x00, 0xff, 0x80]));
  t.same(defects, []);
});
