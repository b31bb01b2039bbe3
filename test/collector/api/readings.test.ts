/** /api/v1/readings on a real store, compared with what a plain loop over the rows says. */

import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Test } from 'tap';
import t from 'tap';
import { compare } from '../../../collector/api/live/devices.ts';
import { codesOf, maskOf, Treatment } from '../../../collector/findings.ts';
import { periodsBetween } from '../../../collector/site_time.ts';
import {
  dayStatements,
  hourStatements,
  minuteStatement,
} from '../../../collector/store/rollup/statements.ts';
import type { ReadingRow } from '../../../collector/store/store.ts';
import { readingRow } from '../../contracts/store.ts';
import type { ApiOnStore } from '../../support/api-on-store.ts';
import { apiOnStore } from '../../support/api-on-store.ts';
import { until } from '../../support/running-collector.ts';

const SITE = { timeZone: 'Asia/Seoul', dayStart: '06:00' };
const MINUTE = 60_000;
const START = Date.UTC(2026, 10, 1);
/** Roll-ups are trusted up to ten minutes before this. */
const NOW = START + 300 * MINUTE;
const HOSTILE = [
  '`); DROP TABLE readings; --',
  '__proto__',
  'c_0',
  'time',
  'value',
  "it's {x:String}",
];

/** Numbers from 0 to 1 that are the same in each run. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32;
    return state / 2 ** 32;
  };
}

function rowsOf(device: string, channels: readonly string[], count: number): ReadingRow[] {
  const random = chance(7);
  const rows: ReadingRow[] = [];
  for (const channel of channels) {
    for (let i = 0; i < count; i++) {
      const kind = random();
      const row = readingRow(rows.length + 1, {
        device,
        channel,
        timeMs: START + i * 10_000,
        receivedMs: START + i * 10_000 + 5,
        value: Math.round(random() * 1_000) / 10,
      });
      if (kind < 0.05) Object.assign(row, { value: null, quality: 2 + 128 });
      else if (kind < 0.08) row.quality = 2;
      else if (kind < 0.1) row.value = Number.NaN;
      else if (kind < 0.15)
        Object.assign(row, {
          value: -500,
          treatment: Treatment.FILLED,
          findings: maskOf('null_value', 'late'),
        });
      else if (kind < 0.2)
        Object.assign(row, {
          value: 100,
          rawValue: 900,
          treatment: Treatment.CLIPPED,
          findings: maskOf('out_of_range'),
        });
      else if (kind < 0.22) Object.assign(row, { value: null, text: `t${i}` });
      rows.push(row);
    }
  }
  return rows;
}

const ROWS = [
  ...rowsOf('D01', ['a', 'b', 'c'], 1_500),
  ...rowsOf('D02', HOSTILE, 20).map((row, i) => ({
    ...row,
    epoch: 'ffffffffffffffff',
    seq: i + 1,
  })),
];
const OF_D01 = ROWS.filter((row) => row.device === 'D01');

let api: ApiOnStore;
/** SQL of all queries. */
const asked: string[] = [];
t.before(async () => {
  api = await apiOnStore(NOW);
  const { queries } = api.context;
  const { run } = queries;
  queries.run = (sql, params, signal) => {
    asked.push(sql);
    return run(sql, params, signal);
  };
  await api.store.insert('readings', ROWS, 'one');
});
t.teardown(() => api.remove());

const BASE = `/api/v1/readings?site=demo&device=D01&from=${START}&to=${START + 15_000_000}`;

interface Page<Item> {
  items: Item[];
  next: string | null;
  channels?: string[];
}

async function allOf<Item>(url: string): Promise<{ items: Item[]; pages: Page<Item>[] }> {
  const pages: Page<Item>[] = [];
  let cursor = '';
  do {
    const page: Page<Item> = await api.get(url + cursor);
    pages.push(page);
    cursor = page.next === null ? '' : `&cursor=${page.next}`;
  } while (cursor !== '');
  return { items: pages.flatMap(({ items }) => items), pages };
}

function counts(row: ReadingRow): row is ReadingRow & { value: number } {
  const isNumber = row.value !== null && Number.isFinite(row.value);
  return isNumber && (row.quality & 3) !== 2 && row.treatment <= Treatment.CLIPPED;
}

interface Bucket {
  channel: string;
  time_ms: number;
  end_ms: number;
  min: number | null;
  max: number | null;
  avg: number | null;
  first: number | null;
  last: number | null;
  count: number;
  filled: number;
  bad: number;
  texts: number;
}

/** By the definition. */
function bucketsOf(rows: readonly ReadingRow[], stepMs: number): Bucket[] {
  const groups = Map.groupBy(
    rows,
    (row) => `${Math.floor(row.timeMs / stepMs) * stepMs} ${row.channel}`,
  );
  return [...groups]
    .map(([key, group]) => {
      const [start = '', channel = ''] = key.split(' ');
      const good = group.filter(counts).sort((x, y) => x.timeMs - y.timeMs);
      const values = good.map((row) => row.value);
      const sum = values.reduce((total, value) => total + value, 0);
      const texts = group.filter((row) => row.text !== null).length;
      const filled = group.filter((row) => row.treatment === Treatment.FILLED).length;
      return {
        channel,
        time_ms: Number(start),
        end_ms: Number(start) + stepMs,
        min: values.length === 0 ? null : Math.min(...values),
        max: values.length === 0 ? null : Math.max(...values),
        avg: values.length === 0 ? null : sum / values.length,
        first: values[0] ?? null,
        last: values.at(-1) ?? null,
        count: values.length,
        filled,
        bad: group.length - values.length - filled - texts,
        texts,
      };
    })
    .sort((x, y) => x.time_ms - y.time_ms || (x.channel < y.channel ? -1 : 1));
}

function sameBuckets(t: Test, found: readonly Bucket[], wanted: readonly Bucket[]): void {
  const rounded = (bucket: Bucket): Bucket => ({
    ...bucket,
    avg: bucket.avg === null ? null : Math.round(bucket.avg * 1e9) / 1e9,
  });
  t.same(found.map(rounded), wanted.map(rounded));
}

t.test('single readings say what the rules did and said', async (t) => {
  interface Item {
    channel: string;
    time_ms: number;
    value: unknown;
    raw_value: number | null;
    treatment: string;
    findings: string[];
    quality: number;
    seq: number;
  }
  const { items } = await allOf<Item>(`${BASE}&limit=999`);
  t.equal(items.length, OF_D01.length);
  const bySeq = new Map(OF_D01.map((row) => [row.seq, row]));
  const wrong = items.filter((item) => {
    const row = bySeq.get(item.seq);
    const value = row?.text ?? (Number.isFinite(row?.value) ? row?.value : null);
    return (
      item.value !== value ||
      item.raw_value !== row?.rawValue ||
      item.treatment !== ['kept', 'flagged', 'clipped', 'filled', 'missing'][row.treatment] ||
      item.findings.join() !== codesOf(row.findings).join()
    );
  });
  t.same(wrong, []);
  t.match(items.find(({ treatment }) => treatment === 'filled')?.findings, ['null_value', 'late']);
});

t.test('single readings with one finding', async (t) => {
  for (const finding of ['null_value', 'late', 'out_of_range', 'stuck'] as const) {
    const wanted = OF_D01.filter((row) => (row.findings & maskOf(finding)) !== 0);
    const { items } = await allOf<{ seq: number; findings: string[] }>(
      `${BASE}&finding=${finding}&limit=50`,
    );
    t.same(
      items.map(({ seq }) => seq).toSorted((a, b) => a - b),
      wanted.map(({ seq }) => seq).toSorted((a, b) => a - b),
      finding,
    );
    t.ok(items.every(({ findings }) => findings.includes(finding)));
  }
  for (const other of ['points=10', 'step=minute', 'form=wide', 'format=csv'])
    await t.rejects(api.get(`${BASE}&finding=late&${other}`), /400.*finding is for single/, other);
  await t.rejects(api.get(`${BASE}&finding=nothing`), /400/);
});

t.test('the wide form: a row a time, marks where values are not as they came', async (t) => {
  interface Wide {
    time_ms: number;
    values: unknown[];
    marks: Record<string, { treatment: string }>;
  }
  for (const order of ['asc', 'desc']) {
    const { items, pages } = await allOf<Wide>(`${BASE}&form=wide&limit=400&order=${order}`);
    t.same(pages[0]?.channels, ['a', 'b', 'c']);
    t.equal(items.length, 1_500, order);
    t.same(
      items.map((item) => item.time_ms),
      items.map((item) => item.time_ms).toSorted((x, y) => (order === 'asc' ? x - y : y - x)),
    );
    const wrong = OF_D01.filter((row) => {
      const item = items[order === 'asc' ? 0 : items.length - 1];
      const at = items.find((one) => one.time_ms === row.timeMs) ?? item;
      const value = at?.values[['a', 'b', 'c'].indexOf(row.channel)];
      const wanted = row.text ?? (Number.isFinite(row.value) ? row.value : null);
      const mark = at?.marks[row.channel]?.treatment;
      const wantedMark =
        row.findings === 0 ? undefined : row.treatment === 3 ? 'filled' : 'clipped';
      return value !== wanted || mark !== wantedMark;
    });
    t.same(wrong, []);
  }
  const chosen = await api.get<Page<Wide>>(`${BASE}&form=wide&channels=c,nothing,a&limit=1`);
  t.same(chosen.channels, ['c', 'nothing', 'a'], 'as asked for, also what is not there');
  t.equal(chosen.items[0]?.values[1], null);
});

t.test('hostile channel names', async (t) => {
  const url = `/api/v1/readings?site=demo&device=D02&from=${START}&to=${NOW}`;
  const wide = await api.get<Page<{ values: unknown[] }>>(`${url}&form=wide`);
  t.same(wide.channels, HOSTILE.toSorted());
  t.equal(wide.items.length, 20);
  const list = HOSTILE.map(encodeURIComponent).join();
  const named = await api.get<Page<{ marks: object }>>(`${url}&channels=${list}&form=wide`);
  t.same(named.channels, HOSTILE);
  const marked = named.items.find((item) => Object.hasOwn(item.marks, '__proto__'));
  t.ok(marked, 'a channel called __proto__ has marks like any other');
});

t.test('buckets of any length, read from the readings', async (t) => {
  for (const stepMs of [7_000, 45_500, 3 * MINUTE + 1]) {
    const { items } = await allOf<Bucket>(`${BASE}&step_ms=${stepMs}&limit=500`);
    sameBuckets(t, items, bucketsOf(OF_D01, stepMs));
  }
  const wide = await api.get<Page<{ time_ms: number; values: number[] }>>(
    `${BASE}&step_ms=45500&form=wide&aggregate=max&channels=b`,
  );
  t.same(
    wide.items.map(({ time_ms, values }) => [time_ms, values[0]]),
    bucketsOf(OF_D01, 45_500)
      .filter(({ channel }) => channel === 'b')
      .map(({ time_ms, max }) => [time_ms, max]),
  );
});

/** As the roll-ups do it, up to a time. */
async function rollUp(untilMs: number): Promise<void> {
  const ranges = [{ from: START / MINUTE, to: untilMs / MINUTE }];
  const devices = [{ site: 'demo', device: 'D01', channels: 3 }];
  const slice = { devices, ranges, cells: 1_000 };
  const days = [...periodsBetween('day', SITE, START, untilMs)];
  const edges = [...days.map(({ startMs }) => startMs), days.at(-1)?.endMs ?? 0];
  for (const { sql, params } of [
    minuteStatement(slice, untilMs),
    ...hourStatements(slice, untilMs),
    ...dayStatements(slice, edges, untilMs),
  ])
    await api.store.execute(sql, params, { timeoutMs: 120_000, maxMemoryBytes: 2 ** 29 });
}

t.test(
  'buckets of whole minutes: roll-ups, and readings where those have not followed',
  async (t) => {
    for (const untilMs of [
      START,
      START + 120 * MINUTE,
      START + 240 * MINUTE,
      START + 300 * MINUTE,
    ]) {
      if (untilMs > START) await rollUp(untilMs);
      for (const stepMs of [MINUTE, 7 * MINUTE, 60 * MINUTE, 120 * MINUTE]) {
        const { items } = await allOf<Bucket>(`${BASE}&step_ms=${stepMs}&limit=700`);
        sameBuckets(t, items, bucketsOf(OF_D01, stepMs));
      }
      const { items } = await allOf<Bucket>(`${BASE}&step=minute&order=desc&channels=b`);
      const wanted = bucketsOf(OF_D01, MINUTE).filter(({ channel }) => channel === 'b');
      sameBuckets(t, items, wanted.toReversed());
    }
    const uneven = `/api/v1/readings?site=demo&device=D01&from=${START + 90_001}&to=${START + 330_001}`;
    const { items } = await api.get<Page<Bucket>>(`${uneven}&step=minute&channels=a`);
    t.same(
      items.map((bucket) => (bucket.time_ms - START) / MINUTE),
      [1, 2, 3, 4, 5],
      'whole minutes',
    );
    t.ok(asked.some((sql) => sql.includes('FROM readings_1m FINAL')));
    t.ok(asked.some((sql) => sql.includes('FROM readings_1h FINAL')));
  },
);

t.test('days are those of the site', async (t) => {
  const url = `/api/v1/readings?site=demo&device=D01&from=${START}&to=${START + 15_000_000}`;
  const { items } = await api.get<Page<Bucket>>(`${url}&step=day`);
  const [day] = periodsBetween('day', SITE, START, START + 1);
  const wanted = ['a', 'b', 'c'].flatMap((channel) => {
    const rows = OF_D01.filter((row) => row.channel === channel);
    const [bucket] = bucketsOf(rows, 365 * 86_400_000);
    return bucket === undefined
      ? []
      : [{ ...bucket, time_ms: day?.startMs ?? 0, end_ms: day?.endMs ?? 0 }];
  });
  sameBuckets(t, items, wanted);
  t.equal(new Date(items[0]?.time_ms ?? 0).toISOString(), '2026-10-31T21:00:00.000Z');
  const wide = await api.get<Page<{ values: number[] }>>(
    `${url}&step=day&form=wide&aggregate=count`,
  );
  t.same(
    wide.items[0]?.values,
    wanted.map(({ count }) => count),
  );
});

t.test('points keep the extremes, with their times', async (t) => {
  interface Point {
    channel: string;
    time_ms: number;
    value: number;
  }
  for (const points of [2, 10, 101, 5_000]) {
    const { items } = await api.get<Page<Point>>(`${BASE}&points=${points}`);
    const exact = new Set(
      OF_D01.filter(counts).map((row) => `${row.channel} ${row.timeMs} ${row.value}`),
    );
    for (const channel of ['a', 'b', 'c']) {
      const own = items.filter((item) => item.channel === channel);
      t.ok(own.length <= points, `${own.length} of at most ${points}`);
      const all = OF_D01.filter((row) => row.channel === channel).filter(counts);
      t.equal(Math.max(...own.map((p) => p.value)), Math.max(...all.map((r) => r.value)));
      t.equal(Math.min(...own.map((p) => p.value)), Math.min(...all.map((r) => r.value)));
      if (points === 5_000) t.equal(own.length, all.length, 'room for all');
    }
    t.ok(
      items.every((p) => exact.has(`${p.channel} ${p.time_ms} ${p.value}`)),
      'none made up',
    );
    t.same(
      items.map((p) => p.time_ms),
      items.map((p) => p.time_ms).toSorted((x, y) => x - y),
    );
  }
});

async function file(t: Test, url: string): Promise<{ type: string; name: string; body: Buffer }> {
  const response = await api.app.inject(url);
  t.equal(response.statusCode, 200, response.statusCode === 200 ? url : response.body);
  t.equal(Number(response.headers['content-length']), response.rawPayload.length);
  return {
    type: String(response.headers['content-type']),
    name: String(response.headers['content-disposition']),
    body: response.rawPayload,
  };
}

t.test('CSV', async (t) => {
  const long = await file(t, `${BASE}&format=csv`);
  t.match(long.type, 'text/csv');
  t.equal(long.name.split(';')[1], ` filename="D01_${START}_${START + 15_000_000}.csv"`);
  const rows = parse(long.body, { columns: true }) as Record<string, string>[];
  t.equal(rows.length, OF_D01.length);
  const sorted = OF_D01.toSorted((x, y) => x.timeMs - y.timeMs || compare(x.channel, y.channel));
  for (const [i, row] of rows.entries()) {
    const { channel, timeMs, value, text, findings, seq } = sorted[i] as ReadingRow;
    const wanted = [channel, timeMs, value === null ? '' : value, text ?? '', seq].join();
    const found = [row.channel, row.time_ms, row.value, row.text, row.seq].join();
    if (found !== wanted.replace('NaN', 'nan')) t.equal(found, wanted, `row ${i}`);
    if (row.findings !== codesOf(findings).join('|')) t.fail(`row ${i}: ${row.findings}`);
  }
  t.equal(rows[0]?.time, '2026-11-01T00:00:00.000Z');

  const wide = await file(t, `${BASE}&format=csv&form=wide&channels=c,none,a`);
  const lines = parse(wide.body, { columns: true }) as Record<string, string>[];
  t.same(Object.keys(lines[0] ?? {}), [
    'time_ms',
    'time',
    'c',
    'none',
    'a',
    'filled_channels',
    'flagged_channels',
  ]);
  t.equal(lines.length, 1_500);
  const filled = OF_D01.find((r) => r.channel === 'c' && r.treatment === Treatment.FILLED);
  const line = lines.find(({ time_ms }) => Number(time_ms) === filled?.timeMs);
  t.match(line, { c: '-500', none: '', filled_channels: /c/, flagged_channels: /c/ });

  const hostile = await file(
    t,
    `/api/v1/readings?site=demo&device=D02&from=${START}&to=${NOW}&form=wide&format=csv`,
  );
  const [head = []] = parse(hostile.body) as string[][];
  const names = [...HOSTILE].sort().map((name) => (name === 'time' ? 'time_' : name));
  t.same(head.slice(2, -2), names);
});

t.test('files of buckets and points are what JSON says', async (t) => {
  for (const more of ['&step=minute&channels=a', '&step_ms=7000', '&step=day', '&points=50']) {
    const { body } = await file(t, `${BASE}&format=csv${more}`);
    const rows = parse(body, { columns: true }) as Record<string, string>[];
    const { items } = await allOf<Record<string, unknown>>(
      `${BASE}${more}${more.includes('points') ? '' : '&limit=10000'}`,
    );
    t.equal(rows.length, items.length, more);
    const same = rows.every((row, i) =>
      Object.entries(items[i] ?? {}).every(([key, value]) => {
        if (typeof value === 'number') return Math.abs(Number(row[key]) - value) < 1e-9;
        return Array.isArray(value) || (row[key] === 'nan' ? null : row[key] || null) === value;
      }),
    );
    t.ok(same, more);
  }
  const wide = await file(t, `${BASE}&format=csv&step=hour&form=wide&aggregate=max`);
  const json = await api.get<Page<{ values: number[] }>>(
    `${BASE}&step=hour&form=wide&aggregate=max`,
  );
  const rows = parse(wide.body, { columns: true }) as Record<string, string>[];
  t.same(
    rows.map(({ a, b, c }) => [a, b, c].map(Number)),
    json.items.map(({ values }) => values),
  );
});

t.test('Parquet', async (t) => {
  for (const more of ['', '&form=wide', '&step=hour', '&points=10']) {
    const { body, type } = await file(t, `${BASE}&format=parquet${more}`);
    t.equal(type, 'application/vnd.apache.parquet');
    t.equal(body.subarray(0, 4).toString(), 'PAR1');
    t.equal(body.subarray(-4).toString(), 'PAR1');
    const path = join(t.testdir(), 'answer.parquet');
    writeFileSync(path, body);
    const csv = parse((await file(t, `${BASE}&format=csv${more}`)).body) as string[][];
    const limits = { timeoutMs: 120_000, maxRows: 100, maxMemoryBytes: 2 ** 29 };
    const [counted] = await api.store.query<{ n: number }>(
      `SELECT count() AS n FROM file('${path}', 'Parquet')`,
      {},
      limits,
    );
    t.equal(counted?.n, csv.length - 1, `${more}: as many rows as CSV`);
    const columns = await api.store.query<{ name: string; type: string }>(
      `DESCRIBE file('${path}', 'Parquet')`,
      {},
      limits,
    );
    t.same(
      columns.map(({ name }) => name),
      csv[0],
    );
    t.match(columns.find(({ name }) => name === 'time')?.type, 'DateTime64(3');
  }
});

t.test('files are bounded, and gone when they were taken', async (t) => {
  const empty = await file(
    t,
    `/api/v1/readings?site=demo&device=nobody&from=${START}&to=${NOW}&format=csv`,
  );
  t.match(empty.body.toString(), /^"channel","time_ms","time","value"/, 'columns without rows');
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => api.app.inject(`${BASE}&format=csv&form=wide`)),
  );
  const codes = answers.map(({ statusCode }) => statusCode);
  t.ok(codes.includes(200) && codes.every((code) => code === 200 || code === 503), codes.join());
  const limits = { timeoutMs: 120_000, maxRows: 10, maxMemoryBytes: 2 ** 29 };
  await t.rejects(
    api.store.exportTo('CSVWithNames', 'SELECT number FROM numbers(11)', {}, limits),
    { code: 'STORE_QUERY_REFUSED' },
  );
  const controller = new AbortController();
  const endless = api.store.exportTo(
    'Parquet',
    'SELECT sleepEachRow(1) FROM numbers(60) SETTINGS max_block_size = 1',
    {},
    { ...limits, timeoutMs: 60_000, maxRows: 1_000 },
    controller.signal,
  );
  controller.abort();
  await t.rejects(endless, { code: 'STORE_QUERY_REFUSED' });
  await until(async () => readdirSync(join(api.folder, 'store/inserts')).length === 0);
  t.pass('no file is left');
});

t.test('nothing there', async (t) => {
  const url = `/api/v1/readings?site=demo&device=nobody&from=${START}&to=${NOW}`;
  for (const more of [
    '',
    '&form=wide',
    '&step=minute',
    '&step=hour&form=wide',
    '&step=day',
    '&points=9',
  ])
    t.match(await api.get(url + more), { items: [], next: null }, more);
});

t.test('no query failed in a way that nothing expected', async (t) => {
  t.same(api.defects, []);
});
