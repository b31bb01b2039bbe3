/**
 * `npm start` as a user runs it: live devices, Ctrl-C, again on the same folder, a taken port, a
 * recording. At the end the store is compared with what the simulators say that they sent.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { Treatment } from '../../collector/findings.ts';
import { pathsOf, prepareFolder } from '../../simulators/demo/folder.ts';
import type { TruthRow } from '../../simulators/truth.ts';
import { readTruth } from '../../simulators/truth.ts';
import { freePort } from '../support/free-port.ts';
import { repository, until } from '../support/plant.ts';
import type { Comparison, Excuse, StoredReading } from '../support/truth-comparison.ts';
import { compareWithTruth } from '../support/truth-comparison.ts';

t.setTimeout(1_200_000);
// Each has a folder and ports of its own, and much of it is waiting.
t.jobs = 2;

interface Ports {
  http: number;
  mqtt: number;
  sim: number;
  status: number;
}

async function freePorts(): Promise<Ports> {
  const http = await freePort();
  const mqtt = await freePort();
  const sim = await freePort();
  return { http, mqtt, sim, status: await freePort() };
}

function environmentOf(folder: string, ports: Ports): NodeJS.ProcessEnv {
  return {
    ...process.env,
    FMS_DATA: folder,
    FMS_HTTP_PORT: String(ports.http),
    FMS_MQTT_PORT: String(ports.mqtt),
    FMS_SIM_PORT: String(ports.sim),
    FMS_STATUS_PORT: String(ports.status),
  };
}

/** A running demo: what it has printed, and its end. */
class RunningDemo {
  readonly child: ChildProcess;
  said = '';
  readonly ended: Promise<number | null>;

  constructor(t: Test, env: NodeJS.ProcessEnv, args: string[] = []) {
    this.child = spawn(process.execPath, ['simulators/main.ts', 'demo', ...args], {
      cwd: repository,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.on('data', (piece: Buffer) => {
        this.said += piece.toString('utf8');
      });
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
    // SIGTERM: it ends its own programs, which SIGKILL would leave behind.
    t.teardown(async () => {
      this.child.kill('SIGTERM');
      await this.ended;
    });
  }

  saying(pattern: RegExp): Promise<RegExpExecArray> {
    return until(`the demo to say ${pattern}; it said:\n${this.said}`, 240_000, () => {
      const found = pattern.exec(this.said);
      if (found !== null) return found;
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.said}`);
      return undefined;
    });
  }

  /** As the terminal does on Ctrl-C. */
  async interrupt(): Promise<{ code: number | null; excuse: Excuse; ms: number }> {
    const fromMs = Date.now();
    this.child.kill('SIGINT');
    const code = await this.ended;
    // Answers on their way while the agent was ending were sent, but not read.
    // On a busy machine they are long on their way; how many may be excused is checked.
    const excuse = { fromMs: fromMs - 5_000, toMs: Date.now() };
    return { code, excuse, ms: Date.now() - fromMs };
  }
}

async function api<T>(ports: Ports, path: string): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${ports.http}/api/v1/${path}`);
  if (!response.ok) throw new Error(`GET ${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

interface Page {
  items: {
    channel: string;
    time_ms: number;
    value: number | string | null;
    raw_value: number | string | null;
    /** By name. */
    treatment: string;
    quality: number;
    epoch: string;
    seq: number;
  }[];
  next: string | null;
}

async function storedOf(ports: Ports, device: string): Promise<StoredReading[]> {
  const rows: StoredReading[] = [];
  let cursor: string | null = '';
  while (cursor !== null) {
    const query = new URLSearchParams({ site: 'demo', device, from: '0', limit: '10000' });
    if (cursor !== '') query.set('cursor', cursor);
    const page: Page = await api<Page>(ports, `readings?${query}`);
    for (const { value, treatment, ...item } of page.items) {
      const isText = typeof value === 'string';
      const values = { value: isText ? null : value, text: isText ? value : null };
      const number = Treatment[treatment.toUpperCase() as keyof typeof Treatment];
      rows.push({ ...item, findings: 0, treatment: number, device, ...values });
    }
    cursor = page.next;
  }
  return rows;
}

async function truthOf(file: string): Promise<TruthRow[]> {
  const rows: TruthRow[] = [];
  for await (const entry of readTruth(file)) if (entry.type === 'row') rows.push(entry);
  return rows;
}

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'fms-demo-'));
  t.teardown(() => {
    if (t.passing()) rmSync(folder, { recursive: true, force: true });
    else t.comment(`folder kept: ${folder}`);
  });
  return folder;
}

/** As the demo writes it, with time for a busy machine: an answer that came too late counts as unread. */
function beforehand(folder: string): void {
  const paths = pathsOf(folder);
  prepareFolder(paths);
  const agent = readFileSync(paths.agent, 'utf8');
  writeFileSync(paths.agent, agent.replaceAll('timeout_ms: 1500', 'timeout_ms: 60000'));
}

t.test('live, Ctrl-C, again: nothing is lost or doubled', async (t) => {
  const folder = folderOf(t);
  beforehand(folder);
  const ports = await freePorts();
  const env = environmentOf(folder, ports);
  const excuses: Excuse[] = [];
  const first = new RunningDemo(t, env);
  const [, seconds] = await first.saying(/5 devices are live, ([\d.]+) s after the start/);
  t.comment(`live after ${seconds} s`);
  t.match(first.said, new RegExp(`Open http://127\\.0\\.0\\.1:${ports.http}/`));
  t.match(first.said, folder, 'it names its folder');
  const { items } = await api<{ items: { device: string; channels: unknown[] }[] }>(
    ports,
    'devices',
  );
  t.same(
    items.map(({ device, channels }) => [device, channels.length]),
    ['D01', 'D02', 'D03', 'D04', 'D05'].map((device) => [device, 7]),
  );
  t.equal((await fetch(`http://127.0.0.1:${ports.http}/`)).status, 200, 'the page');
  const [, password] = await first.saying(/log in as admin, password ([a-z0-9-]+)/);
  const login = await fetch(`http://127.0.0.1:${ports.http}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'admin', password }),
  });
  t.match([login.status, await login.json()], [201, { must_change_password: true }]);

  const same = new RunningDemo(t, env);
  t.equal(await same.ended, 1);
  t.match(same.said, /SIM_DEMO_RUNNING/, 'a second one on the folder is refused');
  const other = new RunningDemo(t, environmentOf(folderOf(t), ports));
  t.equal(await other.ended, 1);
  for (const [name, port] of Object.entries(ports))
    t.match(other.said, new RegExp(`port ${port} .* is taken .*--${name}-port \\d+`), 'taken port');

  const stopped = await first.interrupt();
  excuses.push(stopped.excuse);
  t.equal(stopped.code, 0);
  t.comment(`ended within ${stopped.ms} ms`);
  for (const port of Object.values(ports))
    await t.rejects(fetch(`http://127.0.0.1:${port}/`), 'nothing is left running');

  // The ports are in the files by now: no option is needed.
  const again = new RunningDemo(t, { ...process.env, FMS_DATA: folder });
  await again.saying(/5 devices are live/);
  t.match(again.said, new RegExp(`http://127\\.0\\.0\\.1:${ports.http}/`));
  t.notMatch(again.said, /password/, 'said once');
  excuses.push((await again.interrupt()).excuse);

  const last = new RunningDemo(t, env);
  await last.saying(/5 devices are live/);
  const truth = await truthOf(join(folder, 'truth.jsonl'));
  const untilMs = excuses.at(-1)?.toMs ?? 0;
  const emitted = truth.filter((row) => row.at_ms <= untilMs);
  const names = items.map(({ device }) => device);
  let comparison: Comparison | undefined;
  await until('all to be stored', 240_000, async () => {
    const stored = (await Promise.all(names.map((name) => storedOf(ports, name)))).flat();
    comparison = compareWithTruth({
      truth: emitted,
      stored: stored.filter((row) => row.time_ms <= untilMs),
      kills: [],
      uncommittedWindowMs: 0,
      excuses,
    });
    return comparison.lost.length === 0;
  }).catch(() => t.fail('not all was stored', { comparison }));
  if (comparison === undefined) return;
  t.match(comparison, { doubled: [], invented: [], lost: [] });
  t.ok(comparison.stored >= 5 * 7 * 2, `${comparison.stored} readings compared`);
  t.ok(comparison.excused <= 5 * 7 * 2, `${comparison.excused} on their way at a Ctrl-C`);
  t.equal((await last.interrupt()).code, 0);
});

t.test('a demo that was killed leaves programs running: the next one ends them', async (t) => {
  const folder = folderOf(t);
  const ports = await freePorts();
  const killed = new RunningDemo(t, environmentOf(folder, ports));
  await killed.saying(/devices are live/);
  const gone = once(killed.child, 'exit');
  killed.child.kill('SIGKILL');
  await gone;
  t.equal((await fetch(`http://127.0.0.1:${ports.http}/healthz`)).status, 200, 'they run on');
  const next = new RunningDemo(t, { ...process.env, FMS_DATA: folder });
  await next.saying(/earlier demo left programs running[\s\S]*devices are live/);
  // A second Ctrl-C soon after is the same one (npm passes it on twice); a later one kills.
  next.child.kill('SIGINT');
  next.child.kill('SIGINT');
  t.equal(await next.ended, 0);
  t.notMatch(next.said, /Killed/);
});

t.test('a recording goes through whole, row for row, Ctrl-C in between', async (t) => {
  const folder = folderOf(t);
  const ports = await freePorts();
  const env = environmentOf(folder, ports);
  const file = join(folder, 'two.csv');
  const rows = 3_000;
  const lines = ['group,ts,level,open,note'];
  for (let i = 0; i < rows; i++) {
    const time = new Date(Date.UTC(2015, 0, 1) + Math.floor(i / 2) * 60_000).toISOString();
    const level = i % 11 === 0 ? '' : (i * 0.37).toFixed(2);
    lines.push(`${i % 2},${time.slice(0, 19).replace('T', ' ')},${level},${i % 3 === 0},n${i % 5}`);
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
  const names = ['two-0', 'two-1'];
  // 1,500 minutes at this pace are 150 s: it is ended long before.
  const first = new RunningDemo(t, env, ['--replay', file, '--speed', '600']);
  await first.saying(/Replaying two: 3,000 rows, 2 devices/);
  await until('both devices to be stored', 240_000, async () => {
    const stored = await Promise.all(names.map((name) => storedOf(ports, name)));
    return stored.every((readings) => readings.length > 0);
  });
  t.equal((await first.interrupt()).code, 0);
  const before = await truthOf(join(folder, 'replay/two/two-0.truth.jsonl'));
  t.ok(before.length < rows / 2, `${before.length} of ${rows / 2} rows by then`);

  const second = new RunningDemo(t, env, ['--replay', file, '--speed', 'max']);
  const [, readings, stored] = await second.saying(
    /through: 3,000 rows sent \(([\d,]+) readings\), ([\d,]+) readings stored/,
  );
  t.equal(readings, '9,000');
  t.equal(stored, '9,000');
  const truth = (
    await Promise.all(names.map((name) => truthOf(join(folder, `replay/two/${name}.truth.jsonl`))))
  ).flat();
  t.equal(truth.length, rows, 'every row once');
  const all = (await Promise.all(names.map((name) => storedOf(ports, name)))).flat();
  const result = compareWithTruth({ truth, stored: all, kills: [], uncommittedWindowMs: 0 });
  t.match(result, { emitted: 9_000, stored: 9_000, doubled: [], invented: [], lost: [] });
  t.equal((await second.interrupt()).code, 0);
  t.ok(readdirSync(join(folder, 'logs')).includes('agent.log'));
});
