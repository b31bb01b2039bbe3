/** The HTTP server of a process: it listens before anything else is touched. */

import { hostname } from 'node:os';
import type { FastifyInstance } from 'fastify';
import type { ApiContext } from '../api/context.ts';
import { createApi, hostnameOf, isAllowedHost } from '../api/server.ts';
import type { CollectorConfig } from '../config.ts';
import type { ServedTlsConfig } from '../config_served.ts';
import { CollectorError } from '../errors.ts';
import { keyFingerprint } from '../secure_fetch.ts';
import type { ServerIdentity } from '../trust/server_identity.ts';
import type { Logger } from '../types.ts';
import { TlsServers } from './https.ts';
import { identityFiles } from './identity_files.ts';

export interface RunningHttp {
  readonly port: number;
  /** Of the certificate that is shown now: see keyFingerprint. Empty without TLS. */
  keys(): readonly string[];
  close(): Promise<void>;
}

/**
 * Rejects with COLLECTOR_PORT_TAKEN or COLLECTOR_CANNOT_LISTEN. `issued`: what the authority issues for this
 * process, needed for TLS without files of one's own.
 */
export async function startHttp(
  { http, mqtt, components }: CollectorConfig,
  context: ApiContext,
  logger: Logger,
  issued?: ServerIdentity,
): Promise<RunningHttp> {
  const names = http.tls === undefined ? [] : [hostname(), ...(mqtt.tls?.names ?? [])];
  const known = [http.host, http.advertisedHost].filter((host) => host !== undefined);
  const allowedHosts = [...known, ...http.allowedHosts, ...names];
  const where = `${http.host}:${http.port} (http.port)`;
  const tls = servedTls(http.tls, { where, allowedHosts, issued, logger });
  const api = await createApi(context, {
    allowedHosts,
    trustedProxies: http.trustedProxies,
    serves: components.has('serve'),
    ...(tls && { createServer: (...asked) => tls.servers.create(...asked) }),
    ...(http.tls?.hstsSeconds !== undefined && { hstsSeconds: http.tls.hstsSeconds }),
    onDefect: (error, path) => {
      const stack = error instanceof Error ? error.stack : undefined;
      logger.error({ code: 'API_INTERNAL', path, stack }, String(error));
    },
  });
  const close = async (): Promise<void> => {
    tls?.close();
    await api.close();
  };
  try {
    await api.listen({ host: http.host, port: http.port });
  } catch (error) {
    await close();
    throw listenError(error, where);
  }
  return {
    get port() {
      return portOf(api, http.port);
    },
    keys: () => (tls === undefined ? [] : [keyFingerprint(tls.identity.current.certPem)]),
    close,
  };
}

function portOf({ server }: FastifyInstance, configured: number): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : configured;
}

export interface ServedTls {
  servers: TlsServers;
  identity: ServerIdentity;
  close(): void;
}

/** Undefined without TLS. Throws COLLECTOR_CANNOT_LISTEN. */
export function servedTls(
  tls: ServedTlsConfig | undefined,
  options: {
    /** For errors. */
    where: string;
    allowedHosts: readonly string[];
    issued: ServerIdentity | undefined;
    logger: Logger;
  },
): ServedTls | undefined {
  if (tls === undefined) return undefined;
  const { where, allowedHosts, issued, logger } = options;
  let files: ReturnType<typeof identityFiles> | undefined;
  try {
    files = tls.files && identityFiles(tls.files, logger);
  } catch (error) {
    throw listenError(error, where);
  }
  const identity = files?.identity ?? issued;
  if (identity === undefined)
    throw new CollectorError('COLLECTOR_CANNOT_LISTEN', `${where}: no certificate to show`);
  const isKnownHost = (host: string): boolean => isAllowedHost(hostnameOf(host), allowedHosts);
  const servers = new TlsServers({ identity, isKnownHost, logger });
  return {
    servers,
    identity,
    close: () => {
      servers.close();
      files?.close();
    },
  };
}

/** COLLECTOR_PORT_TAKEN or COLLECTOR_CANNOT_LISTEN. */
export function listenError(error: unknown, where: string): CollectorError {
  const { code, message } = error as { code?: string; message?: string };
  const kind = code === 'EADDRINUSE' ? 'COLLECTOR_PORT_TAKEN' : 'COLLECTOR_CANNOT_LISTEN';
  const detail = code === 'EADDRINUSE' ? where : `${where}: ${message}`;
  return new CollectorError(kind, detail, { cause: error });
}
