/** /api/v1/profiles/files: the files of device profiles, to be looked at, checked and changed. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CHANGES_MAX, MOVES_MAX, NAMED_MAX } from '../../profiles/editing/effect.ts';
import type { Applied, ProfileFile } from '../../profiles/editing/profile_files.ts';
import {
  FILE_NAME,
  ProfilesRefused,
  TEXT_BYTES_MAX,
} from '../../profiles/editing/profile_files.ts';
import { VERSION_ID, VERSIONS_MAX } from '../../profiles/editing/versions.ts';
import type { FileChange } from '../../profiles/load.ts';
import type { RouteAccess } from '../access.ts';
import { toAnswer } from '../api_error.ts';
import { recordDeed } from '../audited.ts';
import type { ApiContext } from '../context.ts';
import { abortedWith } from '../queries.ts';
import type { JsonSchema } from '../schemas.ts';
import { COUNT, nullable, object, query, TIME_MS } from '../schemas.ts';

/** As JSON a text is longer, at worst by its line breaks and quotes. */
const PUT_BYTES_MAX = 2 * TEXT_BYTES_MAX + 4_096;
const CHECK_BYTES_MAX = 4 * TEXT_BYTES_MAX;
const CHECKED_FILES_MAX = 50;

const ACCESS: RouteAccess = { role: 'admin', everywhere: true };

const TEXT = { type: 'string' } as const;
const FILE = { type: 'string', pattern: FILE_NAME, examples: ['press.yaml'] } as const;
const ETAG = { type: 'string', pattern: '^[0-9a-f]{32}$', examples: ['0'.repeat(32)] } as const;
const ID = {
  type: 'string',
  pattern: VERSION_ID.source,
  examples: [`${'1'.repeat(13)}-${'0'.repeat(16)}`],
};
const ANY = { description: 'As the file has it; null: it is not there.' } as const;

const MISTAKE = object({
  file: { ...TEXT, description: 'Empty: all together.' },
  line: { type: 'integer', minimum: 1 },
  column: { type: 'integer', minimum: 1, description: 'In UTF-16 units.' },
  message: TEXT,
});
const MISTAKES = { type: 'array', items: MISTAKE } as const;

const EFFECT: JsonSchema = {
  ...object({
    version_before: { ...TEXT, description: 'What holds now.' },
    version_after: { ...TEXT, description: 'The same: nothing would change.' },
    changes: {
      type: 'array',
      items: object({
        profile: { ...TEXT, description: 'Empty: the assignments of devices.yaml.' },
        deed: { enum: ['added', 'removed', 'changed'] },
        path: { type: 'array', items: TEXT, description: 'Keys as in the file; []: the whole.' },
        before: ANY,
        after: ANY,
      }),
      description: `At most ${CHANGES_MAX}.`,
    },
    changes_left_out: COUNT,
    devices: object({
      known: { ...COUNT, description: 'Devices that have sent something.' },
      moved: { ...COUNT, description: 'Whose profile, area or line would be another.' },
      judged_anew: { ...COUNT, description: 'Whose profile stays, and is changed.' },
      items: {
        type: 'array',
        items: object({
          site: TEXT,
          device: TEXT,
          before: { ...TEXT, description: 'Profile; empty: none.' },
          after: TEXT,
          place_before: { ...TEXT, description: 'Area / line.' },
          place_after: TEXT,
        }),
        description: `At most ${MOVES_MAX} of those that move.`,
      },
      profiles: {
        type: 'array',
        items: object({
          profile: TEXT,
          before: COUNT,
          after: COUNT,
          named: {
            type: 'array',
            items: object({ site: TEXT, device: TEXT }),
            description: `At most ${NAMED_MAX} of those that have it now.`,
          },
        }),
        description: 'Known devices by profile; the empty one: without.',
      },
    }),
  }),
  type: ['object', 'null'],
  description: 'Null while there are mistakes.',
};

const APPLIED = object({
  name: FILE,
  etag: nullable({ ...TEXT, description: 'Null: the file is gone.' }),
  result: {
    enum: ['changed', 'unchanged', 'refused'],
    description: 'refused: other files have mistakes; what held before goes on.',
  },
  mistakes: { ...MISTAKES, description: 'Of other files, which were there before.' },
});

const NOT_ONE: JsonSchema = object({
  error: object({ code: TEXT, message: TEXT, hint: TEXT }),
  mistakes: MISTAKES,
});

export function profileFileRoutes(app: FastifyInstance, context: ApiContext): void {
  const { profileFiles } = context;
  listRoute(app, context);
  app.post<{ Body: { files: FileChange[] } }>(
    '/api/v1/profiles/check',
    {
      bodyLimit: CHECK_BYTES_MAX,
      config: { access: ACCESS },
      schema: {
        summary: 'Checks profile files before they are written, and says what they would change',
        description:
          'The files of the folder as if these were in it (text null: as if the file was gone). Nothing is changed.',
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['files'],
          properties: {
            files: {
              type: 'array',
              maxItems: CHECKED_FILES_MAX,
              items: object({ name: FILE, text: nullable(TEXT) }),
              examples: [[]],
            },
          },
        },
        response: { 200: object({ mistakes: MISTAKES, effect: EFFECT }) },
      },
    },
    async ({ body }, reply) => await profileFiles.check(body.files, abortedWith(reply)),
  );
  app.put<{ Params: { name: string }; Body: { text: string; etag?: string | null } }>(
    '/api/v1/profiles/files/:name',
    {
      bodyLimit: PUT_BYTES_MAX,
      config: { access: ACCESS },
      schema: {
        summary: 'Writes a profile file, and reads the folder again',
        description: `Of at most ${TEXT_BYTES_MAX} bytes. Answered when it is in the folder and, in general, in the log; it holds for readings that come after that. 409 when the file is another one than that of the etag; 422 with every mistake when it has any, and then nothing is written. What was there before is kept as a version.`,
        params: object({ name: FILE }),
        querystring: query({}),
        body: {
          type: 'object',
          additionalProperties: false,
          required: ['text'],
          properties: {
            text: TEXT,
            etag: nullable({
              ...ETAG,
              description: 'Of the text that was changed. Null or left out: the file is new.',
            }),
          },
        },
        response: { 200: APPLIED, 422: NOT_ONE },
      },
    },
    async (request, reply) => {
      const { text, etag = null } = request.body;
      return await apply(context, request, reply, { name: request.params.name, text }, etag);
    },
  );
  app.delete<{ Params: { name: string }; Querystring: { etag: string } }>(
    '/api/v1/profiles/files/:name',
    {
      config: { access: ACCESS },
      schema: {
        summary: 'Removes a profile file, and reads the folder again',
        description: 'As writing one. What it was stays as a version.',
        params: object({ name: FILE }),
        querystring: query({ etag: ETAG }, ['etag']),
        response: { 200: APPLIED, 422: NOT_ONE },
      },
    },
    async (request, reply) => {
      const { name } = request.params;
      return await apply(context, request, reply, { name, text: null }, request.query.etag);
    },
  );
  versionRoutes(app, context);
}

function listRoute(app: FastifyInstance, { profileFiles }: ApiContext): void {
  const item = object({
    name: TEXT,
    text: nullable({ ...TEXT, description: 'Null: too large to be changed here.' }),
    etag: { ...TEXT, description: 'To be sent with a change. Empty: too large.' },
    bytes: COUNT,
  });
  app.get(
    '/api/v1/profiles/files',
    {
      config: { access: ACCESS },
      schema: {
        summary: 'The files in profiles_dir as they are now',
        description:
          'Of the process that is asked: where several have component serve, each reads its own folder.',
        querystring: query({}),
        response: {
          200: object({
            items: { type: 'array', items: item },
            next: { type: 'null' },
            changeable: {
              type: 'boolean',
              description: 'False: there is no profiles_dir, and what is listed is built in.',
            },
            removed: {
              type: 'array',
              items: TEXT,
              description: 'Files that are gone and of which there are versions.',
            },
          }),
        },
      },
    },
    async () => {
      const { files, isChangeable, removed } = await profileFiles.list();
      return { items: files.map(fileItem), next: null, changeable: isChangeable, removed };
    },
  );
}

function versionRoutes(app: FastifyInstance, { profileFiles }: ApiContext): void {
  app.get<{ Params: { name: string } }>(
    '/api/v1/profiles/files/:name/versions',
    {
      config: { access: ACCESS },
      schema: {
        summary: 'What a profile file was before it was changed over the API, newest first',
        description: `The last ${VERSIONS_MAX}; also of a file that is gone. To go back, write the text of one.`,
        params: object({ name: FILE }),
        querystring: query({}),
        response: {
          200: object({
            items: {
              type: 'array',
              items: object({
                id: ID,
                replaced_ms: { ...TIME_MS, description: 'When another text took its place.' },
              }),
            },
            next: { type: 'null' },
          }),
        },
      },
    },
    async ({ params: { name } }) => {
      const versions = await profileFiles.versions(name);
      const items = versions.map(({ id, replacedMs }) => ({ id, replaced_ms: replacedMs }));
      return { items, next: null };
    },
  );
  app.get<{ Params: { name: string; id: string } }>(
    '/api/v1/profiles/files/:name/versions/:id',
    {
      config: { access: ACCESS },
      schema: {
        summary: 'The text of a version of a profile file',
        params: object({ name: FILE, id: ID }),
        querystring: query({}),
        response: { 200: object({ name: FILE, id: ID, text: TEXT }) },
      },
    },
    async ({ params: { name, id } }) => ({ name, id, text: await profileFiles.version(name, id) }),
  );
}

/** The audit entry says which text became which: the texts themselves are in the folder and its versions. */
async function apply(
  context: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  change: FileChange,
  etag: string | null,
): Promise<object> {
  const { name, text } = change;
  try {
    const applied = await context.profileFiles.change(change, etag, () =>
      recordDeed(request, context, {
        action: 'profile.change',
        target: name,
        detail: {
          deed: text === null ? 'removed' : etag === null ? 'added' : 'changed',
          etag_before: etag,
          bytes: text === null ? 0 : Buffer.byteLength(text),
        },
      }),
    );
    return appliedItem(name, applied);
  } catch (error) {
    if (!(error instanceof ProfilesRefused)) throw error;
    const { status, body } = toAnswer(error);
    return reply.code(status).send({ ...body, mistakes: error.mistakes });
  }
}

function fileItem({ name, text, etag, bytes }: ProfileFile): object {
  return { name, text: text ?? null, etag, bytes };
}

function appliedItem(name: string, { etag, result, mistakes }: Applied): object {
  return { name, etag, result, mistakes };
}
