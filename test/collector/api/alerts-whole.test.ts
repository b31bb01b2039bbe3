/** Alerts, anomalies and silences of a real collector: from its log to lists, streams and metrics, and back. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { stringify } from 'yaml';
import type { RunningCollector } from '../../../collector/collector.ts';
import { startCollector } from '../../../collector/collector.ts';
import { loadConfig } from '../../../collector/config.ts';
import type { Log } from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import type { Entries } from '../../support/alert-entries.ts';
import {
  alertEntry,
  anomalyEntry,
  idOf,
  recordsOf,
  resolved,
} from '../../support/alert-entries.ts';
import { until } from '../../support/running-collector.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const folder = mkdtempSync(join(tmpdir(), 'fms-alerts-'));
const file = join(folder, 'collector.yaml');
writeFileSync(
  file,
  stringify({
    data_dir: './data',
    mqtt: { port: 0 },
    http: { port: 0 },
    access: { this_machine: 'admin' },
    log: { partitions: 3 },
    sites: { demo: { time_zone: 'Asia/Seoul' } },
    gateways: [{ site: 'demo', gateway: 'gw1', token: 'a-token-of-gateway-1' }],
  }),
);
let collector: RunningCollector;
let log: Log;

async function start(): Promise<void> {
  collector = await startCollector(loadConfig(file), {
    clock: { wallMs: () => Date.now() },
    logger: silentLogger,
    version: '0.0.0-test',
    openLog: async (options) => {
      log = await openSqliteLog(options);
      return log;
    },
  });
  await until(async () => (await fetch(`${base()}/readyz`)).ok);
}

function base(): string {
  return `http://127.0.0.1:${collector.httpPort}`;
}

t.before(start);
t.teardown(async () => {
  await collector.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Item {
  id: string;
  kind: string;
  state: string;
  mark: string | null;
  detail: Record<string, unknown>;
}

async function items(path: string): Promise<Item[]> {
  const response = await fetch(`${base()}/api/v1/${path}`);
  return ((await response.json()) as { items: Item[] }).items;
}

async function send(method: string, path: string, body?: object): Promise<{ id: string }> {
  const response = await fetch(`${base()}/api/v1/${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as { id: string };
  if (response.status !== 202) throw new Error(JSON.stringify(answer));
  return answer;
}

async function metric(name: string): Promise<string | undefined> {
  const text = await (await fetch(`${base()}/metrics`)).text();
  return text.split('\n').find((line) => line.startsWith(`fms_collector_${name}`));
}

/** As the processor of the gateway's partition does. */
async function putOut(entries: Entries): Promise<void> {
  for (const record of recordsOf(entries))
    await log.append('events', 1, { key: 'demo/gw1', ...record });
}

t.test('a silence is set, shown, kept, and ended', async (t) => {
  const until_ms = Date.now() + 3_600_000;
  const { id } = await send('POST', 'silences', { device: 'D0*', until_ms, reason: '점검' });
  await until(async () => (await items('silences?ended=false')).length === 1);
  t.match(await items('silences'), [{ id, state: 'active', device: 'D0*', reason: '점검' }]);
  for (const partition of [0, 1, 2]) {
    const { first, next } = await log.bounds('raw', partition);
    const records = await log.read('raw', partition, first, { maxRecords: 1_000, maxBytes: 1e6 });
    t.ok(next > 0 && records.some(({ kind }) => kind === 'silence'), `partition ${partition}`);
  }
  await until(async () => (await items('events?kind=silence_set')).length === 1);
  await collector.stop();
  await start();
  t.match(await items('silences?ended=false'), [{ id }], 'after a restart');
  await send('DELETE', `silences/${id}`);
  await until(async () => (await items('silences?ended=true')).length === 1);
  t.same(await items('silences?ended=false'), []);
});

t.test('an alert is listed, counted, and over', async (t) => {
  const name = 'alerts{severity="CRITICAL",state="firing"}';
  t.equal(await metric(name), `fms_collector_${name} 0`);
  const alert = alertEntry(1, { severity: 'CRITICAL' });
  await putOut({ alerts: [alert] });
  await until(async () => (await items('alerts?active=true')).length === 1);
  t.equal(await metric(name), `fms_collector_${name} 1`);
  await until(async () => (await items('alerts')).length === 1);
  await collector.stop();
  await start();
  t.match(await items('alerts?active=true'), [{ id: alert.id, values: alert.values }]);
  await putOut({ alerts: [resolved(alert)] });
  await until(async () => (await items('alerts?active=false')).length === 1);
  t.same(await items('alerts?active=true'), []);
  t.equal(await metric(name), `fms_collector_${name} 0`);
});

t.test('an anomaly is marked, shown so, and counted', async (t) => {
  await putOut({ anomalies: [anomalyEntry(1), anomalyEntry(2, { detector: 'drift' })] });
  await until(async () => (await metric('anomalies_open')) === 'fms_collector_anomalies_open 2');
  const controller = new AbortController();
  const stream = await fetch(`${base()}/api/v1/stream?site=demo`, { signal: controller.signal });
  let text = '';
  const reading = (async () => {
    for await (const part of stream.body ?? []) text += Buffer.from(part).toString();
  })().catch(() => undefined);
  await send('POST', `anomalies/${idOf(1)}/mark`, { mark: 'false', by: 'Lee', note: '청소' });
  await until(async () => text.includes('event: anomaly'));
  t.match(text, /"id":"0000000000000001".*"mark":"false","marked_by":"Lee","marked_note":"청소"/);
  controller.abort();
  await reading;
  await until(async () => (await items('anomalies?mark=false')).length === 1);
  t.match(await items('anomalies?mark=none'), [{ id: idOf(2), state: 'open' }]);
  t.match(await items('anomalies/summary'), [
    { detector: 'drift', anomalies: 1, unmarked: 1 },
    { detector: 'novelty', anomalies: 1, marked_false: 1, unmarked: 0 },
  ]);
});
