/** /api/v1/anomalies on a real store: lists, marks, and how often detectors are right. */

import { Ajv } from 'ajv';
import t from 'tap';
import { ANOMALY } from '../../../collector/api/alert_items.ts';
import type { MarkValue } from '../../../collector/types.ts';
import {
  anomalyEntry,
  BASE_MS,
  idOf,
  markEntry,
  storeEntries,
} from '../../support/alert-entries.ts';
import { noDecisions } from '../../support/api-context.ts';
import type { ApiOnStore } from '../../support/api-on-store.ts';
import { apiOnStore } from '../../support/api-on-store.ts';

const NOW = BASE_MS + 200_000;
const marked: unknown[] = [];
let api: ApiOnStore;

t.before(async () => {
  api = await apiOnStore(NOW, {
    decisions: {
      ...noDecisions,
      mark: async (gateway, value: MarkValue) => {
        marked.push([gateway, value]);
        return { partition: 1, offset: 8 };
      },
    },
  });
  const first = Array.from({ length: 6 }, (_, n) =>
    anomalyEntry(n, {
      site: n === 5 ? 'north' : 'demo',
      detector: n < 4 ? 'novelty' : 'drift',
      ...(n === 1 ? { value: null, channel: '' } : {}),
    }),
  );
  const later = first.slice(0, 3).map((entry) => ({
    ...entry,
    state: 'ended' as const,
    endMs: entry.onsetMs + 500,
    score: 0.875,
    version: 3,
  }));
  const marks = [
    markEntry(0),
    markEntry(2, { mark: 'maintenance', by: '', note: '' }),
    markEntry(4, { mark: 'true' }),
    markEntry(77, { mark: 'false' }),
  ];
  await storeEntries(api.store, { anomalies: later, marks }, 'newer');
  await storeEntries(api.store, { anomalies: first }, 'older');
  const changed = markEntry(4, { mark: 'false', markedMs: BASE_MS + 100_001 });
  await storeEntries(api.store, { marks: [changed] }, 'changed');
});
t.teardown(() => api.remove());

interface Item {
  id: string;
}

async function items(query: string): Promise<Item[]> {
  return (await api.get<{ items: Item[] }>(`/api/v1/anomalies${query}`)).items;
}

async function numbers(query: string): Promise<string> {
  return (await items(`?${query}`)).map(({ id }) => Number.parseInt(id, 16)).join();
}

t.test('the newest version of each, with its mark', async (t) => {
  const all = await items('');
  t.match(all, [
    { id: idOf(5), site: 'north', state: 'open', end_ms: null, mark: null, marked_ms: null },
    { id: idOf(4), mark: 'false', marked_by: 'Lee', marked_note: 'bearing' },
    { id: idOf(3), detector: 'novelty', score: 0.75, version: 1 },
    { id: idOf(2), state: 'ended', end_ms: BASE_MS + 2_500, mark: 'maintenance', marked_by: '' },
    { id: idOf(1), value: null, channel: '', expected_low: null, expected_high: 1_000 },
    {
      id: idOf(0),
      score: 0.875,
      version: 3,
      reason: { ko: 'motor1이 높습니다' },
      channels: [{ channel: 'motor1', detector: 'novelty', score: 0.75 }],
      mark: 'true',
      marked_ms: BASE_MS + 100_000,
    },
  ]);
  const ajv = new Ajv({ strict: false });
  for (const item of all) t.ok(ajv.validate(ANOMALY, item), ajv.errorsText());
});

t.test('filters and pages', async (t) => {
  for (const [query, expected] of [
    ['state=open', '5,4,3'],
    ['state=ended', '2,1,0'],
    ['mark=true', '0'],
    ['mark=false', '4'],
    ['mark=maintenance', '2'],
    ['mark=none', '5,3,1'],
    ['mark=none&state=ended', '1'],
    ['detector=drift', '5,4'],
    ['site=north', '5'],
    ['device=D02', ''],
    [`from=${BASE_MS + 1_000}&to=${BASE_MS + 3_000}`, '2,1'],
  ] as const)
    t.equal(await numbers(query), expected, query);
  const pages: string[] = [];
  let cursor = '';
  do {
    const url = `/api/v1/anomalies?mark=none&limit=2${cursor}`;
    const page = await api.get<{ items: Item[]; next: string | null }>(url);
    pages.push(page.items.map(({ id }) => Number.parseInt(id, 16)).join());
    cursor = page.next === null ? '' : `&cursor=${page.next}`;
  } while (cursor !== '');
  t.same(pages, ['5,3', '1']);
  await t.rejects(numbers('from=2&to=1'), /API_PARAMETER_INVALID/);
});

t.test('how often each detector was right', async (t) => {
  const none = { marked_true: 0, marked_false: 0, marked_maintenance: 0 };
  t.same(await items('/summary'), [
    { ...none, detector: 'drift', anomalies: 2, marked_false: 1, unmarked: 1 },
    {
      detector: 'novelty',
      anomalies: 4,
      marked_true: 1,
      marked_false: 0,
      marked_maintenance: 1,
      unmarked: 2,
    },
  ]);
  t.same(await items(`/summary?site=north&from=${BASE_MS + 5_000}`), [
    { ...none, detector: 'drift', anomalies: 1, unmarked: 1 },
  ]);
  t.same(await items('/summary?to=1'), []);
  await t.rejects(items('/summary?from=2&to=1'), /API_PARAMETER_INVALID/);
});

async function mark(id: string, payload: object): Promise<{ status: number; body: object }> {
  const response = await api.app.inject({
    method: 'POST',
    url: `/api/v1/anomalies/${id}/mark`,
    headers: { host: 'localhost', 'content-type': 'application/json' },
    payload,
  });
  return { status: response.statusCode, body: response.json() };
}

t.test('mark', async (t) => {
  t.match(await mark(idOf(5), { mark: 'false', by: '김', note: 'cleaning' }), {
    status: 202,
    body: { accepted: true, log_partition: 1, log_offset: 8 },
  });
  api.context.alerts.putAnomaly(anomalyEntry(50, { device: 'D09' }));
  t.match(await mark(idOf(50), { mark: 'true' }), { status: 202 }, 'not in the store yet');
  t.same(marked.splice(0), [
    [
      { site: 'north', gateway: 'gw1' },
      { anomaly: idOf(5), device: 'D01', mark: 'false', by: '김', note: 'cleaning' },
    ],
    [
      { site: 'demo', gateway: 'gw1' },
      { anomaly: idOf(50), device: 'D09', mark: 'true', by: 'operator', note: '' },
    ],
  ]);
  t.match(await mark(idOf(77), { mark: 'true' }), {
    status: 404,
    body: { error: { code: 'API_NOT_FOUND', message: 'no such anomaly' } },
  });
  for (const payload of [{}, { mark: 'none' }, { mark: 'true', by: '' }, { mark: 'true', x: 1 }])
    t.match(await mark(idOf(5), payload), { status: 400 });
  t.same(marked, []);
  t.same(api.defects, []);
});
