/** The query page in a real Chromium, on a real collector with its store. */

import { readFileSync } from 'node:fs';
import t from 'tap';
import { EXAMPLES } from '../../../collector/web/src/pages/query/examples.ts';
import { noBrowser } from '../../support/browser.ts';
import { browserOf, openPage, overflowPx, seriousFindings } from '../../support/pages.ts';
import { fmsRow } from '../../support/publisher.ts';
import { TestCollector, until } from '../../support/running-collector.ts';

const browser = browserOf(t);
const HOSTILE = '<img src=x onerror=alert(1)>';
/** The engine works on it for minutes. */
const LONG = 'SELECT count() FROM numbers(1000000000000) WHERE cityHash64(number) % 7 = 8';

t.test('the query page', { skip: noBrowser }, async (t) => {
  const collector = new TestCollector();
  await collector.start();
  const publisher = await collector.publisher('gw1');
  t.teardown(async () => {
    await publisher.close();
    await collector.remove();
  });
  for (let i = 0; i < 3; i++)
    await publisher.readings(
      fmsRow('D01', Date.now() - i * 60_000, i).concat(fmsRow(HOSTILE, Date.now(), i)),
    );
  await until(async () => {
    const { body } = await collector.get('/api/v1/readings?site=demo&device=D01&limit=100&from=0');
    return (body.items as unknown[]).length >= 21;
  });
  const tab = await openPage(t, browser, `${collector.base}/query`, { locale: 'en-US' });
  const { page } = tab;
  const editor = page.locator('#sql');
  const result = page.getByRole('region', { name: 'Result' }).first();

  await t.test('every example runs', async (t) => {
    for (const { sql } of EXAMPLES) {
      await editor.fill(sql);
      await page.keyboard.press('Control+Enter');
      await result.getByRole('heading', { name: /^\d+ rows in/ }).waitFor();
      t.match(page.url(), '/query?sql=', 'the address says it');
      await page.getByRole('button', { name: 'Run' }).and(page.locator(':enabled')).waitFor();
    }
    t.same(tab.errors, []);
  });

  await t.test('as table, chart and file', async (t) => {
    await editor.fill(
      "SELECT time_ms, value, device FROM readings WHERE channel = 'sensor1' ORDER BY time_ms, device",
    );
    await page.getByRole('button', { name: 'Run' }).click();
    await result.locator('tbody tr').nth(5).waitFor();
    t.equal(await result.locator('tbody tr').count(), 6);
    t.match(await result.locator('tbody').textContent(), HOSTILE);
    t.equal(await page.locator('main img').count(), 0, 'markup stays text');
    const waiting = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download CSV' }).click();
    const file = readFileSync(await (await waiting).path(), 'utf8');
    t.match(file, /^time_ms,value,device\r\n\d+,/);
    t.equal(file.trimEnd().split('\r\n').length, 7);
    t.same(await seriousFindings(page), []);
    await page.locator('[data-value="chart"]').click();
    await page.locator('.plot canvas').waitFor();
    await page.getByText('Times in Asia/Seoul (UTC+9)').waitFor();
    t.same(tab.errors, []);
  });

  await t.test('what JSON cannot say', async (t) => {
    await page.locator('[data-value="table"]').click();
    await editor.fill(
      'SELECT nan AS a, -inf AS b, 18446744073709551615 AS c, 1e308 AS d, NULL AS e, [1, 2] AS f',
    );
    await page.keyboard.press('Control+Enter');
    await result.getByText('18446744073709551615').waitFor();
    const cells = await result.locator('tbody td').allTextContents();
    t.same(cells, ['nan', '-inf', '18446744073709551615', '1e+308', 'NULL', '[1,2]']);
  });

  await t.test(
    'mistakes in the words of the store; what changes something is refused',
    async (t) => {
      tab.isCut = true;
      await editor.fill('SELECT no_such_column FROM readings');
      await page.keyboard.press('Control+Enter');
      await page.locator('pre').getByText('no_such_column').waitFor();
      await editor.fill('DROP TABLE readings');
      await page.keyboard.press('Control+Enter');
      await page.getByText('The query was refused').waitFor();
      await until(
        async () => !/no_such_column/.test((await page.locator('pre').textContent()) ?? ''),
      );
      const { body } = await collector.get('/api/v1/readings?site=demo&device=D01&limit=1&from=0');
      t.equal((body.items as unknown[]).length, 1, 'the table is there');
    },
  );

  await t.test('a long one shows that it runs, and is cancelled', async (t) => {
    await editor.fill(LONG);
    await page.keyboard.press('Control+Enter');
    await page.locator('progress').waitFor();
    await page.getByText(/Running for [1-9]/).waitFor();
    await page.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('Cancelled.').waitFor();
    // The store is free again.
    await editor.fill('SELECT 1 AS one');
    await page.keyboard.press('Control+Enter');
    await result.getByRole('columnheader', { name: /one/ }).waitFor();
    t.pass('and the next one runs');
  });

  await t.test('tables, history, Korean, phone', async (t) => {
    tab.isCut = false;
    tab.errors.length = 0;
    await page.locator('[data-table="readings"] summary').click();
    await editor.fill('');
    await page
      .locator('[data-table="readings"]')
      .getByRole('button', { name: /^time_ms/ })
      .click();
    t.equal(await editor.inputValue(), 'time_ms');
    await page.getByText('Earlier queries').click();
    await page.locator('aside').getByRole('button', { name: 'SELECT 1 AS one' }).click();
    t.equal(await editor.inputValue(), 'SELECT 1 AS one');
    await page.locator('[data-value="ko"]').click();
    await page.getByRole('button', { name: '실행' }).click();
    await page.getByRole('heading', { name: /^1행/ }).waitFor();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 390, height: 844 });
    t.equal(await overflowPx(page), 0, 'no sideways scrolling');
    t.same(await seriousFindings(page), []);
    t.same(tab.errors, []);
  });
});
