/**
 * Full disks, for real: data folders on small tmpfs mounts that a foreign file fills up.
 * On the agent: eviction is declared, reading goes on, and when there is room all is as before.
 * On the collector: no PUBACK for what is not durable, no corruption, and it goes on when there is room.
 *
 * Alone: `node test/faults/disk-full.test.ts --seed N` (as root).
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { isLongForm } from '../support/form.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import { account } from './support/account.ts';
import { mountSmallDisk, whyNoSmallDisk } from './support/small-disk.ts';

const skip = whyNoSmallDisk();
const ROUNDS = isLongForm ? [1, 2, 3, 4, 5] : [1];

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);
// They mostly wait.
t.jobs = 2;

t.test('the disk of the agent fills up', { timeout: 900_000, skip }, async (t) => {
  const disk = mountSmallDisk('size=8m');
  if (disk === undefined) throw new Error('cannot mount a tmpfs');
  t.teardown(() => disk.unmount());
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = new Plant({
    name: 'agent-disk',
    seed,
    devices: 20,
    intervalMs: 50,
    agentDataFolder: join(disk.folder, 'agent'),
    agent: { buffer: { min_free_bytes: 1_048_576 } },
  });
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.startAll();
  await until('readings in the store', 300_000, async () =>
    (await plant.ledger()).some((item) => item.stored > 500),
  );
  await plant.stop('collector');
  const metric = async (name: string) => plant.metric('agent', name);
  disk.fill();
  await until('write errors or evictions', 300_000, async () => {
    return (
      (await metric('fms_agent_buffer_write_errors_total')) +
        (await metric('fms_agent_buffer_evicted_readings_total')) >
      0
    );
  });
  const readBefore = await metric('fms_agent_readings_total');
  await until(
    'reading to go on',
    300_000,
    async () => (await metric('fms_agent_readings_total')) > readBefore + 2_000,
  );
  disk.free();
  const commits = await metric('fms_agent_buffer_commits_total');
  await until(
    'the buffer to commit again',
    300_000,
    async () => (await metric('fms_agent_buffer_commits_total')) > commits + 2,
  );
  const outageToMs = Date.now() + 2_000;
  await plant.start('collector');
  const ledger = await plant.settle();
  // The oldest go first: also what was read before and had not been acknowledged yet.
  const result = await account(plant, ledger, { excuses: [{ fromMs: 0, toMs: outageToMs }] });
  t.comment(JSON.stringify(result.summary));
  t.same(result.problems, [], 'nothing doubled or invented, or lost after the outage');
  t.equal(
    result.summary.excused,
    result.summary.gap_readings,
    'exactly what is missing was declared',
  );
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});

t.test('the disk of the collector fills up', { timeout: 900_000, skip }, async (t) => {
  const disk = mountSmallDisk('size=512m');
  if (disk === undefined) throw new Error('cannot mount a tmpfs');
  t.teardown(() => disk.unmount());
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = new Plant({
    name: 'collector-disk',
    seed,
    devices: 10,
    intervalMs: 50,
    collectorDataFolder: join(disk.folder, 'collector'),
  });
  t.teardown(() => plant.abandon());
  mkdirSync(plant.collectorDataFolder, { recursive: true });
  await plant.configure();
  await plant.startAll();
  const buffered = async () => (await plant.agentStatus()).buffer.readings;
  for (const round of ROUNDS) {
    await until('the agent to be drained', 300_000, async () => (await buffered()) < 500);
    disk.fill();
    await until(
      `round ${round}: the agent to buffer`,
      300_000,
      async () => (await buffered()) > 5_000,
    );
    t.ok(plant.isRunning('collector'), `round ${round}: the collector stays up`);
    disk.free();
    await until(
      `round ${round}: the agent to deliver`,
      300_000,
      async () => (await buffered()) < 500,
    );
  }
  const ledger = await plant.settle();
  const result = await account(plant, ledger);
  t.comment(JSON.stringify(result.summary));
  t.same(result.problems, [], 'store and truth file agree');
  t.equal(result.summary.unread, 0);
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
