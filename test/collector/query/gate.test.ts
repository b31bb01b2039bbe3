/** The gate on the real engine: what must be refused, what must pass, and what no statement may do. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { CollectorError } from '../../../collector/errors.ts';
import { mayCall, mayReadFrom } from '../../../collector/query/functions.ts';
import { pass, SQL_CHARS_MAX } from '../../../collector/query/gate.ts';
import { OPEN_TABLES } from '../../../collector/query/tables.ts';
import { EngineRefusal } from '../../../collector/store/asking.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import { FORM_TIMEOUT_MS } from '../../support/form.ts';
import { ATTACKS, HARMLESS } from '../../support/sql-statements.ts';

t.setTimeout(FORM_TIMEOUT_MS);

const folder = mkdtempSync(join(tmpdir(), 'fms-gate-'));
const store = await openChdbStore({ path: join(folder, 'store') });
await store.migrate();
const { asking } = store;
t.teardown(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const SECRET = 'what the canary file holds';
const canary = join(folder, 'canary.txt');
writeFileSync(canary, SECRET);
const out = join(folder, 'out.csv');
const limits = { timeoutMs: 120_000, maxMemoryBytes: 2e8, maxResultBytes: 1e7, maxThreads: 1 };

function filled(sql: string): string {
  return sql.replaceAll('$CANARY', canary).replaceAll('$OUT', out);
}

/** As PeopleQueries does, with the settings of the statement left aside. */
async function run(
  sql: string,
  params: Record<string, string> = {},
  settings = {},
): Promise<string> {
  const given = new Map(Object.entries(params));
  const passed = await pass(asking, sql, given);
  const { answer } = asking.ask({
    sql: passed.sql,
    params: given,
    settings: new Map(Object.entries(settings)),
    format: 'TabSeparated',
    limits,
    tables: OPEN_TABLES,
  });
  return (await answer).body.toString();
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

t.test('every attack is refused before anything runs', async (t) => {
  t.ok(ATTACKS.length >= 150, `${ATTACKS.length} attacks`);
  const before = readdirSync(folder).sort();
  for (const attack of ATTACKS) {
    const sql = filled(attack);
    const error = await refusal(pass(asking, sql));
    t.ok(error !== undefined, `refused: ${attack}`);
    t.match(error?.code, /^(QUERY_NOT_ALLOWED|STORE_QUERY_REFUSED)$/, attack);
    t.notOk(error?.message.includes(SECRET), 'nothing was read');
  }
  t.same(readdirSync(folder).sort(), before, 'nothing was written');
  t.equal(await run('SELECT count() FROM readings'), '0\n');
});

t.test('what is harmless passes and runs, as what was looked at', async (t) => {
  t.ok(HARMLESS.length >= 70, `${HARMLESS.length} statements`);
  for (const sql of HARMLESS) {
    const error = await refusal(run(sql));
    t.equal(error?.message, undefined, sql);
    const { sql: spelled } = await pass(asking, sql);
    t.equal(
      await asking.format(spelled),
      spelled,
      'the spelling of the engine is its own fixed point',
    );
  }
});

t.test('FORMAT and SETTINGS are set apart', async (t) => {
  t.match(
    await pass(asking, "SELECT 1 SETTINGS max_threads=2, session_timezone='UTC' FORMAT CSV"),
    {
      sql: 'SELECT 1',
      format: 'CSV',
      settings: new Map([
        ['max_threads', '2'],
        ['session_timezone', 'UTC'],
      ]),
    },
  );
  const text = "SELECT 'a\nFORMAT CSV'";
  t.match(await pass(asking, text), { format: undefined }, 'not within a text');
  t.equal(await run(text), 'a\\nFORMAT CSV\n');
});

t.test('parameters are values: whatever they hold, they stay one', async (t) => {
  t.equal(await run('SELECT {a:UInt8} + 1', { a: '41' }), '42\n');
  t.equal(await run('SELECT {a:Array(String)}[2]', { a: "['x','y']" }), 'y\n');
  t.match(await refusal(run('SELECT * FROM {t:Identifier}', { t: 'readings' })), {
    code: 'QUERY_NOT_ALLOWED',
  });
  t.match(await refusal(run('SELECT {a:UInt8}')), {
    code: 'STORE_QUERY_REFUSED',
    message: /not set/,
  });
  t.match(await refusal(run('SELECT 1', { 'a; DROP': '1' })), { code: 'QUERY_NOT_ALLOWED' });
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (text) => {
      const told = text.replaceAll('\0', '').toWellFormed();
      const escaped = told
        .replaceAll('\\', '\\\\')
        .replaceAll('\t', '\\t')
        .replaceAll('\n', '\\n')
        .replaceAll('\r', '\\r');
      const hex = (await run('SELECT hex({text:String})', { text: escaped })).trim();
      return Buffer.from(hex, 'hex').toString('utf8') === told;
    }),
    { numRuns: 20 },
  );
});

t.test('texts and names in a statement do not get out of it', async () => {
  const hostile = fc.string({
    unit: fc.constantFrom(
      "'",
      '"',
      '`',
      '\\',
      '\n',
      ';',
      '-',
      '/',
      '*',
      '(',
      ')',
      '#',
      '$',
      ' ',
      'a',
      '한',
    ),
    maxLength: 20,
  });
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      const literal = `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
      const hex = (await run(`SELECT hex(${literal}) -- ${text.replaceAll('\n', ' ')}`)).trim();
      return Buffer.from(hex, 'hex').toString('utf8') === text;
    }),
    { numRuns: 25 },
  );
});

t.test('a forbidden piece is found wherever it stands', async () => {
  const pieces = [`file('${canary}')`, "getSetting('x')", 'hostName()', "dictGet('d', 'a', 1)"];
  const wrap: ((piece: string) => string)[] = [
    (x) => `(${x})`,
    (x) => `[${x}][1]`,
    (x) => `tuple(${x}, 1).1`,
    (x) => `if(1, ${x}, '')`,
    (x) => `concat('a', toString(${x}))`,
    (x) => `(SELECT ${x})`,
    (x) => `(SELECT any(q) FROM (SELECT ${x} AS q))`,
    (x) => `arrayMap(y -> ${x}, [1])`,
    (x) => `CASE WHEN ${x} = '' THEN 1 END`,
    (x) => `${x} IN (SELECT ${x})`,
    (x) => `CAST(${x} AS String)`,
    (x) => `max(${x}) OVER ()`,
  ];
  const place: ((piece: string) => string)[] = [
    (x) => `SELECT ${x}`,
    (x) => `SELECT 1 FROM readings WHERE ${x} != ''`,
    (x) => `SELECT 1 FROM readings PREWHERE ${x} != ''`,
    (x) => `SELECT count() FROM readings GROUP BY ${x}`,
    (x) => `SELECT 1 FROM readings ORDER BY ${x}`,
    (x) => `SELECT 1 UNION ALL SELECT ${x}`,
    (x) => `WITH ${x} AS v SELECT v`,
    (x) => `WITH v AS (SELECT ${x}) SELECT * FROM v`,
    (x) => `SELECT * FROM readings AS a JOIN readings AS b ON ${x} = a.site`,
    (x) => `SELECT 1 FROM numbers(length(${x}))`,
    (x) => `EXPLAIN SELECT ${x}`,
    (x) => `DESCRIBE (SELECT ${x})`,
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...pieces),
      fc.array(fc.constantFrom(...wrap), { maxLength: 3 }),
      fc.constantFrom(...place),
      async (piece, wraps, put) => {
        const sql = put(wraps.reduce((inner, one) => one(inner), piece));
        const error = await refusal(pass(asking, sql));
        return error !== undefined && !error.message.includes(SECRET);
      },
    ),
    { numRuns: 60 },
  );
});

t.test('an attack stays one, however it is written', async () => {
  const gap = fc.constantFrom(' ', '\n', '\t', ' /* a */ ', ' /* ; */\n', '\n-- b\n');
  const keep = (word: string): string => word;
  const casing = fc.constantFrom(keep, (word: string) => word.toUpperCase());
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...ATTACKS.filter((sql) => !sql.includes('--'))),
      fc.array(gap, { minLength: 1, maxLength: 4 }),
      casing,
      async (attack, gaps, change) => {
        let at = 0;
        const written = filled(attack)
          .split(' ')
          .map((word) => (/^[A-Z]+$/i.test(word) ? change(word) : word))
          .reduce((text, word) => text + (gaps[at++ % gaps.length] ?? ' ') + word);
        return (await refusal(pass(asking, written))) !== undefined;
      },
    ),
    { numRuns: 60 },
  );
});

t.test('of functions only those on the list, whatever the engine knows beside', async (t) => {
  const names = (column: string, table: string): Promise<{ name: string }[]> =>
    store.query(
      `SELECT ${column} AS name FROM system.${table} ORDER BY name`,
      {},
      {
        timeoutMs: 20_000,
        maxRows: 10_000,
        maxMemoryBytes: 2e8,
      },
    );
  const dangerous =
    /^(file|dict|joinGet|sleep|host|fqdn|fullHost|getSetting|getServer|getMacro|getOS|getClient|current(User|Profiles|Roles)|filesystem|catboost|logTrace|addressTo|server(UUID)|showCert|ai[A-Z]|transaction|zookeeper|evalML)/i;
  const functions = (await names('name', 'functions')).map(({ name }) => name);
  t.ok(functions.length > 1_000);
  t.same(
    functions.filter((name) => dangerous.test(name) && mayCall(name)),
    [],
  );
  t.ok(functions.filter((name) => mayCall(name)).length > 1_000, 'most are harmless');
  const sources = (await names('name', 'table_functions')).map(({ name }) => name);
  const open = sources.filter((name) => mayReadFrom(name)).sort();
  t.same(open, [
    'SQLStandardValues',
    'generateSeries',
    'generate_series',
    'null',
    'numbers',
    'numbers_mt',
    'primes',
    'values',
  ]);
});

t.test('system tables tell of our tables only', async (t) => {
  const tables = (await run('SELECT database, name FROM system.tables')).trim().split('\n');
  t.same(
    tables.sort(),
    OPEN_TABLES.map((name) => `fms\t${name}`),
  );
  t.equal(await run('SHOW DATABASES'), 'fms\n');
  t.equal(await run('SELECT DISTINCT database FROM system.columns'), 'fms\n');
  t.equal(await run('SHOW TABLES FROM system'), '');
  t.equal(
    await run('SELECT count() FROM system.tables AS a JOIN system.tables AS b ON a.name = b.name'),
    `${OPEN_TABLES.length}\n`,
  );
});

t.test('a statement cannot change its limits, and too much of anything is refused', async (t) => {
  const engine = (code: number) => (error: CollectorError | undefined) =>
    t.equal(error instanceof EngineRefusal && error.engineCode, code, error?.message ?? '');
  engine(396)(await refusal(run('SELECT repeat(toString(number), 100) FROM numbers(1000000)')));
  engine(241)(await refusal(run('SELECT length(groupArray(number)) FROM numbers(1000000000)')));
  const slow = asking.ask(
    {
      sql: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
      params: new Map(),
      settings: new Map([['readonly', '0']]),
      format: 'CSV',
      limits: { ...limits, timeoutMs: 200 },
      tables: [],
    },
    undefined,
  );
  engine(159)(await refusal(slow.answer));
  t.match(await refusal(pass(asking, `SELECT '${'x'.repeat(SQL_CHARS_MAX)}'`)), {
    code: 'QUERY_NOT_ALLOWED',
  });
  const deep = `SELECT ${'('.repeat(3_000)}1${')'.repeat(3_000)}`;
  t.ok((await refusal(pass(asking, deep))) !== undefined, 'deep nesting');
});

t.test('even past the gate: the session itself is read-only', async (t) => {
  const past = (sql: string): Promise<unknown> =>
    asking.ask({ sql, params: new Map(), settings: new Map(), format: 'CSV', limits, tables: [] })
      .answer;
  for (const sql of [
    'DROP TABLE readings',
    "INSERT INTO readings (site) VALUES ('x')",
    'SET readonly = 0',
    'SELECT 1 SETTINGS max_memory_usage = 0',
    `SELECT * FROM file('${canary}', 'LineAsString')`,
    "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
    'CREATE TABLE t (a Int8) ENGINE = Memory',
  ])
    t.match(await refusal(past(sql)), { code: 'STORE_QUERY_REFUSED' }, sql);
});

t.test('an aborted statement ends, and frees its place', async (t) => {
  const controllers = Array.from({ length: 6 }, () => new AbortController());
  const asked = controllers.map(({ signal }) => {
    const ask = {
      sql: 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)',
      params: new Map<string, string>(),
      settings: new Map<string, string>(),
      format: 'CSV',
      limits,
      tables: [],
    };
    return refusal(asking.ask(ask, signal).answer);
  });
  for (const controller of controllers) controller.abort();
  for (const error of await Promise.all(asked)) t.match(error, { message: /given up/ });
  t.equal(await run('SELECT 1'), '1\n');
});
