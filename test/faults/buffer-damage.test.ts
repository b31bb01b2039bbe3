/**
 * What a gateway's disk and its owner can do to the buffer file while the collector is away: a flipped
 * byte, a truncated file, a deleted one, an older copy put back, a tail of the WAL that was never synced.
 * Whatever the damage: the agent starts, reading goes on, nothing is stored twice or wrongly, and what
 * had been committed is stored or shows as a gap.
 *
 * Alone: `node test/faults/buffer-damage.test.ts --seed N`. The long form damages again and again.
 */

import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FORM_TIMEOUT_MS, ofForm } from '../support/form.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import { account } from './support/account.ts';
import { allowed, Gateway, settleGateways } from './support/gateway.ts';

const ROUNDS = ofForm({ short: 1, long: 10 });
const DEVICES_EACH = 2;
/** What had been delivered cannot be lost by any damage: it may go back so far. */
const BUFFERED_MAX_MS = 120_000;

function databaseFile(folder: string): string {
  const name = readdirSync(folder).find((file) => file.endsWith('.sqlite'));
  if (name === undefined) throw new Error(`no buffer in ${folder}`);
  return join(folder, name);
}

/** What happens to the folder while the agent is dead. Returns a line for the report. */
type Damage = (folder: string, random: () => number) => string;

const damages: Record<string, Damage> = {
  'a flipped byte in the database': (folder, random) => {
    const file = databaseFile(folder);
    const bytes = readFileSync(file);
    const position = Math.floor(random() * bytes.length);
    bytes[position] = (bytes[position] as number) ^ (1 << Math.floor(random() * 8));
    writeFileSync(file, bytes);
    return `byte ${position} of ${bytes.length}`;
  },
  'a flipped byte in the WAL': (folder, random) => {
    const file = `${databaseFile(folder)}-wal`;
    if (!existsSync(file) || statSync(file).size === 0) return 'no WAL';
    const bytes = readFileSync(file);
    const position = Math.floor(random() * bytes.length);
    bytes[position] = (bytes[position] as number) ^ 0x40;
    writeFileSync(file, bytes);
    return `byte ${position} of ${bytes.length}`;
  },
  'a truncated database': (folder, random) => {
    const file = databaseFile(folder);
    const length = Math.floor(statSync(file).size * random());
    truncateSync(file, length);
    return `${length} bytes left`;
  },
  'a sync that lied: the tail of the WAL is gone': (folder, random) => {
    const file = `${databaseFile(folder)}-wal`;
    if (!existsSync(file)) return 'no WAL';
    const length = Math.floor(statSync(file).size * random());
    truncateSync(file, length);
    return `${length} bytes left`;
  },
  'a deleted buffer': (folder) => {
    rmSync(folder, { recursive: true, force: true });
    return 'deleted';
  },
};

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

for (let round = 1; round <= ROUNDS; round++) {
  t.test(
    `a damage to the buffer of each gateway, ${round}`,
    { timeout: FORM_TIMEOUT_MS },
    async (t) => {
      const seed = (seedOfRun() + round - 1) >>> 0;
      t.comment(`seed ${seed}`);
      const names = Object.keys(damages).map((_, i) => `gw${i + 1}`);
      const plant = new Plant({
        name: 'damage',
        seed,
        devices: names.length * DEVICES_EACH,
        intervalMs: 50,
        collector: allowed(names),
      });
      const gateways = Object.entries(damages).map(([what, damage], i) => {
        const devices = Array.from(
          { length: DEVICES_EACH },
          (_, n) => `D${String(i * DEVICES_EACH + n + 1).padStart(2, '0')}`,
        );
        const gateway = new Gateway({ plant, name: names[i]!, gateway: names[i]!, devices });
        return { what, damage, devices, gateway, committed: 0 };
      });
      t.teardown(async () => {
        await Promise.all(gateways.map(({ gateway }) => gateway.abandon()));
        await plant.abandon();
      });
      await plant.configure();
      await plant.start('sim');
      await plant.start('collector');
      for (const { gateway } of gateways) await gateway.start();
      await until('readings of each in the store', 300_000, async () => {
        const stored = (await plant.ledger()).filter((item) => item.stored > 200);
        return stored.length >= gateways.length;
      });
      await plant.kill('collector');
      await until('a backlog of each', 300_000, async () => {
        for (const { gateway } of gateways)
          if ((await gateway.status()).buffer.readings < 800) return false;
        return true;
      });
      await Promise.all(gateways.map(({ gateway }) => gateway.abandon()));
      // Dead already: what each buffer holds is read, one after the other.
      for (const { gateway } of gateways) await gateway.kill();
      const killedMs = Math.max(...plant.kills.map(({ deadMs }) => deadMs));
      const buffered = plant.kills.flatMap((kill) => [...kill.buffered]);
      for (const one of gateways) {
        const isIts = (key: string): boolean =>
          one.devices.some((name) => key.startsWith(`${name} `));
        one.committed = buffered.filter(isIts).length;
        t.ok(one.committed > 500, `${one.what}: ${one.committed} readings were committed`);
        t.comment(`${one.what}: ${one.damage(one.gateway.dataFolder, plant.random)}`);
      }
      // The damage may cost any of what the buffer held; nothing that was delivered before.
      for (const kill of plant.kills) kill.buffered = new Set();
      const fromMs = killedMs - BUFFERED_MAX_MS;
      for (const { gateway } of gateways) await gateway.start();
      await plant.start('collector');
      const ledger = await settleGateways(
        plant,
        gateways.map(({ gateway }) => gateway),
      );
      const { problems, summary, comparison } = await account(plant, ledger, {
        excuses: gateways.map(({ devices }) => ({ fromMs, toMs: killedMs, devices })),
      });
      t.comment(JSON.stringify(summary));
      t.same(problems, [], 'nothing doubled, invented or lost beyond the damage');
      for (const [i, { what, committed }] of gateways.entries()) {
        const excused = comparison.excusedBy[i]!;
        t.ok(excused <= committed + 500, `${what}: ${excused} lost of ${committed} in the file`);
      }
      if (t.passing()) plant.discard();
      else t.comment(`folder kept: ${plant.folder}`);
    },
  );
}

t.test('an older copy of the buffer put back', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = new Plant({ name: 'restored', seed, devices: 5, intervalMs: 50 });
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.startAll();
  await until('readings in the store', 300_000, async () =>
    (await plant.ledger()).some((item) => item.stored > 500),
  );
  await plant.kill('collector');
  await until(
    'a backlog',
    300_000,
    async () => (await plant.agentStatus()).buffer.readings > 1_000,
  );
  await plant.kill('agent');
  const image = join(plant.folder, 'image');
  cpSync(plant.agentDataFolder, image, { recursive: true });
  await plant.start('agent');
  await plant.start('collector');
  await until(
    'the backlog to be delivered',
    300_000,
    async () => (await plant.agentStatus()).buffer.readings < 300,
  );
  await plant.kill('agent');
  const afterImage = plant.kills.at(-1);
  rmSync(plant.agentDataFolder, { recursive: true });
  cpSync(image, plant.agentDataFolder, { recursive: true });
  // What the newer buffer still held is gone with it: that is the restore's doing.
  const overwritten = afterImage?.buffered.size ?? 0;
  if (afterImage) afterImage.buffered = new Set();
  await plant.start('agent');
  const ledger = await plant.settle();
  const result = await account(plant, ledger, {
    excuses: [{ fromMs: (afterImage?.askedMs ?? 0) - 5_000, toMs: afterImage?.deadMs ?? 0 }],
  });
  t.comment(JSON.stringify(result.summary));
  t.same(result.problems, []);
  t.ok(
    result.summary.excused <= overwritten,
    `${result.summary.excused} lost of ${overwritten} that the restore overwrote`,
  );
  t.ok(result.summary.duplicates_removed > 0, 'the copy sent again what was known: removed');
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
