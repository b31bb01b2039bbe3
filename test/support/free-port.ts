/**
 * A port for a program that is about to be started. Not one that the system would give out (those above
 * 32767): between the asking and the start another process could get the same one.
 */

import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

const FIRST = 12_000;
const LAST = 32_000;
const TRIES = 100;

export async function freePort(): Promise<number> {
  for (let i = 0; i < TRIES; i++) {
    const port = randomInt(FIRST, LAST);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port among ${TRIES}`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const refused = once(server, 'error').then(() => false);
  refused.catch(() => undefined);
  server.listen(port, '127.0.0.1');
  const listening = once(server, 'listening').then(() => true);
  listening.catch(() => undefined);
  const free = await Promise.race([refused, listening]);
  if (free) {
    server.close();
    await once(server, 'close');
  }
  return free;
}
