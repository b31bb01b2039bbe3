import t from 'tap';
import { Slices, sliceAfter } from '../../collector/slices.ts';

t.test('the busier the event loop, the longer a slice, within bounds', async (t) => {
  t.same([0, 10, 60, 5_000].map(sliceAfter), [8, 8, 30, 50]);
});

t.test('after a slice others have their turn, and the next one begins', async (t) => {
  const slices = new Slices();
  let turns = 0;
  setImmediate(() => turns++);
  const untilMs = performance.now() + 9;
  while (performance.now() < untilMs);
  t.ok(slices.isOver);
  await slices.next();
  t.equal(turns, 1);
});
