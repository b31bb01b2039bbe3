/** The quarantine's page in a real Chromium. Its API on a store: test/collector/api/quarantine.test.ts. */

import type { Page } from 'playwright-core';
import t from 'tap';
import { QuarantineReason } from '../../../collector/processor/outputs/quarantine.ts';
import { fill } from '../../../collector/web/src/i18n/words.ts';
import {
  bytesOf,
  findingOf,
  hexLines,
} from '../../../collector/web/src/pages/quarantine/payload.ts';
import { KNOWN_REASONS, reasonText } from '../../../collector/web/src/pages/quarantine/reasons.ts';
import type { EntryWhole } from '../../../collector/web/src/pages/quarantine/types.ts';
import { QUARANTINE_WORDS } from '../../../collector/web/src/pages/quarantine/words.ts';
import { wireErrors } from '../../../proto/errors.ts';
import { RejectReason } from '../../../proto/model.ts';
import { fakeAccess } from '../../support/api-context.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import { until } from '../../support/running-collector.ts';
import { answerWith, servePages } from '../../support/served-pages.ts';
import { stubEntry, stubPayload } from '../../support/stub-items.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
const LONG = 'n'.repeat(128);
const RTL = 'محرك-١';

t.test('every reason has its cause and what to do, in both languages', async (t) => {
  const codes = [
    ...Object.values(RejectReason),
    ...Object.keys(wireErrors).map((code) => code.toLowerCase()),
    ...Object.values(QuarantineReason),
  ];
  t.same([...KNOWN_REASONS].sort(), [...codes].sort());
  const say = (key: keyof typeof QUARANTINE_WORDS.en, values?: Record<string, string>): string =>
    fill(QUARANTINE_WORDS.ko[key], values);
  const detail = 'out_of_range: 400 is above 100';
  t.equal(findingOf({ reason: 'rule', detail }), 'out_of_range');
  t.match(reasonText({ reason: 'rule', detail }, say, 'ko').cause, '범위를 벗어남');
  t.equal(reasonText({ reason: 'of_later', detail: '' }, say, 'ko').name, 'of_later');
});

t.test('bytes as people read them', async (t) => {
  const bytes = Uint8Array.from({ length: 20 }, (_, i) => i + 0x58);
  t.same(hexLines(bytes), [
    {
      offset: '0000',
      hex: '58 59 5a 5b 5c 5d 5e 5f  60 61 62 63 64 65 66 67'.padEnd(48),
      ascii: 'XYZ[\\]^_`abcdefg',
    },
    { offset: '0010', hex: '68 69 6a 6b  '.padEnd(48), ascii: 'hijk' },
  ]);
  t.equal(hexLines(new Uint8Array(100_000)).length, 256, 'bounded');
  t.same(bytesOf('no base64!'), new Uint8Array());
  t.equal(hexLines(Uint8Array.of(0, 0x7f, 0xff))[0]?.ascii, '...');
});

const browser = browserOf(t);

/** The API's answers, and what was released. */
async function fakeQuarantine(page: Page, entries: Map<string, EntryWhole>): Promise<string[]> {
  const released: string[] = [];
  await answerWith(page, 'quarantine', (query) => {
    const all = [...entries.values()].filter(
      ({ reason, device }) =>
        [null, reason].includes(query.get('reason')) &&
        [null, device].includes(query.get('device')),
    );
    const from = Number(query.get('cursor') ?? 0);
    const to = from + Number(query.get('limit'));
    return { items: all.slice(from, to), next: to < all.length ? String(to) : null };
  });
  await answerWith(page, 'quarantine/summary', (query) => {
    const by = query.get('by') ?? 'reason';
    const group = { site: '', device: '', reason: '', day: '', from_ms: null, to_ms: null };
    const counts = { entries: 1_200, readings: 1_234, releasable: 7 };
    const groups = {
      reason: [
        { ...group, reason: 'rule', ...counts },
        { ...group, reason: 'of_later', ...counts },
      ],
      device: [{ ...group, site: 'demo', device: HOSTILE, ...counts }],
      day: [{ ...group, site: 'demo', day: '2026-11-27', from_ms: 1, to_ms: 2, ...counts }],
    }[by];
    return { items: groups ?? [], next: null };
  });
  await page.route(/\/api\/v1\/quarantine\/e\d+(\/release)?$/, async (route) => {
    const [, id = '', action] = /quarantine\/(e\d+)(\/release)?$/.exec(route.request().url()) ?? [];
    const entry = entries.get(id);
    if (action === undefined) return route.fulfill({ json: entry ?? {} });
    if (id === 'e13') {
      const error = { code: 'API_RELEASE_REFUSED', message: 'released before', hint: '' };
      return route.fulfill({ status: 409, json: { error } });
    }
    released.push(`${id} ${route.request().postData()}`);
    if (entry !== undefined)
      entries.set(id, { ...entry, releasable: false, released_ms: Date.now(), released_by: 'Lee' });
    return route.fulfill({ status: 202, json: { accepted: true } });
  });
  return released;
}

function someEntries(): Map<string, EntryWhole> {
  const json = { DeviceId: 'D01', sensor1: HOSTILE };
  const value = { ...stubEntry('e2').reading, value: 'inf' } as EntryWhole['reading'];
  const all: EntryWhole[] = [
    stubEntry('e1'),
    stubEntry('e2', { device: HOSTILE, reading: value, detail: `${HOSTILE}: ${RTL}` }),
    stubPayload('e3', 'wire_malformed', Uint8Array.of(1, 2, 3, 255, 200, 201)),
    {
      ...stubPayload('e4', 'missing_time', JSON.stringify(json)),
      decoded: { format: 'json', text: JSON.stringify(json, null, 2) },
    },
    stubPayload('e5', 'of_later', 'x'.repeat(1_024)),
    ...Array.from({ length: 20 }, (_, i) => stubEntry(`e${10 + i}`, { device: LONG })),
  ];
  return new Map(all.map((entry) => [entry.id, entry]));
}

t.test('the page', { skip: noBrowser }, async (t) => {
  const { base } = await servePages(t);
  const tab = await openPage(t, browser, base);
  const { page } = tab;
  const entries = someEntries();
  const released = await fakeQuarantine(page, entries);

  await t.test('counts, and a list that they narrow', async (t) => {
    await page.goto(`${base}/quarantine`);
    const rows = page.locator('tr[data-entry]');
    await rows.first().waitFor();
    t.equal(await rows.count(), entries.size);
    t.match(
      await page.locator('[data-group="rule"]').textContent(),
      /refused by a rule1,2001,2347/,
    );
    t.same(await seriousFindings(page), []);
    await page.locator('[data-group="of_later"] button').click();
    await until(async () => (await rows.count()) === 1);
    t.match(page.url(), /reason=of_later/, 'the address says it');
    await page.locator('[data-action="clear"]').click();
    await page.locator('[data-value="day"]').click();
    await page.locator('[data-group="2026-11-27"]').waitFor();
    await page.locator('[data-value="device"]').click();
    await page.locator(`[data-group="${HOSTILE}"] button`).click();
    await until(async () => (await rows.count()) === 1);
    t.match(await rows.first().textContent(), 'inf');
    t.equal(await page.locator('img').count(), 0, 'markup is text');
    await page.locator('[data-action="clear"]').click();
  });

  await t.test('an entry whole: why, what to do, what was received', async (t) => {
    await page.locator('[data-entry="e4"] [data-action="open"]').click();
    const entry = page.locator('#entry');
    await entry.getByText('The answer of the device has no time').waitFor();
    await until(async () => await page.evaluate('document.activeElement.id === "entry"'));
    t.match(await entry.textContent(), /partition 3, offset 77/);
    t.match(await entry.locator('pre').textContent(), HOSTILE);
    await entry.locator('[data-value="bytes"]').click();
    t.match(await entry.locator('pre').textContent(), /^0000 {2}7b 22 44 .*\{"DeviceId": ?/);
    t.same(await seriousFindings(page), []);
    await page.goto(`${base}/quarantine?entry=e3`);
    await entry.getByText('The bytes are not the message').waitFor();
    t.equal(
      await entry.locator('[data-value="text"]').count(),
      0,
      'what is no text is not shown so',
    );
    await page.goto(`${base}/quarantine?entry=e5`);
    await entry.getByText('does not know the reason “of_later”').waitFor();
    await entry.getByText('The first 1,024 bytes').waitFor();
    await page.locator('[data-action="close-entry"]').click();
    await entry.waitFor({ state: 'detached' });
  });

  await t.test('one is released by the keyboard, with a note', async (t) => {
    await page.locator('[data-entry="e1"] [data-action="open"]').focus();
    await page.keyboard.press('Enter');
    await page.locator('[data-action="release"]').focus();
    await page.keyboard.press('Enter');
    await page.getByText('It cannot be taken back.').waitFor();
    t.same(await seriousFindings(page), []);
    await page.getByLabel('Your name').fill('Lee');
    await page.getByLabel('Why').fill('sensor was right');
    await page.keyboard.press('Enter');
    await page.getByText('1 released.').waitFor();
    t.same(released.splice(0), ['e1 {"by":"Lee","note":"sensor was right"}']);
    await page.locator('[data-action="close"]').click();
    await page.locator('[data-entry="e1"]').getByText('Released by Lee').waitFor();
    t.equal(await page.locator('[data-entry="e1"] input').count(), 0);
    await page.locator('[data-action="close-entry"]').click();
  });

  await t.test('many are released one after the other; what is refused is said', async (t) => {
    tab.isCut = true;
    await page.getByRole('button', { name: 'Select all 21 shown' }).click();
    await page.locator('[data-action="release-selected"]').click();
    await page.getByText('21 readings will be released.').waitFor();
    await page.locator('dialog [type="submit"]').click();
    await page.getByText('1 of 21 were refused: API_RELEASE_REFUSED').waitFor();
    t.equal(released.length, 20);
    await page.locator('[data-action="close"]').click();
    await page.getByText('1 selected').waitFor();
    tab.isCut = false;
  });

  await t.test('nothing, and nothing to be had', async (t) => {
    entries.clear();
    await page.goto(`${base}/quarantine`);
    await page.getByText('The quarantine is empty').waitFor();
    await page.locator('select[name="reason"]').selectOption('rule');
    await page.getByText('Nothing in quarantine matches').waitFor();
    t.same(tab.errors, []);
    tab.isCut = true;
    await page.unroute((url) => url.pathname === '/api/v1/quarantine');
    await page.route('**/api/v1/quarantine?**', (route) =>
      route.fulfill({
        status: 500,
        json: { error: { code: 'X', message: 'broken', hint: 'wait' } },
      }),
    );
    await page.goto(`${base}/quarantine`);
    await page.getByText('This could not be loaded: broken').waitFor();
  });
});

t.test(
  'on a phone, in Korean, in the dark, by who may only look',
  { skip: noBrowser },
  async (t) => {
    const { base } = await servePages(t, {
      access: fakeAccess(Date.now(), { thisMachine: 'viewer' }),
    });
    const { page, errors } = await openPage(t, browser, base, {
      locale: 'ko-KR',
      colorScheme: 'dark',
      viewport: { width: 390, height: 844 },
    });
    await fakeQuarantine(page, someEntries());
    await page.goto(`${base}/quarantine?entry=e2`);
    await page.locator('#entry').getByText('격리된 이유').waitFor();
    await page.locator('tr[data-entry]').first().waitFor();
    t.equal(await page.locator('[data-action="release"], input[type="checkbox"]').count(), 0);
    t.equal(await overflowPx(page), 0);
    t.same(await seriousFindings(page), []);
    t.equal(await page.locator('img').count(), 0);
    t.same(errors, []);
  },
);
