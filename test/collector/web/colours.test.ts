/** Light or dark, as it is chosen or as the device is: from the first paint on, and in charts. */

import type { Page } from 'playwright-core';
import t from 'tap';
import { runningStub } from '../../support/alert-pages.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage } from '../../support/pages.ts';
import { until } from '../../support/running-collector.ts';
import { servePages } from '../../support/served-pages.ts';

// Generous: a machine may be busy with other things.
t.setTimeout(300_000);

const browser = browserOf(t);
/** --bg and --line of styles/tokens.css. */
const GROUND = { light: 'rgb(233, 235, 237)', dark: 'rgb(20, 23, 26)' } as const;
const GRID = { light: [0xd2, 0xd6, 0xda], dark: [0x34, 0x3b, 0x42] } as const;

type Colours = keyof typeof GROUND;

const groundOf = (page: Page): Promise<unknown> =>
  page.evaluate('getComputedStyle(document.body).backgroundColor');

async function becomes(page: Page, colours: Colours): Promise<boolean> {
  await until(async () => (await groundOf(page)) === GROUND[colours]);
  return true;
}

/** Pixels of the grid's colour in the first chart. */
function gridPixels(page: Page, colours: Colours): Promise<number> {
  return page.evaluate(`(() => {
    const canvas = document.querySelector('.plot canvas');
    if (canvas === null || canvas.width === 0) return 0;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const [r, g, b] = ${JSON.stringify(GRID[colours])};
    let count = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) count++;
    return count;
  })()`) as Promise<number>;
}

t.test('as the device is, or as it was chosen', { skip: noBrowser }, async (t) => {
  const { base } = await servePages(t);
  const tab = await openPage(t, browser, base, { colorScheme: 'dark' });
  const { page } = tab;
  const theme = page.locator('.select-label select');
  await theme.waitFor();
  t.ok(await becomes(page, 'dark'), 'as the device is');
  await page.emulateMedia({ colorScheme: 'light' });
  t.ok(await becomes(page, 'light'), 'and when it changes');
  await theme.selectOption('dark');
  t.ok(await becomes(page, 'dark'), 'as it was chosen');
  await page.reload();
  await theme.waitFor();
  t.equal(await groundOf(page), GROUND.dark, 'remembered');
  await page.emulateMedia({ colorScheme: 'dark' });
  await theme.selectOption('light');
  t.ok(await becomes(page, 'light'));
  await theme.selectOption('system');
  t.ok(await becomes(page, 'dark'));
  t.same(tab.errors, []);
});

t.test('nothing is painted in other colours first', { skip: noBrowser }, async (t) => {
  const { base } = await servePages(t);
  const { page } = await openPage(t, browser, `${base}/favicon.svg`, { colorScheme: 'light' });
  await page.evaluate(`localStorage.setItem('fms.theme', 'dark')`);
  await page.addInitScript(`
    globalThis.grounds = [];
    const look = () => {
      if (document.body !== null) grounds.push(getComputedStyle(document.body).backgroundColor);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  `);
  await page.goto(base);
  await page.locator('nav.menu').waitFor();
  await until(async () => (await page.evaluate('grounds.length')) !== 0);
  t.same(await page.evaluate('[...new Set(grounds)]'), [GROUND.dark]);
});

t.test('without the program the ground is that of the device', { skip: noBrowser }, async (t) => {
  const { base } = await servePages(t);
  const { page } = await openPage(t, browser, `${base}/favicon.svg`, { colorScheme: 'dark' });
  await page.route(/\.js$/, (route) => route.abort());
  await page.goto(base);
  t.not(await groundOf(page), GROUND.light);
  await page.emulateMedia({ colorScheme: 'light' });
  t.ok(await becomes(page, 'light'));
});

t.test('charts follow', { skip: noBrowser }, async (t) => {
  const stub = await runningStub(t);
  const { page } = await openPage(
    t,
    browser,
    `${stub.base}/device/demo/D01?from=${Date.now() - 300_000}&to=${Date.now()}`,
    { colorScheme: 'dark' },
  );
  const isDrawn = async (colours: Colours): Promise<boolean> => {
    const other = colours === 'dark' ? 'light' : 'dark';
    await until(
      async () => (await gridPixels(page, colours)) > 0 && (await gridPixels(page, other)) === 0,
    );
    return true;
  };
  t.ok(await isDrawn('dark'));
  await page.locator('.select-label select').selectOption('light');
  t.ok(await isDrawn('light'), 'the one that was chosen');
  await page.locator('.select-label select').selectOption('system');
  t.ok(await isDrawn('dark'));
  await page.emulateMedia({ colorScheme: 'light' });
  t.ok(await isDrawn('light'), 'the device');
});
