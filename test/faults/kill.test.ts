/**
 * kill -9 of agent and collector at random moments under load, one at a time, both at once, with either
 * order of restart. At the end every reading that was emitted and read is in the store exactly once.
 *
 * Alone: `node test/faults/kill.test.ts --seed N` (and `--rounds N`, of each kind: 3, in the
 * long form 30).
 */

import t from 'tap';
import { FORM_TIMEOUT_MS, ofForm } from '../support/form.ts';
import { Plant, seedOfRun } from '../support/plant.ts';
import { account } from './support/account.ts';

function roundsOfRun(): number {
  const position = process.argv.indexOf('--rounds');
  if (position >= 0) return Number(process.argv[position + 1]);
  // The aimed kills come on top.
  return ofForm({ short: 3, long: 30 });
}

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

t.test('kill -9 of agent and collector under load', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const seed = seedOfRun();
  const rounds = roundsOfRun();
  t.comment(`seed ${seed}, ${rounds} kills of each`);
  const plant = new Plant({ name: 'kill', seed, devices: 10, intervalMs: 100 });
  t.comment(`folder ${plant.folder}`);
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.startAll();

  /** Lets the plant run for a random while: the moment of the kill must be any moment. */
  const runForAWhile = () =>
    new Promise((resolve) => setTimeout(resolve, 50 + plant.random() * 900));

  for (let round = 0; round < rounds; round += 1) {
    await runForAWhile();
    await plant.kill('agent');
    await plant.start('agent');
  }
  for (let round = 0; round < rounds; round += 1) {
    await runForAWhile();
    await plant.kill('collector');
    // Every other time at once, without waiting until it is ready: the next kill may hit the start-up.
    await plant.start('collector', { ready: plant.random() < 0.5 });
  }
  for (const first of ['agent', 'collector'] as const) {
    await runForAWhile();
    await Promise.all([plant.kill('agent'), plant.kill('collector')]);
    await plant.start(first);
    await runForAWhile();
    await plant.start(first === 'agent' ? 'collector' : 'agent');
  }
  await plant.ready('collector');
  const ledger = await plant.settle();
  const result = await account(plant, ledger);
  t.comment(JSON.stringify(result.summary));
  t.same(result.problems, [], 'store and truth file agree');
  t.ok(result.summary.stored > 0, `${result.summary.stored} readings stored`);
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
