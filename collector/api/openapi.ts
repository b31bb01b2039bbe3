/** The OpenAPI 3.1 document, made from the schemas that the routes validate with. */

import type { RouteOptions } from 'fastify';
import type { RouteAccess } from './access.ts';
import { SESSION_COOKIE } from './identity.ts';
import { RATE_LIMITS } from './rate_limits.ts';
import type { JsonSchema } from './schemas.ts';
import { ERROR } from './schemas.ts';

declare module 'fastify' {
  interface FastifySchema {
    /** One line for the OpenAPI document. */
    summary?: string;
    description?: string;
    /** Media type of a success; JSON when left out. */
    produces?: string;
    /** Further media types of a success, as a file. */
    alsoProduces?: readonly string[];
  }
}

type ObjectSchema = {
  required?: string[];
  properties?: Record<string, JsonSchema>;
};

/** Routes without a summary (pages, vendor files) are no part of the API. */
export function openApiDocument(routes: readonly RouteOptions[], version: string): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    if (route.schema?.summary === undefined) continue;
    const path = route.url.replaceAll(/:(\w+)/g, '{$1}');
    const operations = paths[path] ?? {};
    paths[path] = operations;
    for (const method of [route.method].flat()) {
      if (method === 'HEAD') continue;
      // A path that is asked and changed has an id for each.
      const isAlone = Object.keys(operations).length === 0;
      operations[method.toLowerCase()] = operationOf(route, isAlone ? '' : method.toLowerCase());
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'FMS collector',
      version,
      description: `Times are UTC milliseconds since 1970-01-01. Lists answer {items, next}: pass \`next\` as \`cursor\` for the next page. Lists leave out sites that the caller may not see. At most ${RATE_LIMITS.general} requests a minute of one user, token or address; see 429.`,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    // What an operation says itself replaces this.
    security: [{ session: [] }, { token: [] }],
    paths,
    components: {
      schemas: { Error: ERROR },
      securitySchemes: {
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: SESSION_COOKIE,
          description:
            'Of POST /api/v1/session. What changes something also needs the header x-csrf-token, with the csrf of GET /api/v1/session.',
        },
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API token, see /api/v1/tokens.',
        },
      },
    },
  };
}

function operationOf(route: RouteOptions, verb: string): JsonSchema {
  const schema = route.schema ?? {};
  const responses: Record<string, JsonSchema> = {};
  for (const [status, body] of Object.entries((schema.response ?? {}) as object)) {
    const isSuccess = Number(status) < 400;
    const content = { [schema.produces ?? 'application/json']: { schema: body } };
    // A schema says nothing of a file: OpenAPI 3.1 leaves it out.
    for (const type of isSuccess ? (schema.alsoProduces ?? []) : []) content[type] = { schema: {} };
    responses[status] = { description: isSuccess ? 'Success' : 'Not ready', content };
  }
  Object.assign(responses, refusalsOf(route));
  responses.default = {
    description: 'Not a success',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
  };
  return {
    summary: schema.summary,
    ...descriptionOf(route),
    ...(roleOf(route) === 'public' ? { security: [] } : {}),
    operationId: operationId(`${verb} ${route.url}`),
    ...(schema.body === undefined
      ? {}
      : {
          requestBody: { required: true, content: { 'application/json': { schema: schema.body } } },
        }),
    parameters: [
      ...parameters('path', schema.params as ObjectSchema | undefined),
      ...parameters('query', schema.querystring as ObjectSchema | undefined),
    ],
    responses,
  };
}

/** As the guard takes it: what says nothing is for viewers. */
function roleOf({ config, url }: RouteOptions): RouteAccess['role'] {
  return config?.access?.role ?? (url.startsWith('/api/') ? 'viewer' : 'public');
}

function descriptionOf(route: RouteOptions): { description?: string } {
  const role = roleOf(route);
  const { everywhere = false, limit } = route.config?.access ?? {};
  const needs =
    role === 'public'
      ? undefined
      : role === 'known'
        ? 'For whoever has logged in.'
        : `Needs role ${role}${everywhere ? ' of every site' : ''}.`;
  const often =
    limit === undefined ? undefined : `At most ${RATE_LIMITS[limit]} requests a minute.`;
  const said = [route.schema?.description, needs, often].filter((one) => one !== undefined);
  return said.length === 0 ? {} : { description: said.join(' ') };
}

/** What the guard answers before the handler. */
function refusalsOf(route: RouteOptions): Record<string, JsonSchema> {
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } };
  const refusals: Record<string, JsonSchema> = {};
  if (roleOf(route) !== 'public') {
    refusals['401'] = { description: 'No login, or a token that is not good', content };
    refusals['403'] = { description: 'Not with this role, or without x-csrf-token', content };
  }
  if (route.config?.unlimited !== true) {
    const headers = { 'retry-after': { description: 'Seconds.', schema: { type: 'integer' } } };
    refusals['429'] = { description: 'Asked too often', headers, content };
  }
  return refusals;
}

function operationId(url: string): string {
  return url
    .replace('/api/v1', '')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '')
    .map((word, i) => (i === 0 ? word : word[0]?.toUpperCase() + word.slice(1)))
    .join('');
}

function parameters(place: 'path' | 'query', schema: ObjectSchema | undefined): JsonSchema[] {
  return Object.entries(schema?.properties ?? {}).map(([name, { description, ...rest }]) => ({
    name,
    in: place,
    required: place === 'path' || (schema?.required ?? []).includes(name),
    ...(description === undefined ? {} : { description }),
    schema: rest,
  }));
}
