/** One anomaly an event: when it begins, gets clearly worse, and is over. */

import type { AnomalyChange } from './change.ts';
import type { DeviceState, DeviceStates } from './devices.ts';
import { DeviceField } from './devices.ts';
import { PEAK_CLOSER, PEAKS_MAX, QUIET_MS, QUIET_ROWS, QUIET_SCORE } from './limits.ts';

/** What opens an anomaly. */
export const THRESHOLD = 0.5;

/** All of an anomaly but when it began and ended. */
export type Said = Omit<AnomalyChange, 'phase' | 'onsetMs' | 'peakMs' | 'endMs'>;

/**
 * A row in its turn, with the joined score. `say` puts it in words: asked only when something is to be told.
 * Answers what happened; undefined: nothing.
 */
export function advance(
  states: DeviceStates,
  device: DeviceState,
  timeMs: number,
  score: number,
  say: () => Said,
): AnomalyChange | undefined {
  const { open } = device;
  if (open === undefined) {
    if (score < THRESHOLD) return undefined;
    const onset = { ...say(), phase: 'onset' as const, onsetMs: timeMs, peakMs: timeMs, endMs: 0 };
    states.setOpen(device, onset);
    loud(device, timeMs);
    device.slab[DeviceField.PEAKS] = 0;
    return onset;
  }
  if (score < QUIET_SCORE) return quiet(states, device, timeMs);
  loud(device, timeMs);
  const { slab } = device;
  const isWorse = score >= THRESHOLD && 1 - score <= PEAK_CLOSER * (1 - open.score);
  // At 1 it cannot get worse.
  if (!isWorse || open.score >= 1 || slab[DeviceField.PEAKS]! >= PEAKS_MAX) return undefined;
  slab[DeviceField.PEAKS] = slab[DeviceField.PEAKS]! + 1;
  const { onsetMs } = open;
  const peak = { ...say(), phase: 'peak' as const, onsetMs, peakMs: timeMs, endMs: 0 };
  states.setOpen(device, peak);
  return peak;
}

/** Ends what is open at the last row that was not quiet. */
export function end(states: DeviceStates, device: DeviceState): AnomalyChange | undefined {
  const { open } = device;
  if (open === undefined) return undefined;
  states.setOpen(device, undefined);
  // A clock that was set back meanwhile must not make it end before it began.
  const endMs = Math.max(open.onsetMs, device.slab[DeviceField.LOUD_MS]!);
  return { ...open, phase: 'end', endMs };
}

function loud({ slab }: DeviceState, timeMs: number): void {
  slab[DeviceField.QUIET_ROWS] = 0;
  slab[DeviceField.LOUD_MS] = timeMs;
}

function quiet(
  states: DeviceStates,
  device: DeviceState,
  timeMs: number,
): AnomalyChange | undefined {
  const { slab } = device;
  const rows = slab[DeviceField.QUIET_ROWS]! + 1;
  slab[DeviceField.QUIET_ROWS] = rows;
  if (rows === 1) slab[DeviceField.QUIET_SINCE_MS] = timeMs;
  const forMs = timeMs - slab[DeviceField.QUIET_SINCE_MS]!;
  if (rows < QUIET_ROWS && !(rows >= 2 && forMs >= QUIET_MS)) return undefined;
  return end(states, device);
}
