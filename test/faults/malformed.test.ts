/**
 * Every malformed answer that the simulated devices can make: each becomes a finding (a reading of bad
 * quality, or one that a rule treated), a reject or a reading in quarantine, never a crash, and never
 * costs a good channel beside it.
 *
 * Alone: `node test/faults/malformed.test.ts --seed N`.
 */

import t from 'tap';
import { faultKinds, garbageVariants, wrongTypeVariants } from '../../simulators/faults.ts';
import type { TruthRow } from '../../simulators/truth.ts';
import { readTruth } from '../../simulators/truth.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import type { StoredQuarantine, StoredReading } from '../support/truth-comparison.ts';
import { arrivedOf, quarantinedKey } from '../support/truth-comparison.ts';

const CHANNELS = ['sensor1', 'sensor2', 'sensor3', 'motor1', 'motor2', 'motor3', 'isFail'];

interface Case {
  fault: string;
  variant?: string;
  channel?: string;
  /** What the answer must become, beside the untouched channels. */
  becomes: 'values' | 'bad_value' | 'too_old' | 'too_new' | 'reject' | 'nothing';
  /** The agent takes a naive time for UTC, as configured; the device means Korea. */
  storedLaterMs?: number;
}

const FIELDS_WITHOUT_A_READING = ['time', 'DeviceId'];

/** One device a case: all run side by side, so that none may disturb another. */
function cases(): Case[] {
  const list: Case[] = [];
  for (const variant of wrongTypeVariants) {
    // A number is wrong only where a boolean belongs; a huge one is a number all the same.
    const channel = variant === 'number' ? 'isFail' : 'sensor2';
    const becomes = variant === 'huge_number' ? 'values' : 'bad_value';
    list.push({ fault: 'wrong_type', variant, channel, becomes });
  }
  for (const field of [...FIELDS_WITHOUT_A_READING, 'motor1']) {
    const becomes = FIELDS_WITHOUT_A_READING.includes(field) ? 'reject' : 'bad_value';
    list.push({ fault: 'missing_field', channel: field, becomes });
    list.push({ fault: 'null', channel: field, becomes });
  }
  for (const variant of garbageVariants) {
    const cut = ['long_length', 'short_length', 'stall'].includes(variant);
    list.push({ fault: 'garbage', variant, becomes: cut ? 'nothing' : 'reject' });
  }
  for (const fault of [
    'spike',
    'drift',
    'stuck',
    'minus_one',
    'isFail',
    'time_jump',
    'time_naive',
  ]) {
    list.push({
      fault,
      becomes: 'values',
      ...(fault === 'time_naive' ? { storedLaterMs: 9 * 3_600_000 } : {}),
      ...(fault === 'drift' || fault === 'stuck' ? { channel: 'sensor1' } : {}),
    });
  }
  // Two days ahead, five years back.
  list.push(
    { fault: 'time_future', becomes: 'too_new' },
    { fault: 'time_past', becomes: 'too_old' },
  );
  for (const fault of ['wrong_device', 'time_missing', 'time_garbage'])
    list.push({ fault, becomes: 'reject' });
  for (const fault of ['dropout', '500', '429', 'slow'])
    list.push({ fault, becomes: fault === 'slow' ? 'values' : 'nothing' });
  return list;
}

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);

t.test('malformed answers', { timeout: 900_000 }, async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const list = cases();
  const healthy = 3;
  const plant = new Plant({
    name: 'malformed',
    seed,
    devices: list.length + healthy,
    intervalMs: 500,
    timeoutMs: 2_000,
    agent: { buffer: { commit_interval_ms: 50 } },
  });
  t.comment(`folder ${plant.folder}`);
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.start('sim');
  await plant.start('collector');
  const nameOf = (index: number) => `D${String(index + 1).padStart(2, '0')}`;
  for (const [index, entry] of list.entries()) {
    const { becomes: _, storedLaterMs: __, ...fault } = entry;
    const order = { device: nameOf(index), on: true, delay_ms: 1_000, ...fault };
    const response = await fetch(`http://127.0.0.1:${plant.ports.sim}/_faults`, {
      method: 'POST',
      body: JSON.stringify(order),
      headers: { 'content-type': 'application/json' },
    });
    t.ok(response.ok, `${JSON.stringify(order)} ${await response.text()}`);
  }
  t.same(
    Object.keys(faultKinds)
      .filter((kind) => !list.some((entry) => entry.fault === kind))
      .sort(),
    ['exception', 'time_stuck'],
    'every fault of the FMS devices is tried (exception is of Modbus; time_stuck repeats readings)',
  );
  await plant.start('agent');
  const truthOf = async (): Promise<Map<string, TruthRow[]>> => {
    const rows = new Map<string, TruthRow[]>();
    for await (const entry of readTruth(plant.truthFile)) {
      if (entry.type === 'row') rows.set(entry.device, [...(rows.get(entry.device) ?? []), entry]);
    }
    return rows;
  };
  await until('every device to have been asked', 300_000, async () => {
    const rows = await truthOf();
    return (
      list.every((_, index) => (rows.get(nameOf(index))?.length ?? 0) >= 3) &&
      (rows.get(nameOf(list.length))?.length ?? 0) >= 10
    );
  });
  t.ok(plant.isRunning('agent'), 'the agent runs');
  await plant.settle();

  const stored = await plant.dump<StoredReading>('readings');
  const byKey = new Map(stored.map((row) => [`${row.device} ${row.channel} ${row.time_ms}`, row]));
  const truth = await truthOf();
  const rejects = await plant.dump<StoredQuarantine>('quarantine');
  const reasons = new Map(rejects.map((row) => [quarantinedKey(row), row.reason]));
  for (const [index, entry] of [
    ...list.entries(),
    ...Array.from(
      { length: healthy },
      (_, extra) => [list.length + extra, { fault: 'none', becomes: 'values' }] as [number, Case],
    ),
  ]) {
    const device = nameOf(index);
    const name = [entry.fault, entry.variant, entry.channel].filter(Boolean).join(' ');
    const rows = truth.get(device) ?? [];
    const rejected = rejects.filter((row) => row.device === device);
    if (entry.becomes === 'nothing') {
      t.equal(
        stored.filter((row) => row.device === device).length,
        0,
        `${name}: no reading is made up`,
      );
      continue;
    }
    if (entry.becomes === 'reject') {
      t.ok(
        rejected.length > 0,
        `${name}: rejected as ${[...new Set(rejected.map((row) => row.reason))].join(', ')}`,
      );
      t.equal(
        stored.filter((row) => row.device === device).length,
        0,
        `${name}: no reading is made up`,
      );
      continue;
    }
    // The last answer may have come while the agent was ending.
    const complete = rows.filter((row) => row.status === 200 && row.time_ms !== null).slice(0, -1);
    t.ok(complete.length > 0, `${name}: ${complete.length} answers`);
    if (entry.becomes === 'too_old' || entry.becomes === 'too_new') {
      const keys = complete.flatMap((row) =>
        CHANNELS.map((channel) => `${device} ${channel} ${row.time_ms}`),
      );
      const found = new Set(keys.map((key) => reasons.get(key)));
      t.same(found, new Set([entry.becomes]), `${name}: all are in quarantine`);
      t.same(
        stored.filter((row) => row.device === device),
        [],
        `${name}: and nowhere else`,
      );
      continue;
    }
    t.equal(rejected.length, 0, `${name}: nothing rejected`);
    const wrong: string[] = [];
    for (const row of complete) {
      for (const channel of CHANNELS) {
        const timeMs = (row.time_ms ?? 0) + (entry.storedLaterMs ?? 0);
        const found = byKey.get(`${device} ${channel} ${timeMs}`);
        if (found === undefined) wrong.push(`${channel} ${row.time_ms} is missing`);
        else if (entry.becomes === 'bad_value' && channel === entry.channel) {
          if ((found.quality & 3) === 0) wrong.push(`${channel} ${row.time_ms} passes as good`);
        } else if (arrivedOf(found).value !== Number(row.values[channel])) {
          wrong.push(
            `${channel} ${row.time_ms}: sent ${row.values[channel]}, stored ${found.value}`,
          );
        } else if (row.values[channel] === -1 && found.value === -1)
          wrong.push(`${channel} ${row.time_ms}: -1 passes as a value`);
      }
    }
    t.same(wrong.slice(0, 5), [], `${name}: every channel of every answer`);
  }
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});
