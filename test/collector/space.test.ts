/** Alarms before log, store and disk are full, and the pause of the writers when they are. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Test } from 'tap';
import t from 'tap';
import { Gate } from '../../collector/gate.ts';
import type { LogStats } from '../../collector/log/log.ts';
import type { SpaceOptions, SpaceWatch } from '../../collector/space.ts';
import { watchSpace } from '../../collector/space.ts';

const GB = 1e9;

interface Setting {
  gate: Gate;
  log: LogStats;
  disk: { free: number; total: number };
  /** Bytes of the store; undefined: it does not answer. */
  store: { bytes: number | undefined };
  said: string[];
  watch: SpaceWatch;
  /** Resolves once what was changed has been seen. */
  seen(isSo: () => boolean): Promise<void>;
}

async function setting(t: Test, more: Partial<SpaceOptions> = {}): Promise<Setting> {
  const gate = new Gate();
  const log: LogStats = {
    appendable: true,
    bytes: 0,
    maxBytes: 10 * GB,
    processorLagRecords: 0,
    consumerLagRecords: {},
    appendedTotal: 0,
    appendErrorsTotal: 0,
    commitsTotal: 0,
  };
  const disk = { free: 50 * GB, total: 100 * GB };
  const store: Setting['store'] = { bytes: 0 };
  const said: string[] = [];
  const say =
    (level: string) =>
    (fields: object): void =>
      void said.push(`${level} ${(fields as { part: string }).part}`);
  const watch = await watchSpace({
    dataDir: '/data',
    logRetentionBytes: 5 * GB,
    storeMaxBytes: 20 * GB,
    minFreeBytes: GB,
    gate,
    logger: { info: say('info'), warn: say('warn'), error: say('error') },
    log: () => log,
    store: () => ({
      query: async <Row>() => {
        if (store.bytes === undefined) throw new Error('away');
        return [{ bytes: store.bytes }] as Row[];
      },
      stats: () => ({ ready: true, insertedRowsTotal: 0, insertErrorsTotal: 0, lastError: '' }),
    }),
    freeBytes: async () => disk,
    intervalMs: 1,
    ...more,
  });
  t.teardown(() => watch.stop());
  const seen = async (isSo: () => boolean): Promise<void> => {
    for (let i = 0; i < 5_000 && !isSo(); i++) await delay(1);
    t.ok(isSo(), String(isSo));
  };
  return { gate, log, disk, store, said, watch, seen };
}

t.test('with room for all: nothing to say', async (t) => {
  const { gate, watch, said } = await setting(t);
  t.same(watch.status().levels, { log: 'ok', store: 'ok', disk: 'ok' });
  t.same(watch.status().reasons, { log: '', store: '', disk: '' });
  t.ok(gate.open);
  t.same(said, []);
});

t.test('the log: an alarm half way between what is kept and the cap', async (t) => {
  const { log, said, seen, watch, gate } = await setting(t);
  log.bytes = 6 * GB;
  await delay(10);
  t.equal(watch.status().levels.log, 'ok');
  log.bytes = 7.2 * GB;
  await seen(() => watch.status().levels.log === 'alarm');
  t.match(watch.status().reasons.log, /7,200 MB of 10,000 MB/);
  log.appendable = false;
  await seen(() => watch.status().levels.log === 'full');
  t.ok(gate.open, 'writing makes room');
  log.appendable = true;
  log.bytes = GB;
  await seen(() => watch.status().levels.log === 'ok');
  t.same(said, ['warn log', 'error log', 'info log'], 'each once');
});

t.test('a log that is kept as full as it may be is no alarm', async (t) => {
  const { log, watch } = await setting(t, { logRetentionBytes: 10 * GB });
  log.bytes = 8.2 * GB;
  await delay(20);
  t.equal(watch.status().levels.log, 'ok');
});

t.test('the store: an alarm, then a pause, and on again some way below', async (t) => {
  const { store, watch, gate, seen, said } = await setting(t);
  store.bytes = 18.5 * GB;
  await seen(() => watch.status().levels.store === 'alarm');
  t.ok(gate.open);
  store.bytes = 20 * GB;
  await seen(() => !gate.open);
  t.match(gate.reason, /the store holds 20,000 MB of 20,000 MB/);
  store.bytes = 19.7 * GB;
  await delay(20);
  t.notOk(gate.open, 'not to and fro');
  store.bytes = undefined;
  await delay(20);
  t.notOk(gate.open, 'what is not known stays as it was');
  store.bytes = 19 * GB;
  await seen(() => gate.open);
  t.same(said, ['warn store', 'error store', 'warn store']);
});

t.test('the disk: likewise, from the floor', async (t) => {
  const { disk, watch, gate, seen, said } = await setting(t);
  disk.free = 1.5 * GB;
  await seen(() => watch.status().levels.disk === 'alarm');
  t.ok(gate.open);
  disk.free = 0.9 * GB;
  await seen(() => !gate.open);
  t.match(gate.reason, /900 MB are free/);
  disk.free = 1.1 * GB;
  await delay(20);
  t.notOk(gate.open);
  disk.free = 40 * GB;
  await seen(() => gate.open);
  t.same(said, ['warn disk', 'error disk', 'info disk']);
});

t.test('on a small disk the floor is a part of it', async (t) => {
  const { watch, gate } = await setting(t, {
    minFreeBytes: GB,
    freeBytes: async () => ({ free: 0.9 * GB, total: 2 * GB }),
  });
  t.equal(watch.status().diskFloorBytes, 0.1 * GB);
  t.ok(gate.open);
});

t.test('without a cap the store may grow', async (t) => {
  const { store, watch, seen } = await setting(t, { storeMaxBytes: 0 });
  store.bytes = 1e15;
  await seen(() => watch.status().storeBytes === 1e15);
  t.equal(watch.status().levels.store, 'ok');
});
