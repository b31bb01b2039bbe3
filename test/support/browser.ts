/** A real Chromium with a fresh profile, and all that a page did wrong in it. */

import { existsSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { chromium } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';
/** Of the start, and of each thing that a test waits for on a page: a busy machine takes its time for both. */
const TIMEOUT_MS = 180_000;

/** Reason to skip tests of the pages, or false. With CI=true test/setup.ts has made sure. */
export const noBrowser = existsSync(EXECUTABLE) ? false : `${EXECUTABLE} is not there`;

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export interface TabOptions {
  locale?: string;
  colorScheme?: 'light' | 'dark';
  viewport?: { width: number; height: number };
}

/** Its profile is a folder of its own that goes with it. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    headless: true,
    args: ARGS,
    timeout: TIMEOUT_MS,
  });
}

/** One page in a context of its own: no cookie, cache or storage of another. */
export class Tab {
  readonly page: Page;
  /** Errors of the page: exceptions, console errors, requests to other hosts. */
  readonly errors: string[] = [];
  /** While true, connections that are refused are expected and not noted. */
  isCut = false;
  readonly #context: BrowserContext;

  private constructor(context: BrowserContext, page: Page, base: string) {
    this.#context = context;
    this.page = page;
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      if (this.isCut && /net::ERR_|Failed to load resource/.test(message.text())) return;
      this.errors.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(base)) this.errors.push(`request to ${request.url()}`);
    });
  }

  /** `base`: the only host that the page may talk to. */
  static async open(browser: Browser, base: string, options: TabOptions = {}): Promise<Tab> {
    const context = await browser.newContext({
      viewport: { width: 1_400, height: 900 },
      locale: 'en-US',
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(TIMEOUT_MS);
    return new Tab(context, page, base);
  }

  async close(): Promise<void> {
    await this.#context.close();
  }
}
