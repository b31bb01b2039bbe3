/** /api/v1/quarantine on a real store: list, inspect, release. */

import t from 'tap';
import type { QuarantineRow } from '../../../collector/store/store.ts';
import type { QuarantinedReading, ReleaseValue } from '../../../collector/types.ts';
import { noDecisions } from '../../support/api-context.ts';
import type { ApiOnStore } from '../../support/api-on-store.ts';
import { apiOnStore } from '../../support/api-on-store.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const EPOCH = '00112233445566ff';
const READING: QuarantinedReading = {
  device: 'D/01 "é"',
  channel: 'sensor1',
  timeMs: NOW - 5_000,
  value: 400,
  text: null,
  kind: 'number',
  quality: 0,
};

function row(index: number, more: Partial<QuarantineRow> = {}): QuarantineRow {
  return {
    site: 'demo',
    gateway: 'gw1',
    device: READING.device,
    reason: 'rule',
    detail: 'out_of_range: 400 is above 100',
    timeMs: READING.timeMs,
    receivedMs: NOW - 1_000 + index,
    epoch: EPOCH,
    seq: index + 1,
    count: 1,
    head: new Uint8Array(),
    reading: JSON.stringify(READING),
    logId: 'a-log',
    logPartition: 3,
    logOffset: 7,
    logIndex: index,
    ...more,
  };
}

interface Item {
  id: string;
  seq: number;
  reading: object | null;
  releasable: boolean;
  released_ms: number | null;
}

const released: [{ site: string; gateway: string }, ReleaseValue][] = [];
let api: ApiOnStore;
t.before(async () => {
  api = await apiOnStore(NOW, {
    decisions: {
      ...noDecisions,
      release: async (gateway, value) => {
        released.push([gateway, value]);
        return { partition: 3, offset: 99 };
      },
    },
  });
  const text = { ...READING, value: null, text: 'ok?', kind: 'text' } as const;
  await api.store.insert(
    'quarantine',
    [
      row(0),
      row(1),
      row(2, { reading: JSON.stringify({ ...READING, value: 'nan' }) }),
      row(3, { reading: JSON.stringify(text), epoch: 'ffffffffffffffff' }),
      row(4, {
        device: '',
        reason: 'wire_crc',
        detail: 'not a batch',
        seq: 0,
        count: 0,
        reading: '',
        head: Buffer.from('가\u0000\u0007b\nc'),
      }),
    ],
    'one',
  );
  await api.store.insert(
    'releases',
    [{ site: 'demo', gateway: 'gw1', epoch: EPOCH, seq: 2, by: 'Kim', releasedMs: NOW - 10 }],
    'two',
  );
});
t.teardown(() => api.remove());

async function items(query: string): Promise<Item[]> {
  const { items } = await api.get<{ items: Item[] }>(`/api/v1/quarantine?${query}`);
  return items;
}

async function release(
  id: string,
  payload: object = {},
): Promise<{ status: number; body: object }> {
  const response = await api.app.inject({
    method: 'POST',
    url: `/api/v1/quarantine/${id}/release`,
    headers: { host: 'localhost', 'content-type': 'application/json' },
    payload,
  });
  return { status: response.statusCode, body: response.json() };
}

t.test('the list says what can be released, and what was', async (t) => {
  const all = await items('');
  t.match(all, [
    { seq: 0, reading: null, releasable: false, released_ms: null },
    { seq: 4, reading: { value: 'ok?', kind: 'text' }, releasable: true },
    { seq: 3, reading: { value: 'nan' }, releasable: true },
    { seq: 2, releasable: false, released_ms: NOW - 10, released_by: 'Kim' },
    { seq: 1, reading: { channel: 'sensor1', value: 400, time_ms: NOW - 5_000 }, releasable: true },
  ]);
  const seqs = async (query: string): Promise<string> =>
    (await items(query)).map(({ seq }) => seq).join();
  t.equal(await seqs('releasable=true'), '4,3,1');
  t.equal(await seqs('releasable=false'), '0,2');
  t.equal(await seqs('released=true'), '2');
  t.equal(await seqs('released=false'), '0,4,3,1');
  t.equal(await seqs('reason=wire_crc'), '0');
  t.equal(await seqs(`device=${encodeURIComponent(READING.device)}`), '4,3,2,1');
  const pages: string[] = [];
  let cursor = '';
  do {
    const page = await api.get<{ items: Item[]; next: string | null }>(
      `/api/v1/quarantine?limit=2${cursor}`,
    );
    pages.push(page.items.map(({ seq }) => seq).join());
    cursor = page.next === null ? '' : `&cursor=${page.next}`;
  } while (cursor !== '');
  t.same(pages, ['0,4', '3,2', '1']);
});

t.test('how much there is, by reason, device and day of the site', async (t) => {
  const summary = async (query: string): Promise<unknown[]> =>
    (await api.get<{ items: unknown[] }>(`/api/v1/quarantine/summary?${query}`)).items;
  t.match(await summary(''), [
    { reason: 'rule', entries: 4, readings: 4, releasable: 3, from_ms: null },
    { reason: 'wire_crc', entries: 1, readings: 0, releasable: 0 },
  ]);
  t.match(await summary('by=device'), [
    { site: 'demo', device: READING.device, reason: '', entries: 4 },
    { site: 'demo', device: '', entries: 1 },
  ]);
  // In Seoul it is 21:00; the day of the site began at 06:00.
  const startMs = NOW - 15 * 3_600_000;
  t.same(await summary('by=day&reason=rule'), [
    {
      ...{ site: 'demo', device: '', reason: '', day: '2026-11-22' },
      ...{ from_ms: startMs, to_ms: startMs + 86_400_000 },
      ...{ entries: 4, readings: 4, releasable: 3 },
    },
  ]);
  t.same(await summary('site=elsewhere'), []);
  t.same(await summary(`to=${NOW - 2_000}`), []);
  await t.rejects(summary('by=gateway'), /400/);
  await t.rejects(summary('from=5&to=5'), /API_PARAMETER_INVALID/);
});

t.test('one entry', async (t) => {
  const [payload, text] = await items('');
  t.match(await api.get(`/api/v1/quarantine/${payload?.id}`), {
    reason: 'wire_crc',
    head_base64: Buffer.from('가\u0000\u0007b\nc').toString('base64'),
    head_text: '가��b\nc',
    decoded: null,
    log_partition: 3,
    log_offset: 7,
  });
  t.match(await api.get(`/api/v1/quarantine/${text?.id}`), { seq: 4, head_text: '' });
  for (const [id, status] of [
    ['x', 400],
    [Buffer.from('["a-log",3,7,99]').toString('base64url'), 404],
    [Buffer.from('["a-log",-3,7,99]').toString('base64url'), 404],
    [Buffer.from('["a-log",3,1.5,0]').toString('base64url'), 400],
  ] as const) {
    const response = await api.app.inject(`/api/v1/quarantine/${id}`);
    t.equal(response.statusCode, status, id);
  }
});

t.test('release', async (t) => {
  const [payload, , notANumber, before, first] = await items('');
  t.match(await release(first?.id ?? '', { by: '홍길동', note: 'it was right' }), {
    status: 202,
    body: { accepted: true, log_partition: 3, log_offset: 99 },
  });
  t.same(released.splice(0), [
    [
      { site: 'demo', gateway: 'gw1' },
      { epoch: EPOCH, seq: 1, reading: READING, by: '홍길동' },
    ],
  ]);
  t.match(await release(notANumber?.id ?? ''), { status: 202 });
  t.match(released.splice(0), [[{}, { reading: { value: 'nan' }, by: 'operator' }]]);
  for (const entry of [payload, before])
    t.match(await release(entry?.id ?? ''), {
      status: 409,
      body: { error: { code: 'API_RELEASE_REFUSED' } },
    });
  t.match(await release(first?.id ?? '', { by: '' }), { status: 400 });
  t.same(released, []);
  t.same(api.defects, []);
});
