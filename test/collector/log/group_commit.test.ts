import t from 'tap';
import type { Operation } from '../../../collector/log/group_commit.ts';
import { GroupCommit } from '../../../collector/log/group_commit.ts';

/** A disk whose commits take as long as it is told, and timers that wait to be fired. */
function commits(): {
  group: GroupCommit;
  disk: { commitMs: number };
  sizes: number[];
  delays: number[];
  add(): void;
  fire(): void;
} {
  let nowMs = 1_000;
  let pending: (() => void) | undefined;
  let written = 0;
  const disk = { commitMs: 0 };
  const sizes: number[] = [];
  const delays: number[] = [];
  const transactions = {
    begin: () => {
      written = 0;
    },
    commit: () => {
      nowMs += disk.commitMs;
      sizes.push(written);
    },
    rollback: () => undefined,
    isRefusal: (_error: unknown): _error is never => false,
    asLogError: () => {
      throw new Error('nothing fails here');
    },
  };
  const group = new GroupCommit(transactions, () => undefined, {
    monoMs: () => nowMs,
    later: (run, delayMs) => {
      delays.push(delayMs);
      pending = () => {
        nowMs += delayMs;
        run();
      };
    },
  });
  const operation: Operation = {
    bytes: 1,
    givesWay: true,
    write: () => {
      written += 1;
    },
    committed: () => undefined,
    failed: () => undefined,
  };
  return {
    group,
    disk,
    sizes,
    delays,
    add: () => group.add(operation),
    fire: () => pending?.(),
  };
}

t.test('a quick disk commits at every turn', async (t) => {
  const { add, fire, delays, sizes } = commits();
  for (let i = 0; i < 3; i++) {
    add();
    fire();
  }
  t.same(delays, [0, 0, 0]);
  t.same(sizes, [1, 1, 1]);
});

t.test('a slow disk leaves two thirds of the time to others, and groups grow', async (t) => {
  const { add, fire, delays, sizes, disk } = commits();
  disk.commitMs = 10;
  add();
  fire();
  add();
  add();
  add();
  t.same(delays, [0, 20]);
  fire();
  t.same(sizes, [1, 3]);
});

t.test('no pause is long, and it ends with the slowness', async (t) => {
  const { add, fire, delays, disk } = commits();
  disk.commitMs = 5_000;
  add();
  fire();
  disk.commitMs = 1;
  add();
  fire();
  add();
  t.same(delays, [0, 50, 0]);
});

t.test('draining waits for the pause', async (t) => {
  const { add, fire, disk, group, sizes } = commits();
  disk.commitMs = 10;
  add();
  fire();
  add();
  const drained = group.drain();
  fire();
  await drained;
  t.same(sizes, [1, 1]);
});
