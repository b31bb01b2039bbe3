/** The demo's ports: where they come from, and whether they are free. */

import { createServer } from 'node:net';
import { SimError } from '../errors.ts';
import { listen } from '../listen.ts';

export interface DemoPorts {
  http: number;
  mqtt: number;
  sim: number;
  status: number;
}

export type PortName = keyof DemoPorts;

export const portUses: Record<PortName, string> = {
  http: 'page and API of the collector',
  mqtt: 'MQTT of the collector',
  sim: 'simulated devices',
  status: 'status of the agent',
};

/** Throws SimError SIM_PORT_TAKEN that names every taken port and how to choose another. */
export async function checkPorts(ports: DemoPorts, names: readonly PortName[]): Promise<void> {
  const taken: string[] = [];
  const used = new Set<number>();
  for (const name of names) {
    const port = ports[name];
    const isFree = !used.has(port) && (await isPortFree(port));
    used.add(port);
    if (isFree) continue;
    const other = await freePortAfter(port, used);
    taken.push(
      `port ${port} (${portUses[name]}) is taken by another program; ` +
        `choose another: --${name}-port ${other}, or FMS_${name.toUpperCase()}_PORT=${other}`,
    );
  }
  if (taken.length > 0) throw new SimError('SIM_PORT_TAKEN', taken.join('\n  '));
}

async function isPortFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await listen(server, port, '127.0.0.1');
  } catch {
    return false;
  }
  await new Promise((resolve) => server.close(resolve));
  return true;
}

async function freePortAfter(port: number, used: ReadonlySet<number>): Promise<number> {
  for (let candidate = port + 1; candidate < port + 50 && candidate < 65_536; candidate++) {
    if (!used.has(candidate) && (await isPortFree(candidate))) return candidate;
  }
  return port + 1;
}
