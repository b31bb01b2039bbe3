import t from 'tap';
import type { Snapshot } from '../../../collector/processor/snapshots.ts';
import { openState, SnapshotTaker } from '../../../collector/processor/snapshots.ts';

t.test('how large a snapshot is, is known after a restart too', async (t) => {
  const hard = new Map([['demo/gw1', new Uint8Array(7)]]);
  const soft = new Map([
    ['demo/gw1', new Uint8Array(1_000)],
    ['demo/gw2', new Uint8Array(50_000)],
  ]);
  const none: Snapshot = { position: -1, timeMs: 0, hard: new Map(), soft: new Map() };
  const taker = SnapshotTaker.anew(hard, none);
  const taken = taker.take({ position: 4, timeMs: 1_000, soft }, (key) => hard.get(key));
  t.ok(taker.bytes >= 51_007 && taker.bytes < 51_200, 'what it writes');

  const committed = new Map<string, Uint8Array>(hard);
  for (const [key, bytes] of taken) if (bytes !== null) committed.set(key, bytes);
  const { snapshot } = openState(committed);
  const after = SnapshotTaker.after(snapshot, []);
  t.equal(after.position, 4);
  t.equal(after.timeMs, 1_000);
  t.equal(after.bytes, 51_007, 'what it holds: the next one does not come sooner for a restart');

  after.take({ position: 5, timeMs: 2_000, soft: new Map() }, () => undefined);
  t.ok(after.bytes < 200, 'again what it writes');
});
