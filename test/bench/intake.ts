/** Broker and log alone, for the transport bench: `node intake.ts FOLDER TOKEN [PORT]`. Ends with SIGTERM. */

import { join } from 'node:path';
import { tokenDoor } from '../../collector/broker/door.ts';
import { startBroker } from '../../collector/broker.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import type { Logger } from '../../collector/types.ts';
import { partitionOf } from '../../proto/partition.ts';

const [folder, token, port = '0'] = process.argv.slice(2);
if (folder === undefined || token === undefined)
  throw new Error('usage: intake.ts FOLDER TOKEN [PORT]');

const say = (level: string) => (fields: object, message: string) =>
  void process.stderr.write(`${JSON.stringify({ level, message, ...fields })}\n`);
const logger: Logger = { info: () => {}, warn: say('warn'), error: say('error') };
const clock = { wallMs: () => Date.now() };
const log = await openSqliteLog({
  path: join(folder, 'log.sqlite'),
  partitions: 1,
  maxBytes: 20 * 2 ** 30,
  retentionBytes: 20 * 2 ** 30,
  retentionMs: 3_600_000,
  clock,
  log: logger,
});
const broker = await startBroker({
  plain: { host: '127.0.0.1', port: Number(port) },
  log,
  partitionOf,
  door: tokenDoor((username, password) => {
    const [site, gateway] = username.split('/');
    return site && gateway && password === token ? { site, gateway } : undefined;
  }),
  clock,
  metrics: {
    connections: () => {},
    handshakeFailed: () => {},
    refused: () => {},
    takenOver: () => {},
    appended: () => {},
    acknowledged: () => {},
  },
  logger,
});
process.stdout.write(`port=${broker.port}\n`);
process.once('SIGTERM', async () => {
  await broker.close();
  await log.close();
});
