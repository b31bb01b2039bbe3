/** The gateways' pages in a real Chromium, and what of a gateway needs a person. */

import type { Page } from 'playwright-core';
import t from 'tap';
import { EventKind } from '../../../collector/processor/outputs/event.ts';
import { CollectorGapReason } from '../../../collector/processor/outputs/ledger.ts';
import { eventDetail } from '../../../collector/web/src/pages/gateways/event_detail.ts';
import {
  byNeed,
  clockLevel,
  evictionLevel,
  matches,
  needOf,
  offsetMs,
} from '../../../collector/web/src/pages/gateways/fleet.ts';
import { jsonLines } from '../../../collector/web/src/pages/gateways/ndjson.ts';
import type { CertificateState, Gateway } from '../../../collector/web/src/pages/gateways/types.ts';
import { GATEWAYS_WORDS } from '../../../collector/web/src/pages/gateways/words.ts';
import { GapReason } from '../../../proto/model.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import { until } from '../../support/running-collector.ts';
import { answerWith, servePages } from '../../support/served-pages.ts';
import { EPOCH, stubGateway, stubLedger, stubLine } from '../../support/stub-items.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
const LONG = 'n'.repeat(128);

t.test('every reason of a gap and every event of a gateway has words', async (t) => {
  const reasons = [...Object.values(GapReason), ...Object.values(CollectorGapReason)];
  // These are of no gateway.
  const others = ['configuration', 'cold_start', 'silence_set'];
  const kinds = Object.values(EventKind).filter((kind) => !others.includes(kind));
  const keys = [...reasons.map((one) => `gap_${one}`), ...kinds.map((one) => `event_${one}`)];
  t.same(
    keys.filter((key) => !(key in GATEWAYS_WORDS.en)),
    [],
  );
});

t.test('what needs a person comes first', async (t) => {
  const buffer = { readings: 1, bytes: 1 };
  const all: Gateway[] = [
    stubGateway({ gateway: 'well' }),
    stubGateway({ gateway: 'late', status: 'late' }),
    stubGateway({ gateway: 'clock', clock: { unsynced: true, step_ms: 0 } }),
    stubGateway({ gateway: 'offline', status: 'offline' }),
    stubGateway({ gateway: 'balance', ledger: stubLedger({ balance: -1 }) }),
    stubGateway({ gateway: 'full', buffer: { ...buffer, seconds_until_eviction: 60 } }),
  ];
  t.same(
    byNeed(all).map(({ gateway }) => gateway),
    ['balance', 'full', 'offline', 'clock', 'late', 'well'],
  );
  t.equal(needOf(stubGateway()), 0);
  const certified = (state: CertificateState) =>
    needOf(stubGateway({ certificate: { not_after_ms: 1, state } }));
  t.same([certified('valid'), certified('renew_soon'), certified('grace')], [0, 2, 2]);
  t.equal(certified('expired'), 3);
  t.equal(needOf(stubGateway({ certificate: null, transport: 'plain' })), 0, 'a choice');
  const of = (seconds: number) => ({ buffer: { ...buffer, seconds_until_eviction: seconds } });
  t.same(
    [3_599, 3_600, 86_399, 86_400].map((s) => evictionLevel(of(s))),
    ['bad', 'warn', 'warn', 'calm'],
  );
  const off = stubGateway({ state_ms: 20_000, updated_ms: 5_000 });
  t.equal(offsetMs(off), 15_000);
  t.equal(clockLevel(off), 'warn');
  t.equal(offsetMs({ ...off, status: 'offline' }), undefined, 'a will says nothing of the clock');
  const filter = { site: '', status: 'attention', search: '' };
  t.equal(all.filter((one) => matches(one, filter)).length, 4);
  t.ok(matches(all[0]!, { site: 'demo', status: 'online', search: ' WEL' }));
});

t.test('lines of JSON, wherever they are cut', async (t) => {
  const text = '{"a":"ä"}\n\n{"b":2}\n{"c":3}';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 2, 7, bytes.length]) {
    const pieces = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size)
          controller.enqueue(bytes.subarray(at, at + size));
        controller.close();
      },
    });
    const lines: unknown[] = [];
    for await (const line of jsonLines(pieces)) lines.push(line);
    t.same(lines, [{ a: 'ä' }, { b: 2 }, { c: 3 }]);
  }
});

t.test('details of events are one bounded line', async (t) => {
  t.equal(eventDetail({ a: 1, b: '', c: null, d: { e: 2 } }), 'a: 1 · d: {"e":2}');
  t.ok(eventDetail({ a: 'x'.repeat(9_999) }).length <= 300);
});

const browser = browserOf(t);

const LOST = { gap_readings: 300, gaps: { evicted_bytes: 200, of_later: 100 }, stored: 999_600 };

async function fakeGateways(page: Page, gateways: readonly Gateway[]): Promise<void> {
  await answerWith(page, 'gateways', () => ({ items: gateways, next: null }));
  for (const one of gateways)
    await answerWith(page, `gateways/demo/${encodeURIComponent(one.gateway)}`, () => one);
  await answerWith(page, 'ledger', () => ({
    items: [
      stubLine({ epoch: 'a'.repeat(16), opened_ms: Date.now() - 1e9 }),
      stubLine({ ...LOST, sum_balance: '17' }),
    ],
    next: null,
    complete: true,
    totals: { gateways: 1, epochs: 2, sums_off: 1, rows_in_store: null, ...stubLedger(LOST) },
  }));
  const detail = { epoch: EPOCH, reason: 'corrupt', readings: 100 };
  const event = { site: 'demo', gateway: 'gw3', device: HOSTILE, severity: 'error', detail };
  await answerWith(page, 'events', () => ({
    items: [
      { ...event, time_ms: Date.now(), kind: 'gap' },
      { ...event, time_ms: Date.now(), kind: 'of_later' },
    ],
    next: null,
  }));
}

const READER = { reader: 'modbus', last_good_ms: 0, errors_total: 42 };
const GATEWAYS: Gateway[] = [
  stubGateway(),
  stubGateway({
    gateway: 'gw2',
    status: 'silent',
    buffer: { readings: 80_000, bytes: 900_000_000, seconds_until_eviction: 1_800 },
    clock: { unsynced: true, step_ms: -7_200_000 },
  }),
  stubGateway({
    gateway: 'gw3',
    ledger: stubLedger(LOST),
    // Half an hour more: what is said is whole days.
    certificate: { not_after_ms: Date.now() + 5.02 * 86_400_000, state: 'renew_soon' },
    readers: [{ device: HOSTILE, status: 'failing', last_error: HOSTILE, ...READER }],
  }),
  stubGateway({ gateway: LONG, version: LONG, ledger: stubLedger({ balance: -5 }) }),
];

t.test('the pages', { skip: noBrowser }, async (t) => {
  const { base } = await servePages(t);
  const tab = await openPage(t, browser, base);
  const { page } = tab;
  await fakeGateways(page, GATEWAYS);

  await t.test('the fleet, what needs a person first', async (t) => {
    await page.goto(`${base}/gateways`);
    const rows = page.locator('tr[data-gateway]');
    await rows.first().waitFor();
    t.match(await rows.nth(0).textContent(), '◆ 30 min');
    t.match(
      await page.locator('[data-gateway="demo/gw2"]').textContent(),
      /▲ silent for \d+ (s|min)/,
    );
    t.match(await page.locator('[data-gateway="demo/gw2"]').textContent(), 'last step −2 h');
    t.match(await rows.nth(1).textContent(), '◆ 5 readings not accounted for');
    t.match(
      await page.locator('[data-gateway="demo/gw3"]').textContent(),
      /300 readings lost: 200 – the buffer was full, 100 – of_later/,
    );
    t.equal(await page.locator('[data-gateway="demo/gw1"] .mark:not(.calm)').count(), 0, 'calm');
    t.equal(await page.locator('img').count(), 0);
    t.same(await seriousFindings(page), []);
    await page.locator('input[name="search"]').fill('gw1');
    await until(async () => (await rows.count()) === 1);
    t.match(page.url(), /search=gw1/, 'the address says it');
    await page.locator('[data-action="clear"]').click();
    await page.locator('select[name="status"]').selectOption('attention');
    await until(async () => (await rows.count()) === 3);
  });

  await t.test('one gateway: the balance in words, epochs, events', async (t) => {
    await page.locator('[data-gateway="demo/gw3"] a').click();
    const ledger = page.locator('#ledger');
    await ledger.getByText('Every reading is accounted for.').waitFor();
    t.match(
      await ledger.textContent(),
      /Of 1,000,000 readings .* 999,600 are stored, 60 are in quarantine, 300 are lost .* 40 are on the way/,
    );
    await ledger.getByText('In 1 epochs the numbers do not add up').waitFor();
    t.match(await ledger.locator('tbody tr').first().textContent(), EPOCH, 'the newest first');
    await page.locator('#readers').getByText('fails').waitFor();
    await page.getByText('encrypted (TLS)').waitFor();
    await page.getByText('certificate ends in 5 days and was not renewed').first().waitFor();
    await page.locator('#events').getByText('of_later').waitFor();
    t.match(
      await page.getByRole('link', { name: 'Show in quarantine' }).getAttribute('href'),
      '/quarantine?site=demo&gateway=gw3',
    );
    t.equal(await page.locator('img').count(), 0);
    t.same(await seriousFindings(page), []);
    t.same(tab.errors, []);
  });

  await t.test('the deep check: progress, cancelled, what it found', async (t) => {
    // A stream that has not ended cannot be answered by a route: this one is asked of the page itself.
    await page.evaluate(`{
      const ask = fetch;
      globalThis.fetch = (url, init) => {
        if (!String(url).includes('/ledger/deep')) return ask(url, init);
        globalThis.asked = String(url);
        const body = new ReadableStream({
          start(controller) {
            const say = (line) =>
              controller.enqueue(new TextEncoder().encode(JSON.stringify(line) + '\\n'));
            globalThis.deep = { say, end: () => controller.close() };
            init.signal.addEventListener('abort', () => {
              globalThis.wasCancelled = true;
              controller.error(init.signal.reason);
            });
          },
        });
        return Promise.resolve(new Response(body, { status: 200 }));
      };
    }`);
    const tell = (line: object): Promise<unknown> =>
      page.evaluate(`deep.say(${JSON.stringify(line)})`);
    const check = page.locator('#deep-check');
    await check.locator('[data-action="deep"]').click();
    await check.getByText('It begins…').waitFor();
    t.equal(await page.evaluate('asked'), '/api/v1/ledger/deep?site=demo&gateway=gw3');
    await tell({ type: 'progress', step: 'comparing', done: 1, total: 4_096 });
    await check.getByText('Comparing: 1 of 4,096 epochs').waitFor();
    t.equal(await check.locator('progress').getAttribute('value'), '1');
    await check.locator('[data-action="cancel-deep"]').click();
    await check.getByText('Cancelled. Nothing was changed.').waitFor();
    t.equal(await page.evaluate('wasCancelled'), true);
    await check.locator('[data-action="deep"]').click();
    await check.getByText('It begins…').waitFor();
    const problem = { site: 'demo', gateway: 'gw3', epoch: EPOCH, kind: 'missing' };
    await tell({ type: 'problem', ...problem, from: 5, to: 9, readings: 5, detail: HOSTILE });
    const counts = { epochs: 2, readings: 10, quarantined: 1, expired: 3, closed: 0 };
    await tell({ type: 'result', ok: false, ...counts, counts_only: 0, problems: 5 });
    await check.getByText('5 readings are missing, double or unknown.').waitFor();
    t.match(await check.locator('tbody').textContent(), '5 – 9');
    await check.getByText('3 have left with the retention').waitFor();
    await check.locator('[data-action="deep"]').click();
    await check.getByText('It begins…').waitFor();
    await tell({ error: { code: 'API_BUSY', message: 'under way', hint: 'Wait.' } });
    await check.getByText('API_BUSY: under way – Wait.').waitFor();
    t.equal(await page.locator('img').count(), 0);
    t.same(await seriousFindings(page), []);
  });

  await t.test('none, and one that is not there', async (t) => {
    await page.goto(`${base}/gateways?search=nothing-like-it`);
    await page.getByText('No gateway matches the filters.').waitFor();
    t.same(tab.errors, []);
    tab.isCut = true;
    await page.goto(`${base}/gateways/demo/nowhere`);
    await page.getByText('There is no such gateway').waitFor();
  });
});

t.test('on a phone, in Korean, in the dark', { skip: noBrowser }, async (t) => {
  const { base } = await servePages(t);
  const { page, errors } = await openPage(t, browser, base, {
    locale: 'ko-KR',
    colorScheme: 'dark',
    viewport: { width: 390, height: 844 },
  });
  await fakeGateways(page, GATEWAYS);
  for (const [path, text] of [
    ['/gateways', '4대 중'],
    [`/gateways/demo/gw3`, '모든 측정값의 위치가 확인됩니다.'],
  ] as const) {
    await page.goto(base + path);
    await page.getByText(text).first().waitFor();
    t.equal(await overflowPx(page), 0, path);
    t.same(await seriousFindings(page), [], path);
  }
  t.same(errors, []);
});
