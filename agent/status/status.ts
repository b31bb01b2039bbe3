/** The agent's status for this machine: health, metrics and a page of JSON over HTTP. */

import type { Server } from 'node:http';
import { AgentError } from '../errors.ts';
import { renderMetrics } from './metrics.ts';
import type { AgentSnapshot } from './snapshot.ts';

export interface StatusServer {
  readonly port: number;
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 32;
const REQUEST_TIMEOUT_MS = 5_000;

/** Rejects with AGENT_PORT_TAKEN when the address is in use or not allowed. */
export async function startStatus(options: {
  host: string;
  port: number;
  snapshot: () => AgentSnapshot;
}): Promise<StatusServer> {
  // Imported as a module it would load all that node:http exports, 17 MB of it never used.
  const { createServer } = process.getBuiltinModule('node:http');
  const server = createServer(
    { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS },
    (request, response) => {
      const answer = answerTo(request.method, request.url ?? '/', options.snapshot);
      response.writeHead(answer.status, {
        'content-type': answer.type,
        'cache-control': 'no-store',
        'content-length': Buffer.byteLength(answer.body),
      });
      response.end(request.method === 'HEAD' ? undefined : answer.body);
    },
  );
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, options);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function listen(server: Server, address: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const detail = `${address.host}:${address.port}: ${cause.message}`;
      reject(new AgentError('AGENT_PORT_TAKEN', detail, { cause }));
    });
    server.listen(address.port, address.host, resolve);
  });
}

interface Answer {
  status: number;
  type: string;
  body: string;
}

const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

function answerTo(method: string | undefined, url: string, snapshot: () => AgentSnapshot): Answer {
  if (method !== 'GET' && method !== 'HEAD') {
    return { status: 405, type: TEXT, body: 'only GET and HEAD\n' };
  }
  switch (url.split('?', 1)[0]) {
    case '/':
    case '/status':
      return { status: 200, type: JSON_TYPE, body: `${JSON.stringify(toJson(snapshot()))}\n` };
    case '/metrics': {
      const type = 'text/plain; version=0.0.4; charset=utf-8';
      return { status: 200, type, body: renderMetrics(snapshot()) };
    }
    case '/healthz':
      return { status: 200, type: TEXT, body: 'ok\n' };
    case '/readyz': {
      const { diskRefuses, buffer } = snapshot();
      return diskRefuses
        ? { status: 503, type: TEXT, body: `the disk refuses: ${buffer.lastError}\n` }
        : { status: 200, type: TEXT, body: 'ok\n' };
    }
    default:
      return { status: 404, type: TEXT, body: '/status /metrics /healthz /readyz\n' };
  }
}

/** What /status answers. */
export type StatusJson = ReturnType<typeof toJson>;

function toJson(snapshot: AgentSnapshot) {
  const { buffer, forwarder, clock, clocks, epoch, identity } = snapshot;
  const { lastError } = forwarder ?? {};
  return {
    version: snapshot.version,
    site: snapshot.site,
    gateway: snapshot.gateway,
    install_id: snapshot.installId,
    pid: snapshot.pid,
    now_ms: snapshot.nowMs,
    started_ms: snapshot.startedMs,
    epoch: epoch?.epoch ?? null,
    last_seq: epoch?.lastSeq ?? 0,
    rss_bytes: snapshot.process.rssBytes,
    cpu_seconds: snapshot.process.cpuSeconds,
    collector: {
      url: snapshot.collectorUrl,
      online: forwarder?.connection === 'online',
      connection: forwarder?.connection ?? 'connecting',
      online_since_ms: forwarder?.onlineSinceMs ?? null,
      next_attempt_ms: forwarder?.nextAttemptMs ?? null,
      last_acknowledgement_ms: forwarder?.lastAckMs ?? null,
      last_error: errorJson(lastError),
      in_flight_batches: forwarder?.inFlightBatches ?? 0,
      in_flight_readings: forwarder?.inFlightReadings ?? 0,
      acknowledged_readings_total: forwarder?.ackedReadingsTotal ?? 0,
      acknowledged_batches_total: forwarder?.ackedBatchesTotal ?? 0,
      resent_batches_total: forwarder?.resentBatchesTotal ?? 0,
      waits_for: forwarder?.waitsFor ?? 'connection',
      held_ms: forwarder?.heldMs ?? 0,
    },
    buffer: {
      readings: buffer.readings,
      chunks: buffer.chunks,
      bytes: buffer.bytes,
      max_bytes: buffer.maxBytes,
      oldest_ms: buffer.oldestMs ?? null,
      seconds_until_eviction: buffer.secondsUntilEviction,
      appended_readings_total: buffer.appendedReadingsTotal,
      evicted_readings_total: buffer.evictedReadingsTotal,
      gaps_pending: snapshot.gapsPending,
      write_errors_total: buffer.writeErrorsTotal,
      disk_refuses: snapshot.diskRefuses,
      last_error: buffer.lastError,
      encrypted: buffer.encryption?.on === true,
      key: buffer.encryption?.key || null,
      older_keys: buffer.encryption?.olderKeys ?? [],
      older_chunks: buffer.encryption?.oldChunks ?? 0,
    },
    clock: {
      unsynced: clock.unsynced,
      last_step_ms: clock.lastStepMs,
      steps_total: clock.stepsTotal,
      ahead_of_collector_ms: clocks.aheadMs ?? null,
      timed_by: clocks.isOverruled ? ('collector' as const) : ('machine' as const),
      time_service: clocks.isKept,
    },
    certificate:
      identity?.certificate === undefined
        ? null
        : {
            fingerprint: identity.certificate.fingerprint,
            not_before_ms: identity.certificate.notBeforeMs,
            not_after_ms: identity.certificate.notAfterMs,
            renewal_due_ms: roundOrNull(identity.renewalDueMs),
            renewals_total: identity.renewalsTotal,
          },
    certificate_error: errorJson(identity?.lastError),
    readers: snapshot.readers.map(({ state, stats }) => ({
      device: state.device,
      reader: state.reader,
      status: state.status,
      last_good_ms: state.lastGoodMs,
      errors_total: state.errorsTotal,
      last_error: state.lastError,
      values_total: stats.valuesTotal,
    })),
  };
}

function errorJson(error: AgentError | undefined) {
  return error === undefined
    ? null
    : { code: error.code, message: error.message, hint: error.hint };
}

function roundOrNull(value: number | undefined): number | null {
  return value === undefined ? null : Math.round(value);
}
