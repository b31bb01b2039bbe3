/** `fms-sim devices`. */

import { fileURLToPath } from 'node:url';
import type { DevicesConfig } from '../config.ts';
import { loadDevicesConfig } from '../config.ts';
import { startDevices } from '../devices.ts';
import { openTruth, serveUntilEnd, warnOnce } from './serve.ts';

export interface DevicesOptions {
  config?: string;
  host?: string;
  port?: number;
  /** The first so many devices of the file, then more like them: D06, D07 … */
  devices?: number;
  seed?: string;
  truth?: string;
  fault: string[];
}

/** `fms-sim devices`. Returns when SIGINT or SIGTERM has ended it. */
export async function runDevices(options: DevicesOptions): Promise<void> {
  const path = options.config ?? fileURLToPath(new URL('../devices.yaml', import.meta.url));
  const file = loadDevicesConfig(path);
  const config = {
    ...file,
    seed: options.seed ?? file.seed,
    host: options.host ?? file.host,
    port: options.port ?? file.port,
    devices: devicesOf(file, options.devices ?? file.devices.length),
  };
  const truth = openTruth(options.truth ?? file.truthPath, file.truthMaxBytes);
  const running = await startDevices({ config, truth, nowMs: Date.now, onError: warnOnce() });
  await serveUntilEnd(running, options.fault, () => {
    const names = config.devices.map((d) => d.name).join(', ');
    return `simulated devices ${names} on http://${config.host}:${running.port}/ (seed ${config.seed})`;
  });
  truth.close();
}

function devicesOf(file: DevicesConfig, count: number): DevicesConfig['devices'] {
  const first = file.devices[0];
  return Array.from({ length: count }, (_, index) => {
    const name = `D${String(index + 1).padStart(2, '0')}`;
    return file.devices[index] ?? { name, channels: first?.channels ?? new Map() };
  });
}
