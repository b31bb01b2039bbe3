/**
 * The load of the benches of throughput: a fleet publishes as fast as readings come to be found by a query of
 * the store, and no faster.
 */

import { runFleet } from '../../simulators/fleet.ts';
import type { FleetCounts, FleetReport } from '../../simulators/fleet-options.ts';
import type { Rig } from './rig.ts';

export const GATEWAYS = 100;
export const DEVICES = 20;
export const CHANNELS = 7;
/** More than a collector does; the closed loop sets the pace. */
const DEMANDED_PER_S = 400_000;
const BATCH_INTERVAL_MS = 1_000;
const ASK_EVERY_MS = 250;

export interface LoopOptions {
  seconds: number;
  /** Readings sent and not yet found: at so many the generator waits. */
  ahead: number;
  /** All gateways are connected; the time runs from here. */
  onStarted: () => void;
  /** After each question: since the start, and rows found by then. */
  onAnswer: (atS: number, queryable: number) => void;
  /** Once a second. */
  progress: (sent: number, queryable: number) => void;
}

/** Resolves when the time is over and all that was sent has been acknowledged. */
export async function closedLoop(rig: Rig, options: LoopOptions): Promise<FleetReport> {
  const ending = new AbortController();
  let counts: Readonly<FleetCounts> | undefined;
  let before = 0;
  let queryable = 0;
  let startedMs = 0;
  let isAsking = false;
  async function ask(): Promise<void> {
    if (startedMs === 0 || isAsking) return;
    isAsking = true;
    const { rows_in_store } = await rig.totals().finally(() => {
      isAsking = false;
    });
    queryable = rows_in_store - before;
    const atS = (performance.now() - startedMs) / 1_000;
    options.onAnswer(atS, queryable);
    if (atS >= options.seconds) ending.abort();
  }
  before = (await rig.totals()).rows_in_store;
  const asking = setInterval(() => void ask(), ASK_EVERY_MS);
  try {
    return await runFleet(
      {
        ...rig.fleet,
        devices: DEVICES,
        channels: CHANNELS,
        rowsPerS: DEMANDED_PER_S / (GATEWAYS * DEVICES * CHANNELS),
        batchIntervalMs: BATCH_INTERVAL_MS,
        stateIntervalMs: 10_000,
      },
      {
        signal: ending.signal,
        onStarted: (live) => {
          counts = live;
          options.onStarted();
          startedMs = performance.now();
        },
        hold: () => (counts?.sentReadings ?? 0) - queryable > options.ahead,
        progress: () => options.progress(counts?.sentReadings ?? 0, queryable),
      },
    );
  } finally {
    clearInterval(asking);
  }
}
