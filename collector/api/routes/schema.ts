/** The protobuf schemas of what gateways send and of what the topics in Kafka hold, for other programs. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { query } from '../schemas.ts';

const FOLDER = join(import.meta.dirname, '../../../proto');

export function schemaRoutes(app: FastifyInstance): void {
  for (const [file, summary] of [
    ['fms.proto', 'Protobuf schema of what gateways send'],
    ['records.proto', 'Protobuf schema of what the topics of the log hold'],
  ] as const) {
    const text = readFileSync(join(FOLDER, file), 'utf8');
    app.get(
      `/api/v1/schema/${file}`,
      {
        config: { access: { role: 'viewer' }, tagged: true },
        schema: {
          summary,
          produces: 'text/plain',
          querystring: query({}),
          response: { 200: { type: 'string' } },
        },
      },
      async (_request, reply) => reply.type('text/plain; charset=utf-8').send(text),
    );
  }
}
