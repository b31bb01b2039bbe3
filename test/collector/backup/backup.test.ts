/** Backups of a running collector, and what comes of restoring them. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { Manifest } from '../../../collector/backup/manifest.ts';
import type { Reading } from '../../../proto/model.ts';
import { CollectorProcess } from '../../support/collector-process.ts';
import type { Publisher } from '../../support/publisher.ts';

interface LedgerAnswer {
  items: { gateway: string; sent: number; stored: number; gap_readings: number; balance: number }[];
  totals: { balance: number; in_flight: number; gaps: Record<string, number> };
}

/** Ten readings whose value is their seq. */
function tenReadings(publisher: Publisher, timeMs: number): Reading[] {
  return Array.from({ length: 10 }, (_, i) => ({
    device: 'press-1',
    channel: 'count',
    timeMs: timeMs + i,
    value: publisher.lastSeq + 1 + i,
    quality: 0,
  }));
}

async function connect(t: Test, collector: CollectorProcess): Promise<Publisher> {
  const publisher = await collector.publisher('gw1');
  t.teardown(() => publisher.close());
  return publisher;
}

/** Publishes until it is told to stop. */
function load(publisher: Publisher): { stop(): Promise<void> } {
  let isOver = false;
  const run = async (): Promise<void> => {
    while (!isOver) await publisher.readings(tenReadings(publisher, Date.now() - 60_000));
  };
  const running = run();
  return {
    stop: () => {
      isOver = true;
      return running;
    },
  };
}

/** `sent`: readings of which it must have heard. */
async function settled(collector: CollectorProcess, sent = 1): Promise<LedgerAnswer> {
  let answer: LedgerAnswer | undefined;
  await collector.until('all is accounted for', async () => {
    answer = await collector.get<LedgerAnswer>('/api/v1/ledger');
    return (answer.items[0]?.sent ?? 0) >= sent && answer.totals.in_flight === 0;
  });
  return answer!;
}

/** The folders of hard links in the store. */
function heldIn(collector: CollectorProcess): string[] {
  const shadow = join(collector.dataDir, 'store', 'shadow');
  return readdirSync(shadow).filter((name) => name.startsWith('backup'));
}

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
}

t.test('taken under load, restored elsewhere: whole, and what came later is a gap', async (t) => {
  const origin = new CollectorProcess(t);
  await origin.start();
  const publisher = await connect(t, origin);
  await publisher.readings(tenReadings(publisher, Date.now() - 60_000));
  await settled(origin);
  const loading = load(publisher);
  const ackedBefore = publisher.lastSeq;
  const folder = join(origin.folder, 'backup');
  const taken = await origin.command('backup', folder);
  t.equal(taken.code, 0, taken.output);
  await loading.stop();
  t.ok(publisher.lastSeq > ackedBefore, `${publisher.lastSeq} readings`);
  t.match(manifestIn(folder), { format: 1, partitions: 1, logSchema: 1 });
  t.notOk(existsSync(`${folder}.partial`));
  // What held the parts goes after the answer.
  await origin.until('nothing is left of it', async () => heldIn(origin).length === 0);
  const whole = await settled(origin, publisher.lastSeq);
  t.match(whole.items[0], { stored: publisher.lastSeq, balance: 0 }, 'the origin has all');

  const copy = new CollectorProcess(t);
  const restored = await copy.command('restore', folder);
  t.equal(restored.code, 0, restored.output);
  await copy.start();
  t.match(copy.output, /restored from a backup/);
  const before = await settled(copy);
  const inBackup = before.items[0]?.stored ?? 0;
  t.ok(inBackup >= ackedBefore && inBackup <= publisher.lastSeq, `${inBackup} in the backup`);
  t.match(before.items[0], { sent: inBackup, balance: 0 });
  const again = await connect(t, copy);
  again.resume(publisher);
  await again.readings(tenReadings(again, Date.now()));
  const lost = publisher.lastSeq - inBackup;
  await copy.until('the gap shows', async () => {
    const { totals } = await copy.get<LedgerAnswer>('/api/v1/ledger');
    return (totals.gaps.lost_with_log ?? 0) === lost && totals.in_flight === 0;
  });
  const after = await settled(copy, publisher.lastSeq + 10);
  t.match(after.items[0], { stored: inBackup + 10, gap_readings: lost, balance: 0 });
  // It waits until the writers have passed what the ledger counts.
  const deep = await copy.command('ledger', '--deep');
  t.equal(deep.code, 0, deep.output);
  await copy.stop();
  t.match(
    copy.storeRows(
      'SELECT count() AS rows, uniqExact(seq) AS seqs, sum(seq != value) AS wrong FROM readings',
    ),
    [{ rows: inBackup + 10, seqs: inBackup + 10, wrong: 0 }],
    'each is in the store once',
  );
});

/** Begins a backup as the command does. */
async function begin(
  collector: CollectorProcess,
  signal: AbortSignal | null = null,
): Promise<ReadableStreamDefaultReader<Uint8Array> | undefined> {
  const response = await fetch(`${collector.base}/api/v1/backup`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
    signal,
  });
  return response.body?.getReader();
}

t.test('a collector that is killed while the copy is made', async (t) => {
  const origin = new CollectorProcess(t);
  await origin.start();
  const publisher = await connect(t, origin);
  for (let i = 0; i < 20; i++) await publisher.readings(tenReadings(publisher, Date.now()));
  await settled(origin, 200);
  const reader = await begin(origin);
  await reader?.read();
  const second = await origin.command('backup', join(origin.folder, 'second'));
  t.match(second, { code: 1, output: /BACKUP_REFUSED.*another backup/ });
  t.notOk(existsSync(join(origin.folder, 'second')));
  t.notOk(existsSync(join(origin.folder, 'second.partial')));
  t.equal(heldIn(origin).length, 1, 'parts are held');
  await origin.stop('SIGKILL');
  await reader?.cancel().catch(() => undefined);
  await origin.start();
  t.notOk(existsSync(join(origin.dataDir, 'store', 'shadow')), 'what it left is removed');
  t.match((await settled(origin, 200)).items[0], { stored: 200, balance: 0 });

  // A caller that goes gives everything free.
  const asked = new AbortController();
  const third = await begin(origin, asked.signal);
  await third?.read();
  asked.abort();
  await origin.until('it is free again', async () => {
    const { code } = await origin.command('backup', join(origin.folder, 'fourth'));
    return code === 0;
  });
  const metrics = async (): Promise<string> => (await fetch(`${origin.base}/metrics`)).text();
  await origin.until('it has ended', async () =>
    (await metrics()).includes('fms_collector_backup_running 0'),
  );
  t.same(heldIn(origin), []);
});

t.test('folders that cannot take a backup, and no collector', async (t) => {
  const origin = new CollectorProcess(t);
  const used = join(origin.folder, 'used');
  mkdirSync(used);
  writeFileSync(join(used, 'mine'), '');
  t.match(await origin.command('backup', used), { code: 1, output: /BACKUP_FOLDER/ });
  t.same(readdirSync(used), ['mine']);
  const gone = await origin.command('backup', join(origin.folder, 'b'));
  t.match(gone, { code: 3, output: /COLLECTOR_UNREACHABLE/ });
});
