/** What is open now: by versions, bounded, from the log and from a real store. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { LiveAlerts } from '../../../collector/api/live/alerts.ts';
import { LiveView } from '../../../collector/api/live/live.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import type { AlertEntry } from '../../../collector/processor/outputs/alert.ts';
import { openChdbStore } from '../../../collector/store/chdb.ts';
import type { Entries } from '../../support/alert-entries.ts';
import {
  alertEntry,
  anomalyEntry,
  BASE_MS,
  idOf,
  markEntry,
  recordsOf,
  resolved,
  silenceEntry,
  storeEntries,
} from '../../support/alert-entries.ts';
import { until } from '../../support/running-collector.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const SMALL = { entries: 4, over: 2, silences: 2, marks: 2 };

function openIds(live: LiveAlerts): string {
  return live
    .open()
    .map(({ id }) => Number.parseInt(id, 16))
    .join();
}

t.test('the newest version counts, and listeners are told what is new', async (t) => {
  const live = new LiveAlerts();
  const told: string[] = [];
  const end = live.onChange((entry, before) =>
    told.push(`${entry.state} ${entry.version} after ${before?.version ?? 0}`),
  );
  const firing = alertEntry(1);
  t.ok(live.putAlert(firing));
  t.notOk(live.putAlert(firing), 'no news');
  const before = live.open();
  t.equal(live.open(), before, 'the same until something changes');
  t.ok(live.putAlert(resolved(firing)));
  t.notOk(live.putAlert(firing), 'late news');
  t.same(live.open(), []);
  t.match(live.alert(firing.id), { state: 'resolved' });
  t.ok(live.putAlert(alertEntry(2, { version: 5 })));
  t.same(told, ['firing 1 after 0', 'resolved 2 after 1', 'firing 5 after 0']);
  end();
  t.ok(live.putAlert(alertEntry(3)));
  t.equal(told.length, 3);
  t.equal(openIds(live), '3,2', 'those that began last first');
});

t.test('in whatever order the versions of alerts come', async () => {
  const versions = [1, 2, 3].flatMap((n): AlertEntry[] => {
    const first = alertEntry(n);
    const second: AlertEntry = { ...first, state: 'acknowledged', version: 2 };
    return n === 3 ? [first, second] : [first, second, resolved(second)];
  });
  fc.assert(
    fc.property(fc.shuffledSubarray(versions, { minLength: 1 }), (some) => {
      const live = new LiveAlerts();
      for (const entry of some) live.putAlert(entry);
      const newest = new Map<string, AlertEntry>();
      for (const entry of some)
        if (entry.version > (newest.get(entry.id)?.version ?? 0)) newest.set(entry.id, entry);
      const open = [...newest.values()].filter(({ state }) => state !== 'resolved');
      return live.open().length === open.length && open.every((one) => live.open().includes(one));
    }),
  );
});

t.test('bounds: what is over goes first, then it says that something is missing', async (t) => {
  const live = new LiveAlerts(SMALL);
  live.setFilled();
  for (const n of [1, 2, 3]) live.putAlert(resolved(alertEntry(n)));
  t.equal(live.alert(idOf(1)), undefined, 'over for longest');
  t.match(live.alert(idOf(2)), { state: 'resolved' });
  for (const n of [4, 5, 6, 7]) live.putAlert(alertEntry(n));
  t.equal(live.alert(idOf(3)), undefined);
  t.ok(live.complete, 'all that is open is there');
  live.putAlert(alertEntry(8));
  t.equal(openIds(live), '7,6,5,4');
  t.notOk(live.complete);
  live.putAlert(resolved(alertEntry(5)));
  live.putAlert({ ...alertEntry(6), version: 2 });
  t.equal(openIds(live), '7,6,4', 'those that are kept go on');

  const anomalies = new LiveAlerts(SMALL);
  for (const n of [1, 2, 3, 4]) anomalies.putAnomaly(anomalyEntry(n));
  t.ok(anomalies.complete);
  anomalies.putAnomaly(anomalyEntry(5));
  t.notOk(anomalies.complete);
  t.equal(anomalies.openAnomalyCount, 4);
});

t.test('what was over before the store was read is remembered, or it says so', async (t) => {
  const live = new LiveAlerts(SMALL);
  for (const n of [1, 2, 3, 4]) live.putAlert(resolved(alertEntry(n)));
  for (const n of [1, 2, 3, 4]) live.putAlert(alertEntry(n));
  t.same(live.open(), [], 'the store was behind');
  t.ok(live.complete);
  live.putAlert(resolved(alertEntry(5)));
  t.notOk(live.complete, 'the first one is forgotten, and may seem open');
});

t.test('silences and marks', async (t) => {
  const live = new LiveAlerts(SMALL);
  live.putSilence(silenceEntry('a', { untilMs: BASE_MS + 5 }));
  live.putSilence(silenceEntry('b', { untilMs: BASE_MS + 3 }));
  live.putSilence(silenceEntry('a', { untilMs: BASE_MS + 9, updatedMs: BASE_MS - 1 }));
  t.match(live.silence('a'), { untilMs: BASE_MS + 5 }, 'older');
  live.putSilence(silenceEntry('a', { untilMs: BASE_MS + 2 }));
  t.match(live.silence('a'), { untilMs: BASE_MS + 2 }, 'the later given of one time');
  live.putSilence(silenceEntry('c', { untilMs: BASE_MS + 7 }));
  t.same([...live.silences()].map(({ id }) => id).sort(), ['b', 'c'], 'the one that ends first');
  live.putMark(markEntry(1));
  live.putMark(markEntry(1, { mark: 'false', markedMs: BASE_MS }));
  t.match(live.markOf(idOf(1)), { mark: 'true' });
  live.putMark(markEntry(2));
  live.putMark(markEntry(1, { mark: 'maintenance', markedMs: BASE_MS + 200_000 }));
  live.putMark(markEntry(3));
  t.match(
    [1, 2, 3].map((n) => live.markOf(idOf(n))?.mark),
    ['maintenance', undefined, 'true'],
    'the one that was said longest ago is forgotten',
  );
});

/** What a store has that is a little behind the log. */
const STORED: Entries = {
  alerts: [
    alertEntry(1),
    alertEntry(2),
    resolved(alertEntry(2)),
    alertEntry(3, { version: 4, summary: '문제\n"x"', values: { a: 1.5, b: null } }),
    alertEntry(4),
  ],
  anomalies: [
    anomalyEntry(1),
    anomalyEntry(2),
    { ...anomalyEntry(2), state: 'ended', endMs: BASE_MS, version: 2 },
  ],
  silences: [silenceEntry('a'), silenceEntry('b', { kind: 'maintenance' })],
  marks: [markEntry(1)],
};

t.test('a view that follows a log beside a store', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fms-live-'));
  const store = await openChdbStore({ path: join(folder, 'store') });
  const log = await openSqliteLog({
    path: join(folder, 'log.sqlite'),
    partitions: 2,
    maxBytes: 64 * 1024 * 1024,
    retentionBytes: 64 * 1024 * 1024,
    retentionMs: 3_600_000,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
  const view = new LiveView(silentLogger);
  t.teardown(async () => {
    await view.close();
    await log.close();
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  await store.migrate();
  await storeEntries(store, STORED, 'stored', log.identity);
  const old = { alerts: [alertEntry(90)], anomalies: [anomalyEntry(90)] };
  await storeEntries(store, old, 'old', 'a log that was replaced');
  const { alerts } = view;
  const append = async (entries: Entries, partition = 0): Promise<void> => {
    for (const record of recordsOf(entries))
      await log.append('events', partition, { key: 'demo/gw1', ...record });
  };
  await append({ alerts: [alertEntry(7)] }, 1);
  await view.follow(log, () => 0);
  await append({
    alerts: [resolved(alertEntry(1)), alertEntry(5)],
    anomalies: [anomalyEntry(9), { ...anomalyEntry(1), state: 'ended', version: 2 }],
    silences: [silenceEntry('a', { untilMs: BASE_MS, updatedMs: BASE_MS + 1 }), silenceEntry('c')],
    marks: [markEntry(9, { mark: 'false' })],
  });
  await until(async () => alerts.markOf(idOf(9)) !== undefined);
  t.equal(openIds(alerts), '5');
  t.notOk(alerts.filled);
  await view.fill(store);
  t.ok(alerts.filled && alerts.complete);
  t.equal(openIds(alerts), '5,4,3', 'what the log said to be over stays so');
  t.same(alerts.alert(idOf(3)), STORED.alerts?.[3], 'as it was put out');
  t.same([...alerts.openAnomalies()], [anomalyEntry(9)]);
  t.match(alerts.silence('a'), { untilMs: BASE_MS });
  t.same(alerts.silence('b'), STORED.silences?.[1]);
  t.same(alerts.markOf(idOf(1)), markEntry(1));

  let text = '';
  const handle = view.live?.hub.attach(
    {
      write: (part) => {
        text += part;
        return true;
      },
      writableLength: 0,
      destroy() {},
      end() {},
    },
    { site: 'demo', device: 'D01' },
  );
  const events = (): [string, Record<string, unknown>][] =>
    [...text.matchAll(/event: (\w+)\ndata: (.*)\n/g)]
      .filter(([, name]) => name !== 'hello')
      .map(([, name = '', data = '']) => [name, JSON.parse(data) as Record<string, unknown>]);
  await append({
    alerts: [
      resolved(alertEntry(3, { version: 4 })),
      alertEntry(3, { version: 4 }),
      alertEntry(8, { device: '' }),
      alertEntry(6, { site: 'north' }),
    ],
    anomalies: [anomalyEntry(10)],
    marks: [markEntry(10, { mark: 'maintenance' }), markEntry(1_000)],
  });
  await until(async () => alerts.markOf(idOf(1_000)) !== undefined);
  t.match(events(), [
    ['alert', { id: idOf(3), state: 'resolved', resolved_by: 'cleared', version: 5 }],
    ['anomaly', { id: idOf(10), state: 'open', mark: null }],
    ['anomaly', { id: idOf(10), state: 'open', mark: 'maintenance', marked_by: 'Lee' }],
  ]);
  t.equal(events().length, 3, 'neither old news, nor those of others');
  handle?.close();
});
