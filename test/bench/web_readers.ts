/**
 * `node web_readers.ts URL COUNT`: so many readers of the event stream, each of one device's readings and of all
 * alerts. Prints `reading` when all are connected; at SIGINT how many bytes came.
 */

import type { IncomingMessage } from 'node:http';
import { get } from 'node:http';

const [base = '', count = '200'] = process.argv.slice(2);
const answer = await fetch(new URL('/api/v1/devices?limit=1000', base));
const { items } = (await answer.json()) as { items: { site: string; device: string }[] };
if (items.length === 0) throw new Error('no devices');

let bytes = 0;
const connected = Array.from({ length: Number(count) }, async (_, i) => {
  const { site, device } = items[(i * 7) % items.length]!;
  const query = new URLSearchParams({ site, device, kinds: 'readings,alert' });
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(new URL(`/api/v1/stream?${query}`, base), { agent: false }, resolve).on('error', reject);
  });
  if (response.statusCode !== 200) throw new Error(`the stream answers ${response.statusCode}`);
  response.on('data', (data: Buffer) => {
    bytes += data.length;
  });
});
await Promise.all(connected);
process.stdout.write('reading\n');
process.once('SIGINT', () => process.stdout.write(`${bytes} bytes\n`, () => process.exit(0)));
