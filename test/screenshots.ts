/**
 * `npm run screenshots`: pictures of the real pages for README and docs (docs/screenshots/), with the demo running
 * and a device of it that fails. Needs Chromium and a font with Korean letters (Debian: fonts-noto-cjk).
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Browser, Page } from 'playwright-core';
import { readLocalToken } from '../collector/access/local_token.ts';
import { launchChromium, noBrowser } from './support/browser.ts';
import { freePort } from './support/free-port.ts';
import { logIn } from './support/pages.ts';
import { repository, until } from './support/plant.ts';

const FOLDER = join(repository, 'docs/screenshots');
/** Enough for a chart that shows something. */
const RUN_MS = Number(process.env.FMS_SCREENSHOTS_RUN_MS ?? 240_000);
const SETTLE_MS = 1_500;
const ADMIN = 'kim';
const PASSWORD = 'for these pictures only';
const USERS = [
  [ADMIN, '*', 'admin'],
  ['lee', 'demo', 'operator'],
  ['park', 'demo', 'viewer'],
] as const;

interface Shot {
  file: string;
  path: string;
  language: 'en' | 'ko';
  theme: 'light' | 'dark';
  viewport: { width: number; height: number };
  /** What has to be there before the picture is taken. */
  ready: string;
  before?: (page: Page) => Promise<void>;
}

const WIDE = { width: 1_440, height: 900 };
const PHONE = { width: 390, height: 844 };

const SHOTS: readonly Shot[] = [
  {
    file: 'overview',
    path: '/',
    language: 'en',
    theme: 'light',
    viewport: WIDE,
    ready: '[data-device]',
  },
  {
    file: 'overview-ko',
    path: '/',
    language: 'ko',
    theme: 'light',
    viewport: WIDE,
    ready: '[data-device]',
  },
  {
    file: 'device',
    path: '/device/demo/D03?range=5m',
    language: 'en',
    theme: 'light',
    viewport: WIDE,
    ready: '[data-loading="false"] canvas',
  },
  {
    file: 'device-ko-dark',
    path: '/device/demo/D02?range=5m',
    language: 'ko',
    theme: 'dark',
    viewport: WIDE,
    ready: '[data-loading="false"] canvas',
  },
  {
    file: 'alerts',
    path: '/alerts',
    language: 'en',
    theme: 'light',
    viewport: WIDE,
    ready: '[data-alert]',
  },
  {
    file: 'alerts-phone-ko',
    path: '/alerts',
    language: 'ko',
    theme: 'light',
    viewport: PHONE,
    ready: '[data-alert]',
  },
  {
    file: 'quality',
    path: '/quality',
    language: 'en',
    theme: 'light',
    viewport: WIDE,
    ready: '[data-cell]',
  },
  {
    file: 'gateways',
    path: '/gateways',
    language: 'en',
    theme: 'light',
    viewport: WIDE,
    ready: '[data-gateway]',
  },
  {
    file: 'query',
    path: '/query',
    language: 'en',
    theme: 'light',
    viewport: WIDE,
    ready: '[data-table]',
    before: async (page) => {
      await page.locator('form button[type="submit"]').click();
      await page.locator('[data-value="chart"]').click();
      await page.locator('.plot canvas').waitFor();
    },
  },
  {
    file: 'admin',
    path: '/admin/users',
    language: 'en',
    theme: 'light',
    viewport: WIDE,
    ready: 'main table',
  },
];

async function main(): Promise<void> {
  if (noBrowser !== false) throw new Error(`no pictures without Chromium: ${noBrowser}`);
  mkdirSync(FOLDER, { recursive: true });
  const folder = mkdtempSync(join(tmpdir(), 'fms-screenshots-'));
  const demo = await startDemo(folder);
  const browser = await launchChromium();
  try {
    await addUsers(demo.url, join(folder, 'collector'));
    await fault(demo.simPort, { device: 'D03', fault: 'isFail', on: true });
    process.stdout.write(`the demo runs for ${RUN_MS / 1_000} s\n`);
    await delay(RUN_MS);
    for (const shot of SHOTS) {
      await take(browser, demo.url, shot);
      process.stdout.write(`${shot.file}.png\n`);
    }
  } finally {
    await browser.close();
    await demo.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Demo {
  url: string;
  simPort: number;
  stop(): Promise<void>;
}

async function startDemo(folder: string): Promise<Demo> {
  const [http, mqtt, simPort] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(process.execPath, ['simulators/main.ts', 'demo'], {
    cwd: repository,
    env: {
      ...process.env,
      FMS_DATA: folder,
      FMS_HTTP_PORT: String(http),
      FMS_MQTT_PORT: String(mqtt),
      FMS_SIM_PORT: String(simPort),
      FMS_STATUS_PORT: String(await freePort()),
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const ended = once(child, 'exit');
  const stop = async (): Promise<void> => {
    child.kill('SIGINT');
    await ended;
  };
  try {
    await until('the demo to be live', 120_000, () => /devices are live/.test(said));
    return { url: `http://127.0.0.1:${http}`, simPort, stop };
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}; it said:\n${said}`, { cause: error });
  }
}

/** People with different roles; by the token that only the collector's own machine has. */
async function addUsers(url: string, dataDir: string): Promise<void> {
  const authorization = `Bearer ${readLocalToken(dataDir)}`;
  for (const [name, site, role] of USERS) {
    const response = await fetch(`${url}/api/v1/users`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/json' },
      body: JSON.stringify({ name, password: PASSWORD, grants: [{ site, role }] }),
    });
    if (!response.ok) throw new Error(`user ${name}: ${response.status} ${await response.text()}`);
  }
}

async function fault(simPort: number, order: object): Promise<void> {
  const body = JSON.stringify(order);
  const response = await fetch(`http://127.0.0.1:${simPort}/_faults`, { method: 'POST', body });
  if (!response.ok) throw new Error(`fault refused: ${response.status} ${await response.text()}`);
}

async function take(browser: Browser, url: string, shot: Shot): Promise<void> {
  const { viewport, theme, language } = shot;
  const context = await browser.newContext({
    viewport,
    colorScheme: theme,
    locale: language === 'ko' ? 'ko-KR' : 'en-US',
  });
  const page = await context.newPage();
  await page.goto(`${url}/login`);
  await logIn(page, ADMIN, PASSWORD);
  // The demo shows its pages without login, too.
  await page.locator('.user button').waitFor();
  await page.goto(url + shot.path);
  await page.locator(shot.ready).first().waitFor({ timeout: 60_000 });
  await shot.before?.(page);
  await delay(SETTLE_MS);
  await page.screenshot({ path: join(FOLDER, `${shot.file}.png`) });
  await context.close();
}

await main();
