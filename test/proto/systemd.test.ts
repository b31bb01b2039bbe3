/** What a service tells systemd, as long as the socket takes it and when it does not. */

import { closeSync, openSync } from 'node:fs';
import t from 'tap';
import { takeServiceManager, teller } from '../../proto/systemd.ts';

/** A socket that refuses while `full`. */
function scene() {
  const heard: string[] = [];
  const socket = { full: false };
  const tell = teller((datagram) => {
    if (socket.full) throw new Error('EAGAIN');
    heard.push(datagram);
  });
  return { heard, socket, tell };
}

t.test('a word a line, a line a word', async (t) => {
  const { heard, tell } = scene();
  tell({ READY: 1, STATUS: `a\nb\0${'c'.repeat(1000)}` });
  t.equal(heard.length, 1);
  const [ready, status, rest] = heard[0]?.split('\n') ?? [];
  t.equal(ready, 'READY=1');
  t.match(status, /^STATUS=a b c{496}$/);
  t.equal(rest, '');
});

t.test('a full socket: that it is ready, and how it is, goes with the next words', async (t) => {
  const { heard, socket, tell } = scene();
  socket.full = true;
  tell({ READY: 1, STATUS: 'old' });
  tell({ WATCHDOG: 1, STATUS: 'new' });
  tell({ RELOADING: 1, MONOTONIC_USEC: 5 });
  socket.full = false;
  tell({ WATCHDOG: 1 });
  tell({ WATCHDOG: 1 });
  t.same(
    heard,
    ['READY=1\nSTATUS=new\nWATCHDOG=1\n', 'WATCHDOG=1\n'],
    'once, and nothing that is past',
  );
});

t.test('nobody listens: no descriptor, none that is a socket, none of a service', async (t) => {
  const file = openSync(import.meta.filename, 'r');
  t.teardown(() => closeSync(file));
  for (const fd of [undefined, '', 'x', '1', '-1', '4000', String(file)]) {
    const env: NodeJS.ProcessEnv = { WATCHDOG_USEC: '1', WATCHDOG_PID: '2', KEPT: 'yes' };
    if (fd !== undefined) env.FMS_NOTIFY_FD = fd;
    t.equal(takeServiceManager(env), undefined, String(fd));
    t.same(env, { KEPT: 'yes' }, 'not for programs that it starts');
  }
});
