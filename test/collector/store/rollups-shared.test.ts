/**
 * Two processes that roll up the same buckets, one of them slow and with a clock of its own: the row that holds
 * has all readings. And partitions that move from one to the other. See decision 0022.
 */

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import type { Share } from '../../../collector/shares.ts';
import type { Rollups } from '../../../collector/store/rollups.ts';
import { startRollups } from '../../../collector/store/rollups.ts';
import type { Store } from '../../../collector/store/store.ts';
import { engineFolder } from '../../support/engine-folder.ts';
import type { RollupPlant } from '../../support/rollup-plant.ts';
import { appendReadings, startRollupPlant } from '../../support/rollup-plant.ts';
import { differences } from '../../support/rollup-recount.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { reading } from '../../support/wire.ts';

const ROUNDS = process.env.FMS_TEST_THOROUGH === '1' ? 200 : 4;
const ALWAYS = { minutes: 1, hours: 1, days: 1 };
const PACE = {
  intervalMs: { minutes: 5, hours: 10, days: 15 },
  duty: ALWAYS,
  lateIntervalMs: 0,
  lateDuty: ALWAYS,
};

class Owner {
  readonly rollups: Rollups;
  #owned: Set<number>;
  #listener = (): void => undefined;

  /** Statements are `lateMs()` on their way. */
  constructor(plant: RollupPlant, owned: number[], skewMs: number, lateMs: () => number) {
    this.#owned = new Set(owned);
    const share: Share = {
      exclusive: false,
      owned: () => this.#owned,
      onChange: (listener) => {
        this.#listener = listener;
        return () => undefined;
      },
    };
    const { log, store, writers } = plant;
    const late: Store = new Proxy(store, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target);
        if (typeof member !== 'function') return member;
        if (name !== 'execute') return member.bind(target);
        return async (...args: Parameters<Store['execute']>) => {
          await delay(lateMs());
          await target.execute(...args);
        };
      },
    });
    this.rollups = startRollups({
      log,
      store: late,
      share,
      sites: new Map(),
      written: (partition) =>
        writers.status().find((one) => one.topic === 'readings' && one.partition === partition),
      clock: { wallMs: () => Date.now() + skewMs },
      logger: silentLogger,
      pace: PACE,
    });
  }

  own(...partitions: number[]): void {
    this.#owned = new Set(partitions);
    this.#listener();
  }
}

t.test('rows of several processes: the one with all readings holds', async (t) => {
  const plant = await startRollupPlant(engineFolder(t), { partitions: 2, withoutRollups: true });
  t.teardown(() => plant.stop());
  const slow = new Owner(plant, [0], 3_600_000, () => Math.random() * 100);
  const fast = new Owner(plant, [1], -3_600_000, () => 0);
  const owners = [slow, fast];
  const settled = async (): Promise<void> => {
    const { log, writers } = plant;
    for (const one of writers.status()) {
      if (one.topic !== 'readings') continue;
      while (one.position < (await log.bounds('readings', one.partition)).next) await delay(5);
    }
    while (!owners.every(({ rollups }) => rollups.status().settled)) await delay(5);
  };
  const baseMs = Math.floor(Date.now() / 60_000) * 60_000 - 120_000;
  let values = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const append = async (partition: number): Promise<void> => {
      const timeMs = baseMs + (values % 3) * 20_000 + values;
      const more = { gateway: `gw${partition}`, receivedMs: Date.now(), partition };
      await appendReadings(plant.log, [reading('a', values++, { timeMs })], more);
    };
    for (let i = 0; i < 6; i++) {
      await append(i % 2);
      await delay(Math.random() * 30);
    }
    if (round % 4 === 1) {
      // They swap; for a moment both have both, and one is fenced.
      const [first, second] = round % 8 === 1 ? [fast, slow] : [slow, fast];
      first.own(0, 1);
      await delay(20);
      second.own();
      await delay(20);
      second.own(round % 8 === 1 ? 1 : 0);
      first.own(round % 8 === 1 ? 0 : 1);
    }
    await settled();
    // The last word is that of one of them.
    await append(round % 2);
    await settled();
    t.same(await differences(plant.store, new Map()), [], `round ${round}`);
  }
  for (const { rollups } of owners) {
    await rollups.stop();
    t.equal(await rollups.failed, undefined);
  }
});
