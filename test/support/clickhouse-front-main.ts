/**
 * The front as a process: `node test/support/clickhouse-front-main.ts --folder F [--port P] [--control P]
 * [--users JSON] [--tls JSON] [--with-parent]`. Prints one line of JSON with its ports when it answers.
 * With --with-parent it ends when its standard input does. See clickhouse-front.ts.
 */

import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { FrontServerOptions } from './clickhouse-front-server.ts';
import { FrontServer } from './clickhouse-front-server.ts';

const { values } = parseArgs({
  options: {
    folder: { type: 'string' },
    port: { type: 'string', default: '0' },
    control: { type: 'string', default: '0' },
    users: { type: 'string', default: '{"default":{"password":""}}' },
    tls: { type: 'string' },
    'with-parent': { type: 'boolean', default: false },
  },
});
if (values.folder === undefined) throw new Error('usage: clickhouse-front-main.ts --folder F');
mkdirSync(values.folder, { recursive: true });
if (values['with-parent']) process.stdin.resume().on('end', () => process.exit(0));
const server = new FrontServer({
  folder: values.folder,
  port: Number(values.port),
  users: JSON.parse(values.users) as FrontServerOptions['users'],
  tls: values.tls === undefined ? undefined : (JSON.parse(values.tls) as FrontServerOptions['tls']),
});
console.log(JSON.stringify(await server.start(Number(values.control))));
