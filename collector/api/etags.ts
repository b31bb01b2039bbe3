/**
 * ETags for what pages ask again and again: an answer that is what the caller has already is not sent a second time.
 * The tag is of the answer's text, so it is made anew for each caller and costs the query: it saves the line, and
 * the browser's work.
 */

import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers have an ETag. */
    tagged?: boolean;
  }
}

export function tagAnswers(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (request.routeOptions.config.tagged !== true || reply.statusCode !== 200) return payload;
    if (typeof payload !== 'string') return payload;
    const tag = `"${createHash('sha256').update(payload).digest('base64url').slice(0, 27)}"`;
    reply
      .header('etag', tag)
      // Kept by the browser of this caller alone, and asked for each time: who may see it can change.
      .header('cache-control', 'private, no-cache')
      .header('vary', 'cookie, authorization');
    if (!isKnown(request.headers['if-none-match'], tag)) return payload;
    reply.code(304).removeHeader('content-length');
    return '';
  });
}

/** Weak comparison, as RFC 9110 has it for If-None-Match. */
function isKnown(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((one) => one.trim().replace(/^W\//, '') === tag);
}
