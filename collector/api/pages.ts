/** The pages: files of collector/web and uPlot from its package. No build step, no other host. */

import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

const WEB = join(import.meta.dirname, '../web');

/** Path → file of the package uplot and its media type. */
const VENDOR = [
  ['/vendor/uplot.js', 'uPlot.iife.min.js', 'text/javascript; charset=utf-8'],
  ['/vendor/uplot.css', 'uPlot.min.css', 'text/css; charset=utf-8'],
] as const;

export async function pageRoutes(app: FastifyInstance): Promise<void> {
  // One route a file that is there now: no path of a request ever reaches the file system.
  await app.register(fastifyStatic, {
    root: WEB,
    wildcard: false,
    index: ['index.html'],
    dotfiles: 'ignore',
    cacheControl: false,
    setHeaders: (response) => response.header('cache-control', 'no-cache'),
  });
  const dist = dirname(fileURLToPath(import.meta.resolve('uplot/dist/uPlot.iife.min.js')));
  for (const [path, file, type] of VENDOR) {
    const content = await readFile(join(dist, file));
    app.get(path, async (_request, reply) =>
      reply.type(type).header('cache-control', 'public, max-age=3600').send(content),
    );
  }
}
