/** The page of the data quality in a real Chromium. Its figures: test/collector/quality/; as numbers: quality-map.test.ts. */

import type { Page } from 'playwright-core';
import t from 'tap';
import type { Bucket } from '../../../collector/web/src/pages/quality/types.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import { until } from '../../support/running-collector.ts';
import { answerWith, servePages } from '../../support/served-pages.ts';

const browser = browserOf(t);
const HOUR_MS = 3_600_000;
const HOSTILE = '<img src=x onerror=alert(1)>';
const DEVICES = ['D01', 'D02', HOSTILE, 'جهاز-١', 'x'.repeat(128)];
const TARGETS = { completeness: 99, accuracy: 95, consistency: 98, timely_within_ms: 30_000 };

const REASONS = [
  {
    code: 'out_of_range',
    dimension: 'accuracy',
    count: 7,
    points: 40,
    en: 'The value lies outside the range.',
    ko: '값이 채널의 범위를 벗어났습니다.',
  },
  {
    code: 'not_received',
    dimension: 'completeness',
    count: 12,
    points: 3.25,
    en: 'More readings should have come.',
    ko: '측정값이 부족합니다.',
  },
  {
    code: 'rejected',
    dimension: 'accuracy',
    count: 1,
    points: 0.05,
    en: 'Not a reading.',
    ko: '측정값이 아닙니다.',
  },
] as const;

function bucket(device: string, fromMs: number, toMs: number, accuracy: number): Bucket {
  const score = {
    all: (300 + accuracy) / 4,
    completeness: 100,
    accuracy,
    consistency: 100,
    timeliness: null,
  };
  const reasons = accuracy === 100 ? [] : REASONS.map((reason) => ({ ...reason }));
  const counts = { expected: 360, received: 348, quarantined: 1, filled: 2 };
  const latency = { latency_avg_ms: 1_234, latency_max_ms: 61_000 };
  return {
    site: 'demo',
    device,
    from_ms: fromMs,
    to_ms: toMs,
    score,
    ...counts,
    ...latency,
    reasons,
  };
}

/** D01 was bad two hours ago, one device a little below its target, the others well. */
function accuracyOf(device: string, hoursAgo: number): number {
  if (device === 'D01' && hoursAgo === 2) return 60;
  return device === HOSTILE && hoursAgo === 5 ? 90 : 100;
}

async function fakeQuality(page: Page): Promise<void> {
  await answerWith(page, 'reports', () => ({
    items: [{ site: 'demo', period: 'week', label: '2026-W47' }],
    next: null,
  }));
  await answerWith(page, 'quality', (query) => {
    const [fromMs, toMs] = [Number(query.get('from')), Number(query.get('to'))];
    const step = query.get('step') ?? 'hour';
    const asked = query.get('device');
    const stepMs =
      { all: toMs - fromMs, hour: HOUR_MS, day: 24 * HOUR_MS, minute: 60_000 }[step] ?? HOUR_MS;
    const devices = query.get('by') === 'site' ? [''] : asked === null ? DEVICES : [asked];
    const items = devices.flatMap((device) =>
      Array.from({ length: (toMs - fromMs) / stepMs }, (_, i) => {
        const startMs = fromMs + i * stepMs;
        const hoursAgo = Math.floor((toMs - startMs) / HOUR_MS);
        const points =
          step === 'all'
            ? device === '' || device === 'D01'
              ? 98.5
              : 100
            : accuracyOf(device, hoursAgo);
        return bucket(device, startMs, startMs + stepMs, points);
      }),
    );
    return { items, next: null, targets: TARGETS };
  });
  await answerWith(page, 'readings', (query) => {
    const timeMs = Number(query.get('from')) + 5;
    const marks = { quality: 0, treatment: 'clipped', findings: [query.get('finding')] };
    const origin = { gateway: 'gw1', epoch: '0'.repeat(16), received_ms: timeMs + 300 };
    const values = [1e308, null, HOSTILE];
    const items = values.map((value, i) => ({
      channel: HOSTILE,
      time_ms: timeMs,
      value,
      raw_value: -1,
      ...marks,
      ...origin,
      seq: i + 1,
    }));
    return { items, next: null };
  });
}

t.test('the page', { skip: noBrowser }, async (t) => {
  const { base } = await servePages(t);
  const tab = await openPage(t, browser, base, { locale: 'en-US' });
  const { page } = tab;
  await fakeQuality(page);

  await t.test('the site in one look, the worst devices first', async (t) => {
    await page.goto(`${base}/quality?dimension=accuracy`);
    await page.locator('[data-score="accuracy"]').getByText('98.5').waitFor();
    t.match(await page.locator('[data-score="timeliness"]').textContent(), 'not judged');
    const rows = page.locator('tr[data-device]');
    await rows.first().waitFor();
    t.equal(await rows.count(), DEVICES.length);
    t.same(
      await rows.evaluateAll((all) =>
        all
          .slice(0, 2)
          .map((row) => (row as unknown as { dataset: { device: string } }).dataset.device),
      ),
      ['D01', HOSTILE],
    );
    t.equal(await page.locator('[data-level="bad"]').count(), 1);
    t.equal(await page.locator('[data-level="warn"]').count(), 1);
    t.match(
      await page.locator('[data-level="bad"]').textContent(),
      '◆',
      'a shape beside the colour',
    );
    t.match(
      await page.locator('[data-level="bad"]').getAttribute('aria-label'),
      /^D01, \d{4}-\d\d-\d\d .*: 60.0$/,
    );
    t.match(await page.locator('main').textContent(), 'Asia/Seoul (UTC+9)');
    t.equal(
      await page.locator('[data-report="2026-W47"] a').first().getAttribute('href'),
      '/api/v1/reports/demo/week/2026-W47?format=html&lang=en',
    );
  });

  await t.test('by the keyboard down to the readings', async (t) => {
    const cells = page.locator('[data-cell][tabindex="0"]');
    t.equal(await cells.count(), 1, 'one stop for the tabulator');
    await cells.focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await page.locator('#causes-title').getByText('What cost points: D01').waitFor();
    await until(async () => await page.evaluate('document.activeElement.id === "causes-title"'));
    t.match(page.url(), /device=D01&at=\d+/, 'the address says it');
    const reason = page.locator('[data-reason="out_of_range"]');
    t.match(await reason.textContent(), /Readings: 7.*−40.0 points/);
    await reason.getByRole('button', { name: 'Show readings' }).click();
    await reason.locator('tbody tr').nth(2).waitFor();
    t.match(await reason.locator('tbody').textContent(), '1.000e+308');
    t.equal(await page.locator('main img').count(), 0, 'markup in names stays text');
    const link = page.locator('[data-reason="rejected"] a');
    t.match(
      await link.getAttribute('href'),
      /^\/quarantine\?site=demo&device=D01&from=\d+&to=\d+$/,
    );
    await page.locator('[data-reason="not_received"] button').click();
    await page.locator('[data-reason="not_received"] tbody tr').first().waitFor();
    t.same(await seriousFindings(page), []);
    await page.goBack();
    await page.locator('#causes-title').waitFor({ state: 'hidden' });
  });

  await t.test('ranges, and the times before', async (t) => {
    await page.locator('[data-value="30d"]').click();
    await until(
      async () => (await page.locator('tr[data-device="D01"] [data-cell]').count()) === 30,
    );
    await page.locator('[data-value="7d"]').click();
    await until(
      async () => (await page.locator('tr[data-device="D01"] [data-cell]').count()) === 168,
    );
    await page.getByRole('button', { name: 'Earlier' }).click();
    await until(async () => /to=\d+/.test(page.url()));
    await page.getByRole('button', { name: 'Now' }).click();
    await until(async () => !/to=\d+/.test(page.url()));
    t.same(tab.errors, []);
  });

  await t.test('in Korean, dark, on a phone', async (t) => {
    await page.locator('[data-value="ko"]').click();
    await page.getByRole('heading', { name: '데이터 품질' }).waitFor();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 844 });
    await page.locator('tr[data-device]').first().waitFor();
    t.equal(await overflowPx(page), 0, 'no sideways scrolling');
    t.same(await seriousFindings(page), []);
    t.same(tab.errors, []);
  });

  await t.test('what fails is said, and asked again', async (t) => {
    await page.unrouteAll();
    await page.route(/\/api\/v1\/quality/, (route) =>
      route.fulfill({
        status: 503,
        json: {
          error: {
            code: 'STORE_UNAVAILABLE',
            message: 'the store is away',
            hint: 'Look at its disk.',
          },
        },
      }),
    );
    tab.isCut = true;
    await page.goto(`${base}/quality`);
    await page.getByText('the store is away').first().waitFor();
    await page.getByText('측정값은 로그에서 기다립니다.').first().waitFor();
    await page.unrouteAll();
    await fakeQuality(page);
    await page.getByRole('button', { name: '다시 시도' }).first().click();
    await page
      .getByRole('button', { name: '다시 시도' })
      .first()
      .click()
      .catch(() => undefined);
    await page.locator('[data-score="accuracy"]').waitFor();
    t.pass('it is back');
  });
});
