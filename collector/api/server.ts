/** The HTTP server: routes, one form for errors, security headers, bounds. Who may what: guard.ts. */

import type { RequestListener, Server, ServerOptions } from 'node:http';
import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, RouteOptions } from 'fastify';
import { fastify } from 'fastify';
import { CollectorError } from '../errors.ts';
import { retryAfterOf, toAnswer } from './api_error.ts';
import type { ApiContext } from './context.ts';
import { tagAnswers } from './etags.ts';
import { guardRoutes } from './guard.ts';
import { openApiDocument } from './openapi.ts';
import type { PageFallback } from './pages.ts';
import { pageRoutes } from './pages.ts';
import type { RateLimits } from './rate_limits.ts';
import { alertRoutes } from './routes/alerts.ts';
import { anomalyRoutes } from './routes/anomalies.ts';
import { auditRoutes } from './routes/audit.ts';
import { backupRoutes } from './routes/backup.ts';
import { deviceStateRoutes } from './routes/device_states.ts';
import { deviceRoutes } from './routes/devices.ts';
import { enrolmentRoutes } from './routes/enrolment.ts';
import { enrolmentRequestRoutes } from './routes/enrolment_requests.ts';
import { eventRoutes } from './routes/events.ts';
import { gatewayRoute } from './routes/gateway.ts';
import { gatewayRoutes } from './routes/gateways.ts';
import { healthRoutes } from './routes/health.ts';
import { jobRoutes } from './routes/jobs.ts';
import { ledgerRoutes } from './routes/ledger.ts';
import { ledgerDeepRoutes } from './routes/ledger_deep.ts';
import { overviewRoutes } from './routes/overview.ts';
import { wallRoutes } from './routes/overview_wall.ts';
import { profileFileRoutes } from './routes/profile_files.ts';
import { profileRoutes } from './routes/profiles.ts';
import { qualityRoutes } from './routes/quality.ts';
import { quarantineRoutes } from './routes/quarantine.ts';
import { quarantineSummaryRoutes } from './routes/quarantine_summary.ts';
import { queryRoutes } from './routes/query.ts';
import { readingRoutes } from './routes/readings.ts';
import { reportRoutes } from './routes/reports.ts';
import { schemaRoutes } from './routes/schema.ts';
import { sessionRoutes } from './routes/session.ts';
import { silenceChangeRoutes } from './routes/silence_change.ts';
import { silenceRoutes } from './routes/silences.ts';
import { statisticsRoutes } from './routes/statistics.ts';
import { streamRoutes } from './routes/stream.ts';
import { tokenRoutes } from './routes/tokens.ts';
import { userRoutes } from './routes/users.ts';
import { query } from './schemas.ts';
import { lazyValidators } from './validators.ts';

export interface ApiServerOptions {
  /** Names that a Host header may carry beside IP addresses and localhost. */
  allowedHosts: readonly string[];
  /** Addresses and networks of proxies whose X-Forwarded-For and -Proto count. */
  trustedProxies?: readonly string[];
  /** For tests; left out: RATE_LIMITS. */
  rateLimits?: RateLimits;
  /** False: no pages and no API, only /healthz, /readyz and /metrics. */
  serves?: boolean;
  /** In place of node:http's, for TLS. Called once for each address that is listened at. */
  createServer?: (options: ServerOptions, handler: RequestListener) => Server;
  /** Browsers are told for so long to come by https only; left out: never. */
  hstsSeconds?: number;
  /** Defects of the API are told here, once each. */
  onDefect: (error: unknown, path: string) => void;
}

const CONNECTIONS_MAX = 1_000;
const REQUEST_TIMEOUT_MS = 15_000;
const KEEP_ALIVE_MS = 20_000;

const HEADERS: Record<string, string> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

/** Not listening yet. */
export async function createApi(
  context: ApiContext,
  options: ApiServerOptions,
): Promise<FastifyInstance> {
  const { trustedProxies = [], createServer, hstsSeconds } = options;
  const app = fastify<Server>({
    logger: false,
    trustProxy: trustedProxies.length === 0 ? false : [...trustedProxies],
    bodyLimit: 16 * 1024,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    ...(createServer && {
      serverFactory: (handler: RequestListener) =>
        createServer(
          { requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_MS },
          handler,
        ),
    }),
    // Streams stay open for ever: close() must not wait for them.
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 256 },
    // Addresses that cannot be decoded never reach a route.
    frameworkErrors: (error, _request, reply) => {
      const { status, body } = toAnswer(error);
      void sendError(reply.headers(HEADERS) as unknown as FastifyReply, status, body);
    },
    clientErrorHandler: (_error, socket) => {
      const { body } = toAnswer(new CollectorError('API_PARAMETER_INVALID', 'not HTTP'));
      const text = JSON.stringify(body);
      if (!socket.writable) socket.destroy();
      else
        socket.end(
          `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\nconnection: close\r\n\r\n${text}`,
        );
    },
  });
  app.server.maxConnections = CONNECTIONS_MAX;
  // The response schemas describe; that they are true is for the tests. Serialising by them would
  // drop what they forget.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.setValidatorCompiler(lazyValidators());

  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(HEADERS);
    if (hstsSeconds !== undefined)
      reply.header('strict-transport-security', `max-age=${hstsSeconds}`);
    if (request.url.startsWith('/api/')) reply.header('cache-control', 'no-store');
    // Not request.hostname: a proxy that is trusted for X-Forwarded-For may pass on any X-Forwarded-Host.
    const hostname = hostnameOf(request.headers.host ?? '');
    if (!isAllowedHost(hostname, options.allowedHosts))
      throw new CollectorError('API_HOST_REFUSED', `not known here as ${hostname}`);
  });
  tagAnswers(app);
  app.setErrorHandler((error, request, reply) => {
    const { status, body, unexpected } = toAnswer(error);
    if (unexpected) options.onDefect(error, request.url);
    return sendError(reply, status, body, error);
  });
  let asPage: PageFallback = () => undefined;
  app.setNotFoundHandler((request, reply) => {
    const page = asPage(request, reply);
    if (page !== undefined) return page;
    const detail = `no ${request.method} ${request.url.split('?')[0]}`;
    const { status, body } = toAnswer(new CollectorError('API_NOT_FOUND', detail));
    return sendError(reply, status, body);
  });

  await guardRoutes(app, context, options.rateLimits);
  healthRoutes(app, context);
  if (options.serves === false) return app;
  sessionRoutes(app, context);
  userRoutes(app, context);
  tokenRoutes(app, context);
  enrolmentRoutes(app, context);
  enrolmentRequestRoutes(app, context);
  overviewRoutes(app, context);
  wallRoutes(app, context);
  gatewayRoutes(app, context);
  gatewayRoute(app, context);
  deviceRoutes(app, context);
  deviceStateRoutes(app, context);
  readingRoutes(app, context);
  qualityRoutes(app, context);
  quarantineRoutes(app, context);
  quarantineSummaryRoutes(app, context);
  eventRoutes(app, context);
  alertRoutes(app, context);
  silenceRoutes(app, context);
  silenceChangeRoutes(app, context);
  anomalyRoutes(app, context);
  profileRoutes(app, context);
  profileFileRoutes(app, context);
  ledgerRoutes(app, context);
  ledgerDeepRoutes(app, context);
  streamRoutes(app, context);
  jobRoutes(app, context);
  statisticsRoutes(app, context);
  reportRoutes(app, context);
  backupRoutes(app, context);
  auditRoutes(app, context);
  queryRoutes(app, context);
  schemaRoutes(app);
  app.get(
    '/api/v1/openapi.json',
    {
      config: { access: { role: 'viewer' }, tagged: true },
      schema: {
        summary: 'This document',
        querystring: query({}),
        response: { 200: { type: 'object' } },
      },
    },
    async () => openApiDocument(routes, context.version),
  );
  asPage = await pageRoutes(app);
  return app;
}

function sendError(
  reply: FastifyReply,
  status: number,
  body: object,
  error?: unknown,
): FastifyReply {
  const retryAfterS = retryAfterOf(error, status);
  if (retryAfterS !== undefined) reply.header('retry-after', String(retryAfterS));
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="fms"');
  return reply.code(status).type('application/json; charset=utf-8').send(body);
}

/** Of a Host header, without the port. */
export function hostnameOf(host: string): string {
  return /^(\[[^\]]*\]|[^:]*)(:\d*)?$/.exec(host)?.[1] ?? host;
}

/**
 * Names are refused unless configured: a page elsewhere could otherwise point a name of its own at this
 * address and read what only this machine may see (DNS rebinding).
 */
export function isAllowedHost(hostname: string, allowed: readonly string[]): boolean {
  const name = hostname.toLowerCase().replace(/^\[(.*)\]$/, '$1');
  // Without a Host (HTTP/1.0) it is no browser that asks.
  if (name === '' || isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost'))
    return true;
  return allowed.some((host) => host.toLowerCase() === name);
}
