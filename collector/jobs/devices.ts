/** A device's day: how long readings came, when it reported failures. */

import type { DeviceProfile } from '../profile.ts';
import type { Failure, Transition } from './failures.ts';
import { failingMs, failuresOf } from './failures.ts';
import type { JobContext, JobUnit } from './job.ts';
import { JOB_LIMITS } from './job.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

interface DeviceRow {
  device: string;
  profile: string;
  interval_ms: number;
  seen_ms: number;
}

interface Day {
  device: string;
  observedMs: number;
  deliveredMs: number;
  failures: readonly Failure[];
}

/** Fills `device_statistics` and `failures` for the day of the unit. */
export async function deviceDay(
  context: JobContext,
  unit: JobUnit,
  signal: AbortSignal,
): Promise<void> {
  const devices = await devicesOf(context, unit, signal);
  const delivered = await deliveredMinutes(context, unit, devices, signal);
  const failing = await failuresOfDay(context, unit, devices, signal);
  const { startMs, endMs } = unit.period;
  const days = devices.map(({ device, seen_ms }): Day => {
    // A device whose readings came later than they were taken was there before its first receipt.
    const firstMs = delivered.get(device)?.firstMs ?? endMs;
    const fromMs = Math.max(startMs, Math.min(Number(seen_ms), firstMs));
    const observedMs = Math.max(endMs - fromMs, 0);
    return {
      device,
      observedMs,
      deliveredMs: Math.min(delivered.get(device)?.ms ?? 0, observedMs),
      failures: failing.get(device) ?? [],
    };
  });
  await storeFailures(context, unit, days, signal);
  await storeDays(context, unit, days, signal);
}

/** The newest word on each device that had been there by the end of the day. */
function devicesOf(
  context: JobContext,
  { site, period }: JobUnit,
  signal: AbortSignal,
): Promise<DeviceRow[]> {
  return context.store.query<DeviceRow>(
    `SELECT device, argMax(profile, updated_ms) AS profile, argMax(interval_ms, updated_ms) AS interval_ms, min(first_received_ms) AS seen_ms
FROM device_states WHERE site = {site:String} GROUP BY device
HAVING seen_ms < {end:Int64} OR device IN (
  SELECT device FROM readings_1d WHERE site = {site:String} AND bucket_ms >= {start:Int64} AND bucket_ms < {end:Int64})
ORDER BY device`,
    { site, start: period.startMs, end: period.endMs },
    JOB_LIMITS,
    signal,
  );
}

/**
 * Time in which readings came: by slots of a minute, or of the device's interval where that is longer (one
 * reading of it covers the whole slot).
 */
async function deliveredMinutes(
  context: JobContext,
  { site, period }: JobUnit,
  devices: readonly DeviceRow[],
  signal: AbortSignal,
): Promise<Map<string, { ms: number; firstMs: number }>> {
  const slots = new Map<number, string[]>();
  for (const { device, interval_ms } of devices) {
    const slotMs = Math.max(MINUTE_MS, Math.ceil(Number(interval_ms) / MINUTE_MS) * MINUTE_MS);
    const group = slots.get(slotMs) ?? [];
    group.push(device);
    slots.set(slotMs, group);
  }
  const found = new Map<string, { ms: number; firstMs: number }>();
  for (const [slotMs, group] of slots) {
    const rows = await context.store.query<{ device: string; slots: number; first_ms: number }>(
      `SELECT device, uniqExact(intDiv(bucket_ms - {start:Int64}, {slot:Int64})) AS slots, min(bucket_ms) AS first_ms
FROM readings_1m FINAL
WHERE site = {site:String} AND device IN {devices:Array(String)} AND bucket_ms >= {start:Int64} AND bucket_ms < {end:Int64} AND good + texts > 0
GROUP BY device`,
      { site, start: period.startMs, end: period.endMs, slot: slotMs, devices: group },
      JOB_LIMITS,
      signal,
    );
    for (const { device, slots: count, first_ms } of rows) {
      found.set(device, { ms: Number(count) * slotMs, firstMs: Number(first_ms) });
    }
  }
  return found;
}

async function failuresOfDay(
  context: JobContext,
  unit: JobUnit,
  devices: readonly DeviceRow[],
  signal: AbortSignal,
): Promise<Map<string, Failure[]>> {
  const profiles = context.configuration()?.profiles ?? {};
  const groups = new Map<string, { failure: Told; devices: string[] }>();
  for (const { device, profile } of devices) {
    const failure = profiles[profile]?.failure;
    if (failure === undefined) continue;
    const key = `${failure.when} ${failure.channel}`;
    const group = groups.get(key) ?? { failure, devices: [] };
    group.devices.push(device);
    groups.set(key, group);
  }
  const found = new Map<string, Failure[]>();
  for (const group of groups.values()) {
    const open = await openBefore(context, unit, group.devices, signal);
    for (const [device, changes] of await transitions(context, unit, group, signal)) {
      found.set(device, failuresOf(changes, unit.period, open.get(device)));
    }
  }
  return found;
}

type Told = NonNullable<DeviceProfile['failure']>;

/** Each reading of the failure channel that says something else than the one before it; and each first one. */
async function transitions(
  context: JobContext,
  { site, period }: JobUnit,
  { failure, devices }: { failure: Told; devices: string[] },
  signal: AbortSignal,
): Promise<Map<string, Transition[]>> {
  const rows = await context.store.query<{ device: string; time_ms: number; failing: number }>(
    `SELECT device, time_ms, failing FROM (
  SELECT device, time_ms, failing,
    lagInFrame(failing, 1, 2) OVER (PARTITION BY device ORDER BY time_ms, seq ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS before
  FROM (
    SELECT device, time_ms, seq, toUInt8(value = {when:Float64}) AS failing FROM readings
    WHERE site = {site:String} AND device IN {devices:Array(String)} AND channel = {channel:String}
      AND time_ms >= {start:Int64} AND time_ms < {end:Int64}
      AND ifNull(isFinite(value), 0) AND treatment <= 2 AND bitAnd(quality, 3) != 2
  )
) WHERE failing != before ORDER BY device, time_ms`,
    {
      site,
      devices,
      channel: failure.channel,
      when: failure.when,
      // A day back, so that what held at midnight is known.
      start: period.startMs - DAY_MS,
      end: period.endMs,
    },
    JOB_LIMITS,
    signal,
  );
  const found = new Map<string, Transition[]>();
  for (const { device, time_ms, failing } of rows) {
    const changes = found.get(device) ?? [];
    changes.push({ timeMs: Number(time_ms), failing: Number(failing) === 1 });
    found.set(device, changes);
  }
  return found;
}

/** Failures that earlier days left open: when they started. */
async function openBefore(
  context: JobContext,
  { site, period }: JobUnit,
  devices: readonly string[],
  signal: AbortSignal,
): Promise<Map<string, number>> {
  const rows = await context.store.query<{ device: string; latest_ms: number }>(
    `SELECT device, max(from_ms) AS latest_ms FROM failures FINAL
WHERE site = {site:String} AND device IN {devices:Array(String)} AND gone = 0 AND from_ms < {start:Int64} AND (to_ms = 0 OR to_ms >= {start:Int64})
GROUP BY device`,
    { site, devices, start: period.startMs },
    JOB_LIMITS,
    signal,
  );
  return new Map(rows.map(({ device, latest_ms }) => [device, Number(latest_ms)]));
}

/** The failures of the day, and a mark on those that an earlier making found and that are not there any more. */
async function storeFailures(
  context: JobContext,
  { site, period }: JobUnit,
  days: readonly Day[],
  signal: AbortSignal,
): Promise<void> {
  const known = await context.store.query<{ device: string; from_ms: number }>(
    `SELECT device, from_ms FROM failures FINAL
WHERE site = {site:String} AND gone = 0 AND from_ms >= {start:Int64} AND from_ms < {end:Int64}`,
    { site, start: period.startMs, end: period.endMs },
    JOB_LIMITS,
    signal,
  );
  const rows = days.flatMap(({ device, failures }) =>
    failures.map(({ fromMs, toMs }) => ({ device, fromMs, toMs: toMs ?? 0, gone: 0 })),
  );
  const found = new Set(rows.map(({ device, fromMs }) => `${fromMs} ${device}`));
  for (const { device, from_ms } of known) {
    if (found.has(`${Number(from_ms)} ${device}`)) continue;
    rows.push({ device, fromMs: Number(from_ms), toMs: 0, gone: 1 });
  }
  if (rows.length === 0) return;
  await context.store.execute(
    `INSERT INTO failures (site, device, from_ms, to_ms, gone, updated_ms)
SELECT {site:String}, t.1, t.2, t.3, t.4, {now:UInt64}
FROM (SELECT arrayJoin(arrayZip({devices:Array(String)}, {froms:Array(Int64)}, {tos:Array(Int64)}, {gone:Array(UInt8)})) AS t)`,
    {
      site,
      devices: rows.map((row) => row.device),
      froms: rows.map((row) => row.fromMs),
      tos: rows.map((row) => row.toMs),
      gone: rows.map((row) => row.gone),
      now: context.clock.wallMs(),
    },
    JOB_LIMITS,
    signal,
  );
}

async function storeDays(
  context: JobContext,
  { site, period }: JobUnit,
  days: readonly Day[],
  signal: AbortSignal,
): Promise<void> {
  if (days.length === 0) return;
  const { startMs, endMs, label } = period;
  await context.store.execute(
    `INSERT INTO device_statistics (site, device, period, label, start_ms, end_ms, observed_ms, delivered_ms, failing_ms, failures, updated_ms)
SELECT {site:String}, t.1, 'day', {label:String}, {start:Int64}, {end:Int64}, t.2, t.3, t.4, t.5, {now:UInt64}
FROM (SELECT arrayJoin(arrayZip({devices:Array(String)}, {observed:Array(UInt64)}, {delivered:Array(UInt64)}, {failing:Array(UInt64)}, {failures:Array(UInt64)})) AS t)`,
    {
      site,
      label,
      start: startMs,
      end: endMs,
      devices: days.map((day) => day.device),
      observed: days.map((day) => day.observedMs),
      delivered: days.map((day) => day.deliveredMs),
      failing: days.map((day) =>
        Math.min(failingMs(day.failures, startMs, endMs), day.deliveredMs),
      ),
      // A failure counts on the day on which it began.
      failures: days.map((day) => day.failures.filter(({ fromMs }) => fromMs >= startMs).length),
      now: context.clock.wallMs(),
    },
    JOB_LIMITS,
    signal,
  );
}
