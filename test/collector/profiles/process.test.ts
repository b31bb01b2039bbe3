/** The program itself: profiles at its start, on SIGHUP, and in what it says of itself. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { RawKind } from '../../../collector/types.ts';
import { freePort } from '../../support/free-port.ts';
import { silentLogger } from '../../support/silent-logger.ts';

// Generous: three starts on a machine that may be busy with other things.
t.setTimeout(1_200_000);

const MAIN = join(import.meta.dirname, '../../../collector/main.ts');
const RELOADED = join(import.meta.dirname, '../../support/reloaded-collector.ts');

class Program {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly #http: number;
  said = '';

  constructor(t: Test, folder: string, http: number, main = MAIN, env: NodeJS.ProcessEnv = {}) {
    this.#http = http;
    this.child = spawn(
      process.execPath,
      [main, 'run', '--config', join(folder, 'collector.yaml')],
      { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    for (const stream of [this.child.stdout, this.child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.said += text;
      });
    this.ended = once(this.child, 'close').then(([code]) => code as number | null);
    t.teardown(async () => {
      this.child.kill('SIGKILL');
      await this.ended;
    });
  }

  /** Waits until a metric has the value, and answers its line. */
  async metric(name: RegExp, value: number): Promise<string> {
    const endMs = performance.now() + 180_000;
    for (;;) {
      const text = await fetch(`http://127.0.0.1:${this.#http}/metrics`)
        .then((response) => response.text())
        .catch(() => '');
      const line = text.split('\n').find((one) => name.test(one) && !one.startsWith('#'));
      if (line !== undefined && Number(line.split(' ').at(-1)) === value) return line;
      if (performance.now() > endMs || this.child.exitCode !== null)
        throw new Error(`${name} is not ${value} but ${line}; it said:\n${this.said}`);
      await delay(25);
    }
  }
}

t.test('profiles at the start, and on SIGHUP', async (t) => {
  const [http, mqtt] = [await freePort(), await freePort()];
  const folder = t.testdir({
    'collector.yaml': `data_dir: data\nprofiles_dir: profiles\nhttp: { port: ${http} }\naccess: { this_machine: viewer }\nmqtt: { port: ${mqtt} }\n`,
    profiles: { 'a.yaml': 'channels: { x: { min: 2, max: 1 } }\n' },
  });
  const profile = join(folder, 'profiles/a.yaml');
  const refused = new Program(t, folder, http);
  t.equal(await refused.ended, 2, 'mistakes at the first start are those of a configuration');
  t.match(refused.said, /PROFILES_INVALID.*a\.yaml:1: channels\.x: max \(1\) is below min \(2\)/);

  writeFileSync(profile, 'channels: { x: { min: 1, max: 2 } }\n');
  const first = new Program(t, folder, http);
  await first.metric(/^fms_collector_configuration_pending/, 0);
  const before = await first.metric(/^fms_collector_configuration_info\{/, 1);
  writeFileSync(profile, 'channels: { x: { min: one } }\n');
  first.child.kill('SIGHUP');
  await first.metric(/^fms_collector_configuration_mistakes/, 1);
  t.equal(await first.metric(/^fms_collector_configuration_info\{/, 1), before);
  first.child.kill('SIGKILL');
  await first.ended;
  t.match(first.said, /"mistakes":\["[^"]*a\.yaml:1: channels\.x\.min must be number"\]/);

  const second = new Program(t, folder, http);
  await second.metric(/^fms_collector_configuration_pending/, 0);
  await second.metric(/^fms_collector_configuration_mistakes/, 1);
  t.equal(await second.metric(/^fms_collector_configuration_info\{/, 1), before, 'goes on');
  writeFileSync(profile, 'channels: { x: { min: 1, max: 3 } }\n');
  second.child.kill('SIGHUP');
  await second.metric(/^fms_collector_configuration_mistakes/, 0);
  await second.metric(/^fms_collector_configuration_pending/, 0);
  t.not(await second.metric(/^fms_collector_configuration_info\{/, 1), before);
  second.child.kill('SIGTERM');
  t.equal(await second.ended, 0);

  const log = await openSqliteLog({
    path: join(folder, 'data/log.sqlite'),
    partitions: 1,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
  t.teardown(() => log.close());
  const records = await log.read('raw', 0, 0, { maxRecords: 1_000, maxBytes: 2 ** 24 });
  t.equal(records[0]?.kind, RawKind.CONFIGURATION, 'before anything else');
  const limits = records
    .filter(({ kind }) => kind === RawKind.CONFIGURATION)
    .map(({ value }) => {
      const { profiles } = JSON.parse(Buffer.from(value).toString('utf8'));
      return profiles.a.channels.x.max;
    });
  t.same(limits, [2, 2, 3], 'two starts and a reload');
});

t.test('SIGHUP during the start: what changed meanwhile holds after it', async (t) => {
  const [http, mqtt] = [await freePort(), await freePort()];
  const folder = t.testdir({
    'collector.yaml': `data_dir: data\nprofiles_dir: profiles\nhttp: { port: ${http} }\naccess: { this_machine: viewer }\nmqtt: { port: ${mqtt} }\n`,
    profiles: { 'a.yaml': 'channels: { x: { min: 1, max: 2 } }\n' },
  });
  const PROFILE = 'channels: { x: { min: 1, max: 3 } }\n';
  const program = new Program(t, folder, http, RELOADED, { PROFILE });
  // The folder is watched from after the change on: nothing but the signal tells of it.
  await program.metric(/^fms_collector_configuration_reloads_total\{result="changed"/, 1);
  await program.metric(/^fms_collector_configuration_pending/, 0);
  t.match(
    program.said,
    /reading the device profiles again.*collector is running.*profiles changed/s,
  );
});
