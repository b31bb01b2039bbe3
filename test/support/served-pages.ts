/** The real pages, headers and guard, with an API behind them that answers what a test says and is empty else. */

import type { FastifyInstance } from 'fastify';
import type { Page, Route } from 'playwright-core';
import type { Test } from 'tap';
import type { ApiContext } from '../../collector/api/context.ts';
import { createApi } from '../../collector/api/server.ts';
import { StreamHub } from '../../collector/api/stream.ts';
import { fakeContext } from './api-context.ts';

export interface ServedPages {
  base: string;
  app: FastifyInstance;
}

/** On a free port; the caller from this machine is admin unless `more.access` says otherwise. */
export async function servePages(
  t: Pick<Test, 'teardown'>,
  more: Partial<ApiContext> = {},
): Promise<ServedPages> {
  const hub = new StreamHub(1);
  const log = {
    identity: 'test',
    bounds: async () => ({ first: 0, next: 0 }),
    // Nothing was ever told, so nothing is asked for again.
    read: () => Promise.reject(new Error('no log here')),
  };
  const context = fakeContext(Date.now(), {
    clock: { wallMs: () => Date.now() },
    live: () => ({ log, hub }),
    ...more,
  });
  const app = await createApi(context, { allowedHosts: [], onDefect: () => undefined });
  const base = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  return { base, app };
}

/** Answers GETs of one API path on this page; what `answer` returns is sent as JSON. Asked parameters are passed in. */
export async function answerWith(
  page: Page,
  path: string,
  answer: (query: URLSearchParams, route: Route) => object | Promise<object>,
): Promise<void> {
  await page.route(
    (url) => url.pathname === `/api/v1/${path}`,
    async (route) => {
      const query = new URL(route.request().url()).searchParams;
      const json = await answer(query, route);
      await route.fulfill({ json });
    },
  );
}
