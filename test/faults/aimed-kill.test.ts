/**
 * kill -9 of the collector under load, aimed at each step from the append to the roll-ups: it kills itself
 * there. In between come kills at random times. At the end every reading that was emitted and read is in
 * the store exactly once, the roll-ups are those of a recount, and no start lost what rules remembered.
 *
 * Alone: `node test/faults/aimed-kill.test.ts --seed N`. FMS_TEST_ROUNDS: how often the list is gone
 * through (1). The short form takes every twelfth aim, by the seed.
 */

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { FORM_TIMEOUT_MS, ofForm, sizeOfRun } from '../support/form.ts';
import { Plant, seedOfRun } from '../support/plant.ts';
import { settled, startRollupPlant } from '../support/rollup-plant.ts';
import { differences } from '../support/rollup-recount.ts';
import { account } from './support/account.ts';
import type { Aim, CommitMoment, Committing } from './support/aims.ts';
import { AIMED_COLLECTOR, killAt, someOf } from './support/aims.ts';

/** Kills at a random time, beside the aimed ones. */
const RANDOM_KILLS = ofForm({ short: 1, long: 5 });
const RANDOM_MS_MAX = 2_500;

function commits(commit: Committing, ...moments: CommitMoment[]): Aim[] {
  return moments.map((when) => ({ commit, when }));
}

function statements(sql: string): Aim[] {
  return (['before', 'within', 'after'] as const).map((when) => ({ sql, when }));
}

/** In every run: durable, and nobody was told. */
const ALWAYS = commits('append', 'committed');
const AIMS: readonly Aim[] = [
  // Between append and PUBACK.
  ...commits('append', 'uncommitted', 'within', 'resolved'),
  // Between outputs and position.
  ...commits('outputs', 'uncommitted', 'within', 'committed', 'resolved'),
  // Between intent, insert, the name of the part, and position.
  ...commits('intent', 'uncommitted', 'committed'),
  ...statements('^INSERT INTO readings '),
  { table: 'readings', part: 'created' },
  { table: 'readings', part: 'renamed' },
  { table: 'readings', part: 'merging' },
  { sql: '^INSERT INTO ledger ', when: 'after' },
  ...commits('position', 'uncommitted', 'within', 'committed'),
  // During a roll-up: minutes (two tables by one statement), hours, days, and how far they are.
  ...statements('INSERT INTO rollup_1m '),
  { table: 'readings_1m', part: 'renamed' },
  { table: 'quality_1m', part: 'created' },
  { sql: 'INSERT INTO readings_1h ', when: 'after' },
  { sql: 'INSERT INTO readings_1d ', when: 'within' },
  { sql: 'INSERT INTO rollup_positions ', when: 'before' },
];
/** Due every few seconds (aimed-collector.ts); one that was not committed is due again at once. */
const SNAPSHOTS = commits('snapshot', 'before', 'uncommitted', 'within');
const LAST_SNAPSHOT = commits('snapshot', 'committed');

t.setTimeout(FORM_TIMEOUT_MS);

t.test('kill -9 of the collector at each step', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const seed = seedOfRun();
  const rounds = sizeOfRun('FMS_TEST_ROUNDS', { short: 1, long: 2 });
  t.comment(`--seed ${seed}`);
  const plant = new Plant({
    name: 'aimed-kill',
    seed,
    devices: 10,
    intervalMs: 200,
    collectorProgram: AIMED_COLLECTOR,
    agent: { forwarder: { backoff_max_ms: 300, state_interval_ms: 1_000 } },
  });
  t.comment(`folder ${plant.folder}`);
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.startAll();

  const randomly = async (): Promise<void> => {
    await plant.start('collector', { ready: false });
    await delay(plant.random() * RANDOM_MS_MAX);
    await plant.kill('collector');
  };
  await plant.kill('collector');
  let kills = 1;
  for (let round = 0; round < rounds; round++) {
    const order: (Aim | undefined)[] = shuffled(
      [
        ...ALWAYS,
        ...someOf(AIMS, plant.random, 12),
        ...Array.from({ length: RANDOM_KILLS }, () => undefined),
      ],
      plant.random,
    );
    const half = Math.floor(order.length / 2);
    order.splice(half, 0, ...someOf(SNAPSHOTS, plant.random, 3));
    order.push(...LAST_SNAPSHOT);
    for (const aim of order) {
      const beganMs = performance.now();
      if (aim === undefined) await randomly();
      else {
        const skip =
          aim.skip ??
          ('commit' in aim && aim.commit !== 'snapshot' ? Math.floor(plant.random() * 3) : 0);
        const delayUs = Math.floor(plant.random() ** 2 * ('sql' in aim ? 10_000 : 500));
        await killAt(plant, { ...aim, skip, delayUs });
      }
      kills += 1;
      t.comment(
        `${Math.round(performance.now() - beganMs)} ms: ${JSON.stringify(aim ?? 'random')}`,
      );
    }
  }
  await plant.start('collector');
  const ledger = await plant.settle();
  const { problems, summary } = await account(plant, ledger);
  t.comment(JSON.stringify({ kills, ...summary }));
  t.same(problems, [], 'store and truth file agree');
  t.ok(summary.stored > 0);
  t.ok(summary.duplicates_removed > 0, 'batches came again that had no PUBACK');
  const events = await plant.dump<{ kind: string; detail: string }>('events');
  t.same(
    events.filter(({ kind }) => kind === 'cold_start'),
    [],
    'the state is that of the snapshot and what came since',
  );
  const rest = await startRollupPlant(plant.collectorDataFolder);
  await settled(rest);
  t.same(await differences(rest.store), [], 'roll-ups and counters are those of a recount');
  await rest.stop();
  if (t.passing()) plant.discard();
});

function shuffled<T>(items: T[], random: () => number): T[] {
  for (let at = items.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1));
    [items[at], items[other]] = [items[other]!, items[at]!];
  }
  return items;
}
