/** Collectors that share a log, in one process over a SQLite log: taken over, left, fenced, waiting. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { stringify } from 'yaml';
import type { RunningCollector } from '../../collector/collector.ts';
import { startCollector } from '../../collector/collector.ts';
import type { Component } from '../../collector/config.ts';
import { loadConfig } from '../../collector/config.ts';
import { CollectorError } from '../../collector/errors.ts';
import type { Log } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import type { Store } from '../../collector/store/store.ts';
import { QUICK } from '../support/api-context.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { fmsRow, Publisher } from '../support/publisher.ts';
import { silentLogger } from '../support/silent-logger.ts';

t.setTimeout(1_200_000);

const TOKEN = 'token-of-the-gateway';

/** Without rows; what is asked of it is answered with none. */
class EmptyStore extends MemoryStore {
  override async query<Row>(): Promise<Row[]> {
    return [];
  }
  override async execute(): Promise<void> {}
  override stats(): ReturnType<Store['stats']> {
    return { ready: true, insertedRowsTotal: 0, insertErrorsTotal: 0, lastError: '' };
  }
}

class Scene {
  readonly store = new EmptyStore();
  readonly messages: { fields: object; message: string }[] = [];
  /** Undefined: it opens. */
  logFault: CollectorError | undefined;
  readonly log: Log;
  readonly #t: Test;
  readonly #folder: string;
  #count = 0;

  static async open(t: Test): Promise<Scene> {
    const folder = mkdtempSync(join(tmpdir(), 'fms-components-'));
    const log = await openSqliteLog({
      path: join(folder, 'log.sqlite'),
      partitions: 4,
      maxBytes: 2 ** 30,
      retentionBytes: 2 ** 29,
      retentionMs: 1e9,
      clock: { wallMs: () => Date.now() },
      log: silentLogger,
    });
    return new Scene(t, folder, log);
  }

  private constructor(t: Test, folder: string, log: Log) {
    this.#t = t;
    this.#folder = folder;
    this.log = log;
    t.teardown(async () => {
      await log.close();
      rmSync(folder, { recursive: true, force: true });
    });
  }

  async start(components: readonly Component[]): Promise<Instance> {
    const file = join(this.#folder, `${++this.#count}.yaml`);
    const content = {
      data_dir: `./data-${this.#count}`,
      components: [...components],
      mqtt: { port: 0 },
      http: { port: 0 },
      access: { this_machine: 'admin' },
      log: { partitions: 4, kafka: { brokers: ['localhost:1'] } },
      store: { clickhouse: { url: 'http://localhost:1' } },
      gateways: [{ site: 'demo', gateway: 'gw1', token: TOKEN }],
    };
    writeFileSync(file, stringify(content));
    const note = (fields: object, message: string): void => {
      this.messages.push({ fields, message });
    };
    const collector = await startCollector(loadConfig(file), {
      clock: { wallMs: () => Date.now() },
      logger: { info: note, warn: note, error: note },
      version: '0.0.0-test',
      passwordCost: QUICK,
      openLog: async () => {
        if (this.logFault !== undefined) throw this.logFault;
        return shared(this.log);
      },
      openStore: async () => shared(this.store),
    });
    const instance = new Instance(collector);
    this.#t.teardown(() => collector.stop());
    return instance;
  }
}

/** The others still use it after one has closed it. */
function shared<T extends Log | Store>(inner: T): T {
  return new Proxy(inner, {
    get: (target, key) => {
      if (key === 'close') return async () => undefined;
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

interface Check {
  name: string;
  ready: boolean;
  reason: string;
}

class Instance {
  readonly collector: RunningCollector;

  constructor(collector: RunningCollector) {
    this.collector = collector;
  }

  get base(): string {
    return `http://127.0.0.1:${this.collector.httpPort}`;
  }

  async checks(): Promise<Check[]> {
    const { checks } = (await (await fetch(`${this.base}/readyz`)).json()) as { checks: Check[] };
    return checks;
  }

  async check(name: string): Promise<Check | undefined> {
    return (await this.checks()).find((check) => check.name === name);
  }

  async untilReady(): Promise<void> {
    await until(
      async () => (await fetch(`${this.base}/readyz`)).ok,
      () => this.checks(),
    );
  }

  async owned(component: 'process' | 'write'): Promise<number> {
    const text = await (await fetch(`${this.base}/metrics`)).text();
    const match = new RegExp(`owned_partitions\\{component="${component}"\\} (\\d+)`).exec(text);
    return Number(match?.[1] ?? -1);
  }
}

async function until(isSo: () => Promise<boolean>, more?: () => Promise<unknown>): Promise<void> {
  const endMs = performance.now() + 60_000;
  while (!(await isSo().catch(() => false))) {
    if (performance.now() > endMs)
      throw new Error(`still not so after a minute: ${isSo} ${JSON.stringify(await more?.())}`);
    await delay(20);
  }
}

t.test('one has all, two share, and who leaves gives back at once', async (t) => {
  const scene = await Scene.open(t);
  const first = await scene.start(['intake', 'process', 'write', 'serve']);
  await first.untilReady();
  t.equal(await first.owned('process'), 4);
  t.equal(await first.owned('write'), 4);
  const publisher = await Publisher.connect({
    port: first.collector.mqttPort,
    site: 'demo',
    gateway: 'gw1',
    token: TOKEN,
  });
  t.teardown(() => publisher.close());
  await publisher.readings(fmsRow('D01', Date.now()));
  await until(async () => scene.store.rows.readings.length === 7);

  const second = await scene.start(['process', 'write']);
  await second.untilReady();
  await until(async () => (await second.owned('process')) === 2);
  await until(async () => (await first.owned('write')) === 2);
  t.equal((await fetch(`${second.base}/api/v1/gateways`)).status, 404);
  await first.untilReady();
  await publisher.readings(fmsRow('D01', Date.now()));
  await until(async () => scene.store.rows.readings.length === 14);

  const leftMs = performance.now();
  await second.collector.stop();
  await until(async () => (await first.owned('process')) === 4);
  t.ok(performance.now() - leftMs < 8_000, 'nobody waited for its silence');
  await first.untilReady();
  await publisher.readings(fmsRow('D01', Date.now()));
  await until(async () => scene.store.rows.readings.length === 21);
});

t.test(
  'fenced by a process that nobody knows: it waits, and takes the partition again',
  async (t) => {
    const scene = await Scene.open(t);
    const one = await scene.start(['process', 'write', 'serve']);
    await one.untilReady();
    for (let partition = 0; partition < 4; partition++) await scene.log.openProcessor(partition);
    await until(async () => (await one.check('processor'))?.ready === false);
    t.match(await one.check('processor'), { reason: /LOG_FENCED/ });
    await one.untilReady();
    t.pass('all is taken over again');
  },
);

t.test('in any order: each says what it waits for', async (t) => {
  const scene = await Scene.open(t);
  scene.logFault = new CollectorError('LOG_UNAVAILABLE', 'no broker answers');
  const intake = await scene.start(['intake']);
  await until(async () => /no broker answers/.test((await intake.check('log'))?.reason ?? ''));
  t.equal((await fetch(`${intake.base}/healthz`)).status, 200);
  scene.logFault = new CollectorError('LOG_TOPIC_INVALID', 'fms.raw: retention.ms is 1');
  await until(async () => /retention\.ms/.test((await intake.check('log'))?.reason ?? ''));
  t.ok(
    scene.messages.some(({ fields }) => 'code' in fields && fields.code === 'LOG_TOPIC_INVALID'),
  );
  scene.logFault = undefined;
  await until(async () => (await intake.check('log'))?.ready === true);
  t.match(await intake.check('broker'), { ready: false, reason: /a process with write/ });
  t.equal((await scene.log.bounds('raw', 0)).next, 0, 'nothing is appended');
  t.match(await intake.check('components'), { ready: true, reason: /process; .* write; .* serve/ });

  const write = await scene.start(['write']);
  await until(async () => /device profiles/.test((await intake.check('broker'))?.reason ?? ''));
  const serve = await scene.start(['serve']);
  await intake.untilReady();
  for (let partition = 0; partition < 4; partition++) {
    const [record] = await scene.log.read('raw', partition, 0, { maxRecords: 1, maxBytes: 1e6 });
    t.equal(record?.kind, 'configuration', 'before any reading');
  }
  await Promise.all([write.untilReady(), serve.untilReady()]);
  const process = await scene.start(['process']);
  await process.untilReady();
  t.match(await intake.check('components'), { ready: true, reason: '' });
});

t.test('two that start at once have the same users, and say the first password once', async (t) => {
  const scene = await Scene.open(t);
  const [one, two] = await Promise.all([scene.start(['write', 'serve']), scene.start(['serve'])]);
  const said = (): Record<string, unknown>[] =>
    scene.messages
      .map(({ fields }) => fields as Record<string, unknown>)
      .filter((fields) => 'first_password' in fields);
  await until(async () => said().length > 0);
  await Promise.all([one.untilReady(), two.untilReady()]);
  t.equal(said().length, 1);
  const body = JSON.stringify({ name: 'admin', password: said()[0]?.first_password });
  const headers = { 'content-type': 'application/json' };
  const login = await fetch(`${two.base}/api/v1/session`, { method: 'POST', headers, body });
  t.equal(login.status, 201);
  const { csrf } = (await login.json()) as { csrf: string };
  const cookie = login.headers.get('set-cookie')?.split(';')[0] ?? '';
  const who = async ({ base }: Instance): Promise<string> => {
    const answer = await fetch(`${base}/api/v1/session`, { headers: { cookie } });
    return ((await answer.json()) as { user: { name: string } }).user.name;
  };
  await until(async () => (await who(one)) === 'admin');
  const out = await fetch(`${one.base}/api/v1/session`, {
    method: 'DELETE',
    headers: { cookie, 'x-csrf-token': csrf },
  });
  t.equal(out.status, 204);
  await until(async () => (await who(two)) === 'local');
  t.equal(await who(one), 'local', 'the cookie is worth nothing at either');
});

t.test('jobs run in one of two; the other passes on, and takes over', async (t) => {
  const scene = await Scene.open(t);
  const one = await scene.start(['write', 'serve']);
  await one.untilReady();
  const two = await scene.start(['serve']);
  await two.untilReady();
  const names = async ({ base }: Instance): Promise<number> => {
    const response = await fetch(`${base}/api/v1/jobs`);
    const { items } = (await response.json()) as { items: unknown[] };
    return items.length;
  };
  await until(async () => (await names(one)) > 0);
  await until(async () => (await names(two)) > 0);
  const messages = scene.messages.filter(({ message }) => message.includes('runs the jobs'));
  t.equal(messages.length, 1);
  const run = await fetch(`${two.base}/api/v1/jobs/statistics-daily/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  t.equal(run.status, 200);
  t.match(await run.text(), /"units":0/);
  const unknown = await fetch(`${two.base}/api/v1/jobs/cook/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  t.equal(unknown.status, 404);
  t.match(await unknown.json(), { error: { code: 'JOB_UNKNOWN' } });
  const remote = await fetch(`${two.base}/api/v1/jobs/statistics-daily/run`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'x-forwarded-for': '1.2.3.4',
      'fms-member': 'x',
    },
    body: '{}',
  });
  t.equal(remote.status, 401, 'a secret that nobody has opens nothing');
  await one.collector.stop();
  await until(async () => (await names(two)) > 0);
  await until(async () => {
    return scene.messages.filter(({ message }) => message.includes('runs the jobs')).length === 2;
  });
  t.pass('the second one has them');
});
