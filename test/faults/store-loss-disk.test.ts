/**
 * Full disks at each step: log and store lie on small disks of their own, each of which fills up while
 * inserts, merges, roll-ups and snapshots run and at a start; backups go to disks that are too small. In
 * the end every reading is there once, and the roll-ups are those of the readings.
 *
 * Alone: `node test/faults/store-loss-disk.test.ts --seed N` (as root). FMS_FULL_DISK_ROUNDS: by the
 * form.
 */

import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { QUICK_COLLECTOR } from '../support/collector-process.ts';
import { FORM_TIMEOUT_MS, ofForm, sizeOfRun } from '../support/form.ts';
import { Plant, run, seedOfRun, until } from '../support/plant.ts';
import { settledAccount } from './support/settled-account.ts';
import type { SmallDisk } from './support/small-disk.ts';
import { mountSmallDisk, whyNoSmallDisk } from './support/small-disk.ts';

const ROUNDS = sizeOfRun('FMS_FULL_DISK_ROUNDS', { short: 1, long: 5 });
const MORE_READINGS = ofForm({ short: 400, long: 1_000 });

const skip = whyNoSmallDisk();

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);
const timeout = FORM_TIMEOUT_MS;

t.test('disks of log and store fill up, each by itself', { timeout, skip }, async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = new Plant({
    name: 'full-disks',
    seed,
    devices: 10,
    intervalMs: 100,
    collectorProgram: QUICK_COLLECTOR,
    collector: { log: { max_bytes: 32 * 2 ** 20, retention_bytes: 16 * 2 ** 20 } },
  });
  const disks: SmallDisk[] = [];
  const mount = (options: string, folder?: string): SmallDisk => {
    const disk = mountSmallDisk(options, folder);
    if (disk === undefined) throw new Error('cannot mount a tmpfs');
    disks.push(disk);
    return disk;
  };
  const unmountAll = (): void => {
    for (const disk of disks.splice(0).toReversed()) disk.unmount();
  };
  t.teardown(async () => {
    await plant.abandon();
    unmountAll();
  });
  const logDisk = mount('size=96m', plant.collectorDataFolder);
  const storeDisk = mount('size=400m', join(plant.collectorDataFolder, 'store'));
  await plant.configure();
  await plant.startAll();
  const metric = (name: string): Promise<number> =>
    plant.metric('collector', `fms_collector_${name}`);
  const buffered = async (): Promise<number> => (await plant.agentStatus()).buffer.readings;
  const stored = async (): Promise<number> =>
    (await plant.ledger()).reduce((sum, one) => sum + one.stored, 0);
  const inStore = (): Promise<number> => metric('store_inserted_rows_total');
  const more = async (): Promise<void> => {
    const before = await until('the store to answer', 300_000, inStore);
    await until(
      'readings to come into the store',
      300_000,
      async () => (await inStore()) >= before + MORE_READINGS,
    );
    await until('the agent to be drained', 300_000, async () => (await buffered()) < 500);
  };
  const leave = (): number => Math.floor(plant.random() * 4) * 100_000;
  await more();

  for (let round = 1; round <= ROUNDS; round++) {
    await delay(plant.random() * 1_000);
    const before = await stored();
    const errors = await metric('store_insert_errors_total');
    storeDisk.fill(leave());
    await until(
      `round ${round}: inserts to fail`,
      300_000,
      async () => (await metric('store_insert_errors_total')) > errors,
    );
    await until(
      `round ${round}: the log to take it all`,
      300_000,
      async () => (await stored()) > before + MORE_READINGS && (await buffered()) < 500,
    );
    t.ok(plant.isRunning('collector'), `store, round ${round}: the collector stays up`);
    if (round === 2) {
      await plant.kill('collector');
      await plant.start('collector', { ready: false });
      await until(
        'the log to take what comes',
        300_000,
        async () => (await metric('log_appended_records_total')) > 20,
      );
    }
    storeDisk.free();
    await more();

    await delay(plant.random() * 1_000);
    logDisk.fill(leave());
    await until(
      `round ${round}: the agent to buffer`,
      300_000,
      async () => (await buffered()) > 2_000,
    );
    t.ok(plant.isRunning('collector'), `log, round ${round}: the collector stays up`);
    if (round === 2) {
      await plant.kill('collector');
      const child = await plant.start('collector', { ready: false });
      await until(
        'it to be refused, or to run',
        300_000,
        async () => child.exitCode !== null || (await metric('log_bytes')) > 0,
      );
      t.comment(`started on a full disk: ${child.exitCode ?? 'runs'}`);
      logDisk.free();
      if (!plant.isRunning('collector')) await plant.start('collector');
    }
    logDisk.free();
    await more();
  }

  await backups(plant, mount, t.comment.bind(t));
  for (const disk of [logDisk, storeDisk]) disk.fill();
  const refused = await backup(plant, join(plant.folder, 'of-full-disks'));
  t.comment(`a backup of full disks: ${refused.split('\n')[0]}`);
  for (const disk of [logDisk, storeDisk]) disk.free();
  await more();
  t.equal(await backup(plant, join(plant.folder, 'backup')), '', 'a backup, when there is room');
  t.same(heldIn(plant), [], 'nothing of the backups is held');

  const { problems, summary } = await settledAccount(plant);
  t.comment(JSON.stringify(summary));
  t.same(problems, [], 'store, truth file and roll-ups agree');
  t.equal(summary.gap_readings, 0, 'nothing is lost');
  t.equal(summary.unread, 0);
  if (t.passing()) {
    unmountAll();
    plant.discard();
  }
});

/** What it prints when it fails; '' when it succeeds. */
async function backup(plant: Plant, folder: string): Promise<string> {
  const url = `http://127.0.0.1:${plant.ports.http}`;
  const config = join(plant.folder, 'collector.yaml');
  const argv = ['collector/main.ts', 'backup', folder, '--config', config, '--url', url];
  return run(argv).then(
    () => '',
    (error: Error) => error.message,
  );
}

/** Folders of hard links that a backup leaves in the store. */
function heldIn(plant: Plant): string[] {
  const shadow = join(plant.collectorDataFolder, 'store', 'shadow');
  return existsSync(shadow) ? readdirSync(shadow).filter((name) => name.startsWith('backup')) : [];
}

/** To disks without room: seen at once, and met in the middle. */
async function backups(
  plant: Plant,
  mount: (options: string) => SmallDisk,
  comment: (text: string) => void,
): Promise<void> {
  for (const [options, code] of [
    ['size=64k', 'BACKUP_FOLDER'],
    ['size=1g,nr_inodes=40', 'BACKUP_ABORTED'],
  ] as const) {
    const { folder } = mount(options);
    const said = await backup(plant, join(folder, 'backup'));
    if (!said.includes(code)) throw new Error(`a backup to ${options}: ${said || 'succeeded'}`);
    const left = readdirSync(folder);
    if (left.length > 0) throw new Error(`it left ${left}`);
    comment(`${options}: ${said.split('\n').find((line) => line.includes(code))}`);
    await until('the collector to let go', 300_000, () => heldIn(plant).length === 0);
  }
}
