import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import t from 'tap';
import type { Listeners } from '../../collector/broker/listeners.ts';
import { listen } from '../../collector/broker/listeners.ts';

const HOST = '127.0.0.1';

function open(port = 0, onSocket = (socket: Socket) => void socket.destroy()): Promise<Listeners> {
  const onError = (error: Error) => {
    throw error;
  };
  return listen({ host: HOST, port, onSocket, onError });
}

t.test('every socket that shares the port accepts', async (t) => {
  let accepted = 0;
  const { promise, resolve } = Promise.withResolvers<void>();
  const listeners = await open(0, (socket) => {
    accepted += 1;
    socket.destroy();
    if (accepted === 200) resolve();
  });
  t.teardown(() => listeners.close());
  t.ok(listeners.count >= 1);
  if (process.platform === 'linux') t.ok(listeners.count > 1, 'shared');
  for (let i = 0; i < 200; i++) {
    const socket = connect(listeners.port, HOST);
    socket.on('error', () => undefined);
  }
  await promise;
  t.equal(accepted, 200);
});

t.test('no second one shares the port, and none that was there before', async (t) => {
  const listeners = await open();
  await t.rejects(open(listeners.port), { code: 'COLLECTOR_PORT_TAKEN' });
  await listeners.close();
  const plain = createServer();
  plain.listen({ host: HOST, port: listeners.port });
  await once(plain, 'listening');
  await t.rejects(open(listeners.port), { code: 'COLLECTOR_PORT_TAKEN' });
  await new Promise((resolve) => plain.close(resolve));
  const again = await open(listeners.port);
  t.equal(again.port, listeners.port);
  await again.close();
});

t.test("an address that is not ours is the system's error", async (t) => {
  await t.rejects(listen({ host: '192.0.2.1', port: 0, onSocket: () => {}, onError: () => {} }), {
    code: 'EADDRNOTAVAIL',
  });
});
