/** The gate between the log's consumers and the store. */

import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { Gate } from '../../collector/gate.ts';

const never = new AbortController().signal;

t.test('open: everybody enters at once', async (t) => {
  const gate = new Gate();
  const leaves = await Promise.all([gate.enter(never), gate.enter(never)]);
  t.ok(leaves.every((leave) => leave !== undefined));
  t.equal(gate.reason, '');
});

t.test(
  'closed: who is inside goes on, nobody enters until all who closed it have opened it',
  async (t) => {
    const gate = new Gate();
    const leave = await gate.enter(never);
    const openBackup = gate.close('backup');
    const openDisk = gate.close('disk');
    t.equal(gate.reason, 'backup; disk');
    const said: string[] = [];
    const entered = gate.enter(never).then((left) => {
      said.push('entered');
      return left;
    });
    const emptied = gate.emptied(never).then((empty) => said.push(`emptied ${empty}`));
    await turn();
    t.same(said, []);
    leave?.();
    leave?.();
    await emptied;
    t.same(said, ['emptied true']);
    openBackup();
    openBackup();
    await turn();
    t.same(said, ['emptied true']);
    openDisk();
    t.type(await entered, 'function');
  },
);

t.test('an abort ends both kinds of waiting', async (t) => {
  const gate = new Gate();
  await gate.enter(never);
  gate.close('backup');
  const { signal, abort } = ((controller) => ({
    signal: controller.signal,
    abort: () => controller.abort(),
  }))(new AbortController());
  const waiting = [gate.enter(signal), gate.emptied(signal)];
  abort();
  t.same(await Promise.all(waiting), [undefined, false]);
});
