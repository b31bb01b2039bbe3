/** A log whose file is held for a copy. */

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { Log } from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { silentLogger } from '../../support/silent-logger.ts';

function openIn(folder: string): Promise<Log> {
  return openSqliteLog({
    path: join(folder, 'log.sqlite'),
    partitions: 1,
    maxBytes: 64 * 1024 * 1024,
    retentionBytes: 64 * 1024 * 1024,
    retentionMs: 1e12,
    clock: { wallMs: () => 1_000 },
    log: silentLogger,
  });
}

const append = (log: Log, value: Uint8Array): Promise<number> =>
  log.append('raw', 0, { key: 'demo/gw1', kind: 'batch', value });

async function appendAll(log: Log, from: number, to: number): Promise<void> {
  for (let first = from; first < to; first += 50) {
    const values = Array.from({ length: 50 }, (_, i) => new Uint8Array(5_000).fill(first + i));
    await Promise.all(values.map((value) => append(log, value)));
  }
}

async function count(t: Test, folder: string): Promise<number> {
  const log = await openIn(folder);
  t.teardown(() => log.close());
  const records = await log.read('raw', 0, 0, { maxRecords: 10_000, maxBytes: 1e9 });
  t.ok(
    records.every((record, i) => record.value[0] === i % 256),
    'in order, whole',
  );
  return records.length;
}

t.test('the file stays as it was, however much is appended, trimmed and vacuumed', async (t) => {
  const folder = t.testdir({ copy: {}, late: {} });
  const log = await openIn(folder);
  await appendAll(log, 0, 300);
  const held = await log.hold?.();
  if (held === undefined) throw new Error('a log in a file can be held');
  const copy = (to: string): unknown => execFileSync('cp', [held.path, join(folder, to)]);
  copy('copy');
  await t.rejects(
    async () => void (await log.hold?.()),
    { code: 'LOG_UNAVAILABLE' },
    'once at a time',
  );
  // More than the log checkpoints after by itself.
  await appendAll(log, 300, 1_500);
  const session = await log.openProcessor(0);
  await session.commit({ position: 10, state: new Map([['a', new Uint8Array(9)]]), outputs: [] });
  copy('late');
  t.ok(held.besideBytes() > 4_500_000, `${held.besideBytes()} bytes beside`);
  held.release();
  held.release();
  await append(log, new Uint8Array(5_000).fill(1_500));
  await log.close();
  t.equal(await count(t, join(folder, 'copy')), 300);
  t.equal(await count(t, join(folder, 'late')), 300);
  t.equal(await count(t, folder), 1_501);
});

t.test('a log that ends while it is held loses nothing', async (t) => {
  const folder = t.testdir();
  const log = await openIn(folder);
  await append(log, new Uint8Array(9).fill(0));
  const held = await log.hold?.();
  await append(log, new Uint8Array(9).fill(1));
  await log.close();
  held?.release();
  t.equal(await count(t, folder), 2);
});
