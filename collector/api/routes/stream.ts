/** /api/v1/stream: readings as they come, as server-sent events. */

import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { CollectorError } from '../../errors.ts';
import type { Log } from '../../log/log.ts';
import { visibleSites } from '../access.ts';
import type { ApiContext } from '../context.ts';
import type { LiveRecord } from '../live/records.ts';
import { openReadings } from '../live/records.ts';
import { NAME, query } from '../schemas.ts';
import { whileAllowed } from '../still_allowed.ts';
import type { StreamKind } from '../stream.ts';
import { STREAM_KINDS, StreamHub } from '../stream.ts';

/** How far back a caller that comes again is served from the log; more is what /readings is for. */
const REPLAY_RECORDS_MAX = 2_000;
const REPLAY_READ = { maxRecords: 32, maxBytes: 2 * 1024 * 1024 };
const DRAIN_TIMEOUT_MS = 10_000;

interface Query {
  site?: string;
  device?: string;
  kinds?: string;
  last_event_id?: string;
}

export function streamRoutes(app: FastifyInstance, context: ApiContext): void {
  app.get<{ Querystring: Query }>(
    '/api/v1/stream',
    {
      config: { access: { role: 'viewer' } },
      schema: {
        summary:
          'Readings, states of devices, alerts and anomalies as they come, as server-sent events',
        description:
          'Events: `hello` {heartbeat_ms}; `readings` {site, gateway, device, received_ms, readings: [{channel, time_ms, value, quality, treatment, findings}]} (treatment and findings only where the rules did or said something; see /api/v1/readings); `device` {site, device, gateway, state, area, line, profile, last_ms, received_ms, updated_ms} when what is known of a device changed (its state by one gateway: online, late or silent; not sent again later: ask /api/v1/devices after a break); `alert` and `anomaly`, the items of /api/v1/alerts and /api/v1/anomalies, with each change of one (likewise; those of a gateway itself only without `device`); `lost` {reason: slow | trimmed | too_old, events} when something was left out. Comments are heartbeats. Of sites that the caller may see; when that changes, or the login ends, the stream ends within ten seconds. With Last-Event-ID the readings since are sent first, as far as the log has them; one may come twice.',
        produces: 'text/event-stream',
        querystring: query({
          site: NAME,
          device: NAME,
          kinds: {
            type: 'string',
            pattern: `^(${STREAM_KINDS.join('|')})(,(${STREAM_KINDS.join('|')}))*$`,
            description: `Only these events, with commas between: ${STREAM_KINDS.join(', ')}. Left out: all. hello and lost always come.`,
            examples: ['alert,anomaly'],
          },
          last_event_id: {
            type: 'string',
            maxLength: 4_096,
            description: 'In place of the header Last-Event-ID.',
          },
        }),
        response: { 200: { type: 'string' } },
      },
    },
    async (request, reply) => {
      const live = context.live();
      if (live === undefined) throw new CollectorError('API_NOT_READY', 'the log is not open yet');
      const { log, hub } = live;
      if (hub.isFull) throw new CollectorError('API_BUSY', 'too many streams are open');
      const { site, device, last_event_id } = request.query;
      const sites = visibleSites(request);
      const kinds = request.query.kinds?.split(',') as StreamKind[] | undefined;
      const lastId = String(request.headers['last-event-id'] ?? last_event_id ?? '');
      // Only readings are sent again.
      const isReplayed = lastId !== '' && kinds?.includes('readings') !== false;
      const replay = isReplayed ? await planReplay(log, hub, lastId) : undefined;
      reply.hijack();
      const raw = reply.raw;
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) raw.setHeader(name, value);
      raw.writeHead(200, {
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      raw.socket?.setNoDelay(true);
      if (replay === 'too_old') raw.write(StreamHub.lostText('too_old'));
      const records =
        replay === undefined || replay === 'too_old'
          ? undefined
          : { records: recordsBetween(log, replay.from, replay.to), drained: () => drained(raw) };
      const handle = hub.attach(raw, { site, device, kinds, sites }, records);
      const stopWatching = whileAllowed(request, context, () => raw.end());
      raw.on('close', () => {
        stopWatching();
        handle.close();
      });
      raw.on('error', () => handle.close());
    },
  );
}

/** Undefined: nothing was missed. */
async function planReplay(
  log: Pick<Log, 'bounds'>,
  hub: StreamHub,
  lastId: string,
): Promise<{ from: number[]; to: number[] } | 'too_old' | undefined> {
  const from = hub.positionsOf(lastId);
  if (from === undefined) return 'too_old';
  const firsts = await Promise.all(from.map((_, p) => log.bounds('readings', p)));
  // Read after the last await: attach() follows in the same turn, so nothing falls in between.
  const to = hub.positions;
  let missed = 0;
  for (const [p, next] of to.entries()) {
    const asked = from[p] ?? 0;
    if (asked > next || asked < (firsts[p]?.first ?? 0)) return 'too_old';
    missed += next - asked;
  }
  if (missed > REPLAY_RECORDS_MAX) return 'too_old';
  return missed === 0 ? undefined : { from, to };
}

async function* recordsBetween(
  log: Pick<Log, 'read'>,
  from: readonly number[],
  to: readonly number[],
): AsyncGenerator<LiveRecord> {
  for (const [partition, end] of to.entries()) {
    let next = from[partition] ?? end;
    while (next < end) {
      const records = await log.read('readings', partition, next, REPLAY_READ);
      if (records.length === 0) break;
      for (const record of records) {
        next = record.offset + 1;
        const opened = record.offset < end ? openReadings(record) : undefined;
        if (opened) yield opened;
      }
    }
  }
}

/** Also resolves after a while, or when the caller is gone: the hub's own bound takes over then. */
async function drained(raw: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, DRAIN_TIMEOUT_MS);
    function done(): void {
      clearTimeout(timer);
      raw.off('drain', done);
      raw.off('close', done);
      resolve();
    }
    raw.on('drain', done);
    raw.on('close', done);
  });
}
