/** /api/v1/ledger/deep: compares the ledger with the tables, and says how far it is as it goes. */

import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import { checkDeep } from '../../ledger/deep.ts';
import type { LedgerEntry } from '../../processor/outputs/ledger.ts';
import { requireAt, requireEverywhere } from '../access.ts';
import { toAnswer } from '../api_error.ts';
import type { ApiContext } from '../context.ts';
import { NAME, query } from '../schemas.ts';

/** At most so many lines of progress a second. */
const PROGRESS_EVERY_MS = 200;
const POLL_MS = 50;
/** The writers do not get on for so long: something is wrong with them. */
const STALLED_MS = 120_000;
const NEXT_RECORD = { maxRecords: 1, maxBytes: 1 };

interface Query {
  site?: string;
  gateway?: string;
}

export function ledgerDeepRoutes(app: FastifyInstance, context: ApiContext): void {
  let isRunning = false;
  app.get<{ Querystring: Query }>(
    '/api/v1/ledger/deep',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Compares the ledger with the rows of the tables; answers line by line',
        description:
          'JSON lines: {type: "progress", step, done, total}; {type: "problem", site, gateway, epoch, kind, from, to, readings, detail} for each range of seqs that is missing, double or unknown; at the end {type: "result", ok, epochs, readings, quarantined, expired, closed, counts_only, problems} or {error: {code, message, hint}}. One at a time; closing the connection ends it. Without a site it needs role viewer at every site.',
        querystring: query({ site: NAME, gateway: NAME }),
        response: { 200: { type: 'string' } },
      },
    },
    async (request, reply) => {
      const scope = request.query;
      if (scope.site === undefined) requireEverywhere(request, 'viewer');
      else requireAt(request, 'viewer', scope.site);
      if (isRunning) throw new CollectorError('API_BUSY', 'a deep check is under way');
      const audit = context.audit();
      if (audit === undefined)
        throw new CollectorError('API_NOT_READY', 'the store is not open yet');
      isRunning = true;
      reply.hijack();
      const { raw } = reply;
      for (const [header, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) raw.setHeader(header, value);
      raw.writeHead(200, {
        'content-type': 'application/x-ndjson; charset=utf-8',
        'cache-control': 'no-store',
      });
      const controller = new AbortController();
      const { signal } = controller;
      raw.once('close', () => controller.abort());
      const say = (line: object): void => void raw.write(`${JSON.stringify(line)}\n`);
      let saidMs = Number.NEGATIVE_INFINITY;
      let saidStep = '';
      try {
        const result = await checkDeep({
          store: audit.store,
          scope,
          ledger: () => entriesOf(context, scope),
          complete: () => context.fleet.complete,
          written: (onProgress) => written(context, audit.writers, onProgress, signal),
          nowMs: context.clock.wallMs(),
          onProgress: (progress) => {
            const isDue = performance.now() - saidMs >= PROGRESS_EVERY_MS;
            if (!isDue && progress.step === saidStep) return;
            saidMs = performance.now();
            saidStep = progress.step;
            say({ type: 'progress', ...progress });
          },
          onProblem: (problem) => say({ type: 'problem', ...problem }),
          signal,
        });
        say({ type: 'result', ...result });
      } catch (error) {
        if (!signal.aborted) say(toAnswer(error).body);
      } finally {
        isRunning = false;
      }
      raw.end();
    },
  );
}

function entriesOf(context: ApiContext, { site, gateway }: Query): LedgerEntry[] {
  return [...context.fleet.ledgerGateways()]
    .filter((id) => site === undefined || id.site === site)
    .filter((id) => gateway === undefined || id.gateway === gateway)
    .flatMap((id) => context.fleet.ledgerOf(id.site, id.gateway));
}

/** Resolves when the writers are where the topics end now. */
async function written(
  context: ApiContext,
  writers: NonNullable<ReturnType<ApiContext['audit']>>['writers'],
  onProgress: (done: number, total: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const log = context.live()?.log;
  if (log === undefined) throw new CollectorError('API_NOT_READY', 'the log is not open yet');
  const ends = new Map<string, number>();
  for (const { topic, partition } of writers()) {
    const { next } = await log.bounds(topic, partition);
    ends.set(`${topic}/${partition}`, next);
  }
  const behind = async (): Promise<number> => {
    let records = 0;
    for (const { topic, partition, position } of writers()) {
      const end = ends.get(`${topic}/${partition}`) ?? 0;
      if (position >= end) continue;
      // What lies behind a writer may be no record: logs have holes.
      const [next] = await log.read(topic, partition, position, NEXT_RECORD);
      if (next !== undefined && next.offset < end) records += end - next.offset;
    }
    return records;
  };
  let left = await behind();
  const total = left;
  let movedMs = performance.now();
  for (onProgress(0, total); left > 0; ) {
    if (performance.now() - movedMs > STALLED_MS)
      throw new CollectorError('STORE_UNAVAILABLE', `the writers are ${left} records behind`);
    await delay(POLL_MS, undefined, { signal });
    const now = await behind();
    if (now < left) movedMs = performance.now();
    left = now;
    onProgress(total - left, total);
  }
}
