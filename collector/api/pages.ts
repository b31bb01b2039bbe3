/** The pages: what `npm run build:web` made of collector/web, with their compressed forms. No other host. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

const DIST = join(import.meta.dirname, '../web/dist');
const NOT_BUILT =
  'FMS: the pages are not built. Run `npm run build:web`, then start the collector again. The API is at /api/v1/openapi.json.\n';

/** Answers a GET that no route takes: the page that the address names is found by the program in the browser. */
export type PageFallback = (
  request: FastifyRequest,
  reply: FastifyReply,
) => FastifyReply | undefined;

/** Undefined is answered by the fallback for what is no page: the API, files that are not there. */
export async function pageRoutes(app: FastifyInstance): Promise<PageFallback> {
  if (!existsSync(join(DIST, 'index.html'))) {
    app.get('/', { config: { access: { role: 'public' } } }, async (_request, reply) =>
      reply.code(503).type('text/plain; charset=utf-8').send(NOT_BUILT),
    );
    return () => undefined;
  }
  const index = await readFile(join(DIST, 'index.html'));
  // One route a file that is there now: no path of a request ever reaches the file system.
  await app.register(fastifyStatic, {
    root: DIST,
    wildcard: false,
    index: ['index.html'],
    dotfiles: 'ignore',
    preCompressed: true,
    cacheControl: false,
    setHeaders: (response, path) => response.header('cache-control', cachingOf(path)),
  });
  return (request, reply) => {
    const path = request.url.split('?')[0] ?? '/';
    const isPage = request.method === 'GET' && !/^\/(api|assets|metrics)\b/.test(path);
    if (!isPage || !(request.headers.accept ?? '').includes('text/html')) return undefined;
    return reply.header('cache-control', 'no-cache').type('text/html; charset=utf-8').send(index);
  };
}

/** Files under assets/ carry a hash of their content in their names. */
function cachingOf(path: string): string {
  return path.startsWith(join(DIST, 'assets')) ? 'public, max-age=31536000, immutable' : 'no-cache';
}
