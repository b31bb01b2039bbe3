/** Data folders of earlier versions: opened, upgraded and gone on with. See test/cases/data-v1/README.md. */

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CollectorProcess } from '../support/collector-process.ts';
import { fmsRow } from '../support/publisher.ts';

const CASE = join(import.meta.dirname, '../cases/data-v1/data.tar.gz');
/** Seqs of a chunk: 200 readings and a reject. */
const CHUNK = 201;

interface Line {
  gateway: string;
  epoch: string;
  sent: number;
  stored: number;
  quarantined: number;
  duplicates: number;
  gaps: Record<string, number>;
  in_flight: number;
  balance: number;
}

function line(gateway: string, epoch: string, chunks: number, more: Partial<Line> = {}): Line {
  return {
    gateway,
    epoch,
    sent: chunks * CHUNK,
    stored: chunks * 200,
    quarantined: chunks,
    duplicates: 0,
    gaps: {},
    in_flight: 0,
    balance: 0,
    ...more,
  };
}

const EXPECTED = [
  line('gw1', 'aaaa000000000001', 2, { duplicates: 2 * CHUNK }),
  line('gw1', 'aaaa000000000002', 2),
  line('gw2', 'bbbb000000000001', 4, { sent: 4 * CHUNK + 100, gaps: { evicted_bytes: 100 } }),
  line('gw3', 'cccc000000000001', 3, { duplicates: CHUNK }),
];

t.test('version 1: written, processed and merely taken in', async (t) => {
  // The data has an age of its own, which must not matter here.
  const collector = new CollectorProcess(t, {
    store: { retention_days: 36_500 },
    log: { retention_hours: 1_000_000 },
  });
  mkdirSync(collector.dataDir);
  execFileSync('tar', ['xzf', CASE, '-C', collector.dataDir]);
  await collector.start();
  const ledger = async (): Promise<Line[]> =>
    (await collector.get<{ items: Line[] }>('/api/v1/ledger')).items;
  await collector.until('all of it is accounted for', async () => {
    const items = await ledger();
    return items.length === 4 && items.every(({ in_flight }) => in_flight === 0);
  });
  const before = (await ledger()).toSorted((a, b) => (a.epoch < b.epoch ? -1 : 1));
  t.match(before, EXPECTED);
  const gateways = await collector.get<{ items: { gateway: string; status: string }[] }>(
    '/api/v1/gateways',
  );
  t.match(
    gateways.items.find(({ gateway }) => gateway === 'gw3'),
    { status: 'offline' },
    'its will was read',
  );

  const publisher = await collector.publisher('gw1');
  t.teardown(() => publisher.close());
  await publisher.readings(fmsRow('gw1-press', Date.now()));
  await collector.until('it goes on', async () =>
    (await ledger()).some(({ epoch, stored }) => epoch === publisher.epoch && stored === 7),
  );
  await collector.until('all is written', async () => {
    const metrics = await (await fetch(`${collector.base}/metrics`)).text();
    return /log_consumer_lag_records\{consumer="writer"\} 0/.test(metrics);
  });
  await collector.stop();
  t.match(
    collector.storeRows(
      `SELECT epoch, count() AS rows, uniqExact(seq) AS seqs, sum(value != seq / 8) AS wrong
FROM readings WHERE channel LIKE 'c_' GROUP BY epoch ORDER BY epoch`,
    ),
    EXPECTED.map(({ epoch, stored }) => ({ epoch, rows: stored, seqs: stored, wrong: 0 })),
    'each reading once, with its value',
  );
  await collector.start();
  await collector.until('it opens again', async () => (await ledger()).length === 5);
});
