/**
 * The sockets that gateways connect to. The event loop accepts one connection per listening socket and
 * iteration, so that thousands that come back at once would wait in the queue until they give up: several
 * sockets share the port where the system can do that (SO_REUSEPORT), and one takes it elsewhere.
 */

import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { CollectorError } from '../errors.ts';

const LISTENERS = 128;
/** Of each; the system may allow less. */
const BACKLOG = 4_096;
const ATTEMPTS_MAX = 5;

export interface ListenersOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  onSocket: (socket: Socket) => void;
  /** A listener failed later on. */
  onError: (error: Error) => void;
}

export interface Listeners {
  readonly port: number;
  /** How many sockets share the port. */
  readonly count: number;
  /** Accepts nothing more. Resolves when all accepted connections have ended, too. */
  close(): Promise<void>;
}

/** Rejects with COLLECTOR_PORT_TAKEN, or with what the system says. Nothing is left listening then. */
export async function listen(options: ListenersOptions): Promise<Listeners> {
  const servers = await openAll(options);
  for (const server of servers) server.on('error', options.onError);
  const { port } = servers[0]!.address() as AddressInfo;
  return {
    port,
    count: servers.length,
    close: async () => {
      await Promise.all(servers.map(closed));
    },
  };
}

async function openAll(options: ListenersOptions): Promise<Server[]> {
  for (let attempt = 1; ; attempt++) {
    // Alone first: sockets that share a port would share it with another collector just as well.
    const alone = await open(options, options.port, false, (socket) => socket.destroy());
    const { port } = alone.address() as AddressInfo;
    await closed(alone);
    const servers: Server[] = [];
    try {
      for (let i = 0; i < LISTENERS; i++) {
        servers.push(await open(options, port, true, options.onSocket));
      }
      return servers;
    } catch (error) {
      await Promise.all(servers.map(closed));
      if (isUnsupported(error)) return [await open(options, port, false, options.onSocket)];
      // Any free port will do, and somebody else has just found this one.
      if (options.port !== 0 || attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}

async function open(
  { host }: ListenersOptions,
  port: number,
  reusePort: boolean,
  onSocket: (socket: Socket) => void,
): Promise<Server> {
  const server = createServer({ noDelay: true }, onSocket);
  try {
    server.listen({ host, port, backlog: BACKLOG, reusePort });
    await once(server, 'listening');
    return server;
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    throw new CollectorError('COLLECTOR_PORT_TAKEN', `MQTT ${host}:${port}`, { cause: error });
  }
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

function isUnsupported(error: unknown): boolean {
  return ['ENOTSUP', 'EOPNOTSUPP', 'ENOPROTOOPT', 'EINVAL'].includes(codeOf(error));
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
