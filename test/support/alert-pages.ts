/** What tests of the pages with alerts and anomalies have in common. */

import type { Browser } from 'playwright-core';
import type { Test } from 'tap';
import { AlertsStub, stubDevice } from './alerts-stub.ts';
import type { TabOptions } from './browser.ts';
import { launchChromium, noBrowser, Tab } from './browser.ts';
import { until } from './running-collector.ts';

export const DEVICE_PAGE = '/#/device/demo/D01';

/** Rejects where there is none; the tests that need it are skipped then. */
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

/** With two devices that have readings. */
export async function runningStub(t: Pick<Test, 'teardown'>): Promise<AlertsStub> {
  const stub = new AlertsStub();
  await stub.start();
  stub.devices = ['D01', 'D02'].map(stubDevice);
  stub.fillReadings();
  t.teardown(() => stub.stop());
  return stub;
}

/** The page follows the stream: what is told from now on it hears. */
export function connected(stub: AlertsStub): Promise<void> {
  return until(async () => stub.streamCount > 0);
}

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
