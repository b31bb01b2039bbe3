/** `fms-sim modbus`. */

import { fileURLToPath } from 'node:url';
import { startModbus } from '../modbus.ts';
import { loadModbusConfig } from '../modbus-config.ts';
import { openTruth, serveUntilEnd, warnOnce } from './serve.ts';

export interface ModbusCommandOptions {
  config?: string;
  host?: string;
  port?: number;
  controlPort?: number;
  seed?: string;
  truth?: string;
  fault: string[];
}

/** `fms-sim modbus`. Returns when SIGINT or SIGTERM has ended it. */
export async function runModbus(options: ModbusCommandOptions): Promise<void> {
  const path = options.config ?? fileURLToPath(new URL('../modbus.yaml', import.meta.url));
  const file = loadModbusConfig(path);
  const config = {
    ...file,
    seed: options.seed ?? file.seed,
    host: options.host ?? file.host,
    port: options.port ?? file.port,
    controlPort: options.controlPort ?? file.controlPort,
  };
  const truth = openTruth(options.truth ?? file.truthPath, file.truthMaxBytes);
  const running = await startModbus({ config, truth, nowMs: Date.now, onError: warnOnce() });
  await serveUntilEnd(running, options.fault, () => {
    const names = config.units.map((u) => `${u.name} (unit ${u.unit})`).join(', ');
    const control =
      running.controlPort === undefined
        ? ''
        : `, faults: http://127.0.0.1:${running.controlPort}/_faults`;
    return `simulated devices ${names} on modbus ${config.host}:${running.port} (seed ${config.seed})${control}`;
  });
  truth.close();
}
