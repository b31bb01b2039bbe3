/** How fresh a device's readings are; as /api/v1/devices/states has it, for answers that hold every value. Pure. */

export type Freshness = 'live' | 'stale' | 'past' | 'ahead';

const STALE_MIN_MS = 30_000;
const STALE_INTERVALS = 3;
const AHEAD_MS = 60_000;

/** `past`: they come now, with times long gone (a recording, a buffer that is being drained). */
export function freshness(
  device: { last_ms: number; received_ms: number; interval_ms: number | null },
  nowMs: number,
): Freshness {
  const limitMs = Math.max(STALE_MIN_MS, STALE_INTERVALS * (device.interval_ms ?? 0));
  const ageMs = nowMs - device.last_ms;
  if (ageMs < -AHEAD_MS) return 'ahead';
  if (ageMs <= limitMs) return 'live';
  return nowMs - device.received_ms <= limitMs ? 'past' : 'stale';
}
