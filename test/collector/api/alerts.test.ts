/** /api/v1/alerts on a real store: lists from the store and from memory, and to acknowledge. */

import { Ajv } from 'ajv';
import t from 'tap';
import { ALERT } from '../../../collector/api/alert_items.ts';
import { LiveAlerts } from '../../../collector/api/live/alerts.ts';
import type { AlertEntry } from '../../../collector/processor/outputs/alert.ts';
import type { AcknowledgeValue } from '../../../collector/types.ts';
import { alertEntry, BASE_MS, idOf, resolved, storeEntries } from '../../support/alert-entries.ts';
import { noDecisions } from '../../support/api-context.ts';
import type { ApiOnStore } from '../../support/api-on-store.ts';
import { apiOnStore } from '../../support/api-on-store.ts';

const NOW = BASE_MS + 100_000;

interface Item {
  id: string;
  state: string;
  version: number;
}

interface Page {
  items: Item[];
  next: string | null;
}

/** Every third is over, every fourth of another site; two begin at the same time. */
const FIRST: AlertEntry[] = Array.from({ length: 12 }, (_, n) =>
  alertEntry(n, {
    site: n % 4 === 0 ? 'north' : 'demo',
    device: n === 5 ? '' : `D0${n % 3}`,
    rule: n === 5 ? 'gateway_down' : 'temperature',
    severity: n % 2 === 0 ? 'CRITICAL' : 'WARNING',
    state: n === 7 ? 'pending' : 'firing',
    firedMs: n === 7 ? 0 : BASE_MS + 500,
    ...(n === 2 ? { startedMs: BASE_MS + 1_000 } : {}),
  }),
);
const LATER = FIRST.filter((_, n) => n % 3 === 0).map(resolved);
const NEWEST = FIRST.map((entry, n) => (n % 3 === 0 ? resolved(entry) : entry));
/** Those that began last first. */
const ORDER = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0];

const acknowledged: unknown[] = [];
const live = new LiveAlerts();
let api: ApiOnStore;

t.before(async () => {
  api = await apiOnStore(NOW, {
    alerts: live,
    decisions: {
      ...noDecisions,
      acknowledge: async (gateway, value: AcknowledgeValue) => {
        acknowledged.push([gateway, value]);
        return { partition: 2, offset: 17 };
      },
    },
  });
  await storeEntries(api.store, { alerts: FIRST }, 'first');
  await storeEntries(api.store, { alerts: LATER }, 'later');
  // What came before comes again after a kill: the newest version counts.
  await storeEntries(api.store, { alerts: FIRST }, 'again');
});
t.teardown(() => api.remove());

async function ids(query: string): Promise<number[]> {
  const { items } = await api.get<Page>(`/api/v1/alerts?${query}`);
  return items.map(({ id }) => Number.parseInt(id, 16));
}

async function pages(query: string): Promise<number[][]> {
  const found: number[][] = [];
  let cursor = '';
  do {
    const page = await api.get<Page>(`/api/v1/alerts?${query}${cursor}`);
    found.push(page.items.map(({ id }) => Number.parseInt(id, 16)));
    cursor = page.next === null ? '' : `&cursor=${page.next}`;
  } while (cursor !== '');
  return found;
}

t.test('the newest version of each, those that began last first', async (t) => {
  const { items, next } = await api.get<Page>('/api/v1/alerts');
  t.equal(next, null);
  t.same(
    items.map(({ id }) => id),
    ORDER.map(idOf),
  );
  t.match(items.at(-1), {
    state: 'resolved',
    version: 2,
    site: 'north',
    title_ko: '온도',
    summary: FIRST[0]?.summary,
    values: FIRST[0]?.values,
    fired_ms: BASE_MS + 500,
    acknowledged_ms: null,
    resolved_ms: BASE_MS + 10_000,
    resolved_by: 'cleared',
  });
  t.match(items[4], { state: 'pending', fired_ms: null, resolved_ms: null });
  const ajv = new Ajv({ strict: false });
  for (const item of items) t.ok(ajv.validate(ALERT, item), ajv.errorsText());
});

t.test('filters and pages, from the store and from memory', async (t) => {
  const asked: [string, number[]][] = [
    ['active=true', [11, 10, 8, 7, 5, 4, 2, 1]],
    ['active=true&state=pending', [7]],
    ['active=true&state=resolved', []],
    ['active=true&severity=CRITICAL', [10, 8, 4, 2]],
    ['active=true&site=north', [8, 4]],
    ['active=true&device=D01', [10, 7, 4, 1]],
    ['active=true&gateway=gw2', []],
    ['active=true&rule=gateway_down', [5]],
    [`active=true&from=${BASE_MS + 5_000}&to=${BASE_MS + 10_000}`, [8, 7, 5]],
  ];
  t.notOk(live.filled, 'memory is not asked yet');
  for (const [query, expected] of asked) t.same(await ids(query), expected, `store: ${query}`);
  t.same(await pages('active=true&limit=3'), [
    [11, 10, 8],
    [7, 5, 4],
    [2, 1],
  ]);
  for (const entry of NEWEST) live.putAlert(entry);
  live.setFilled();
  live.putAlert(alertEntry(99));
  for (const [query, expected] of asked)
    t.same(
      (await ids(query)).filter((id) => id !== 99),
      expected,
      `memory: ${query}`,
    );
  t.same((await ids('active=true'))[0], 99, 'what the store does not have yet');
  live.putAlert(resolved(alertEntry(99)));
  t.same(await pages('active=true&limit=3'), [
    [11, 10, 8],
    [7, 5, 4],
    [2, 1],
  ]);
  t.same(await ids('active=false'), [9, 6, 3, 0]);
  t.same(await ids('severity=WARNING&active=false'), [9, 3]);
  t.same(await pages('limit=5'), [ORDER.slice(0, 5), ORDER.slice(5, 10), ORDER.slice(10)]);
  t.same(await pages('limit=11'), [ORDER.slice(0, 11), [0]]);
  t.same(await pages('limit=12'), [ORDER]);
  for (const wrong of ['from=5&to=5', 'active=true&from=5&to=4', 'active=true&cursor=x'])
    await t.rejects(ids(wrong), /400.*API_PARAMETER_INVALID/, wrong);
});

t.test('what is more than is kept in memory is asked of the store', async (t) => {
  const small = new LiveAlerts({ entries: 1, over: 1, silences: 1, marks: 1 });
  for (const n of [10, 11]) small.putAlert(alertEntry(n));
  small.setFilled();
  t.notOk(small.complete);
  const other = api.context.alerts;
  api.context.alerts = small;
  t.same(await ids('active=true'), [11, 10, 8, 7, 5, 4, 2, 1]);
  api.context.alerts = other;
});

async function acknowledge(
  id: string,
  payload: object = {},
): Promise<{ status: number; body: object }> {
  const response = await api.app.inject({
    method: 'POST',
    url: `/api/v1/alerts/${id}/acknowledge`,
    headers: { host: 'localhost', 'content-type': 'application/json' },
    payload,
  });
  return { status: response.statusCode, body: response.json() };
}

t.test('acknowledge', async (t) => {
  t.match(await acknowledge(idOf(4), { by: '홍길동', note: 'on my way' }), {
    status: 202,
    body: { accepted: true, log_partition: 2, log_offset: 17 },
  });
  t.match(await acknowledge(idOf(8)), { status: 202 });
  t.same(acknowledged.splice(0), [
    [
      { site: 'north', gateway: 'gw1' },
      { alert: idOf(4), by: '홍길동', note: 'on my way' },
    ],
    [
      { site: 'north', gateway: 'gw1' },
      { alert: idOf(8), by: 'operator', note: '' },
    ],
  ]);
  for (const n of [3, 7, 99])
    t.match(
      await acknowledge(idOf(n)),
      { status: 409, body: { error: { code: 'API_ACKNOWLEDGE_REFUSED' } } },
      'over, or not firing yet',
    );
  t.match(await acknowledge(idOf(1_234)), {
    status: 404,
    body: { error: { code: 'API_NOT_FOUND', message: 'no such alert' } },
  });
  const wrong = [{ by: '' }, { by: 'x'.repeat(129) }, { note: 'x'.repeat(501) }, { other: 1 }];
  for (const payload of wrong) t.match(await acknowledge(idOf(4), payload), { status: 400 });
  t.match(await acknowledge('nonsense'), { status: 400 });
  t.same(acknowledged, []);
});

t.test('what is open of a log that was replaced is over', async (t) => {
  const { alerts, live: before } = api.context;
  api.context.alerts = new LiveAlerts();
  api.context.live = () => ({ log: { identity: 'a-log' }, hub: {} }) as ReturnType<typeof before>;
  const old = [alertEntry(50), resolved(alertEntry(51))];
  await storeEntries(api.store, { alerts: old }, 'old', 'another log');
  t.same(await ids('active=true'), [11, 10, 8, 7, 5, 4, 2, 1]);
  t.same(await ids('active=false'), [51, 50, 9, 6, 3, 0]);
  t.same((await ids('')).slice(0, 3), [51, 50, 11], 'it stays in the history');
  api.context.alerts = alerts;
  api.context.live = before;
});

t.test('one that only the store knows', async (t) => {
  api.context.alerts = new LiveAlerts();
  t.match(await acknowledge(idOf(4)), { status: 202 });
  t.match(await acknowledge(idOf(3)), { status: 409 });
  api.context.alerts = live;
  t.same(api.defects, []);
});

t.test('one by its id', async (t) => {
  t.match(await api.get(`/api/v1/alerts/${idOf(0)}`), { state: 'resolved', version: 2 });
  await t.rejects(api.get(`/api/v1/alerts/${'f'.repeat(16)}`), /404.*API_NOT_FOUND/);
  await t.rejects(api.get('/api/v1/alerts/x'), /400.*API_PARAMETER_INVALID/);
  const line = encodeURIComponent(FIRST[0]?.line ?? '');
  t.ok((await ids(`line=${line}`)).includes(0));
  t.same(await ids('line=nowhere'), []);
});
