import { copyFileSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import t from 'tap';
import { openFile } from '../../../agent/buffer/database.ts';
import { frameCrcOk } from '../../../proto/batch.ts';
import { decodeChunk } from '../../../proto/decode.ts';
import { NO_EPOCH } from '../../../proto/model.ts';
import {
  ALL,
  BOOT,
  bentWorld,
  chooseMode,
  drain,
  fileIn,
  numbered,
  openIn,
  rejectAt,
  valuesOf,
} from '../../support/test-buffer.ts';

chooseMode(t, 'plain');

t.test('readings and rejects are numbered from 1 and come back as they were', async (t) => {
  const buffer = openIn(t.testdir());
  t.equal(buffer.currentEpoch(), undefined, 'no epoch before the first append');
  const first = buffer.append(numbered(0, 10), [rejectAt(5)]);
  const second = buffer.append(numbered(10, 5), []);
  await buffer.flush();
  await Promise.all([first, second]);
  const epoch = buffer.currentEpoch();
  t.match(epoch, { predecessorEpoch: NO_EPOCH, predecessorLastSeq: 0, lastSeq: 16 });
  const [chunk, ...others] = buffer.next(0, ALL);
  t.same(others, []);
  t.match(chunk, { epoch: epoch?.epoch, boot: BOOT, clockUnsynced: false });
  t.match(chunk!.frame, { firstSeq: 1, count: 16 });
  t.ok(frameCrcOk(chunk!.epoch, chunk!.frame));
  t.same(
    [...valuesOf(chunk!).values()],
    numbered(0, 15).map((reading) => reading.value),
  );
  const decoded = decodeChunk(chunk!.frame);
  t.same(decoded.ok && decoded.value.rejects.map((reject) => reject.detail), ['not JSON']);
  t.match(buffer.stats(), { chunks: 1, readings: 16, appendedReadingsTotal: 16, commitsTotal: 1 });
  await buffer.close();
});

t.test('an append resolves within the commit interval; 0 means at once', async (t) => {
  for (const commitIntervalMs of [0, 5]) {
    const buffer = openIn(t.testdir(), bentWorld(), { commitIntervalMs });
    await buffer.append(numbered(0, 3), []);
    t.equal(buffer.stats().readings, 3);
    await buffer.close();
  }
});

t.test('an empty append is nothing', async (t) => {
  const buffer = openIn(t.testdir());
  await buffer.append([], []);
  t.equal(buffer.currentEpoch(), undefined);
  await buffer.close();
});

t.test('synchronous is FULL, also after reopening', async (t) => {
  const folder = t.testdir();
  for (let i = 0; i < 2; i++) {
    const { db } = openFile({ path: fileIn(folder), walBytes: 65_536, maxPages: 1000 });
    t.equal(db.pragma('synchronous', { simple: true }), 2);
    db.close();
  }
});

t.test('the bytes written are those that the process wrote', async (t) => {
  const buffer = openIn(t.testdir());
  await commit(buffer, numbered(0, 35));
  buffer.maintain();
  const before = { counted: buffer.stats().bytesWrittenTotal, written: bytesWritten() };
  for (let i = 1; i < 400; i++) await commit(buffer, numbered(i * 35, 35));
  const counted = buffer.stats().bytesWrittenTotal - before.counted;
  const written = bytesWritten() - before.written;
  t.ok(Math.abs(counted - written) < written * 0.02, `counted ${counted}, wrote ${written}`);
  await buffer.close();
});

/** Of this process, by system calls. */
function bytesWritten(): number {
  return Number(/wchar: (\d+)/.exec(readFileSync('/proc/self/io', 'utf8'))?.[1] ?? 0);
}

async function commit(
  buffer: ReturnType<typeof openIn>,
  readings: ReturnType<typeof numbered>,
): Promise<void> {
  const done = buffer.append(readings, []);
  await buffer.flush();
  await done;
}

t.test(
  'each start opens an epoch that names the one before; buffered chunks keep theirs',
  async (t) => {
    const folder = t.testdir();
    let buffer = openIn(folder);
    await commit(buffer, numbered(0, 7));
    const first = buffer.currentEpoch()!;
    await buffer.close();

    buffer = openIn(folder);
    t.equal(buffer.currentEpoch(), undefined);
    t.same(buffer.epochInfo(first.epoch), first);
    await commit(buffer, numbered(7, 2));
    const second = buffer.currentEpoch()!;
    t.not(second.epoch, first.epoch);
    t.match(second, { predecessorEpoch: first.epoch, predecessorLastSeq: 7, lastSeq: 2 });
    const [old] = buffer.next(0, ALL);
    t.equal(old?.epoch, first.epoch, 'a batch holds one epoch');
    t.match(buffer.next(old!.id, ALL), [{ epoch: second.epoch, frame: { firstSeq: 1, count: 2 } }]);
    await buffer.close();

    // A start without an append opens none.
    buffer = openIn(folder);
    await buffer.close();
    buffer = openIn(folder);
    await commit(buffer, numbered(9, 1));
    t.match(buffer.currentEpoch(), { predecessorEpoch: second.epoch, predecessorLastSeq: 2 });
    await buffer.close();
  },
);

t.test('the predecessor is known also when all of it was delivered', async (t) => {
  for (const clean of [true, false]) {
    const folder = t.testdir();
    let buffer = openIn(folder);
    await commit(buffer, numbered(0, 7));
    await commit(buffer, numbered(7, 7));
    buffer.acknowledge(drain(buffer).map((chunk) => chunk.id));
    await buffer.flush();
    t.match(buffer.stats(), { chunks: 0, readings: 0 });
    if (clean) await buffer.close();
    else await crash(buffer, folder);
    buffer = openIn(folder);
    if (clean) t.same(drain(buffer), [], 'nothing comes again after a clean end');
    await commit(buffer, numbered(14, 1));
    t.match(buffer.currentEpoch(), { predecessorLastSeq: 14 });
    await buffer.close();
  }
});

/** What a kill leaves: the files as they are now, without the end of a connection. */
async function crash(buffer: ReturnType<typeof openIn>, folder: string): Promise<void> {
  for (const suffix of ['', '-wal']) {
    copyFileSync(`${fileIn(folder)}${suffix}`, `${fileIn(folder)}${suffix}.crash`);
  }
  await buffer.close();
  for (const suffix of ['', '-wal']) {
    rmSync(`${fileIn(folder)}${suffix}`, { force: true });
    renameSync(`${fileIn(folder)}${suffix}.crash`, `${fileIn(folder)}${suffix}`);
  }
}

t.test('next keeps to its limits, and gives at least one chunk', async (t) => {
  const buffer = openIn(t.testdir());
  for (let i = 0; i < 5; i++) await commit(buffer, numbered(i * 10, 10));
  const sizes = drain(buffer).map((chunk) => chunk.frame.bytes.length);
  const counts = (limits: Partial<typeof ALL>) => buffer.next(0, { ...ALL, ...limits }).length;
  t.equal(counts({}), 5);
  t.equal(counts({ maxChunks: 2 }), 2);
  t.equal(counts({ maxReadings: 30 }), 3);
  t.equal(counts({ maxReadings: 29 }), 2);
  t.equal(counts({ maxReadings: 1 }), 1);
  t.equal(counts({ maxBytes: sizes[0]! + sizes[1]! }), 2);
  t.equal(counts({ maxBytes: 1 }), 1);
  t.same(buffer.next(5, ALL), []);
  await buffer.close();
});

t.test('acknowledged chunks are gone, in any order, and stay gone', async (t) => {
  const folder = t.testdir();
  let buffer = openIn(folder);
  for (let i = 0; i < 6; i++) await commit(buffer, numbered(i * 10, 10));
  const ids = drain(buffer).map((chunk) => chunk.id);
  buffer.acknowledge([ids[1]!, ids[4]!, 999]);
  buffer.acknowledge([ids[1]!]);
  const left = [ids[0], ids[2], ids[3], ids[5]];
  t.same(
    drain(buffer).map((chunk) => chunk.id),
    left,
    'at once',
  );
  t.match(buffer.stats(), { chunks: 4, readings: 40 });
  await buffer.flush();
  t.same(
    drain(buffer).map((chunk) => chunk.id),
    left,
  );
  t.same(buffer.gaps(10), [], 'a hole made on purpose is no gap');
  await buffer.close();
  buffer = openIn(folder);
  t.match(buffer.stats(), { chunks: 4, readings: 40 }, 'counted without a scan');
  t.same(
    drain(buffer).map((chunk) => chunk.frame.firstSeq),
    [1, 21, 31, 51],
  );
  t.same(buffer.gaps(10), []);
  buffer.acknowledge(drain(buffer).map((chunk) => chunk.id));
  await buffer.close();
  buffer = openIn(folder);
  t.match(buffer.stats(), { chunks: 0, readings: 0, oldestMs: undefined });
  await buffer.close();
});

t.test('ids grow and are not given twice', async (t) => {
  const buffer = openIn(t.testdir());
  const seen: number[] = [];
  for (let i = 0; i < 4; i++) {
    await commit(buffer, numbered(i, 1));
    const chunks = drain(buffer);
    seen.push(...chunks.map((chunk) => chunk.id));
    buffer.acknowledge(chunks.map((chunk) => chunk.id));
    await buffer.flush();
  }
  t.same(
    seen,
    [...new Set(seen)].sort((a, b) => a - b),
  );
  t.equal(seen.length, 4);
  await buffer.close();
});

t.test('waitForMore wakes for a new chunk, for the end of the wait and for the end', async (t) => {
  const buffer = openIn(t.testdir());
  const never = new AbortController().signal;
  const woken = buffer.waitForMore(0, never);
  await commit(buffer, numbered(0, 1));
  await woken;
  await buffer.waitForMore(0, never);
  const abort = new AbortController();
  const aborted = buffer.waitForMore(1, abort.signal);
  abort.abort();
  await aborted;
  const closed = buffer.waitForMore(1, never);
  await buffer.close();
  await closed;
  t.pass('all settled');
});

t.test('many readings become several chunks, in order', async (t) => {
  const buffer = openIn(t.testdir());
  const n = 50_000;
  for (let from = 0; from < n; from += 1000) void buffer.append(numbered(from, 1000), []);
  await buffer.flush();
  const values = drain(buffer).flatMap((chunk) => [...valuesOf(chunk)]);
  t.equal(values.length, n);
  t.ok(values.every(([seq, value]) => value === seq - 1));
  t.match(buffer.stats(), { readings: n });
  await buffer.close();
});

t.test('no chunk spans a change of the clock', async (t) => {
  const world = bentWorld();
  const buffer = openIn(t.testdir(), world);
  void buffer.append(numbered(0, 1), []);
  world.monoMs += 100;
  world.wallMs += 3_600_100;
  void buffer.append(numbered(1, 1), []);
  world.state = { ...world.state, unsynced: true };
  void buffer.append(numbered(2, 1), []);
  world.monoMs += 50;
  world.wallMs += 50;
  await buffer.flush();
  const chunks = drain(buffer);
  t.same(
    chunks.map((chunk) => chunk.clockUnsynced),
    [false, false, true],
  );
  const clocks = chunks.map((chunk) => {
    const decoded = decodeChunk(chunk.frame);
    if (!decoded.ok) throw decoded.error;
    return decoded.value.clock;
  });
  const offsets = clocks.map((clock) => clock.wallMs - clock.monoMs);
  t.equal(offsets[1]! - offsets[0]!, 3_600_000, 'each is dated by the clock its readings saw');
  t.equal(offsets[2], offsets[1]);
  t.equal(chunks[2]!.sealedMonoMs, world.monoMs);
  await buffer.close();
});

t.test('small values live with the buffer', async (t) => {
  const folder = t.testdir();
  let buffer = openIn(folder);
  buffer.setMeta('install', 'abc');
  t.equal(buffer.meta('install'), 'abc');
  buffer.maintain();
  buffer.setMeta('clock', '{}');
  await buffer.close();
  buffer = openIn(folder);
  t.equal(buffer.meta('install'), 'abc');
  t.equal(buffer.meta('clock'), '{}');
  t.equal(buffer.meta('other'), undefined);
  await buffer.close();
});

t.test('a second buffer on the same file is refused, also from SQLite itself', async (t) => {
  const folder = t.testdir();
  const buffer = openIn(folder);
  await commit(buffer, numbered(0, 1));
  t.throws(() => openIn(folder), { code: 'AGENT_BUFFER_IN_USE' });
  const other = new Database(fileIn(folder), { timeout: 0 });
  t.throws(() => other.prepare('SELECT * FROM chunks').all(), { code: 'SQLITE_BUSY' });
  other.close();
  await buffer.close();
  const again = openIn(folder);
  t.equal(again.stats().readings, 1);
  await again.close();
});

t.test('what cannot work throws a coded error', async (t) => {
  t.throws(() => openIn('/dev/null/nowhere'), { code: 'AGENT_BUFFER_UNUSABLE' });
});

t.test('a file of a newer format is left alone', async (t) => {
  const folder = t.testdir();
  const buffer = openIn(folder);
  buffer.setMeta('format', '3');
  await buffer.close();
  t.throws(() => openIn(folder), { code: 'AGENT_BUFFER_VERSION' });
  t.same(
    readdirSync(folder).filter((name) => name.includes('damaged')),
    [],
  );
});

t.test('after close nothing is taken, and nothing hangs', async (t) => {
  const buffer = openIn(t.testdir());
  const last = buffer.append(numbered(0, 1), []);
  await buffer.close();
  await last;
  await t.rejects(buffer.append(numbered(1, 1), []));
  await buffer.close();
});

t.test('a flush costs one sync and about two pages', async (t) => {
  const buffer = openIn(t.testdir());
  buffer.maintain();
  for (let i = 0; i < 20; i++) {
    await commit(buffer, numbered(i * 35, 35));
    buffer.acknowledge(drain(buffer).map((chunk) => chunk.id));
  }
  const before = buffer.stats();
  for (let i = 20; i < 40; i++) {
    await commit(buffer, numbered(i * 35, 35));
    buffer.acknowledge(drain(buffer).map((chunk) => chunk.id));
  }
  const after = buffer.stats();
  t.equal(after.syncsTotal - before.syncsTotal, 20);
  t.ok(after.bytesWrittenTotal - before.bytesWrittenTotal <= 20 * 2 * 4120);
  t.ok(after.bytesWrittenTotal - before.bytesWrittenTotal >= 20 * 4120);
  await buffer.close();
});
