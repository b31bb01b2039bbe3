/** The HTTP server of a process: it listens before anything else is touched. */

import type { FastifyInstance } from 'fastify';
import type { ApiContext } from '../api/context.ts';
import { createApi } from '../api/server.ts';
import type { CollectorConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import type { Logger } from '../types.ts';

/** Rejects with COLLECTOR_PORT_TAKEN or COLLECTOR_CANNOT_LISTEN. */
export async function startHttp(
  { http, components }: CollectorConfig,
  context: ApiContext,
  logger: Logger,
): Promise<FastifyInstance> {
  const api = await createApi(context, {
    allowedHosts: [http.host, ...http.allowedHosts],
    trustedProxies: http.trustedProxies,
    serves: components.has('serve'),
    onDefect: (error, path) => {
      const stack = error instanceof Error ? error.stack : undefined;
      logger.error({ code: 'API_INTERNAL', path, stack }, String(error));
    },
  });
  try {
    await api.listen({ host: http.host, port: http.port });
  } catch (error) {
    await api.close();
    throw listenError(error, `${http.host}:${http.port} (http.port)`);
  }
  return api;
}

/** COLLECTOR_PORT_TAKEN or COLLECTOR_CANNOT_LISTEN. */
export function listenError(error: unknown, where: string): CollectorError {
  const { code, message } = error as { code?: string; message?: string };
  const kind = code === 'EADDRINUSE' ? 'COLLECTOR_PORT_TAKEN' : 'COLLECTOR_CANNOT_LISTEN';
  const detail = code === 'EADDRINUSE' ? where : `${where}: ${message}`;
  return new CollectorError(kind, detail, { cause: error });
}
