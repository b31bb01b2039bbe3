/**
 * The store loses what it had while the log stays: the newest parts in power cuts, all of today when it
 * is restored from yesterday, everything when it is deleted. Agents go on all the time. In the end every
 * reading is there once, and the roll-ups are those of the readings.
 *
 * Alone: `node test/faults/store-loss.test.ts --seed N`. FMS_STORE_LOSS_ROUNDS: power cuts, by the form.
 */

import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { QUICK_COLLECTOR } from '../support/collector-process.ts';
import { FORM_TIMEOUT_MS, ofForm, sizeOfRun } from '../support/form.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import { settledAccount } from './support/settled-account.ts';
import { drop, empty, emptyMerged, leaveUnfinished, partsOf } from './support/store-damage.ts';

const ROUNDS = sizeOfRun('FMS_STORE_LOSS_ROUNDS', { short: 1, long: 10 });
const MORE_READINGS = ofForm({ short: 400, long: 1_000 });
/** Tables that lose their newest part, too. */
const OTHER_TABLES = [
  'ledger',
  'events',
  'readings_1m',
  'quality_1m',
  'devices',
  'rollup_positions',
];
/** What is empty when not all is. */
const FILES = ['data.bin', 'data.cmrk', 'primary', 'count.txt', 'skp_idx', 'columns.txt'];

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

t.test(
  'a store that loses what it had, under a log that stays',
  { timeout: FORM_TIMEOUT_MS },
  async (t) => {
    const seed = seedOfRun();
    t.comment(`seed ${seed}`);
    const plant = new Plant({
      name: 'store-loss',
      seed,
      devices: 10,
      intervalMs: 100,
      collectorProgram: QUICK_COLLECTOR,
    });
    t.teardown(() => plant.abandon());
    const store = join(plant.collectorDataFolder, 'store');
    const yesterday = join(plant.folder, 'yesterday');
    await plant.configure();
    await plant.startAll();
    const inStore = async (): Promise<number> => {
      const { totals } = await plant.api<{ totals: { rows_in_store: number } }>(
        'ledger?limit=1&count_rows=true',
      );
      return totals.rows_in_store;
    };
    /** Rows of the store that no earlier moment had. */
    const more = async (least = 0): Promise<void> => {
      const aim =
        Math.max(least, await until('the store to answer', 300_000, inStore)) + MORE_READINGS;
      await until(`${aim} readings in the store`, 300_000, async () => (await inStore()) >= aim);
    };
    const one = <T>(of: readonly T[]): T => of[Math.floor(plant.random() * of.length)]!;

    await more();
    await plant.stop('collector');
    cpSync(store, yesterday, { recursive: true, verbatimSymlinks: true });
    await plant.start('collector');
    await more();

    for (let round = 1; round <= ROUNDS; round++) {
      const before = await inStore();
      await plant.kill('collector');
      const parts = partsOf(store, 'readings');
      // The newest is lost, or any of the newer ones is damaged; some tables by themselves.
      let isTail = true;
      const done = parts.slice(0, 4).map((part) => {
        if (plant.random() < 0.4) {
          isTail = false;
          if (part.level > 0 && part.paths.length > part.level) emptyMerged(part);
          return 'whole';
        }
        const what = one(['gone', 'empty', ...FILES]);
        // Nothing vanishes without a trace that was written before something that is there.
        if (what === 'gone' && isTail) drop(part);
        else empty(part, FILES.includes(what) ? what : undefined);
        if (what !== 'gone') isTail = false;
        return what;
      });
      for (const table of OTHER_TABLES) {
        const [newest] = partsOf(store, table);
        if (newest !== undefined && plant.random() < 0.4) empty(newest);
      }
      leaveUnfinished(store, 'readings');
      t.comment(`power cut ${round}: of ${parts.length} parts the newest are ${done.join(', ')}`);
      await plant.start('collector');
      await more(before);
    }

    const beforeYesterday = await inStore();
    await plant.kill('collector');
    rmSync(store, { recursive: true });
    renameSync(yesterday, store);
    await plant.start('collector');
    await more(beforeYesterday);

    const beforeDeletion = await inStore();
    await plant.kill('collector');
    rmSync(store, { recursive: true });
    await plant.start('collector');
    await more(beforeDeletion);

    const { problems, summary } = await settledAccount(plant);
    t.comment(JSON.stringify(summary));
    t.same(problems, [], 'store, truth file and roll-ups agree');
    t.equal(summary.gap_readings, 0, 'nothing is lost');
    t.equal(summary.unread, 0);
    if (t.passing()) plant.discard();
    else t.comment(`folder kept: ${plant.folder}`);
  },
);
