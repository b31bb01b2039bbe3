/** The document at /api/v1/openapi.json against the server: every route, every parameter. */

import type { FastifyInstance } from 'fastify';
import t from 'tap';
import { createApi } from '../../../collector/api/server.ts';
import { fakeContext } from '../../support/api-context.ts';

const NOW = Date.UTC(2026, 10, 22, 12);

interface Schema {
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  examples?: unknown[];
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  required?: string[];
  properties?: Record<string, Schema>;
}

interface Parameter {
  name: string;
  in: 'path' | 'query';
  required: boolean;
  description?: string;
  schema: Schema;
}

interface Operation {
  summary: string;
  operationId: string;
  description?: string;
  security?: object[];
  parameters: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, object>;
}

interface Route extends Operation {
  method: string;
  path: string;
}

const app: FastifyInstance = await createApi(fakeContext(NOW), {
  allowedHosts: [],
  onDefect: () => undefined,
});
t.teardown(() => app.close());
const document = await app.inject('/api/v1/openapi.json');
const paths = document.json().paths as Record<string, Record<string, Operation>>;
const routes: Route[] = Object.entries(paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({ ...operation, method, path })),
);

/** Some that the schema takes. Empty: a pattern without an example. */
function validValues(schema: Schema): string[] {
  if (schema.examples !== undefined) return schema.examples.map(String);
  if (schema.const !== undefined) return [String(schema.const)];
  if (schema.enum !== undefined) return schema.enum.map(String);
  switch ([schema.type].flat()[0]) {
    case 'integer':
    case 'number':
      return [String(schema.minimum ?? 1), String(schema.maximum ?? 7)];
    case 'boolean':
      return ['true', 'false'];
    default:
      return schema.pattern === undefined ? ['x'.repeat(Math.max(1, schema.minLength ?? 1))] : [];
  }
}

/** Some that it refuses. */
function invalidValues(schema: Schema): string[] {
  const wrong: string[] = [];
  if (schema.enum !== undefined) return ['none-of-these'];
  const type = [schema.type].flat()[0];
  if (type === 'boolean') return ['maybe'];
  if (type === 'integer' || type === 'number') {
    wrong.push('x');
    if (type === 'integer') wrong.push('1.5');
    if (schema.minimum !== undefined) wrong.push(String(schema.minimum - 1));
    if (schema.maximum !== undefined) wrong.push(String(schema.maximum + 1));
    return wrong;
  }
  if (schema.maxLength !== undefined) wrong.push('x'.repeat(schema.maxLength + 1));
  if ((schema.minLength ?? 0) > 0) wrong.push('');
  if (schema.pattern !== undefined) wrong.push('\u0001');
  return wrong;
}

/** With the given values, and valid ones for whatever else must be there. */
function urlOf(route: Route, given: Record<string, string> = {}, more = ''): string {
  let path = route.path;
  const query = new URLSearchParams();
  for (const { name, in: place, required, schema } of route.parameters) {
    const value = given[name] ?? (required ? validValues(schema)[0] : undefined);
    if (value === undefined) continue;
    if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value));
    else query.append(name, value);
  }
  return `${path.replaceAll(/\{\w+\}/g, 'x')}?${query}${more}`;
}

function bodyOf(route: Route): Record<string, unknown> | undefined {
  const schema = route.requestBody?.content['application/json']?.schema;
  if (schema === undefined) return undefined;
  const body: Record<string, unknown> = {};
  for (const name of schema.required ?? []) {
    const property = schema.properties?.[name] ?? {};
    const [value = 'x'] = validValues(property);
    body[name] = ['integer', 'number'].includes(String(property.type)) ? Number(value) : value;
  }
  return body;
}

async function ask(
  route: Route,
  url: string,
  body: Record<string, unknown> | undefined = bodyOf(route),
  headers: Record<string, string> = {},
  remoteAddress = '127.0.0.1',
): Promise<{ status: number; code: string; message: string }> {
  const response = await app.inject({
    method: route.method as 'GET',
    url,
    remoteAddress,
    headers: { host: 'localhost', ...headers },
    ...(body === undefined ? {} : { payload: body }),
  });
  let error: { code?: string; message?: string } = {};
  try {
    error = response.json().error ?? {};
  } catch {
    // Not JSON: a success in another format.
  }
  return { status: response.statusCode, code: error.code ?? '', message: error.message ?? '' };
}

/** What a schema said, as against the code of a route. */
function isOfSchema(message: string): boolean {
  return /^(querystring|params|body)/.test(message);
}

t.test('the document', async (t) => {
  t.match(document.json(), { openapi: '3.1.0', info: { version: '1.2.3' } });
  for (const path of [
    '/healthz',
    '/readyz',
    '/metrics',
    '/api/v1/overview',
    '/api/v1/gateways',
    '/api/v1/devices',
    '/api/v1/readings',
    '/api/v1/quality',
    '/api/v1/quarantine',
    '/api/v1/events',
    '/api/v1/ledger',
    '/api/v1/alerts',
    '/api/v1/silences',
    '/api/v1/anomalies',
    '/api/v1/anomalies/summary',
    '/api/v1/profiles',
    '/api/v1/stream',
    '/api/v1/openapi.json',
  ])
    t.ok(paths[path]?.get, `${path} is documented`);
  const ids = routes.map(({ operationId }) => operationId);
  t.equal(new Set(ids).size, ids.length, `operation ids are unique: ${ids.sort()}`);
  for (const { method, path, summary } of routes) t.ok(summary, `${method} ${path} has a summary`);
});

/** Method and full path of the route tree that fastify prints: four columns a level. */
function servedRoutes(): string[] {
  const stack: string[] = [];
  const served: string[] = [];
  for (const line of app.printRoutes({ commonPrefix: false }).split('\n')) {
    const match = /^([│├└─\s]*)(\S+)(?: \((.*)\))?$/.exec(line);
    if (!match) continue;
    stack.length = Math.floor((match[1] ?? '').length / 4) - 1;
    stack.push(match[2] ?? '');
    const path = stack.join('').replaceAll(/:(\w+)/g, '{$1}');
    for (const method of match[3]?.split(', ') ?? [])
      if (method !== 'HEAD') served.push(`${method.toLowerCase()} ${path}`);
  }
  return served;
}

t.test('what is served is documented, and what is documented is served', async (t) => {
  const served = servedRoutes();
  t.ok(served.includes('get /api/v1/ledger') && served.includes('get /healthz'), 'it was read');
  const isPage = (route: string): boolean =>
    route === 'get /' ||
    /^get \/(assets\/)?[\w.-]+\.(js|css|html|svg|woff2)(\.br|\.gz)?$/.test(route);
  t.same(
    served.filter((route) => !isPage(route)).toSorted(),
    routes.map(({ method, path }) => `${method} ${path}`).toSorted(),
  );
});

t.test('each parameter takes what the document says, and refuses the rest', async (t) => {
  let asked = 0;
  for (const route of routes) {
    const name = `${route.method} ${route.path}`;
    for (const parameter of route.parameters) {
      for (const value of validValues(parameter.schema)) {
        const answer = await ask(route, urlOf(route, { [parameter.name]: value }));
        asked++;
        if (isOfSchema(answer.message)) t.fail(`${name}: ${parameter.name}=${value}`, answer);
      }
      for (const value of invalidValues(parameter.schema)) {
        // An empty part of a path, or one with a slash, is another path.
        if (parameter.in === 'path' && value === '') continue;
        const answer = await ask(route, urlOf(route, { [parameter.name]: value }));
        asked++;
        const isRefused =
          (answer.status === 400 && answer.code === 'API_PARAMETER_INVALID') ||
          (parameter.in === 'path' && [404, 414].includes(answer.status));
        if (!isRefused) t.fail(`${name}: ${parameter.name}=${value.slice(0, 40)}`, answer);
      }
      if (parameter.in === 'path') continue;
      const url = urlOf(route, { [parameter.name]: validValues(parameter.schema)[0] ?? 'x' });
      const twice = await ask(route, `${url}&${parameter.name}=x`);
      t.match(twice, { status: 400, code: 'API_PARAMETER_INVALID' }, `${name}: ${parameter.name}²`);
      if (!parameter.required) continue;
      const without = url.replace(new RegExp(`([?&])${parameter.name}=[^&]*`), '$1');
      t.match(await ask(route, without), { status: 400 }, `${name} needs ${parameter.name}`);
    }
    const unknown = await ask(route, urlOf(route, {}, '&unknown_parameter=1'));
    t.match(unknown, { status: 400, code: 'API_PARAMETER_INVALID' }, `${name}: an unknown one`);
  }
  t.ok(asked > 100, `${asked} values`);
});

t.test(
  'what changes something without login is for this machine alone, where it is allowed',
  async (t) => {
    const changing = routes.filter(({ method }) => method !== 'get');
    t.ok(changing.length > 0);
    const refused = { status: 401, code: 'API_UNAUTHENTICATED' };
    for (const route of changing) {
      const name = `${route.method} ${route.path}`;
      const body = bodyOf(route) ?? {};
      const url = urlOf(route);
      const isLogin = name === 'post /api/v1/session';
      const { status } = await ask(route, url, body);
      t.notOk([401, 403].includes(status), `${name}: from here`);
      for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '128.0.0.1', 'fe80::1'])
        if (!isLogin)
          t.match(await ask(route, url, body, {}, address), refused, `${name}: from ${address}`);
      for (const headers of [
        { 'x-forwarded-for': '127.0.0.1' },
        { forwarded: 'for=127.0.0.1' },
      ] as Record<string, string>[])
        if (!isLogin) t.match(await ask(route, url, body, headers), refused);
      const forged = await ask(route, url, body, { 'sec-fetch-site': 'cross-site' });
      t.match(forged, { status: 403, code: 'API_CSRF' }, `${name}: by a page elsewhere`);
      if (route.requestBody === undefined) continue;
      for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
        t.match(
          await ask(route, url, body, { 'content-type': type }),
          { status: 415, code: 'API_CONTENT_TYPE' },
          `${name}: as ${type}`,
        );
      const more = await ask(route, url, { ...body, unknown_property: 1 });
      t.match(more, { status: 400, code: 'API_PARAMETER_INVALID' }, `${name}: an unknown property`);
    }
  },
);

t.test('each operation says who may ask, and how it is refused', async (t) => {
  for (const { method, path, responses, description = '', security } of routes) {
    const name = `${method} ${path}`;
    const isPublic = security?.length === 0;
    t.equal('401' in responses && '403' in responses, !isPublic, name);
    t.equal(/Needs role|has logged in/.test(description), !isPublic, name);
    const isWatched = ['/healthz', '/readyz', '/metrics'].includes(path);
    t.equal('429' in responses, !isWatched, name);
  }
  t.same(
    routes
      .filter(({ security }) => security?.length === 0)
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
    ['get /api/v1/session', 'get /healthz', 'get /metrics', 'get /readyz', 'post /api/v1/session'],
  );
});
