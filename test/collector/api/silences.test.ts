/** /api/v1/silences on a real store: list, set, end. */

import { Ajv } from 'ajv';
import t from 'tap';
import { SILENCE } from '../../../collector/api/alert_items.ts';
import { LiveAlerts } from '../../../collector/api/live/alerts.ts';
import type { SilenceValue } from '../../../collector/types.ts';
import { BASE_MS, silenceEntry, storeEntries } from '../../support/alert-entries.ts';
import { noDecisions } from '../../support/api-context.ts';
import type { ApiOnStore } from '../../support/api-on-store.ts';
import { apiOnStore } from '../../support/api-on-store.ts';

const NOW = BASE_MS;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const said: SilenceValue[] = [];
let api: ApiOnStore;

t.before(async () => {
  api = await apiOnStore(NOW, {
    decisions: {
      ...noDecisions,
      silence: async (value) => {
        said.push(value);
      },
    },
  });
  const silences = [
    silenceEntry('over', { untilMs: NOW }),
    silenceEntry('active', { kind: 'maintenance', untilMs: NOW + 2 }),
    silenceEntry('shortened', { untilMs: NOW + 3 }),
    silenceEntry('later', { fromMs: NOW + 4, untilMs: NOW + 5 }),
  ];
  await storeEntries(api.store, { silences }, 'silences');
  // What the store does not have yet.
  const { alerts } = api.context;
  for (const silence of silences.slice(0, 2)) alerts.putSilence(silence);
  alerts.putSilence(silenceEntry('shortened', { untilMs: NOW - 1, updatedMs: NOW + 1 }));
  alerts.putSilence(silenceEntry('new', { untilMs: NOW + 9, device: '온도?*' }));
});
t.teardown(() => api.remove());

interface Item {
  id: string;
  state: string;
}

async function list(query: string): Promise<string> {
  const { items } = await api.get<{ items: Item[] }>(`/api/v1/silences?${query}`);
  return items.map(({ id, state }) => `${id} ${state}`).join();
}

t.test('the list: from the store, and what it does not have yet', async (t) => {
  t.equal(await list(''), 'new active,later scheduled,active active,over ended,shortened ended');
  t.equal(await list('ended=false'), 'new active,later scheduled,active active');
  t.equal(await list('ended=true'), 'over ended,shortened ended');
  const { items } = await api.get<{ items: Item[] }>('/api/v1/silences');
  t.match(items[0], { device: '온도?*', site: '*', by: 'Kim', reason: '점검', until_ms: NOW + 9 });
  t.match(items[2], { kind: 'maintenance' });
  const ajv = new Ajv({ strict: false });
  for (const item of items) t.ok(ajv.validate(SILENCE, item), ajv.errorsText());
  const pages: string[] = [];
  let cursor = '';
  do {
    const page = await api.get<{ items: Item[]; next: string | null }>(
      `/api/v1/silences?limit=2${cursor}`,
    );
    pages.push(page.items.map(({ id }) => id).join());
    cursor = page.next === null ? '' : `&cursor=${page.next}`;
  } while (cursor !== '');
  t.same(pages, ['new,later', 'active,over', 'shortened']);
});

async function send(
  method: 'POST' | 'PATCH' | 'DELETE',
  path: string,
  payload?: object,
): Promise<{ status: number; body: { id?: string; error?: { code: string; message: string } } }> {
  const response = await api.app.inject({
    method,
    url: `/api/v1/silences${path}`,
    headers: {
      host: 'localhost',
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(payload === undefined ? {} : { payload }),
  });
  return { status: response.statusCode, body: response.json() };
}

t.test('set', async (t) => {
  const least = { until_ms: NOW + HOUR_MS, reason: ' 정비 ' };
  const answer = await send('POST', '', least);
  t.match(answer, { status: 202, body: { accepted: true, id: /^[0-9a-f]{16}$/ } });
  const any = { site: '*', area: '*', line: '*', device: '*', rule: '*' };
  const { id = '' } = answer.body;
  t.same(said.splice(0), [
    {
      id,
      kind: 'silence',
      ...any,
      fromMs: NOW,
      untilMs: NOW + HOUR_MS,
      by: 'operator',
      reason: '정비',
    },
  ]);
  const whole = {
    kind: 'maintenance',
    site: 'demo',
    area: 'hall *',
    line: '?',
    device: 'D0*',
    rule: 'temperature',
    from_ms: NOW + HOUR_MS,
    until_ms: NOW + 366 * DAY_MS,
    by: 'Kim',
    reason: 'x'.repeat(500),
  };
  t.match(await send('POST', '', whole), { status: 202 });
  const { from_ms: fromMs, until_ms: untilMs, ...rest } = whole;
  t.match(said.splice(0), [{ ...rest, fromMs, untilMs }]);
  for (const wrong of [
    { reason: 'no end' },
    { until_ms: NOW + 1 },
    { ...least, reason: '' },
    { ...least, reason: '  ' },
    { ...least, until_ms: NOW },
    { ...least, until_ms: NOW + 366 * DAY_MS + 1 },
    { ...least, until_ms: NOW + 1.5 },
    { ...least, from_ms: NOW + HOUR_MS },
    { ...least, device: '' },
    { ...least, device: '*'.repeat(129) },
    { ...least, kind: 'other' },
    { ...least, by: '' },
    { ...least, id: 'mine' },
  ])
    t.match(await send('POST', '', wrong), {
      status: 400,
      body: { error: { code: 'API_PARAMETER_INVALID' } },
    });
  t.same(said, []);
});

t.test('end', async (t) => {
  for (const id of ['active', 'later', 'new'])
    t.match(await send('DELETE', `/${id}`), { status: 202, body: { accepted: true, id } });
  t.match(said.splice(0), [
    { id: 'active', kind: 'maintenance', fromMs: NOW, untilMs: NOW, by: 'Kim', reason: '점검' },
    { id: 'later', fromMs: NOW, untilMs: NOW },
    { id: 'new', device: '온도?*', untilMs: NOW },
  ]);
  for (const id of ['over', 'shortened'])
    t.match(await send('DELETE', `/${id}`), {
      status: 409,
      body: { error: { code: 'API_SILENCE_REFUSED' } },
    });
  t.match(await send('DELETE', '/nobody'), {
    status: 404,
    body: { error: { code: 'API_NOT_FOUND', message: 'no such silence' } },
  });
  t.same(said, []);
});

t.test('another end', async (t) => {
  const change = (id: string, body: object) => send('PATCH', `/${id}`, body);
  t.match(await change('active', { until_ms: NOW + HOUR_MS }), { status: 202 });
  t.match(await change('later', { from_ms: NOW + 1, until_ms: NOW + DAY_MS }), { status: 202 });
  t.match(said.splice(0), [
    { id: 'active', kind: 'maintenance', untilMs: NOW + HOUR_MS, by: 'Kim', reason: '점검' },
    { id: 'later', fromMs: NOW + 1, untilMs: NOW + DAY_MS },
  ]);
  for (const [id, body, status] of [
    ['over', { until_ms: NOW + HOUR_MS }, 409],
    ['active', { from_ms: NOW + 1 }, 409],
    ['active', { until_ms: NOW }, 400],
    ['active', { until_ms: NOW + 367 * DAY_MS }, 400],
    ['later', { from_ms: NOW + 9, until_ms: NOW + 9 }, 400],
    ['active', {}, 400],
    ['nobody', { until_ms: NOW + 1 }, 404],
  ] as const)
    t.match(await change(id, body), { status }, `${id} ${JSON.stringify(body)}`);
  t.same(said, []);
});

t.test('more than the processors keep are refused', async (t) => {
  const { alerts } = api.context;
  api.context.alerts = new LiveAlerts();
  for (let i = 0; i < 1_000; i++)
    api.context.alerts.putSilence(silenceEntry(`many${i}`, { untilMs: NOW + HOUR_MS }));
  const least = { until_ms: NOW + HOUR_MS, reason: 'one more' };
  t.match(await send('POST', '', least), {
    status: 409,
    body: { error: { code: 'API_SILENCE_REFUSED' } },
  });
  t.match(await send('DELETE', '/many1'), { status: 202 }, 'they can be ended');
  api.context.alerts = alerts;
  t.same(api.defects, []);
});
