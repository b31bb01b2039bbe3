import fc from 'fast-check';
import t from 'tap';
import { capOf, FillRate } from '../../../agent/buffer/bounds.ts';
import type { SqliteBuffer } from '../../../agent/buffer/buffer.ts';
import type { Gap } from '../../../proto/model.ts';
import { GapReason, Quality } from '../../../proto/model.ts';
import type { BentWorld } from '../../support/test-buffer.ts';
import {
  BOOT,
  bentWorld,
  chooseMode,
  drain,
  memoryFolder,
  numbered,
  openIn,
  valuesOf,
} from '../../support/test-buffer.ts';

chooseMode(t);

const MIB = 1024 * 1024;

t.test('the cap is max_bytes, less where the disk says so', async (t) => {
  const reason = GapReason.EVICTED_BYTES;
  t.same(capOf(1024 * MIB, 10 * MIB, 10_000 * MIB, 256 * MIB), { bytes: 1024 * MIB, reason });
  const disk = GapReason.EVICTED_DISK;
  t.same(
    capOf(1024 * MIB, 500 * MIB, 200 * MIB, 256 * MIB),
    { bytes: 444 * MIB, reason: disk },
    'below the floor: shrinks until it is restored',
  );
  t.same(
    capOf(1024 * MIB, 10 * MIB, 100 * MIB, 256 * MIB),
    { bytes: 64 * MIB, reason: disk },
    'a disk that is always low keeps a small buffer',
  );
  t.same(
    capOf(1024 * MIB, 10 * MIB, 0, 256 * MIB),
    { bytes: 10 * MIB, reason: disk },
    'a full disk: no growth',
  );
  fc.assert(
    fc.property(
      fc.nat(4096),
      fc.nat(4096),
      fc.nat(4096),
      fc.nat(4096),
      (max, used, free, floor) => {
        const { bytes } = capOf(max * MIB, used * MIB, free * MIB, floor * MIB);
        return bytes <= max * MIB && bytes <= (used + free) * MIB && bytes >= 0;
      },
    ),
  );
});

t.test('the fill rate foretells', async (t) => {
  const rate = new FillRate();
  rate.tick(0);
  t.equal(rate.secondsUntilEviction(1000, 1e9), -1, 'nothing measured');
  for (let s = 1; s <= 300; s++) {
    rate.add(100);
    rate.tick(s * 1000);
  }
  t.ok(Math.abs(rate.secondsUntilEviction(10_000, 1e9) - 100) < 2);
  t.equal(rate.secondsUntilEviction(10_000, 5_000), 5, 'the age bound comes first');
  t.equal(rate.secondsUntilEviction(-5, 1e9), 0);
  for (let s = 301; s <= 600; s++) {
    rate.add(100);
    rate.add(-300);
    rate.tick(s * 1000);
  }
  t.equal(rate.secondsUntilEviction(10_000, 1e9), -1, 'draining');
});

async function commit(buffer: SqliteBuffer, from: number, count: number): Promise<void> {
  const noise = numbered(from, count).map((reading) => ({
    ...reading,
    channel: `c${reading.timeMs % 50}`,
    value: Math.random(),
    quality: Quality.GOOD,
  }));
  const done = buffer.append(noise, []);
  await buffer.flush();
  await done;
}

/** Every seq of 1..last is in a chunk or in a gap, and in one only. */
function accounted(t: Tap, buffer: SqliteBuffer, last: number): Gap[] {
  const gaps = buffer.gaps(10_000);
  const ranges = [
    ...drain(buffer).map(({ frame }) => [frame.firstSeq, frame.firstSeq + frame.count - 1]),
    ...gaps.map((gap) => [gap.firstSeq, gap.lastSeq]),
  ].sort((a, b) => a[0]! - b[0]!);
  let next = 1;
  for (const [first, end] of ranges) {
    t.equal(first, next, 'without hole or overlap');
    next = end! + 1;
  }
  t.equal(next - 1, last);
  return gaps;
}
type Tap = Pick<typeof t, 'equal'>;

t.test('over max_bytes the oldest go, declared, and the file stays below', async (t) => {
  const buffer = openIn(memoryFolder(t), bentWorld(), { maxBytes: 2 * MIB });
  const n = 400;
  for (let i = 0; i < n; i++) {
    await commit(buffer, i * 1000, 1000);
    if (i % 50 === 0) t.ok(buffer.stats().bytes <= 2 * MIB + 64 * 4096, `${buffer.stats().bytes}`);
  }
  const stats = buffer.stats();
  t.ok(stats.evictedReadingsTotal > 100_000);
  t.ok(stats.readings > 50_000, `keeps what fits: ${stats.readings}`);
  t.equal(stats.readings + stats.evictedReadingsTotal, n * 1000);
  const gaps = accounted(t, buffer, n * 1000);
  t.equal(gaps.length, 1, 'one range, not one a chunk');
  t.match(gaps[0], { firstSeq: 1, reason: GapReason.EVICTED_BYTES });
  t.ok(gaps[0]!.firstMs > 0 && gaps[0]!.lastMs > gaps[0]!.firstMs);
  t.equal(stats.writeErrorsTotal, 0);
  await buffer.close();
});

t.test(
  'a gap that grows while it is on its way is not lost with its acknowledgement',
  async (t) => {
    const buffer = openIn(memoryFolder(t), bentWorld(), { maxBytes: MIB });
    let from = 0;
    const fill = async (chunks: number): Promise<void> => {
      for (let i = 0; i < chunks; i++, from += 1000) await commit(buffer, from, 1000);
    };
    await fill(150);
    const [sent] = buffer.gaps(1);
    await fill(20);
    buffer.acknowledgeGaps([sent!.id]);
    await buffer.flush();
    const [left] = buffer.gaps(1);
    t.ok(left!.lastSeq > sent!.lastSeq);
    buffer.acknowledgeGaps([left!.id]);
    t.same(buffer.gaps(1), []);
    await buffer.flush();
    t.same(buffer.gaps(1), []);
    await buffer.close();
  },
);

t.test('gaps survive a restart until they are acknowledged', async (t) => {
  const folder = memoryFolder(t);
  let buffer = openIn(folder, bentWorld(), { maxBytes: MIB });
  for (let i = 0; i < 150; i++) await commit(buffer, i * 1000, 1000);
  const before = buffer.gaps(10);
  await buffer.close();
  buffer = openIn(folder, bentWorld(), { maxBytes: MIB });
  t.same(buffer.gaps(10), before);
  t.ok(buffer.epochInfo(before[0]!.epoch), 'and so does what is known of the epoch');
  buffer.acknowledgeGaps(before.map((gap) => gap.id));
  await buffer.close();
  buffer = openIn(folder, bentWorld(), { maxBytes: MIB });
  t.same(buffer.gaps(10), []);
  await buffer.close();
});

t.test('a smaller max_bytes after a restart is kept to', async (t) => {
  const folder = memoryFolder(t);
  let buffer = openIn(folder, bentWorld(), { maxBytes: 8 * MIB });
  for (let i = 0; i < 700; i++) await commit(buffer, i * 1000, 1000);
  t.ok(buffer.stats().bytes > 5 * MIB);
  const all = buffer.stats().readings;
  await buffer.close();
  buffer = openIn(folder, bentWorld(), { maxBytes: 2 * MIB });
  for (let i = 0; i < 50; i++) buffer.maintain();
  t.ok(buffer.stats().bytes <= 2 * MIB, `${buffer.stats().bytes}`);
  t.equal(buffer.stats().readings + buffer.stats().evictedReadingsTotal, all);
  await buffer.close();
});

t.test('free pages go back to the disk when a backlog has drained', async (t) => {
  const buffer = openIn(memoryFolder(t), bentWorld(), { maxBytes: 64 * MIB });
  for (let i = 0; i < 1500; i++) await commit(buffer, i * 1000, 1000);
  t.ok(buffer.stats().bytes > 10 * MIB);
  buffer.acknowledge(drain(buffer).map((chunk) => chunk.id));
  await buffer.flush();
  for (let i = 0; i < 100; i++) buffer.maintain();
  t.ok(buffer.stats().bytes < 7 * MIB, `${buffer.stats().bytes}`);
  await buffer.close();
});

t.test('the age bound', async (t) => {
  const HOUR = 3600 * 1000;
  const advance = (world: BentWorld, ms: number): void => {
    world.monoMs += ms;
    world.wallMs += ms;
  };

  t.test('evicts what waited too long, whatever the readings are dated', async (t) => {
    const world = bentWorld();
    const buffer = openIn(memoryFolder(t), world, { maxAgeMs: 10 * HOUR });
    void buffer.append(numbered(0, 3, Date.UTC(1999, 0, 1)), []);
    await buffer.flush();
    advance(world, 6 * HOUR);
    void buffer.append(numbered(3, 2), []);
    await buffer.flush();
    buffer.maintain();
    t.equal(buffer.stats().readings, 5);
    advance(world, 5 * HOUR);
    buffer.maintain();
    t.equal(buffer.stats().readings, 2);
    t.match(buffer.gaps(9), [{ firstSeq: 1, lastSeq: 3, reason: GapReason.EVICTED_AGE }]);
    await buffer.close();
  });

  t.test('is not fooled by a clock that jumps', async (t) => {
    const world = bentWorld();
    const buffer = openIn(memoryFolder(t), world, { maxAgeMs: 10 * HOUR });
    void buffer.append(numbered(0, 3), []);
    await buffer.flush();
    world.wallMs += 50 * 365 * 24 * HOUR;
    buffer.maintain();
    t.equal(buffer.stats().readings, 3);
    await buffer.close();
  });

  t.test('of an earlier boot: by the wall clock, if it was and is right', async (t) => {
    const folder = memoryFolder(t);
    const world = bentWorld();
    let buffer = openIn(folder, world);
    void buffer.append(numbered(0, 3), []);
    await buffer.flush();
    await buffer.close();

    const later = bentWorld();
    later.monoMs = 5;
    later.wallMs = world.wallMs + 20 * HOUR;
    later.state = { ...later.state, boot: '00000000000000b2', unsynced: true };
    buffer = openIn(folder, later, { maxAgeMs: 10 * HOUR });
    buffer.maintain();
    t.equal(buffer.stats().readings, 3, 'not by a clock that is wrong now');
    later.state = { ...later.state, unsynced: false };
    buffer.maintain();
    t.equal(buffer.stats().readings, 0);
    t.match(buffer.gaps(9), [{ firstSeq: 1, lastSeq: 3, reason: GapReason.EVICTED_AGE }]);
    await buffer.close();
  });

  t.test('not what an unsynced clock of another boot dated', async (t) => {
    const folder = memoryFolder(t);
    const world = bentWorld();
    world.wallMs = 0;
    world.state = { ...world.state, boot: BOOT, unsynced: true };
    let buffer = openIn(folder, world);
    void buffer.append(numbered(0, 3), []);
    await buffer.flush();
    await buffer.close();
    const later = bentWorld();
    later.state = { ...later.state, boot: '00000000000000b2' };
    buffer = openIn(folder, later, { maxAgeMs: 10 * HOUR });
    buffer.maintain();
    t.equal(buffer.stats().readings, 3);
    await buffer.close();
  });
});

t.test('the free-disk floor', async (t) => {
  const world = bentWorld();
  const buffer = openIn(memoryFolder(t), world, { maxBytes: 16 * MIB, minFreeBytes: 100 * MIB });
  for (let i = 0; i < 800; i++) await commit(buffer, i * 1000, 1000);
  const full = buffer.stats();
  t.equal(full.evictedReadingsTotal, 0);
  world.freeBytes = 98 * MIB;
  for (let i = 0; i < 200; i++) buffer.maintain();
  const less = buffer.stats();
  t.ok(less.bytes <= full.bytes - 2 * MIB + 64 * 4096, `${full.bytes} → ${less.bytes}`);
  t.equal(less.readings + less.evictedReadingsTotal, 800_000);
  t.match(accounted(t, buffer, 800_000), [{ reason: GapReason.EVICTED_DISK }]);
  t.ok(less.readings > 0);
  await buffer.close();
});

t.test('seconds until eviction', async (t) => {
  const world = bentWorld();
  const buffer = openIn(memoryFolder(t), world, { maxBytes: 2 * MIB });
  t.equal(buffer.stats().secondsUntilEviction, -1);
  let seconds = 0;
  let foretold = 0;
  for (; buffer.stats().evictedReadingsTotal === 0; seconds++) {
    await commit(buffer, seconds * 1000, 1000);
    world.monoMs += 1000;
    buffer.maintain();
    if (seconds === 60) foretold = seconds + buffer.stats().secondsUntilEviction;
  }
  t.ok(Math.abs(foretold - seconds) < seconds * 0.3, `foretold ${foretold}, was ${seconds}`);
  t.ok(buffer.stats().secondsUntilEviction < 15);
  await buffer.close();
});

t.test('what comes out after evictions is what went in', async (t) => {
  const buffer = openIn(memoryFolder(t), bentWorld(), { maxBytes: MIB });
  for (let i = 0; i < 300; i++) {
    void buffer.append(numbered(i * 2000, 2000), []);
    await buffer.flush();
  }
  for (const chunk of drain(buffer)) {
    const wrong = [...valuesOf(chunk)].filter(([seq, value]) => value !== seq - 1);
    if (wrong.length > 0) t.fail(`chunk ${chunk.id}`);
  }
  t.ok(buffer.stats().evictedReadingsTotal > 0);
  await buffer.close();
});
