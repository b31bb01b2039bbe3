/** /api/v1/jobs: what runs on schedule; a run by hand answers its progress as it goes. */

import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CollectorError } from '../../errors.ts';
import type { JobProgress, Jobs } from '../../jobs/jobs.ts';
import { toAnswer } from '../api_error.ts';
import type { ApiContext } from '../context.ts';
import type { Peer } from '../peers.ts';
import { isFromMember, passOn } from '../peers.ts';
import { COUNT, NAME, nullable, object, query, TIME_MS } from '../schemas.ts';

const JOB = object({
  name: { type: 'string' },
  period: { enum: ['day', 'week', 'month'] },
  title: object({ en: { type: 'string' }, ko: { type: 'string' } }),
  running: { type: 'boolean' },
  last_started_ms: nullable({ ...TIME_MS, description: 'Null: not since the collector started.' }),
  last_ended_ms: nullable(TIME_MS),
  last_units: { ...COUNT, description: 'Periods of sites that the last run made.' },
  last_error: { type: 'string', description: 'Empty when the last run ended well.' },
});

interface Run {
  from?: number;
  to?: number;
  site?: string;
  all?: boolean;
}

const RUN = {
  type: 'object',
  additionalProperties: false,
  properties: {
    from: { ...TIME_MS, description: 'Only periods that end after this.' },
    to: { ...TIME_MS, description: 'Only periods that begin before this.' },
    site: NAME,
    all: {
      type: 'boolean',
      default: false,
      description: 'Make every period of the range again, changed or not.',
    },
  },
};

export function jobRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get(
    '/api/v1/jobs',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary: 'Jobs that run on schedule, and how their last runs ended',
        querystring: query({}),
        response: {
          200: object({ items: { type: 'array', items: JOB }, next: { type: 'null' } }),
        },
      },
    },
    async (request, reply) => {
      const peer = elsewhere(context, request);
      if (peer !== undefined) return await passOn(peer, request, reply);
      const items = (context.jobs()?.status() ?? []).map((job) => ({
        name: job.name,
        period: job.period,
        title: job.title,
        running: job.running,
        last_started_ms: job.lastStartedMs || null,
        last_ended_ms: job.lastEndedMs || null,
        last_units: job.lastUnits,
        last_error: job.lastError,
      }));
      return { items, next: null };
    },
  );

  app.post<{ Params: { name: string }; Body: Run }>(
    '/api/v1/jobs/:name/run',
    {
      config: { access: { role: 'admin', everywhere: true, audit: 'job.run', member: true } },
      schema: {
        summary: 'Runs a job now; answers its progress line by line',
        description:
          'JSON lines: {done, total, site, label, revised} after each period; at the end {units} or {error: {code, message, hint}}. Closing the connection ends the run after the period under way.',
        params: object({ name: NAME }),
        querystring: query({}),
        body: RUN,
        response: { 200: { type: 'string' } },
      },
    },
    async (request, reply) => {
      const peer = elsewhere(context, request);
      if (peer !== undefined) return await passOn(peer, request, reply);
      const jobs = jobsOf(context);
      const { name } = request.params;
      const { from, to, site, all } = request.body;
      if (from !== undefined && to !== undefined && from >= to)
        throw new CollectorError('API_PARAMETER_INVALID', 'from must be before to');
      if (!jobs.status().some((job) => job.name === name))
        throw new CollectorError('JOB_UNKNOWN', name);
      reply.hijack();
      const { raw } = reply;
      for (const [header, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) raw.setHeader(header, value);
      raw.writeHead(200, {
        'content-type': 'application/x-ndjson; charset=utf-8',
        'cache-control': 'no-store',
      });
      const controller = new AbortController();
      raw.once('close', () => controller.abort(new CollectorError('API_BUSY', 'given up')));
      const say = (line: object): void => void raw.write(`${JSON.stringify(line)}\n`);
      const onProgress = ({ done, total, site, label, revised }: JobProgress): void =>
        say({ done, total, site, label, revised });
      try {
        const asked = { fromMs: from, toMs: to, site, all };
        say({ units: await jobs.run(name, asked, onProgress, controller.signal) });
      } catch (error) {
        say(toAnswer(error).body);
      }
      raw.end();
    },
  );
}

/** The process that runs the jobs, when it is another one. Nobody passes on what was passed on. */
function elsewhere(context: ApiContext, request: FastifyRequest): Peer | undefined {
  if (context.jobs() !== undefined || isFromMember(request, context.peers)) return undefined;
  return context.peers.leader();
}

function jobsOf(context: ApiContext): Jobs {
  const jobs = context.jobs();
  if (jobs === undefined)
    throw new CollectorError(
      'API_NOT_READY',
      'the store is not open yet, or another process takes over the jobs',
    );
  return jobs;
}
