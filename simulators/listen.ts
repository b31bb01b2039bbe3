/** Opens a port, with a message that a user understands when it is taken. */

import type { Server } from 'node:net';
import { SimError } from './errors.ts';

/** Resolves when the server listens; SimError SIM_PORT_TAKEN when another program does. */
export function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      const isTaken = error.code === 'EADDRINUSE';
      reject(isTaken ? new SimError('SIM_PORT_TAKEN', `${host}:${port}`, { cause: error }) : error);
    };
    server.once('error', onError);
    server.listen(port, host, () => {
      server.off('error', onError);
      resolve();
    });
  });
}
