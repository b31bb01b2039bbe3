/**
 * A collector of several processes over a real Kafka and the HTTP interface of a store, under load: intake,
 * process and write processes are killed at random, two at once and while the others share the work out anew;
 * between insert and commit, and right after a transaction; frozen there while another takes over, and woken
 * again; the store is away, slow, read-only, or loses its answers; in the long form Kafka's broker is killed and
 * frozen, too. At the end the store holds what the gateways emitted, each reading once, `ledger --deep` agrees,
 * and the roll-ups are those of a recount.
 *
 * Alone: `node test/faults/components.test.ts --seed N`. FMS_TEST_ROUNDS is how many random kills (1, in the
 * long form 30).
 */

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { startClickHouseFront } from '../support/clickhouse-front.ts';
import { QUICK_COLLECTOR } from '../support/collector-process.ts';
import type { ComponentProcess } from '../support/components.ts';
import { Components } from '../support/components.ts';
import { FORM_TIMEOUT_MS, ofForm, sizeOfRun } from '../support/form.ts';
import { kafkaMissing } from '../support/kafka/cache.ts';
import { kafkaForTests } from '../support/kafka.ts';
import { run, seededRandom, seedOfRun, until } from '../support/plant.ts';
import { RovingGateway } from '../support/roving-gateway.ts';
import type { Aim } from './support/aims.ts';
import { AIM_VARIABLE, AIMED_COLLECTOR } from './support/aims.ts';
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
/** Between two batches of a gateway. */
const PAUSE_MS = ofForm({ short: 300, long: 100 });
const DONE_MS = 300_000;
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
t.test('processes are killed and frozen under load', options, async (t) => {
  const seed = seedOfRun();
  t.comment(`--seed ${seed}`);
  const random = seededRandom(seed);
  const oneOf = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const [kafka, front] = await Promise.all([kafkaForTests(t), startClickHouseFront(t)]);
  const components = new Components(t, {
    kafka: kafka.config('components'),
    clickhouse: front.config(),
    program: QUICK_COLLECTOR,
  });
  const [serve, ...workers] = await Promise.all([
    components.add('serve', ['serve']),
    components.add('intake-1', ['intake']),
    components.add('intake-2', ['intake']),
    components.add('process-1', ['process']),
    components.add('process-2', ['process']),
    components.add('write-1', ['write']),
    components.add('write-2', ['write']),
  ]);
  const [intake1, intake2, process1, process2, write1, write2] = workers as [
    ComponentProcess,
    ComponentProcess,
    ComponentProcess,
    ComponentProcess,
    ComponentProcess,
    ComponentProcess,
  ];
  await Promise.all([serve, ...workers].map((one) => one.start()));
  await Promise.all([serve, ...workers].map((one) => one.untilReady()));
  const ports = (): number[] => [intake1.mqttPort, intake2.mqttPort];
  const gateways = components.gateways.map(
    (gateway) => new RovingGateway({ gateway, ports, pauseMs: PAUSE_MS }),
  );
  for (const gateway of gateways) gateway.start();
  t.teardown(() => {
    for (const gateway of gateways) gateway.abandon();
  });
  const emitted = (): number => gateways.reduce((sum, one) => sum + one.emitted.length, 0);
  const goesOn = async (after: string): Promise<void> => {
    const beganMs = performance.now();
    const before = emitted();
    await until(`what was emitted by now to be stored after ${after}`, DONE_MS, async () => {
      const { totals } = await serve.get<{ totals: { stored: number } }>('/api/v1/ledger');
      return totals.stored >= before;
    });
    t.comment(`${after}: went on after ${Math.round(performance.now() - beganMs)} ms`);
  };
  const again = async (...killed: ComponentProcess[]): Promise<void> => {
    await Promise.all(killed.map((one) => one.kill()));
    await Promise.all(killed.map((one) => one.start()));
  };
  await goesOn('the start');

  // At random, every other time two at once.
  for (let round = 0; round < ROUNDS; round++) {
    await delay(random() * RANDOM_MS_MAX);
    const first = oneOf(workers);
    const second = round % 2 === 1 ? undefined : oneOf(workers.filter((one) => one !== first));
    t.comment(`killed: ${first.name} ${second?.name ?? ''}`);
    await again(first, ...(second === undefined ? [] : [second]));
  }
  // While the work is shared out anew: one came, one goes, another is killed.
  const process3 = await components.add('process-3', ['process']);
  await process3.start();
  await delay(random() * RANDOM_MS_MAX);
  await again(process1);
  await Promise.all([process3.stop(), delay(random() * 500).then(() => again(process2))]);
  await goesOn('random kills');

  const startAimed = async (one: ComponentProcess, aim: Aim): Promise<void> => {
    await one.kill();
    const env = { [AIM_VARIABLE]: JSON.stringify(aim) };
    await one.start({ program: AIMED_COLLECTOR, env });
  };
  const killedAt = async (one: ComponentProcess, aim: Aim): Promise<void> => {
    // One that has no partition yet gets some when the others know of it.
    await startAimed(one, aim);
    await until(`${one.name} to be killed at ${JSON.stringify(aim)}`, DONE_MS, () => !one.running);
    await one.start();
  };
  const ofProcess = [AFTER_TRANSACTION, ...ofForm({ short: [], long: [BEFORE_SNAPSHOT] })];
  const ofWrite = [BEFORE_POSITION, ...ofForm({ short: [], long: [AFTER_INTENT] })];
  const each = async (one: ComponentProcess, aims: readonly Aim[]): Promise<void> => {
    for (const aim of aims) await killedAt(one, aim);
  };
  await Promise.all([each(process1, ofProcess), each(write1, ofWrite)]);
  await goesOn('aimed kills');

  // Frozen within a transaction and before an insert: the others take over, and what wakes is fenced.
  const frozenAt = async (one: ComponentProcess, aim: Aim): Promise<void> => {
    await startAimed(one, { ...aim, signal: 'SIGSTOP' });
    await until(`${one.name} to freeze`, DONE_MS, () => one.output.includes('"msg":"frozen"'));
  };
  await Promise.all([frozenAt(process1, BEFORE_TRANSACTION), frozenAt(write1, AFTER_INTENT)]);
  const frozenMs = performance.now();
  await front.refuse();
  await delay(STORE_AWAY_MS);
  await front.listen();
  await front.fault({ kind: 'slow', delayMs: SLOW_INSERT_MS, times: 2 });
  await front.fault({ kind: 'lost', times: 2 });
  await front.fault({ kind: 'error', code: READ_ONLY, times: 3 });
  await front.fault({ kind: 'error', code: TOO_MANY_PARTS, times: 2 });
  const has = (one: ComponentProcess, component: string): Promise<boolean> =>
    one
      .metric(`fms_collector_owned_partitions{component="${component}"}`)
      .then((count) => count === 4);
  await process2.until('it has all of it', () => has(process2, 'process'));
  await write2.until('it has all of it', () => has(write2, 'write'));
  await goesOn('others took over');
  await delay(Math.max(0, FROZEN_MS - (performance.now() - frozenMs)));
  await front.clear();
  process1.thaw();
  write1.thaw();
  // What it wanted to do is refused, or its connections are gone; or it hears first that the work is another's,
  // and does not even try. That nothing of it came through shows at the end.
  for (const one of [process1, write1])
    await one.until('it gave way', async () => GAVE_WAY.test(one.output));
  await goesOn('the frozen ones woke');

  if (BROKER_FAULTS) {
    await kafka.kill(0);
    await delay(random() * RANDOM_MS_MAX);
    await kafka.restart(0);
    await goesOn('the broker was killed');
    kafka.freeze(0);
    await delay(BROKER_FROZEN_MS);
    kafka.thaw(0);
    await goesOn('the broker was frozen');
  }

  await Promise.all(gateways.map((gateway) => gateway.finish()));
  await goesOn('the end');
  const deep = await serve.command('ledger', '--deep');
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
  await Promise.all([serve, ...workers].map((one) => one.stop()));
  await front.kill();
  const store = join(front.folder, 'store');
  const wrong = JSON.parse(await run(['test/faults/support/recount.ts', store])) as unknown;
  t.same(wrong, [], 'roll-ups are those of a recount');
  t.comment(JSON.stringify({ emitted: emitted(), seed }));
});
