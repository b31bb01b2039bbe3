/** What an agent reads from the simulated FMS devices (simulators/devices.yaml), without the HTTP. */

import { fileURLToPath } from 'node:url';
import type { Reading } from '../../proto/model.ts';
import { Quality } from '../../proto/model.ts';
import { loadDevicesConfig } from '../../simulators/config.ts';
import { Random } from '../../simulators/random.ts';
import { SignalSource } from '../../simulators/signal.ts';

export interface Row {
  device: string;
  timeMs: number;
  values: Map<string, number | boolean>;
}

const CONFIG = fileURLToPath(new URL('../../simulators/devices.yaml', import.meta.url));
/** An answer's own time lies so much after the schedule: the agent asks all devices at once. */
const ANSWER_DELAY_MS_MAX = 12;

/**
 * Cycles of rows, one a device, every `intervalMs` from `startMs` on; endless, seeded. More devices
 * than the file has are made alike.
 */
export function* simulatedCycles(options: {
  startMs: number;
  intervalMs: number;
  seed: number;
  devices?: number;
}): Generator<Row[]> {
  const config = loadDevicesConfig(CONFIG);
  const count = options.devices ?? config.devices.length;
  const devices = Array.from({ length: count }, (_, i) => {
    const like = config.devices[i % config.devices.length]!;
    const name = `D${String(i + 1).padStart(2, '0')}`;
    const sources = [...like.channels].map(
      ([channel, signal]) =>
        [
          channel,
          new SignalSource(signal, new Random(options.seed, `${name}/${channel}`)),
        ] as const,
    );
    return { name, sources };
  });
  const delays = new Random(options.seed, 'delays');
  for (let cycleMs = options.startMs; ; cycleMs += options.intervalMs) {
    yield devices.map(({ name, sources }) => ({
      device: name,
      timeMs: cycleMs + 1 + delays.int(ANSWER_DELAY_MS_MAX),
      values: new Map(sources.map(([channel, source]) => [channel, source.draw().value])),
    }));
  }
}

export function readingsOf(row: Row): Reading[] {
  const { device, timeMs } = row;
  return [...row.values].map(([channel, value]) => ({
    device,
    channel,
    timeMs,
    value,
    quality: Quality.GOOD,
  }));
}
