/** The API on a real store, without network, log or broker. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { ApiContext } from '../../collector/api/context.ts';
import { boundedQueries } from '../../collector/api/queries.ts';
import { createApi } from '../../collector/api/server.ts';
import { PeopleQueries } from '../../collector/query/people.ts';
import { openChdbStore } from '../../collector/store/chdb.ts';
import type { Store } from '../../collector/store/store.ts';
import { fakeContext } from './api-context.ts';

export interface ApiOnStore {
  app: FastifyInstance;
  context: ApiContext;
  store: Store;
  folder: string;
  defects: unknown[];
  /** JSON of a success; throws what the API said otherwise. */
  get<Body>(url: string): Promise<Body>;
  remove(): Promise<void>;
}

export async function apiOnStore(
  nowMs: number,
  more: Partial<ApiContext> = {},
): Promise<ApiOnStore> {
  const folder = mkdtempSync(join(tmpdir(), 'fms-api-'));
  const store = await openChdbStore({ path: join(folder, 'store') });
  await store.migrate();
  const defects: unknown[] = [];
  const { auditLog: audit, clock } = fakeContext(nowMs, more);
  const people = new PeopleQueries({ asking: () => store.asking, audit, clock });
  const context = fakeContext(nowMs, { queries: boundedQueries(store), people, ...more });
  const app = await createApi(context, {
    allowedHosts: [],
    onDefect: (error) => defects.push(error),
  });
  return {
    app,
    context,
    store,
    folder,
    defects,
    async get<Body>(url: string): Promise<Body> {
      const response = await app.inject({ url, headers: { host: 'localhost' } });
      if (response.statusCode !== 200) throw new Error(`${response.statusCode} ${response.body}`);
      return response.json() as Body;
    },
    async remove(): Promise<void> {
      await app.close();
      await store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
