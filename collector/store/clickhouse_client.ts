/** Connections to a ClickHouse server: HTTP or HTTPS, by password or by certificate. */

import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { ClickHouseClient, ClickHouseSettings } from '@clickhouse/client';
import type { ClickHouseConfig } from '../config.ts';

/** Shorter than the server keeps an idle connection (3 s in old versions). */
const IDLE_MS = 2_000;

export interface ClientOptions {
  /** Undefined: none is chosen. */
  database: string | undefined;
  /** Requests at a time; others wait. */
  connections: number;
  /** A request that is not answered for so long has failed: above what its statements may take. */
  silenceMs: number;
  /** Sent with each statement. */
  settings: ClickHouseSettings;
}

/** An error that comes late must not be taken for success: the answer comes when the statement has ended. */
export const WHOLE_ANSWER: ClickHouseSettings = { wait_end_of_query: 1 };

export async function clientOf(
  config: ClickHouseConfig,
  { database, connections, silenceMs, settings }: ClientOptions,
): Promise<ClickHouseClient> {
  // Loaded here and not at import: who uses the embedded store, or only checks a file, does not need it.
  const { ClickHouseLogLevel, createClient } = await import('@clickhouse/client');
  const url = new URL(config.url);
  const { pathname } = url;
  url.pathname = '';
  // Against a server that asks for it, the client's own way takes a certificate for the user's identity.
  const byCertificate = config.tls?.cert !== undefined && config.password === '';
  return createClient({
    url: url.href,
    ...(pathname === '/' || pathname === '' ? {} : { pathname }),
    username: config.username,
    password: config.password,
    ...(database === undefined ? {} : { database }),
    application: 'fms-collector',
    http_agent: agentOf(config, connections),
    ...(byCertificate && {
      set_basic_auth_header: false,
      http_headers: {
        'X-ClickHouse-User': config.username,
        'X-ClickHouse-SSL-Certificate-Auth': 'on',
      },
    }),
    request_timeout: silenceMs,
    keep_alive: { enabled: true, idle_socket_ttl: IDLE_MS, eagerly_destroy_stale_sockets: true },
    // Long lists of parameters go into the body: proxies take URLs of some kilobytes.
    use_multipart_params_auto: true,
    clickhouse_settings: { ...WHOLE_ANSWER, ...settings },
    // Errors are told by who gets them.
    log: { level: ClickHouseLogLevel.OFF },
  });
}

function agentOf({ url, tls }: ClickHouseConfig, maxSockets: number): HttpAgent | HttpsAgent {
  const options = { keepAlive: true, keepAliveMsecs: 10_000, maxSockets };
  if (!url.startsWith('https:')) return new HttpAgent(options);
  return new HttpsAgent({
    ...options,
    ...(tls?.ca !== undefined && { ca: tls.ca }),
    ...(tls?.cert !== undefined && { cert: tls.cert }),
    ...(tls?.key !== undefined && { key: tls.key }),
  });
}
