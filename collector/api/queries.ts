/** The API's door to the store: bounds how many queries wait, and what each may cost. */

import type { FastifyReply } from 'fastify';
import { CollectorError } from '../errors.ts';
import type { ExportFormat, QueryFile, QueryLimits, Store } from '../store/store.ts';

/** What one query may return. */
export const QUERY_ROWS_MAX = 50_000;

/** Of one query. */
const LIMITS: QueryLimits = {
  timeoutMs: 10_000,
  maxRows: QUERY_ROWS_MAX,
  maxMemoryBytes: 512 * 1024 * 1024,
};

/** Of one file. */
const FILE_LIMITS: QueryLimits = {
  timeoutMs: 120_000,
  maxRows: 10_000_000,
  maxMemoryBytes: 512 * 1024 * 1024,
};

/** Under way and waiting, of all callers. */
const QUERIES_MAX = 32;
/** Files that are being made, or lie there until their caller has taken them. */
const FILES_MAX = 3;

export interface Queries {
  /** Rejects with API_BUSY when too many wait, otherwise as Store.query does. */
  run<Row>(sql: string, params: Record<string, unknown>, signal?: AbortSignal): Promise<Row[]>;
  /** Rejects likewise. The caller must dispose of the file. */
  exportTo(
    format: ExportFormat,
    sql: string,
    params: Record<string, unknown>,
    signal?: AbortSignal,
  ): Promise<QueryFile>;
}

export function boundedQueries(
  store: Pick<Store, 'query' | 'exportTo'>,
  most = QUERIES_MAX,
): Queries {
  let underWay = 0;
  let files = 0;
  return {
    async exportTo(format, sql, params, signal) {
      if (files >= FILES_MAX) throw new CollectorError('API_BUSY', `${files} files are being made`);
      files++;
      let isDisposed = false;
      const dispose = async (made?: QueryFile): Promise<void> => {
        if (isDisposed) return;
        isDisposed = true;
        files--;
        await made?.dispose();
      };
      try {
        const made = await store.exportTo(format, sql, params, FILE_LIMITS, signal);
        return { path: made.path, bytes: made.bytes, dispose: () => dispose(made) };
      } catch (error) {
        await dispose();
        throw error;
      }
    },
    async run(sql, params, signal) {
      if (underWay >= most)
        throw new CollectorError('API_BUSY', `${underWay} queries are under way`);
      underWay++;
      try {
        return await store.query(sql, params, LIMITS, signal);
      } finally {
        underWay--;
      }
    },
  };
}

/** Aborts when the caller goes away before it has its answer. */
export function abortedWith(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => controller.abort());
  return controller.signal;
}
