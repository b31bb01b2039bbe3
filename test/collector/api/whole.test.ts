/** The API of a real collector: MQTT in, JSON out, and what it says is what its document promises. */

import { Ajv } from 'ajv';
import t from 'tap';
import { ledger } from '../../../collector/commands/ledger.ts';
import type { Reading } from '../../../proto/model.ts';
import { Quality, RejectReason } from '../../../proto/model.ts';
import { fmsRow } from '../../support/publisher.ts';
import { TestCollector, until } from '../../support/running-collector.ts';

const collector = new TestCollector();
const ROWS = 120;
const START = Math.floor(Date.now() / 1_000) * 1_000 - ROWS * 1_000;

t.before(async () => {
  await collector.start();
  const publisher = await collector.publisher('gw1');
  for (let i = 0; i < ROWS; i += 20) {
    const rows: Reading[] = [];
    for (let k = i; k < i + 20; k++) rows.push(...fmsRow('D01', START + k * 1_000));
    await publisher.readings(rows);
  }
  const odd: Reading = { device: 'D 02/é"<b>', channel: 'x', timeMs: START, value: 1, quality: 0 };
  await publisher.readings(
    [
      odd,
      { ...odd, channel: 'null', value: null, quality: Quality.NULL },
      { ...odd, channel: 'wild', value: Number.NaN, quality: Quality.NOT_FINITE },
      { ...odd, channel: 'huge', value: 1e308 },
      { ...odd, channel: 'huge', value: 1e308, timeMs: START + 1 },
      { ...odd, channel: 'text', value: '가나다\u0000\n"' },
      { ...odd, channel: 'flag', value: true },
    ],
    [
      {
        timeMs: START,
        device: 'D03',
        reason: RejectReason.GARBAGE,
        detail: 'no JSON',
        head: Buffer.from([0, 255, 1]),
      },
    ],
  );
  await publisher.state({ version: '0.9.9', bufferReadings: 7, bufferSecondsUntilEviction: 99 });
  await publisher.close();
  const total = ROWS * 7 + 7;
  await until(async () => {
    const { body } = await collector.get('/api/v1/ledger?count_rows=true');
    const totals = body.totals as { rows_in_store: number; quarantined: number };
    return totals.rows_in_store === total && totals.quarantined === 1;
  });
});

t.teardown(() => collector.remove());

interface Operation {
  responses: Record<string, { content: Record<string, { schema: object }> }>;
}

t.test('answers are as the document says', async (t) => {
  const { body } = await collector.get('/api/v1/openapi.json');
  const paths = body.paths as Record<string, { get: Operation }>;
  const ajv = new Ajv({ strict: false, allErrors: true });
  const device = encodeURIComponent('D 02/é"<b>');
  for (const url of [
    '/healthz',
    '/readyz',
    '/api/v1/overview',
    '/api/v1/gateways',
    '/api/v1/devices',
    '/api/v1/readings?site=demo&device=D01',
    `/api/v1/readings?site=demo&device=${device}`,
    `/api/v1/readings?site=demo&device=${device}&step_ms=1000`,
    '/api/v1/quarantine',
    '/api/v1/events',
    '/api/v1/ledger',
  ]) {
    const answer = await collector.get(url);
    t.equal(answer.status, 200, url);
    const operation = paths[url.split('?')[0] ?? '']?.get;
    const schema = operation?.responses['200']?.content['application/json']?.schema ?? {};
    t.ok(ajv.validate(schema, answer.body), `${url}: ${ajv.errorsText()}`);
    const { items } = answer.body as { items?: unknown[] };
    if (items !== undefined) t.ok(items.length > 0, `${url} has something to check`);
  }
});

t.test('readings by pages, both ways, are each there once', async (t) => {
  for (const order of ['asc', 'desc']) {
    const keys: string[] = [];
    const times: number[] = [];
    let cursor = '';
    do {
      const { body } = await collector.get(
        `/api/v1/readings?site=demo&device=D01&order=${order}&limit=100${cursor}`,
      );
      for (const item of body.items as { channel: string; time_ms: number; seq: number }[]) {
        keys.push(`${item.channel} ${item.time_ms} ${item.seq}`);
        times.push(item.time_ms);
      }
      cursor = body.next === null ? '' : `&cursor=${body.next}`;
    } while (cursor !== '');
    t.equal(keys.length, ROWS * 7, order);
    t.equal(new Set(keys).size, ROWS * 7);
    const sorted = times.toSorted((a, b) => (order === 'asc' ? a - b : b - a));
    t.same(times, sorted);
  }
});

t.test('channels and times are chosen', async (t) => {
  const from = START + 10_000;
  const { body } = await collector.get(
    `/api/v1/readings?site=demo&device=D01&channels=motor1,isFail&from=${from}&to=${from + 3_000}`,
  );
  const items = body.items as { channel: string; time_ms: number; value: number }[];
  t.equal(items.length, 6, '3 times, end excluded, 2 channels');
  t.same(new Set(items.map((i) => i.channel)), new Set(['motor1', 'isFail']));
  const [expected] = fmsRow('D01', from).filter((r) => r.channel === 'motor1');
  t.equal(items.find((i) => i.channel === 'motor1')?.value, expected?.value);
});

t.test('buckets keep extremes and count what is bad', async (t) => {
  const { body } = await collector.get(
    `/api/v1/readings?site=demo&device=D01&channels=sensor1&step_ms=30000&from=${START}&to=${START + ROWS * 1_000}`,
  );
  interface Bucket {
    time_ms: number;
    min: number;
    max: number;
    avg: number;
    last: number;
    count: number;
  }
  const buckets = body.items as Bucket[];
  t.equal(
    buckets.reduce((sum, b) => sum + b.count, 0),
    ROWS,
  );
  const all = Array.from({ length: ROWS }, (_, i) => START + i * 1_000).map((timeMs) => {
    const value = fmsRow('D01', timeMs).find((r) => r.channel === 'sensor1')?.value as number;
    return { timeMs, value };
  });
  for (const bucket of buckets) {
    t.equal(bucket.time_ms % 30_000, 0);
    const within = all.filter((r) => Math.floor(r.timeMs / 30_000) * 30_000 === bucket.time_ms);
    t.equal(bucket.min, Math.min(...within.map((r) => r.value)));
    t.equal(bucket.max, Math.max(...within.map((r) => r.value)));
    t.equal(bucket.last, within.at(-1)?.value);
  }
  const device = encodeURIComponent('D 02/é"<b>');
  const odd = await collector.get(`/api/v1/readings?site=demo&device=${device}&step_ms=1000`);
  const byChannel = new Map(
    (odd.body.items as { channel: string }[]).map((bucket) => [bucket.channel, bucket]),
  );
  t.match(byChannel.get('null'), { min: null, avg: null, count: 0, bad: 1 });
  t.match(byChannel.get('wild'), { max: null, count: 0, bad: 1 });
  t.match(byChannel.get('huge'), { min: 1e308, max: 1e308, avg: 1e308, count: 2 });
  t.match(byChannel.get('text'), { count: 0, bad: 0 });
});

t.test('odd names and values come back as they went in', async (t) => {
  const device = encodeURIComponent('D 02/é"<b>');
  const { body } = await collector.get(`/api/v1/readings?site=demo&device=${device}`);
  const values = new Map(
    (body.items as { channel: string; value: unknown; time_ms: number }[])
      .filter((item) => item.time_ms === START)
      .map((item) => [item.channel, item.value]),
  );
  t.same(Object.fromEntries(values), {
    x: 1,
    null: null,
    wild: null,
    huge: 1e308,
    text: '가나다\u0000\n"',
    flag: 1,
  });
});

t.test('quarantine and events', async (t) => {
  const { body } = await collector.get('/api/v1/quarantine?site=demo&device=D03');
  t.match(body.items, [
    {
      reason: 'garbage',
      detail: 'no JSON',
      head_base64: Buffer.from([0, 255, 1]).toString('base64'),
    },
  ]);
  t.same((await collector.get('/api/v1/quarantine?device=nobody')).body.items, []);
  const kinds: string[] = [];
  let cursor = '';
  do {
    const page = await collector.get(`/api/v1/events?limit=1${cursor}`);
    kinds.push(...(page.body.items as { kind: string }[]).map((event) => event.kind));
    cursor = page.body.next === null ? '' : `&cursor=${page.body.next}`;
  } while (cursor !== '');
  t.ok(kinds.includes('gateway_online'), kinds.join());
});

t.test('gateways and metrics say what the gateway said', async (t) => {
  const { body } = await collector.get('/api/v1/gateways');
  t.match(body.items, [
    { gateway: 'gw1', version: '0.9.9', buffer: { readings: 7, seconds_until_eviction: 99 } },
    { gateway: 'gw2', status: 'never_seen' },
  ]);
  const response = await fetch(`${collector.base}/metrics`);
  t.match(response.headers.get('content-type'), 'text/plain');
  const text = await response.text();
  for (const line of [
    'fms_collector_gateway_buffer_seconds_until_eviction{site="demo",gateway="gw1"} 99',
    `fms_collector_ledger_readings{site="demo",gateway="gw1",state="stored"} ${ROWS * 7 + 7}`,
    'fms_collector_ledger_balance_readings{site="demo",gateway="gw1"} 0',
    'fms_collector_ready{check="writers"} 1',
    'fms_collector_mqtt_records_total{kind="batch"} 7',
  ])
    t.ok(text.includes(line), line);
  for (const line of text.split('\n').filter((l) => l !== '' && !l.startsWith('#')))
    t.match(line, /^[a-z_0-9]+(\{.*\})? (NaN|[-+]?Inf|[-+0-9.e]+)$/, 'Prometheus text');
});

interface Stream {
  text: () => string;
  close: () => void;
}

async function openStream(query: string, headers: Record<string, string> = {}): Promise<Stream> {
  const controller = new AbortController();
  const response = await fetch(`${collector.base}/api/v1/stream?${query}`, {
    headers,
    signal: controller.signal,
  });
  t.equal(response.status, 200);
  t.match(response.headers.get('content-type'), 'text/event-stream');
  t.match(response.headers.get('content-security-policy'), "default-src 'none'");
  let text = '';
  const decoder = new TextDecoder();
  const reading = (async () => {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk, { stream: true });
  })().catch(() => undefined);
  return {
    text: () => text,
    close: () => {
      controller.abort();
      void reading;
    },
  };
}

t.test('the stream: live, filtered, and from where one left off', async (t) => {
  const publisher = await collector.publisher('gw2');
  t.teardown(() => publisher.close());
  const stream = await openStream('site=demo&device=S01');
  await until(async () => stream.text().includes('event: hello'));
  await publisher.readings(fmsRow('S02', START));
  await publisher.readings(fmsRow('S01', START));
  await until(async () => stream.text().includes('event: readings'));
  t.notOk(stream.text().includes('S02'), 'only what was asked for');
  t.match(stream.text(), /"channel":"sensor1","time_ms":\d+,"value":[\d.]+,"quality":0/);
  const lastId = [...stream.text().matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? '';
  stream.close();

  await publisher.readings(fmsRow('S01', START + 1_000));
  await publisher.readings(fmsRow('S01', START + 2_000));
  await until(async () => {
    const { body } = await collector.get('/api/v1/devices?search=S01');
    return (body.items as { last_ms: number }[])[0]?.last_ms === START + 2_000;
  });
  const resumed = await openStream('site=demo&device=S01', { 'last-event-id': lastId });
  await until(async () => resumed.text().includes(`"time_ms":${START + 2_000}`));
  t.ok(resumed.text().includes(`"time_ms":${START + 1_000}`), 'what was missed came first');
  t.notOk(resumed.text().includes(`"time_ms":${START},`), 'what was had did not come again');
  resumed.close();

  const old = await openStream('site=demo', { 'last-event-id': 'of another log' });
  await until(async () => old.text().includes('event: lost'));
  t.match(old.text(), /"reason":"too_old"/);
  old.close();
  await until(async () => {
    const text = await (await fetch(`${collector.base}/metrics`)).text();
    return text.includes('fms_collector_stream_clients 0');
  });
  t.pass('streams that were left are forgotten');
});

t.test('the ledger command', async (t) => {
  const lines: string[] = [];
  const output = { log: (s: string) => lines.push(s), error: (s: string) => lines.push(s) };
  await until(async () => {
    const { body } = await collector.get('/api/v1/ledger');
    return (body.totals as { gateways: number }).gateways === 2;
  });
  t.equal(await ledger({ config: '', url: collector.base }, {}, output), 0);
  const text = lines.join('\n');
  t.match(text, /GATEWAY +EPOCHS +SENT +STORED/);
  t.match(text, /demo\/gw1 +1 +848 +847 +1 +0 +0 +ok +0/);
  t.match(text, 'Every reading is accounted for.');
  lines.length = 0;
  t.equal(await ledger({ config: '', url: collector.base, json: true }, {}, output), 0);
  t.match(JSON.parse(lines.join('')), { totals: { balance: 0 } });
  lines.length = 0;
  const deep = { config: '', url: collector.base, deep: true };
  t.equal(await ledger(deep, {}, output), 0);
  t.match(
    lines.at(-1),
    /The tables hold what the ledger says: [\d,]+ readings and 1 in quarantine/,
  );
  lines.length = 0;
  t.equal(await ledger({ ...deep, site: 'demo', gateway: 'gw1', json: true }, {}, output), 0);
  const counts = { ok: true, epochs: 1, readings: 847, quarantined: 1, problems: 0, found: [] };
  t.match(JSON.parse(lines.at(-1) ?? ''), counts);
  lines.length = 0;
  t.equal(await ledger({ config: '', url: 'http://127.0.0.1:9' }, {}, output), 3);
  t.match(lines.join(''), 'COLLECTOR_UNREACHABLE');
});

t.test('after a restart all is there again, and streams were ended', async (t) => {
  const stream = await openStream('site=demo');
  const startedMs = performance.now();
  await collector.stop();
  t.ok(performance.now() - startedMs < 60_000, 'streams do not hold it up');
  stream.close();
  await collector.start();
  await until(async () => {
    const { body } = await collector.get('/api/v1/devices');
    const { items } = body as { items: { device: string; channels: object[] }[] };
    return items.length === 4 && items.every(({ channels }) => channels.length > 0);
  });
  const { body } = await collector.get('/api/v1/devices?device=D01');
  t.match(body.items, [{ device: 'D01', last_ms: START + (ROWS - 1) * 1_000 }]);
  t.match((await collector.get('/api/v1/gateways')).body.items, [{ version: '0.9.9' }, {}]);
  t.match((await collector.get('/api/v1/ledger')).body.totals, { gateways: 2, balance: 0 });
});
