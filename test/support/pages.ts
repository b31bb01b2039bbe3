/** What tests of the pages have in common: a Chromium for the file, tabs, and what every page must keep to. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from 'playwright-core';
import type { Test } from 'tap';
import type { TabOptions } from './browser.ts';
import { launchChromium, noBrowser, Tab } from './browser.ts';

/** Rejects where there is none; the tests that need it are skipped then (`{ skip: noBrowser }`). */
export function browserOf(t: Pick<Test, 'teardown'>): Promise<Browser> {
  const browser = noBrowser === false ? launchChromium() : Promise.reject(new Error(noBrowser));
  browser.catch(() => undefined);
  t.teardown(async () => {
    await browser.then(
      (running) => running.close(),
      () => undefined,
    );
  });
  return browser;
}

/** A tab of its own (cookies, storage) at `url`; closed at the end of the test. */
export async function openPage(
  t: Pick<Test, 'teardown'>,
  browser: Promise<Browser>,
  url: string,
  options: TabOptions = {},
): Promise<Tab> {
  const tab = await Tab.open(await browser, new URL(url).origin, options);
  t.teardown(() => tab.close());
  await tab.page.goto(url);
  return tab;
}

/** Logs in by the form, as a person does; ends on the page that was asked for. */
export async function logIn(page: Page, name: string, password: string): Promise<void> {
  await page.locator('input[name="name"]').fill(name);
  await page.locator('input[name="password"]').fill(password);
  await page.locator('form button[type="submit"]').click();
  await page.locator('nav.menu').waitFor();
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  id: string;
  impact: string | null;
  help: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** What axe finds serious or critical on the page as it is shown now, a line each; none: []. */
export async function seriousFindings(page: Page): Promise<string[]> {
  // Evaluated by the browser's debugger, which the content security policy does not bind.
  const violations = (await page.evaluate(`(async () => {
    if (!globalThis.axe) { ${AXE} }
    const result = await axe.run(document, { resultTypes: ['violations'] });
    return result.violations.map(({ id, impact, help, nodes }) => ({ id, impact, help,
      nodes: nodes.slice(0, 5).map(({ html, failureSummary }) => ({ html, failureSummary })) }));
  })()`)) as Violation[];
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes.map(
        ({ html, failureSummary = '' }) =>
          `${id}: ${help}: ${html.slice(0, 200)} ${failureSummary}`,
      ),
    );
}

/**
 * The page does not scroll sideways: what is wide scrolls within its own frame. Measured two frames from now:
 * what follows the size of its place (charts) has heard of a new one by then.
 */
export async function overflowPx(page: Page): Promise<number> {
  return (await page.evaluate(`new Promise((resolve) => {
    const { documentElement } = document;
    const measure = () => resolve(documentElement.scrollWidth - documentElement.clientWidth);
    requestAnimationFrame(() => requestAnimationFrame(measure));
  })`)) as number;
}
