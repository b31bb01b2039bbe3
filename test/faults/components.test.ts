/**
 * A collector of several processes over a real Kafka and the HTTP interface of a store, under load. First they
 * start in an order of their own, come and go; then intake, process and write processes are killed at random,
 * two at once and while the others share the work out anew; between insert and commit, and right after a
 * transaction; frozen there while another takes over, and woken again; the store is away, slow, read-only, or
 * loses its answers; in the long form Kafka's broker is killed and frozen, too. At the end the store holds what
 * the gateways emitted, each reading once, `ledger --deep` agrees, and the roll-ups are those of a recount.
 *
 * Alone: `node test/faults/components.test.ts --seed N`. FMS_TEST_ROUNDS is how many random kills (1, in the
 * long form 30).
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import type { ComponentProcess } from '../support/components.ts';
import { FORM_TIMEOUT_MS, ofForm, sizeOfRun } from '../support/form.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import { run, seededRandom, seedOfRun } from '../support/plant.ts';
import type { Aim } from './support/aims.ts';
import { ComponentScene, startAll } from './support/component-scene.ts';
import { emittedOnce } from './support/emitted-once.ts';

const ROUNDS = sizeOfRun('FMS_TEST_ROUNDS', { short: 1, long: 30 });
/** Longer than the others wait before they take a process for dead. */
const FROZEN_MS = ofForm({ short: 14_000, long: 120_000 });
/** In the short form the log's own tests do that (kafka-log.test.ts). */
const BROKER_FAULTS = ofForm({ short: false, long: true });
const BROKER_FROZEN_MS = 60_000;
const STORE_AWAY_MS = ofForm({ short: 2_000, long: 30_000 });
const SLOW_INSERT_MS = ofForm({ short: 3_000, long: 10_000 });
const RANDOM_MS_MAX = 2_000;
/** Of each gateway: always something is under way; how much is for benches. */
const LOAD = ofForm({
  short: { pauseMs: 500, batchReadings: 20 },
  long: { pauseMs: 100, batchReadings: 100 },
});
/** The server's TABLE_IS_READ_ONLY and TOO_MANY_PARTS. */
const READ_ONLY = 242;
const TOO_MANY_PARTS = 252;

/** Nothing of what was inserted is committed. */
const BEFORE_POSITION: Aim = { commit: 'position', when: 'before' };
/** It is durable that an insert may begin; none has. */
const AFTER_INTENT: Aim = { commit: 'intent', when: 'resolved' };
/** A transaction is through, the snapshot that would spare its repetition is not. */
const AFTER_TRANSACTION: Aim = { commit: 'outputs', when: 'resolved' };
const BEFORE_TRANSACTION: Aim = { commit: 'outputs', when: 'before' };
const GAVE_WAY =
  /"msg":"frozen"[\s\S]*("code":"(LOG_FENCED|STORE_PASS_REPLACED|LOG_UNAVAILABLE)"|"msg":"the work is shared anew")/;
/** After statements that took long, by faults or on a slow machine, a level rests up to ten minutes. */
const ROLLUPS_MS = 660_000;
const ROLLUPS = /^fms_collector_(rollup|writer|store|owned)/;
const BEFORE_SNAPSHOT: Aim = { commit: 'snapshot', when: 'before' };

t.setTimeout(FORM_TIMEOUT_MS);

const options = { timeout: FORM_TIMEOUT_MS, skip: kafkaMissing() };
t.test('processes come and go, are killed and frozen under load', options, async (t) => {
  const seed = seedOfRun();
  t.comment(`--seed ${seed}`);
  const random = seededRandom(seed);
  const scene = await ComponentScene.open(t, LOAD);
  await startInTurn(t, scene);
  await comeAndGo(t, scene);
  await killed(t, scene, random);
  await frozen(scene);
  if (BROKER_FAULTS) await brokerFaults(scene, random);
  await account(t, scene);
  t.comment(JSON.stringify({ emitted: scene.emitted, seed }));
});

/** Each waits for what it needs, says so, and joins in when that is there. All eight run at the end. */
async function startInTurn(t: Test, scene: ComponentScene): Promise<void> {
  const { intake1, intake2, process1, process2, write1, write2, serve1, serve2 } = scene.processes;
  await intake1.start();
  await intake1.until('it waits for the store', async () => {
    const { ready, checks } = await intake1.readiness();
    const { reason = '' } = checks.find(({ name }) => name === 'broker') ?? {};
    return !ready && reason.includes('a process with write');
  });
  t.equal((await intake1.fetch('/api/v1/gateways')).status, 404, 'only serve has an API');
  await startAll(serve1, process1, write1);
  for (const one of [intake1, serve1, process1, write1]) await one.untilReady();

  scene.intakes.push(intake1);
  for (const gateway of scene.gateways) gateway.start();
  await scene.goesOn('the start');
  await startAll(process2, write2);
  for (const one of [process2, write2]) await one.untilReady();
  for (const one of [process1, process2, write1, write2]) await scene.owns(one, 2);
  await scene.goesOn('others came');
  await startAll(serve2, intake2);
  for (const one of [serve2, intake2]) await one.untilReady();
  scene.intakes.push(intake2);
  await scene.goesOn('one more of each', serve2);
}

/** One of each ends and another does its work. Jobs run in one process, and are asked for at any. */
async function comeAndGo(t: Test, scene: ComponentScene): Promise<void> {
  const { intake1, process1, process2, write1, serve1, serve2 } = scene.processes;
  const startedMs = performance.now();
  t.equal(await process1.stop(), 0);
  await scene.owns(process2, 4);
  t.comment(`taken over ${Math.round(performance.now() - startedMs)} ms after SIGTERM`);
  await process2.untilReady();
  await scene.goesOn('one ended');
  await Promise.all([write1.stop(), intake1.stop(), serve1.stop()]);
  await scene.goesOn('one of each ended', serve2);

  await startAll(intake1, process1, write1, serve1);
  await serve1.untilReady();
  const jobs = await serve1.get<{ items: unknown[] }>('/api/v1/jobs');
  t.ok(jobs.items.length > 0, 'the other one was asked');
  const ran = await serve1.command('job', 'run', 'statistics-daily');
  t.match(ran, { code: 0 }, ran.output);
  const backup = await serve1.command('backup', `${scene.components.folder}/backup`);
  t.match(backup, { code: 1, output: /BACKUP_REFUSED.*log\.kafka and store\.clickhouse/ });
  t.equal(await serve2.stop(), 0);
}

async function killed(t: Test, scene: ComponentScene, random: () => number): Promise<void> {
  const { intake1, intake2, process1, process2, write1, write2 } = scene.processes;
  const workers = [intake1, intake2, process1, process2, write1, write2];
  const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  // At random, every other time two at once.
  for (let round = 0; round < ROUNDS; round++) {
    await delay(random() * RANDOM_MS_MAX);
    const first = oneOf(workers);
    const second = round % 2 === 1 ? undefined : oneOf(workers.filter((one) => one !== first));
    t.comment(`killed: ${first.name} ${second?.name ?? ''}`);
    await scene.again(first, ...(second === undefined ? [] : [second]));
  }
  // While the work is shared out anew: one came, one goes, another is killed.
  const process3 = await scene.components.add('process3', ['process']);
  await process3.start();
  await delay(random() * RANDOM_MS_MAX);
  await scene.again(process1);
  await Promise.all([process3.stop(), delay(random() * 500).then(() => scene.again(process2))]);
  await scene.goesOn('random kills');

  const ofProcess = [AFTER_TRANSACTION, ...ofForm({ short: [], long: [BEFORE_SNAPSHOT] })];
  const ofWrite = [BEFORE_POSITION, ...ofForm({ short: [], long: [AFTER_INTENT] })];
  const each = async (one: ComponentProcess, aims: readonly Aim[]): Promise<void> => {
    for (const aim of aims) await scene.killedAt(one, aim);
  };
  await Promise.all([each(process1, ofProcess), each(write1, ofWrite)]);
  await scene.goesOn('aimed kills');
}

/** Within a transaction and before an insert: the others take over, and what wakes is fenced. */
async function frozen(scene: ComponentScene): Promise<void> {
  const { front } = scene;
  const { process1, process2, write1, write2 } = scene.processes;
  await Promise.all([
    scene.frozenAt(process1, BEFORE_TRANSACTION),
    scene.frozenAt(write1, AFTER_INTENT),
  ]);
  const frozenMs = performance.now();
  await front.refuse();
  await delay(STORE_AWAY_MS);
  await front.listen();
  await front.fault({ kind: 'slow', delayMs: SLOW_INSERT_MS, times: 2 });
  await front.fault({ kind: 'lost', times: 2 });
  await front.fault({ kind: 'error', code: READ_ONLY, times: 3 });
  await front.fault({ kind: 'error', code: TOO_MANY_PARTS, times: 2 });
  await scene.owns(process2, 4);
  await scene.owns(write2, 4);
  await scene.goesOn('others took over');
  await delay(Math.max(0, FROZEN_MS - (performance.now() - frozenMs)));
  await front.clear();
  process1.thaw();
  write1.thaw();
  // What it wanted to do is refused, or its connections are gone; or it hears first that the work is another's,
  // and does not even try. That nothing of it came through shows at the end.
  for (const one of [process1, write1])
    await one.until('it gave way', async () => GAVE_WAY.test(one.output));
  await scene.goesOn('the frozen ones woke');
}

async function brokerFaults(scene: ComponentScene, random: () => number): Promise<void> {
  const { kafka } = scene;
  await kafka.kill(0);
  await delay(random() * RANDOM_MS_MAX);
  await kafka.restart(0);
  await scene.goesOn('the broker was killed');
  kafka.freeze(0);
  await delay(BROKER_FROZEN_MS);
  kafka.thaw(0);
  await scene.goesOn('the broker was frozen');
}

async function account(t: Test, scene: ComponentScene): Promise<void> {
  const { front, gateways, components } = scene;
  const { serve1, write1, write2 } = scene.processes;
  await Promise.all(gateways.map((gateway) => gateway.finish()));
  await scene.goesOn('the end');
  t.equal(await scene.storedBy(serve1), scene.emitted, 'no more is stored than was emitted');
  const deep = await serve1.command('ledger', '--deep');
  t.equal(deep.code, 0, `ledger --deep\n${deep.output}`);
  for (const one of [write1, write2]) {
    let said = '';
    const isSettled = async (): Promise<boolean> => {
      said = await (await one.fetch('/metrics')).text();
      return said.includes('\nfms_collector_rollup_settled 1');
    };
    const shown = (): string =>
      said
        .split('\n')
        .filter((line) => ROLLUPS.test(line))
        .join('\n');
    await one.until('the roll-ups are complete', isSettled, shown, ROLLUPS_MS);
  }
  t.same(await emittedOnce(front, gateways), [], 'the store holds what was emitted, each once');
  await Promise.all(components.processes.map((one) => one.stop()));
  await front.kill();
  const store = join(front.folder, 'store');
  const wrong = JSON.parse(await run(['test/faults/support/recount.ts', store])) as unknown;
  t.same(wrong, [], 'roll-ups are those of a recount');
}
