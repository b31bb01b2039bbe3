/** What the pages cost a browser: bytes at first, time until they answer, time of charts, CPU while all is live. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { runFleet } from '../../simulators/fleet.ts';
import { launchChromium } from '../support/browser.ts';
import { until } from '../support/plant.ts';
import { cpuSecondsOf } from './child.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, Rig, round } from './rig.ts';

const READINGS = 10_000_000;
const TURNS = 5;
const LIVE_DEVICES = { gateways: 100, devices: 10, channels: 7 };
/** As real FMS devices. */
const ROW_EVERY_S = 10;
const WARM_UP_MS = 15_000;
const SETTLE_MS = 10_000;
const LIVE_SECONDS = 30;
/** Of one device: every 10 s for five and a half months. */
const RANGE = '1y';

/** First load and charts, on a store of ten million readings of one device. */
export async function chartFigures({ log, dataDir }: BenchOptions): Promise<Figures> {
  log(
    `chart: ${READINGS.toLocaleString('en')} readings of the 7 channels of one device, one every 10 s`,
  );
  const rig = new Rig({ name: 'web-chart', dataDir });
  const browser = await launchChromium();
  try {
    await fill(join(rig.folder, 'data-collector', 'store'));
    await rig.start();
    // What the collector does right after its start is another bench's (restart).
    await delay(SETTLE_MS);
    const loads = await firstLoads(browser, rig.url);
    const charts = await chartTimes(browser, rig.url);
    return {
      first_load_kb: round(
        quantile(
          loads.map(({ bytes }) => bytes),
          0.5,
        ) / 1_000,
      ),
      interactive_ms: Math.round(
        quantile(
          loads.map(({ ms }) => ms),
          0.5,
        ),
      ),
      chart_ms: Math.round(quantile(charts, 0.5)),
      chart_slowest_ms: Math.round(Math.max(...charts)),
      chart_readings: READINGS,
    };
  } finally {
    await browser.close();
    await rig.close();
  }
}

async function fill(folder: string): Promise<void> {
  const program = fileURLToPath(new URL('query_store.ts', import.meta.url));
  const args = [program, 'fill', folder, String(READINGS), '1'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`query_store.ts ended with ${code}`);
}

/** Nothing cached: a context of its own each time. */
async function firstLoads(browser: Browser, url: string): Promise<{ bytes: number; ms: number }[]> {
  const loads: { bytes: number; ms: number }[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const context = await browser.newContext({ locale: 'en-US' });
    const page = await context.newPage();
    const bytes = countStaticBytes(await context.newCDPSession(page));
    const beganMs = performance.now();
    await page.goto(url, { waitUntil: 'commit' });
    await page.locator('[data-device]').first().waitFor();
    // It answers: a click changes what is shown.
    await page.locator('[data-value="ko"]').click();
    await page.locator('[data-value="ko"][aria-pressed="true"]').waitFor();
    const ms = performance.now() - beganMs;
    await page.waitForLoadState('load');
    loads.push({ bytes: bytes(), ms });
    await context.close();
  }
  return loads;
}

/** Over the wire, compressed, with headers, of all that is no API. */
function countStaticBytes(session: CDPSession): () => number {
  const isStatic = new Map<string, boolean>();
  let bytes = 0;
  session.on('Network.responseReceived', ({ requestId, response }) => {
    isStatic.set(requestId, !new URL(response.url).pathname.startsWith('/api/'));
  });
  session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (isStatic.get(requestId) === true) bytes += encodedDataLength;
  });
  void session.send('Network.enable');
  return () => bytes;
}

/**
 * From the click on a range until the charts of all channels show it. A browser without a cache each time; the server
 * may remember what it read.
 */
async function chartTimes(browser: Browser, url: string): Promise<number[]> {
  const viewport = { width: 1_400, height: 1_000 };
  const times: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const context = await browser.newContext({ locale: 'en-US', viewport });
    const page = await context.newPage();
    await page.goto(`${url}/device/demo/D001?range=1h`);
    await drawn(page, '1h');
    const beganMs = performance.now();
    await page.locator(`[data-value="${RANGE}"]`).click();
    await drawn(page, RANGE);
    times.push(performance.now() - beganMs);
    await context.close();
  }
  return times;
}

/** All charts show the range, and the browser has painted them. */
async function drawn(page: Page, range: string): Promise<void> {
  await page.evaluate(`new Promise((resolve) => {
    const look = () => {
      const pressed = document.querySelector('[data-value="${range}"]')?.getAttribute('aria-pressed');
      const charts = document.querySelector('[data-loading="false"]');
      if (pressed !== 'true' || charts === null || charts.querySelectorAll('canvas').length < 7)
        requestAnimationFrame(look);
      else requestAnimationFrame(() => requestAnimationFrame(resolve));
    };
    requestAnimationFrame(look);
  })`);
}

/** CPU of the browser with the Overview of a plant that works. */
export async function liveFigures({
  log,
  dataDir,
  seconds = LIVE_SECONDS,
}: BenchOptions): Promise<Figures> {
  const { gateways, devices, channels } = LIVE_DEVICES;
  log(
    `live: ${gateways * devices} devices x ${channels} channels, a row of each every ${ROW_EVERY_S} s`,
  );
  const rig = new Rig({ name: 'web-live', dataDir, fleet: gateways });
  const ending = new AbortController();
  const browser = await launchChromium();
  try {
    await rig.start();
    const fleet = runFleet(
      {
        ...rig.fleet,
        devices,
        channels,
        rowsPerS: 1 / ROW_EVERY_S,
        batchIntervalMs: 2_000,
        stateIntervalMs: 10_000,
      },
      { signal: ending.signal, onStarted: () => undefined, progress: () => undefined },
    );
    fleet.catch(() => undefined);
    const page = await browser.newPage({ viewport: { width: 1_920, height: 1_080 } });
    await page.goto(rig.url);
    await until('all devices on the page', 60_000, async () => {
      return (await page.locator('[data-device]').count()) >= gateways * devices;
    });
    await delay(WARM_UP_MS);
    const pids = processesOf(process.pid).filter(({ command }) => command.includes('chromium'));
    const before = pids.map(({ pid }) => cpuSecondsOf(pid));
    const beganMs = performance.now();
    await delay(seconds * 1_000);
    const usedS = pids.reduce((sum, { pid }, i) => {
      const used = cpuSecondsOf(pid) - (before[i] ?? 0);
      return sum + (Number.isNaN(used) ? 0 : used);
    }, 0);
    const percent = (100_000 * usedS) / (performance.now() - beganMs);
    ending.abort();
    await fleet;
    return {
      browser_cpu_percent: round(percent),
      browser_processes: pids.length,
      live_devices: gateways * devices,
    };
  } finally {
    ending.abort();
    await browser.close();
    await rig.close();
  }
}

/** All descendants of a process. */
function processesOf(root: number): { pid: number; command: string }[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        const command = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return [{ pid: Number(name), parent, command }];
      } catch {
        // It ended meanwhile.
        return [];
      }
    });
  const children = Map.groupBy(all, ({ parent }) => parent);
  const below = (pid: number): { pid: number; command: string }[] =>
    (children.get(pid) ?? []).flatMap((child) => [child, ...below(child.pid)]);
  return below(root);
}
