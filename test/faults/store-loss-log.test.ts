/**
 * The log is lost while the store stays, and both are restored from a backup, while agents go on: nothing
 * is there twice, and what was acknowledged and is lost is a recorded gap of exactly that size.
 *
 * Alone: `node test/faults/store-loss-log.test.ts --seed N`. FMS_LOG_LOSS_ROUNDS: deletions, by the form.
 */

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { QUICK_COLLECTOR } from '../support/collector-process.ts';
import { FORM_TIMEOUT_MS, ofForm, sizeOfRun } from '../support/form.ts';
import { Plant, run, seedOfRun, until } from '../support/plant.ts';
import type { Excuse } from '../support/truth-comparison.ts';
import { settledAccount } from './support/settled-account.ts';

const ROUNDS = sizeOfRun('FMS_LOG_LOSS_ROUNDS', { short: 1, long: 10 });
const MORE_READINGS = ofForm({ short: 400, long: 1_000 });
/** What an agent has acknowledged was read at most so long before. */
const ON_THE_WAY_MS = 10_000;

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);
const timeout = FORM_TIMEOUT_MS;

function plantOf(name: string, seed: number): Plant {
  const collectorProgram = QUICK_COLLECTOR;
  return new Plant({ name, seed, devices: 10, intervalMs: 100, collectorProgram });
}

async function storedIn(plant: Plant): Promise<number> {
  return (await plant.ledger()).reduce((sum, { stored }) => sum + stored, 0);
}

async function more(plant: Plant): Promise<void> {
  const before = await storedIn(plant);
  await until(`${MORE_READINGS} readings more`, 300_000, async () => {
    return (await storedIn(plant)) >= before + MORE_READINGS;
  });
}

t.test('a log that is deleted under a store that stays', { timeout }, async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = plantOf('log-loss', seed);
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.startAll();
  const excuses: Excuse[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await more(plant);
    await plant.kill('collector');
    // Acknowledged, and on its way into the store.
    excuses.push({ fromMs: Date.now() - ON_THE_WAY_MS, toMs: Date.now() });
    for (const name of readdirSync(plant.collectorDataFolder))
      if (name.startsWith('log.sqlite')) rmSync(join(plant.collectorDataFolder, name));
    await plant.start('collector');
  }
  await more(plant);
  const { problems, summary, gaps } = await settledAccount(plant, excuses);
  t.comment(JSON.stringify(summary));
  t.same(problems, [], 'nothing doubled or invented, or lost but with the log');
  t.equal(summary.excused, summary.gap_readings, 'exactly what is missing is a gap');
  for (const [reason, readings] of Object.entries(gaps))
    t.same([reason, readings], ['lost_with_log', summary.gap_readings]);
  t.equal(summary.epochs, 1, 'one run of the agent');
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});

t.test('data restored from a backup while agents go on', { timeout }, async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = plantOf('restore', seed);
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.startAll();
  const config = ['--config', join(plant.folder, 'collector.yaml')];
  const backup = join(plant.folder, 'backup');
  await more(plant);
  const backupMs = Date.now();
  const url = `http://127.0.0.1:${plant.ports.http}`;
  await run(['collector/main.ts', 'backup', backup, ...config, '--url', url]);
  await more(plant);
  await plant.kill('collector');
  const excuse = { fromMs: backupMs - ON_THE_WAY_MS, toMs: Date.now() };
  await run(['collector/main.ts', 'restore', backup, '--force', ...config]);
  await plant.start('collector');
  await more(plant);
  // What it was told of the loss must survive a crash, too.
  await plant.kill('collector');
  await plant.start('collector');
  await more(plant);
  const { problems, summary, gaps } = await settledAccount(plant, [excuse]);
  t.comment(JSON.stringify(summary));
  t.same(problems, [], 'nothing doubled or invented, or lost but since the backup');
  t.ok(summary.excused >= MORE_READINGS);
  t.same(gaps, { lost_with_log: summary.gap_readings });
  t.equal(summary.excused, summary.gap_readings, 'exactly what is missing is a gap');
  t.equal(summary.epochs, 1, 'one run of the agent');
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
