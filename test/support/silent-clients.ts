/**
 * A process that opens connections and says nothing on them: `node silent-clients.ts PORT COUNT`. Writes
 * `open N` once all are open, and `closed N` once the other side has closed them all.
 */

import { once } from 'node:events';
import { connect } from 'node:net';

const port = Number(process.argv[2]);
const count = Number(process.argv[3]);
let closed = 0;

for (let opened = 0; opened < count; ) {
  const sockets = Array.from({ length: Math.min(500, count - opened) }, () =>
    connect(port, '127.0.0.1'),
  );
  for (const socket of sockets) {
    socket.on('error', () => undefined);
    socket.on('close', () => {
      closed += 1;
      if (closed === count) process.stdout.write(`closed ${closed}\n`);
    });
  }
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  opened += sockets.length;
}
process.stdout.write(`open ${count}\n`);
