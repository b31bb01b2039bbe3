/** POST /api/v1/backup: fixes log and store, and keeps them fixed while `fms-collector backup` copies. */

import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { CopiedPart } from '../../backup/backups.ts';
import type { ApiContext } from '../context.ts';
import { object, query } from '../schemas.ts';

const ID = { type: 'string', pattern: '^[0-9a-f-]{36}$' } as const;

export function backupRoutes(app: FastifyInstance, context: Pick<ApiContext, 'backups'>): void {
  app.post(
    '/api/v1/backup',
    {
      config: { access: { role: 'admin', everywhere: true, audit: 'backup.make' } },
      schema: {
        summary: 'Begins a backup; used by `fms-collector backup` on this machine',
        description:
          'JSON lines: `snapshot` {id, files, bytes, info}; a `file` {source, path, bytes} each; then `held` {beside_bytes} once a second for as long as the caller listens: meanwhile the files stay what they are. `aborted` {message}: they do not any more.',
        produces: 'application/x-ndjson',
        querystring: query({}),
        body: object({}),
        response: { 200: { type: 'string' } },
      },
    },
    async (request, reply) => {
      const { messages, end } = await context.backups.begin();
      const lines = Readable.from(toLines(messages), { objectMode: false });
      // Also when the caller went before the first line was read.
      reply.raw.once('close', () => void end());
      if (request.socket.destroyed) await end();
      return reply.type('application/x-ndjson; charset=utf-8').send(lines);
    },
  );
  app.post<{ Params: { id: string }; Body: { part: CopiedPart } }>(
    '/api/v1/backup/:id/copied',
    {
      config: { access: { role: 'admin', everywhere: true } },
      schema: {
        summary: 'A part of the backup has been copied and may change again',
        params: object({ id: ID }),
        querystring: query({}),
        body: object({ part: { enum: ['log', 'all'] } }),
        response: { 200: object({}) },
      },
    },
    async (request) => {
      context.backups.copied(request.params.id, request.body.part);
      return {};
    },
  );
}

async function* toLines(messages: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const message of messages) yield `${JSON.stringify(message)}\n`;
}
