/**
 * A gateway that boots in 1970 and gets its time ten minutes later: its readings end at the right time.
 * The agent runs in this process with a clock that the test bends (wall and monotonic time run 60 times
 * as fast, in the short form 120 times, so that ten minutes last ten seconds or five); readers, buffer, MQTT and the collector are the real
 * ones.
 *
 * Alone: `node test/faults/clock.test.ts`.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Agent } from '../../agent/agent.ts';
import { loadConfig } from '../../agent/config/config.ts';
import { readers as readerTypes } from '../../agent/readers/registry.ts';
import { systemScheduler } from '../../agent/scheduler.ts';
import type { Clock } from '../../agent/types.ts';
import { QualityReason, reasonOf } from '../../proto/model.ts';
import { ofForm } from '../support/form.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import type { StoredReading } from '../support/truth-comparison.ts';

const SPEED = ofForm({ short: 120, long: 60 });
const MINUTE_MS = 60_000;

/** Counts up every 50 ms of real time, without a time of its own. */
const PROGRAM = `
let n = 0;
setInterval(() => console.log(JSON.stringify({ values: { n: n++ } })), 50);
process.on('SIGTERM', () => process.exit(0));
`;

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);

t.test('boots in 1970, gets its time ten minutes later', { timeout: 900_000 }, async (t) => {
  const seed = seedOfRun();
  const plant = new Plant({ name: 'clock', seed });
  t.comment(`folder ${plant.folder}`);
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.start('collector');
  const program = join(plant.folder, 'counter.mjs');
  writeFileSync(program, PROGRAM);
  plant.options.agent = {
    devices: [{ name: 'C1', reader: 'command', command: { argv: [process.execPath, program] } }],
  };
  plant.writeConfigurations();

  const began = performance.now();
  const bootMonoMs = 5_000;
  const trueStartMs = Date.now();
  const monoMs = () => bootMonoMs + (performance.now() - began) * SPEED;
  const trueMs = () => trueStartMs + monoMs() - bootMonoMs;
  let hasTime = false;
  /** A Raspberry Pi without battery: 1970 until the time service speaks. */
  const clock: Clock = { monoMs, wallMs: () => Math.round(hasTime ? trueMs() : monoMs()) };

  const loaded = loadConfig({ path: join(plant.folder, 'agent.yaml'), env: {}, readerTypes });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.mistakes));
  const quiet = () => {};
  const agent = new Agent(loaded.config, {
    version: 'test',
    readerTypes,
    env: { FMS_AGENT_MACHINE_ID: 'clock-test' },
    clock,
    scheduler: systemScheduler,
    random: plant.random,
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    uptimeMs: () => performance.now() - began,
  });
  await agent.start();
  await until(
    'ten minutes of the bent clock',
    300_000,
    () => monoMs() - bootMonoMs > 10 * MINUTE_MS,
  );
  const beforeSync = agent.snapshot().buffer.appendedReadingsTotal;
  t.ok(beforeSync > 50, `${beforeSync} readings while the clock said 1970`);
  t.equal(
    agent.snapshot().forwarder?.ackedReadingsTotal,
    0,
    'none of them was sent with that time',
  );
  hasTime = true;
  const syncedAtMs = trueMs();
  await until('readings after the synchronisation', 300_000, () => {
    return agent.snapshot().buffer.appendedReadingsTotal > beforeSync + 50;
  });
  const acked = () => agent.snapshot().forwarder?.ackedReadingsTotal ?? 0;
  await until('everything sent', 300_000, () => acked() > beforeSync + 40).catch(
    (error: unknown) => {
      t.comment(JSON.stringify(agent.snapshot()));
      throw error;
    },
  );
  await agent.stop();
  const endedAtMs = trueMs();
  await until('nothing in flight', 300_000, async () => {
    const items = await plant.ledger();
    return items.length > 0 && items.every((item) => item.in_flight === 0);
  });
  await until('all rows in the store', 300_000, async () => {
    const [item] = await plant.ledger();
    const { items } = await plant.api<{ items: unknown[] }>(
      `readings?site=test&device=C1&from=0&to=${Math.round(endedAtMs + MINUTE_MS)}&limit=10000`,
    );
    return items.length === item?.stored;
  });
  t.comment(await plant.deepCheck());
  await plant.stop('collector');

  const rows = (await plant.dump<StoredReading>('readings')).sort((a, b) => a.seq - b.seq);
  t.same(
    rows.map((row) => row.value),
    rows.map((_, index) => index),
    'every count is there once, in order',
  );
  t.same(
    rows.filter((row) => row.time_ms < trueStartMs - 100 || row.time_ms > endedAtMs + 100),
    [],
    'every reading lies between the true start and the true end',
  );
  t.ok(
    rows.every(
      (row, index) => index === 0 || row.time_ms >= (rows[index - 1] as StoredReading).time_ms,
    ),
    'times never go back',
  );
  const corrected = rows.filter((row) => reasonOf(row.quality) === QualityReason.CLOCK_CORRECTED);
  t.ok(corrected.length >= beforeSync, `${corrected.length} readings are marked as corrected`);
  t.ok(
    rows.slice(0, beforeSync).every((row) => row.time_ms <= syncedAtMs + 500 * SPEED),
    'those of 1970 lie before the synchronisation',
  );
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
