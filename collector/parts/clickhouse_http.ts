/** The ClickHouse interface of a process, where the configuration asks for it. */

import type { ApiContext } from '../api/context.ts';
import { Callers } from '../clickhouse_http/callers.ts';
import { ClickHouseHttp } from '../clickhouse_http/server.ts';
import type { CollectorConfig } from '../config.ts';
import type { ServerIdentity } from '../trust/server_identity.ts';
import type { Logger } from '../types.ts';
import { listenError, servedTls } from './http.ts';

/** Rejects with COLLECTOR_PORT_TAKEN or COLLECTOR_CANNOT_LISTEN. `issued`: see startHttp. */
export async function startClickHouseHttp(
  { clickhouseHttp, components }: CollectorConfig,
  { people, access, auditLog, clock }: ApiContext,
  logger: Logger,
  issued?: ServerIdentity,
): Promise<Pick<ClickHouseHttp, 'port' | 'close'> | undefined> {
  if (clickhouseHttp === undefined || !components.has('serve')) return undefined;
  const { host, port } = clickhouseHttp;
  const where = `${host}:${port} (clickhouse_http.port)`;
  const tls = servedTls(clickhouseHttp.tls, { where, allowedHosts: [], issued, logger });
  const server = new ClickHouseHttp({
    people,
    callers: new Callers({ access, audit: auditLog, clock }),
    ...(tls && { createServer: (...asked) => tls.servers.create(...asked) }),
    onDefect: (error, path) => {
      const stack = error instanceof Error ? error.stack : undefined;
      logger.error({ code: 'API_INTERNAL', path, stack }, String(error));
    },
  });
  try {
    await server.listen(host, port);
  } catch (error) {
    tls?.close();
    throw listenError(error, where);
  }
  logger.info({ host, port: server.port }, 'the ClickHouse interface is open');
  return {
    get port() {
      return server.port;
    },
    close: async () => {
      tls?.close();
      await server.close();
    },
  };
}
