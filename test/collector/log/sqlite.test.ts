import { readFileSync, statSync, writeFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import type { Test } from 'tap';
import t from 'tap';
import type { Log } from '../../../collector/log/log.ts';
import type { OpenSqliteLogOptions } from '../../../collector/log/sqlite.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { SqliteFile } from '../../../collector/log/sqlite_file.ts';
import { allTexts, logContract, recordOf, settings } from '../../contracts/log.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const MEGABYTE = 1024 * 1024;

function open(path: string, over: Partial<OpenSqliteLogOptions> = {}): Promise<Log> {
  return openSqliteLog({ ...settings(), path, log: silentLogger, ...over });
}

async function process(log: Log): Promise<void> {
  const session = await log.openProcessor(0);
  const { next } = await log.bounds('raw', 0);
  await session.commit({ position: next, state: new Map(), outputs: [] });
}

t.test('contract', async (t) =>
  logContract(t, {
    open: (folder, over) => open(`${folder}/log.sqlite`, over),
    capabilities: { byteCap: true, exactTrim: true, exclusive: true, clock: true },
  }),
);

t.test('every opening syncs every commit', async (t) => {
  const path = `${t.testdir()}/log.sqlite`;
  for (const opening of ['first', 'second']) {
    const file = SqliteFile.open({ path, partitions: 1, maxBytes: 64 * MEGABYTE, wallMs: 0 });
    t.same(
      file.settings(),
      { journalMode: 'wal', synchronous: 2, lockingMode: 'exclusive' },
      opening,
    );
    file.close();
  }
});

t.test('what is asked for in one turn shares one commit', async (t) => {
  const log = await open(`${t.testdir()}/log.sqlite`);
  const session = await log.openProcessor(0);
  const before = log.stats().commitsTotal;
  await Promise.all([
    ...Array.from({ length: 500 }, () => log.append('raw', 0, recordOf('x'))),
    session.commit({ position: 0, state: new Map(), outputs: [] }),
    log.append('events', 0, recordOf('y')),
  ]);
  t.equal(log.stats().commitsTotal - before, 1);
  await log.close();
});

t.test('one refused operation does not disturb the others of its group', async (t) => {
  const log = await open(`${t.testdir()}/log.sqlite`);
  const stale = await log.openProcessor(0);
  await log.openProcessor(0);
  const before = log.append('raw', 0, recordOf('a'));
  const fenced = stale.commit({ position: 1, state: new Map(), outputs: [] });
  const after = log.append('raw', 0, recordOf('b'));
  await t.rejects(fenced, { code: 'LOG_FENCED' });
  t.same(await Promise.all([before, after]), [0, 1]);
  t.same(await allTexts(log), ['a', 'b']);
  await log.close();
});

/** A log with 20 MB of state, keys in no order; and that state. */
async function logWithState(t: Test): Promise<{ log: Log; state: Map<string, Uint8Array> }> {
  const log = await open(`${t.testdir()}/log.sqlite`);
  const keys = ['.p', '', 'b|1', 'b', '.soft/b', 'b\u0000', '다', '\u{10ffff}', 'a'];
  for (let i = 0; i < 11; i++) keys.push(`demo/gw${i}`);
  const state = new Map(keys.map((key, i) => [key, new Uint8Array(MEGABYTE).fill(i)]));
  const session = await log.openProcessor(0);
  await session.commit({ position: 0, state, outputs: [] });
  return { log, state };
}

/** What fills each value, by key: a comparison of megabytes would take long to say how they differ. */
function filled(state: ReadonlyMap<string, Uint8Array>): [string, number][] {
  const entries = [...state].map(([key, bytes]): [string, number] => {
    const [first = -1] = bytes;
    return [key, bytes.length === MEGABYTE && bytes.at(-1) === first ? first : -1];
  });
  return entries.sort(([a], [b]) => (a < b ? -1 : 1));
}

t.test('a large state is read whole, and records are taken in meanwhile', async (t) => {
  const { log, state } = await logWithState(t);
  let isOpen = false;
  const opening = log.openProcessor(0).finally(() => {
    isOpen = true;
  });
  let taken = 0;
  for (; !isOpen; taken++) await log.append('raw', 0, recordOf('x'));
  t.ok(taken > 3, `${taken} appends, one after the other`);
  t.same(filled((await opening).state), filled(state));
  await log.close();
});

t.test('state is never put together from two owners', async (t) => {
  const { log, state } = await logWithState(t);
  const slow = log.openProcessor(0);
  const fenced = t.rejects(slow, { code: 'LOG_FENCED' });
  const session = await log.openProcessor(0);
  await session.commit({ position: 0, state: new Map([['a', null]]), outputs: [] });
  await fenced;
  state.delete('a');
  t.same(filled(session.state), filled(state));
  await log.close();
});

t.test('closed while state is read', async (t) => {
  const { log } = await logWithState(t);
  const opening = log.openProcessor(0);
  const rejected = t.rejects(opening, { code: 'LOG_CLOSED' });
  await log.close();
  await rejected;
});

t.test('large appends are committed in several groups', async (t) => {
  const log = await open(`${t.testdir()}/log.sqlite`);
  const value = Buffer.alloc(MEGABYTE, 1);
  await Promise.all(Array.from({ length: 20 }, () => log.append('raw', 0, recordOf(value))));
  const { commitsTotal } = log.stats();
  t.ok(commitsTotal >= 4 && commitsTotal <= 20, `${commitsTotal} commits`);
  await log.close();
});

t.test('the WAL stays small and the file shrinks after a trim', async (t) => {
  const path = `${t.testdir()}/log.sqlite`;
  const log = await open(path, { retentionMs: 0 });
  const value = Buffer.alloc(256 * 1024, 1);
  let largestWal = 0;
  for (let round = 0; round < 30; round++) {
    await Promise.all(Array.from({ length: 16 }, () => log.append('raw', 0, recordOf(value))));
    largestWal = Math.max(largestWal, statSync(`${path}-wal`).size);
  }
  t.ok(largestWal < 32 * MEGABYTE, `WAL up to ${largestWal} bytes`);
  t.ok(statSync(path).size > 100 * MEGABYTE);
  await process(log);
  const before = log.stats().commitsTotal;
  await log.trim(Number.MAX_SAFE_INTEGER);
  const steps = log.stats().commitsTotal - before;
  t.ok(steps > 40, `trimmed in ${steps} short steps`);
  const file = statSync(path).size + statSync(`${path}-wal`).size;
  t.ok(log.stats().bytes < 2 * MEGABYTE, `${log.stats().bytes} bytes in use`);
  await log.close();
  t.ok(statSync(path).size < 64 * MEGABYTE, `${statSync(path).size} of ${file} bytes on the disk`);
});

t.test('appends go on while a trim is under way', async (t) => {
  const log = await open(`${t.testdir()}/log.sqlite`, { retentionMs: 0 });
  const value = Buffer.alloc(64 * 1024, 1);
  for (let round = 0; round < 10; round++)
    await Promise.all(Array.from({ length: 64 }, () => log.append('raw', 0, recordOf(value))));
  await process(log);
  let trimmed = false;
  const trimming = log.trim(Number.MAX_SAFE_INTEGER).then(() => {
    trimmed = true;
  });
  let between = 0;
  while (!trimmed) {
    await log.append('raw', 0, recordOf('x'));
    if (!trimmed) between += 1;
  }
  await trimming;
  t.ok(between >= 10, `${between} appends in between`);
  t.equal((await log.bounds('raw', 0)).first, 640, 'what came later is kept');
  await log.close();
});

t.test('a full log makes room by itself as soon as records were consumed', async (t) => {
  const log = await open(`${t.testdir()}/log.sqlite`, { maxBytes: 4 * MEGABYTE });
  const value = Buffer.alloc(50_000, 1);
  const append = () => log.append('raw', 0, recordOf(value)).catch((error) => error.code);
  let outcome: unknown = 0;
  while (typeof outcome === 'number') outcome = await append();
  t.equal(outcome, 'LOG_FULL');
  await process(log);
  // Trims that nobody called are at least a second apart; the refused append asked for one already.
  while (typeof outcome !== 'number') {
    await new Promise((resolve) => setTimeout(resolve, 20));
    outcome = await append();
  }
  t.type(outcome, 'number');
  await log.close();
});

t.test('says once that it refuses records, and once that it takes them again', async (t) => {
  const said: string[] = [];
  const say = (_fields: object, message: string) => said.push(message.replace(/:.*/, ''));
  const logger = { info: say, warn: say, error: say };
  const over = { maxBytes: 4 * MEGABYTE, retentionMs: 0, log: logger };
  const log = await open(`${t.testdir()}/log.sqlite`, over);
  const value = Buffer.alloc(50_000, 1);
  const appends = Array.from({ length: 200 }, () => log.append('raw', 0, recordOf(value)));
  const outcomes = await Promise.allSettled(appends);
  t.ok(outcomes.filter(({ status }) => status === 'rejected').length > 50);
  t.ok(log.stats().appendErrorsTotal > 50);
  await process(log);
  await log.trim(Number.MAX_SAFE_INTEGER);
  await log.append('raw', 0, recordOf('x'));
  await log.append('raw', 0, recordOf('x'));
  t.same(said, ['the log refuses records', 'the log takes records again']);
  await log.close();
});

t.test('what is no log is refused with a code and left as it is', async (t) => {
  const folder = t.testdir({ 'text.sqlite': 'this is not a database, '.repeat(1_000), empty: '' });
  await t.rejects(open(`${folder}/text.sqlite`), { code: 'LOG_DAMAGED' });
  t.match(readFileSync(`${folder}/text.sqlite`, 'utf8'), /^this is/);

  const foreign = new Database(`${folder}/foreign.sqlite`);
  foreign.exec(
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT); INSERT INTO meta VALUES ('schema_version', '99')",
  );
  foreign.close();
  await t.rejects(open(`${folder}/foreign.sqlite`), { code: 'LOG_DAMAGED' });

  writeFileSync(`${folder}/file`, '');
  await t.rejects(open(`${folder}/file/log.sqlite`), { code: 'LOG_UNAVAILABLE' });

  const log = await open(`${folder}/empty`);
  t.equal(await log.append('raw', 0, recordOf('a')), 0, 'an empty file becomes a log');
  await log.close();
});

t.test('settings that cannot be are refused', async (t) => {
  const folder = t.testdir();
  await t.rejects(open(`${folder}/a.sqlite`, { partitions: 0 }), RangeError);
  await t.rejects(open(`${folder}/b.sqlite`, { partitions: 1_000 }), RangeError);
  await t.rejects(open(`${folder}/c.sqlite`, { maxBytes: 1_000 }), RangeError);
  const log = await open(`${folder}/d.sqlite`);
  t.throws(() => log.append('raw', 1, recordOf('a')), RangeError);
  t.throws(() => log.append('raw', -1, recordOf('a')), RangeError);
  await t.rejects(log.openConsumer('store', 'raw', 0), RangeError);
  await log.close();
});

t.test('a lower cap than what is there refuses appends until it was trimmed', async (t) => {
  const path = `${t.testdir()}/log.sqlite`;
  const roomy = await open(path);
  const value = Buffer.alloc(100_000, 1);
  await Promise.all(Array.from({ length: 80 }, () => roomy.append('raw', 0, recordOf(value))));
  await roomy.close();
  const log = await open(path, { maxBytes: 4 * MEGABYTE, retentionMs: 0 });
  await t.rejects(log.append('raw', 0, recordOf('x')), { code: 'LOG_FULL' });
  await process(log);
  await log.trim(Number.MAX_SAFE_INTEGER);
  t.equal(await log.append('raw', 0, recordOf('x')), 80);
  await log.close();
});

t.test('a position beyond the log stops its owner', async (t) => {
  const path = `${t.testdir()}/log.sqlite`;
  const log = await open(path);
  await log.append('readings', 0, recordOf('a'));
  const consumer = await log.openConsumer('store', 'readings', 0);
  await consumer.commitPosition(1);
  await log.append('raw', 0, recordOf('a'));
  const processor = await log.openProcessor(0);
  await processor.commit({ position: 1, state: new Map([['k', Buffer.of(1)]]), outputs: [] });
  await log.close();

  const edit = (sql: string) => {
    const database = new Database(path);
    database.exec(sql);
    database.close();
  };
  edit('UPDATE sessions SET position = 7');
  const again = await open(path);
  await t.rejects(again.openConsumer('store', 'readings', 0), { code: 'LOG_POSITION_OUTSIDE' });
  await t.rejects(again.openProcessor(0), { code: 'LOG_POSITION_OUTSIDE' });
  await again.close();
  edit('DELETE FROM sessions');
  const without = await open(path);
  await t.rejects(without.openProcessor(0), { code: 'LOG_POSITION_OUTSIDE' }, 'state, no position');
  await without.close();
});
