/** Disks that are full or fail, for real (a small tmpfs) and by SQLite's own page limit. */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { SqliteBuffer } from '../../../agent/buffer/buffer.ts';
import { GapReason } from '../../../proto/model.ts';
import {
  ALL,
  bentWorld,
  chooseMode,
  drain,
  fileIn,
  numbered,
  openIn,
  rejectAt,
  valuesOf,
} from '../../support/test-buffer.ts';

chooseMode(t);

const MIB = 1024 * 1024;

function smallDisk(megabytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'fms-buffer-disk-'));
  const options = ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder];
  if (spawnSync('mount', options).status === 0) return folder;
  rmSync(folder, { recursive: true });
  return undefined;
}

function unmount(folder: string): void {
  execFileSync('umount', ['-l', folder]);
  rmSync(folder, { recursive: true });
}

const probe = smallDisk(1);
if (probe !== undefined) unmount(probe);
const skip = probe === undefined && process.env.CI !== 'true' && 'needs root to mount a tmpfs';

/** Values that do not compress, so that the disk fills soon. */
function appendNoise(buffer: SqliteBuffer, from: number, count: number): Promise<void> {
  const texts = numbered(from, count).map((reading) => ({
    ...reading,
    value: `${reading.value} `.padEnd(100, 'x'),
  }));
  return buffer.append(texts, []);
}

/** All seqs of 1..last are delivered or declared, and what is delivered is right. */
function accountFor(buffer: SqliteBuffer, last: number): { delivered: number; declared: number } {
  const seen = new Uint8Array(last + 1);
  let delivered = 0;
  for (const chunk of drain(buffer)) {
    for (const [seq, value] of valuesOf(chunk)) {
      if (Number.parseInt(`${value}`, 10) !== seq - 1) throw new Error(`seq ${seq} is ${value}`);
      if (seen[seq] === 1) throw new Error(`seq ${seq} twice`);
      seen[seq] = 1;
      delivered++;
    }
  }
  let declared = 0;
  for (const gap of buffer.gaps(10_000)) {
    for (let seq = gap.firstSeq; seq <= gap.lastSeq; seq++) {
      if (seen[seq] === 0) declared++;
      seen[seq] = 2;
    }
  }
  const missing = seen.indexOf(0, 1);
  if (missing >= 0) throw new Error(`seq ${missing} is neither delivered nor declared`);
  return { delivered, declared };
}

t.test('a foreign file fills the disk', { skip }, async (t) => {
  for (const minFreeBytes of [0, MIB]) {
    const disk = smallDisk(12)!;
    const folder = join(disk, 'agent');
    mkdirSync(folder);
    const foreign = join(disk, 'foreign');
    const fill = (): void => {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(foreign, Buffer.alloc(bavail * bsize), { flag: 'a' });
    };
    try {
      const world = bentWorld();
      const buffer = openIn(folder, world, {
        maxBytes: 64 * MIB,
        minFreeBytes,
        freeBytes: () => {
          const { bavail, bsize } = statfsSync(folder);
          return bavail * bsize;
        },
      });
      let from = 0;
      const work = async (commits: number): Promise<void> => {
        for (let i = 0; i < commits; i++, from += 50) {
          void appendNoise(buffer, from, 50);
          await buffer.flush();
          world.monoMs += 250;
          if (i % 4 === 0) buffer.maintain();
        }
      };
      await work(300);
      t.equal(buffer.stats().evictedReadingsTotal, 0);
      fill();
      const before = buffer.stats().evictedReadingsTotal;
      await work(600);
      const full = buffer.stats();
      t.ok(full.evictedReadingsTotal > before, 'the oldest go');
      t.ok(full.readings > 5_000, `the buffer stays useful: ${full.readings} readings`);
      t.equal(buffer.currentEpoch()?.lastSeq, from, 'everything new is committed');
      t.equal(full.notWrittenReadingsTotal, 0);
      rmSync(foreign);
      await work(100);
      const { delivered, declared } = accountFor(buffer, from);
      t.equal(delivered, buffer.stats().readings);
      t.equal(declared, buffer.stats().evictedReadingsTotal);
      t.ok(buffer.gaps(99).every((gap) => gap.reason === GapReason.EVICTED_DISK));
      t.ok(buffer.stats().readings > full.readings, 'grows again');
      await buffer.close();
    } finally {
      unmount(disk);
    }
  }
});

t.test('the disk fills between two looks at it, then stays full', { skip }, async (t) => {
  const disk = smallDisk(8)!;
  try {
    const world = bentWorld();
    // The buffer believes that there is room: only the writes themselves say otherwise.
    const buffer = openIn(disk, world, { maxBytes: 64 * MIB, freeBytes: () => 1e12 });
    let from = 0;
    for (let i = 0; i < 2000; i++, from += 50) {
      void appendNoise(buffer, from, 50);
      await buffer.flush();
      world.monoMs += 1000;
      if (i % 10 === 0) buffer.maintain();
    }
    const stats = buffer.stats();
    t.ok(stats.writeErrorsTotal > 0, 'the disk did refuse');
    t.match(stats.lastError, /SQLITE_FULL/);
    t.ok(stats.evictedReadingsTotal > 0);
    t.equal(stats.pendingBytes, 0, 'and yet all is committed');
    const { delivered } = accountFor(buffer, from);
    t.ok(delivered > 5_000, `${delivered} readings kept`);
    await buffer.close();
    const again = openIn(disk, bentWorld(), { maxBytes: 64 * MIB });
    t.equal(again.stats().readings, delivered);
    await again.close();
  } finally {
    unmount(disk);
  }
});

/**
 * From here on every write to the file fails, as on a disk that broke: its descriptors become read-only
 * ones. Nothing but a new descriptor can take the place of a closed one, for the lowest free number is
 * given.
 */
function failWrites(file: string): () => void {
  const descriptors = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => linkOf(fd) === file);
  if (descriptors.length === 0) throw new Error(`${file} is not open`);
  const replace = (flags: string): void => {
    for (const fd of descriptors) {
      closeSync(fd);
      const taken = openSync(file, flags);
      if (taken !== fd) throw new Error(`descriptor ${taken} instead of ${fd}`);
    }
  };
  replace('r');
  return () => replace('r+');
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

const linux = process.platform !== 'linux' && 'needs /proc';

t.test(
  'a disk that takes nothing: memory, declared, and on it goes',
  { skip: linux },
  async (t) => {
    const folder = t.testdir();
    const world = bentWorld();
    const memoryBytes = 200_000;
    const buffer = openIn(folder, world, { memoryBytes });
    const first = appendNoise(buffer, 0, 10);
    await buffer.flush();
    await first;
    const restore = failWrites(`${fileIn(folder)}-wal`);
    const settled: number[] = [];
    let from = 10;
    for (let i = 0; i < 100; i++, from += 50) {
      void appendNoise(buffer, from, 50).then(() => settled.push(i));
      await buffer.flush();
      world.monoMs += 10_000;
      buffer.maintain();
      t.same(buffer.next(1, ALL), [], 'reading the buffer does not throw either');
    }
    const stats = buffer.stats();
    restore();
    t.ok(stats.writeErrorsTotal > 0);
    t.match(stats.lastError, /^SQLITE_(FULL|IOERR)/);
    t.ok(world.lines.length <= 3, 'logged now and then, not at every try');
    t.ok(stats.pendingBytes <= memoryBytes, `memory is bounded: ${stats.pendingBytes}`);
    t.ok(stats.notWrittenReadingsTotal > 0);
    t.ok(settled.length > 0, 'appends of what was given up are settled');
    t.ok(settled.length < 100, 'the others wait');

    world.monoMs += 10_000;
    void buffer.append([], [rejectAt(1)]);
    await buffer.flush();
    await new Promise(setImmediate);
    t.equal(settled.length, 100);
    t.equal(buffer.stats().pendingBytes, 0);
    const gaps = buffer.gaps(10);
    t.match(gaps, [{ firstSeq: 11, reason: GapReason.NOT_WRITTEN }]);
    t.equal(gaps.length, 1);
    t.equal(gaps[0]!.lastSeq - 10, stats.notWrittenReadingsTotal);
    t.equal(buffer.currentEpoch()?.lastSeq, from + 1);
    t.equal(buffer.stats().readings, from + 1 - stats.notWrittenReadingsTotal);
    t.equal(buffer.stats().evictedReadingsTotal, 0, 'what was on the disk is still there');
    await buffer.close();
  },
);

t.test(
  'closing on a disk that takes nothing ends, and hangs nobody',
  { skip: linux },
  async (t) => {
    const folder = t.testdir();
    const buffer = openIn(folder);
    void appendNoise(buffer, 0, 10);
    await buffer.flush();
    failWrites(`${fileIn(folder)}-wal`);
    const last = appendNoise(buffer, 10, 10);
    await buffer.close();
    await last;
    const again = openIn(folder);
    t.equal(drain(again)[0]?.frame.firstSeq, 1);
    await again.close();
  },
);

t.test('the page limit of SQLite is never what stops a commit', async (t) => {
  const buffer = openIn(t.testdir(), bentWorld(), { maxBytes: MIB });
  // One transaction as large as they come, into a buffer that is full.
  for (let from = 0; from < 60_000; from += 3000) void appendNoise(buffer, from, 3000);
  await buffer.flush();
  t.equal(buffer.stats().writeErrorsTotal, 0);
  t.equal(buffer.currentEpoch()?.lastSeq, 60_000);
  accountFor(buffer, 60_000);
  await buffer.close();
});
