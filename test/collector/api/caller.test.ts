/** Who a request is taken for: this machine, its command line, another process, a token; and how often it may ask. */

import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Test } from 'tap';
import t from 'tap';
import type { Access, AccessPolicy } from '../../../collector/access/access.ts';
import type { AuditEntry } from '../../../collector/access/audit.ts';
import { ensureLocalToken, readLocalToken } from '../../../collector/access/local_token.ts';
import type { ApiContext } from '../../../collector/api/context.ts';
import { noPeers } from '../../../collector/api/peers.ts';
import { createApi } from '../../../collector/api/server.ts';
import { whileAllowed } from '../../../collector/api/still_allowed.ts';
import { StreamHub } from '../../../collector/api/stream.ts';
import { tokenFor } from '../../../collector/commands/client.ts';
import { addUser, listUsers, newPassword, setDisabled } from '../../../collector/commands/user.ts';
import { CollectorError } from '../../../collector/errors.ts';
import { fakeContext } from '../../support/api-context.ts';
import type { Clocked } from '../../support/users.ts';
import { logIn, MemoryControl, openAccess } from '../../support/users.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const PASSWORD = 'correct horse battery';
const HOST = { host: 'localhost' };
const VIEWER = [{ site: 'a', role: 'viewer' as const }];
const ALL = [{ site: '*', role: 'admin' as const }];

/** As RATE_LIMITS, and soon reached. */
const LIMITS = { general: 50, logins: 20, exports: 5, queries: 5 };

interface Scene {
  app: FastifyInstance;
  access: Access;
  context: ApiContext;
  deeds: AuditEntry[];
  clock: Clocked;
  who(headers?: Record<string, string>, remoteAddress?: string): Promise<unknown>;
}

async function scene(
  t: Test,
  policy: Partial<AccessPolicy> = {},
  more: Partial<ApiContext> = {},
): Promise<Scene> {
  const clock = { nowMs: NOW };
  const access = await openAccess(new MemoryControl(), clock, policy);
  const deeds: AuditEntry[] = [];
  const record = async (entry: AuditEntry): Promise<void> => void deeds.push(entry);
  const wallMs = (): number => clock.nowMs;
  const context = fakeContext(NOW, { access, auditLog: { record }, clock: { wallMs }, ...more });
  const onDefect = (error: unknown): void => void t.fail(String(error));
  const app = await createApi(context, { allowedHosts: [], onDefect, rateLimits: LIMITS });
  t.teardown(() => app.close());
  return {
    app,
    access,
    context,
    deeds,
    clock,
    async who(headers = {}, remoteAddress = '127.0.0.1') {
      const all = { ...HOST, ...headers };
      const answer = await app.inject({ url: '/api/v1/session', headers: all, remoteAddress });
      const { user, error } = answer.json();
      return error?.code ?? `${user.kind} ${user.grants.map((one: { role: string }) => one.role)}`;
    },
  };
}

t.test('this machine, when the configuration says so', async (t) => {
  const { who } = await scene(t, { thisMachine: 'operator', anonymous: 'viewer' });
  t.equal(await who(), 'local operator');
  t.equal(await who({}, '::1'), 'local operator');
  t.equal(await who({ 'sec-fetch-site': 'same-origin' }), 'local operator');
  for (const headers of [
    { 'x-forwarded-for': '127.0.0.1' },
    { forwarded: 'for=127.0.0.1' },
    { 'x-real-ip': '127.0.0.1' },
    { via: '1.1 proxy' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ] as Record<string, string>[])
    t.equal(await who(headers), 'anonymous viewer', JSON.stringify(headers));
  for (const address of ['10.0.0.7', '::ffff:10.0.0.7', '128.0.0.1', 'fe80::1'])
    t.equal(await who({}, address), 'anonymous viewer');
  const none = await scene(t);
  t.equal(await none.who(), 'API_UNAUTHENTICATED', 'by default nobody is anybody');
});

t.test('a name that points at this machine does not make a page of it', async (t) => {
  const { app } = await scene(t, { thisMachine: 'admin' });
  const answer = await app.inject({ url: '/api/v1/gateways', headers: { host: 'evil.example' } });
  t.match([answer.statusCode, answer.json().error.code], [421, 'API_HOST_REFUSED']);
  const forwarded = { host: 'evil.example', 'x-forwarded-host': 'localhost' };
  const again = await app.inject({ url: '/api/v1/gateways', headers: forwarded });
  t.equal(again.statusCode, 421);
});

t.test('the token of this machine', async (t) => {
  const folder = join(mkdtempSync(join(tmpdir(), 'fms-token-')), 'data');
  t.teardown(() => rmSync(join(folder, '..'), { recursive: true, force: true }));
  t.equal(readLocalToken(folder), undefined);
  const token = ensureLocalToken(folder);
  t.match(token, /^fml_[\w-]{43}$/);
  t.equal(statSync(join(folder, 'local-token')).mode & 0o777, 0o600);
  t.equal(ensureLocalToken(folder), token, 'kept');
  const { who, access } = await scene(t);
  const show = { authorization: `Bearer ${token}` };
  t.equal(await who(show), 'API_UNAUTHENTICATED', 'not of this collector');
  access.allowLocal(token);
  t.equal(await who(show), 'local admin');
  t.equal(await who(show, '10.0.0.7'), 'API_UNAUTHENTICATED', 'from elsewhere');
  t.equal(await who({ ...show, 'x-forwarded-for': '1.2.3.4' }), 'API_UNAUTHENTICATED');
  t.equal(await who({ authorization: `Bearer ${token}x` }), 'API_UNAUTHENTICATED');

  const file = join(folder, '../collector.yaml');
  writeFileSync(file, 'data_dir: ./data\n');
  t.equal(tokenFor('http://127.0.0.1:8080', file, {}), token);
  t.equal(tokenFor('http://[::1]:8080', file, {}), token);
  for (const url of ['http://fms.example', 'http://127.0.0.1.example', 'http://10.0.0.7', 'x'])
    t.equal(tokenFor(url, file, {}), undefined, `never told to ${url}`);
  t.equal(tokenFor('http://10.0.0.7', file, { FMS_COLLECTOR_TOKEN: 'fms_x' }), 'fms_x');
});

t.test(
  'another process of the log, and what it passes on, is not written down twice',
  async (t) => {
    const peers = { ...noPeers, isMember: (secret: string) => secret === 'good' };
    const { who, app, deeds } = await scene(t, {}, { peers });
    t.equal(await who({ 'fms-member': 'good' }, '10.0.0.7'), 'member viewer');
    t.equal(await who({ 'fms-member': 'bad' }, '10.0.0.7'), 'API_UNAUTHENTICATED');
    const url = '/api/v1/jobs/x/run';
    const headers = { ...HOST, 'fms-member': 'good' };
    const run = await app.inject({ method: 'POST', url, headers, payload: {} });
    t.equal(run.json().error.code, 'API_NOT_READY', 'it may run jobs');
    t.same(deeds, []);
    const users = await app.inject({ url: '/api/v1/users', headers });
    t.equal(users.statusCode, 403, 'and else only look');
  },
);

t.test('a token says more than a cookie; another scheme says nothing', async (t) => {
  const { who, app, access } = await scene(t, { anonymous: 'viewer' });
  const { users, tokens } = access.opened;
  await users.create('root', ALL, PASSWORD);
  const root = users.get('root');
  if (root === undefined) throw new Error('no root');
  const { token } = await tokens.create(root, { name: 'x', grants: VIEWER, expiresMs: null });
  const { headers } = await logIn(app, 'root', PASSWORD);
  t.equal(await who(headers), 'user admin');
  t.equal(await who({ ...headers, authorization: `Bearer ${token}` }), 'token viewer');
  t.equal(await who({ ...headers, authorization: `bearer ${token}` }), 'token viewer');
  t.equal(await who({ ...headers, authorization: 'Bearer fms_x' }), 'API_UNAUTHENTICATED');
  t.equal(await who({ ...headers, authorization: 'Basic eDp5' }), 'user admin');
  t.equal(await who({ cookie: 'fms_session=x' }), 'anonymous viewer', 'as none');
});

t.test('/metrics: open, or for a token', async (t) => {
  const open = await scene(t);
  t.equal((await open.app.inject({ url: '/metrics', headers: HOST })).statusCode, 200);
  const { app, access } = await scene(t, { metrics: 'token' });
  t.equal((await app.inject({ url: '/metrics', headers: HOST })).statusCode, 401);
  for (const url of ['/healthz', '/readyz'])
    t.equal((await app.inject({ url, headers: HOST })).statusCode, 200);
  const { users, tokens } = access.opened;
  await users.create('root', ALL, PASSWORD);
  const root = users.get('root');
  if (root === undefined) throw new Error('no root');
  const { token } = await tokens.create(root, { name: 'x', grants: VIEWER, expiresMs: null });
  const headers = { ...HOST, authorization: `Bearer ${token}` };
  t.equal((await app.inject({ url: '/metrics', headers })).statusCode, 200);
});

t.test('one caller does not take the place of the others', async (t) => {
  const { app } = await scene(t, { anonymous: 'viewer' });
  const ask = async (remoteAddress: string, url: string) =>
    await app.inject({ url, remoteAddress, headers: HOST });
  for (let i = 0; i < LIMITS.general; i++) await ask('10.0.0.1', '/api/v1/session');
  const refused = await ask('10.0.0.1', '/api/v1/session');
  t.match([refused.statusCode, refused.json().error.code], [429, 'API_TOO_MANY']);
  const after = Number(refused.headers['retry-after']);
  t.ok(after >= 1 && after <= 60, `${after} s`);
  t.equal((await ask('10.0.0.2', '/api/v1/session')).statusCode, 200);
  t.equal((await ask('10.0.0.1', '/healthz')).statusCode, 200, 'who watches is never refused');
  const exports = '/api/v1/readings?site=a&device=D&format=csv';
  for (let i = 0; i < LIMITS.exports; i++) t.not((await ask('10.0.0.3', exports)).statusCode, 429);
  t.equal((await ask('10.0.0.3', exports)).statusCode, 429);
  const page = '/api/v1/readings?site=a&device=D';
  t.equal((await ask('10.0.0.3', page)).statusCode, 200, 'looking goes on');
});

t.test('refusals are written down, and do not fill the log', async (t) => {
  const { app, deeds, access, clock } = await scene(t);
  await access.opened.users.create('kim', VIEWER, PASSWORD);
  const { headers } = await logIn(app, 'kim', PASSWORD);
  deeds.length = 0;
  const ask = async () =>
    await app.inject({ url: '/api/v1/users', headers: { ...HOST, ...headers } });
  for (let i = 0; i < 25; i++) await ask();
  t.equal(deeds.length, 10);
  t.match(deeds[0], { who: 'kim', kind: 'user', action: 'session.refused' });
  t.same(JSON.parse(deeds[0]?.detail ?? ''), {
    asked: 'GET /api/v1/users',
    code: 'API_FORBIDDEN',
  });
  clock.nowMs += 60_000;
  await ask();
  t.match(JSON.parse(deeds[10]?.detail ?? ''), { left_out_before: 15 });
  deeds.length = 0;
  await app.inject({ url: '/api/v1/users', headers: HOST });
  t.same(deeds, [], 'a page that is opened without login is nothing to write down');
});

t.test('nothing is done that cannot be written down', async (t) => {
  const away = new CollectorError('LOG_UNAVAILABLE', 'the disk is away');
  const auditLog = { record: () => Promise.reject(away) };
  const { app, access } = await scene(t, { thisMachine: 'admin' }, { auditLog });
  const headers = HOST;
  const payload = { name: 'kim', grants: VIEWER };
  const answer = await app.inject({ method: 'POST', url: '/api/v1/users', headers, payload });
  t.match([answer.statusCode, answer.json().error.code], [503, 'LOG_UNAVAILABLE']);
  t.equal(access.opened.users.get('kim'), undefined);
});

t.test('who decides is who asks', async (t) => {
  const decided: string[] = [];
  const silence = async ({ by }: { by: string }): Promise<void> => void decided.push(by);
  const none = fakeContext(NOW).decisions;
  const decisions = { ...none, silence } as ApiContext['decisions'];
  const { app, access } = await scene(t, { thisMachine: 'admin' }, { decisions });
  await access.opened.users.create('kim', [{ site: 'a', role: 'operator' }], PASSWORD);
  const { headers } = await logIn(app, 'kim', PASSWORD);
  const payload = { site: 'a', reason: 'x', until_ms: NOW + 60_000, by: 'somebody else' };
  for (const more of [headers, {}]) {
    const url = '/api/v1/silences';
    const all = { ...HOST, ...more };
    t.equal((await app.inject({ method: 'POST', url, headers: all, payload })).statusCode, 202);
  }
  t.same(decided, ['kim', 'somebody else'], 'without a login it is whoever they say');
});

t.test('the event stream ends with the login, and when other sites may be seen', async (t) => {
  const { access, context, app } = await scene(t);
  const { users, sessions } = access.opened;
  await users.create('root', ALL, PASSWORD);
  await users.create('kim', VIEWER, PASSWORD);
  const { headers } = await logIn(app, 'kim', PASSWORD);
  const cookies = { fms_session: headers.cookie.split('=')[1] ?? '' };
  const request = { headers: {}, cookies, socket: { remoteAddress: '10.0.0.7' } };
  const alive = setInterval(() => undefined, 1_000);
  t.teardown(() => clearInterval(alive));
  const ended = async (deed: () => Promise<void>): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    whileAllowed(request as unknown as FastifyRequest, context, resolve, 2);
    await deed();
    await promise;
    t.pass();
  };
  let isEnded = false;
  const stop = whileAllowed(
    request as unknown as FastifyRequest,
    context,
    () => (isEnded = true),
    1,
  );
  await users.setLanguage('kim', 'ko');
  await new Promise((resolve) => setTimeout(resolve, 20));
  stop();
  t.notOk(isEnded, 'not for what it does not go by');
  await ended(() => users.change('kim', { grants: ALL }));
  await ended(() => users.change('kim', { grants: VIEWER }));
  await ended(() => users.change('kim', { disabled: true }));
  await users.change('kim', { disabled: false });
  await ended(() => sessions.endAllOf('kim'));
});

t.test('the event stream shows the sites that the caller may see', async (t) => {
  const hub = new StreamHub(1);
  t.teardown(() => hub.close());
  const live = {
    log: { identity: 'x', bounds: async () => ({ first: 0, next: 0 }), read: async () => [] },
    hub,
  };
  const { app, access } = await scene(t, {}, { live: () => live });
  await access.opened.users.create('kim', VIEWER, PASSWORD);
  const { headers } = await logIn(app, 'kim', PASSWORD);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const { cookie } = headers;
  const response = await fetch(`http://127.0.0.1:${port}/api/v1/stream`, { headers: { cookie } });
  const reader = (response.body ?? t.fail()) as ReadableStream<Uint8Array>;
  const device = { device: 'D', gateway: 'gw', area: '', line: '', profile: '', state: 'late' };
  for (const site of ['b', 'a'])
    hub.publishDevice({ site, ...device } as Parameters<StreamHub['publishDevice']>[0]);
  let text = '';
  for await (const piece of reader) {
    text += Buffer.from(piece).toString();
    if (text.includes('event: device')) break;
  }
  t.match(text, /"site":"a"/);
  t.notMatch(text, /"site":"b"/);
});

t.test('users from the command line', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'fms-user-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const config = join(folder, 'collector.yaml');
  writeFileSync(config, 'data_dir: .\n');
  const { app, access, deeds } = await scene(t);
  access.allowLocal(ensureLocalToken(folder));
  await app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = app.server.address() as AddressInfo;
  const options = { config, url: `http://127.0.0.1:${port}` };
  const said: string[] = [];
  const output = {
    log: (line: string) => said.push(line),
    error: (line: string) => said.push(line),
  };
  t.equal(await addUser('root', ['admin'], options, {}, output), 0);
  t.equal(await addUser('kim', ['plant=1=operator', 'viewer'], options, {}, output), 0);
  t.same(access.opened.users.get('kim')?.grants, [
    { site: '*', role: 'viewer' },
    { site: 'plant=1', role: 'operator' },
  ]);
  t.ok(await access.opened.users.verify('kim', said.at(-1) ?? ''));
  t.equal(await addUser('lee', ['boss'], options, {}, output), 2);
  t.equal(await addUser('kim', ['viewer'], options, {}, output), 1, 'there is one');
  t.equal(await newPassword('kim', options, {}, output), 0);
  t.ok(await access.opened.users.verify('kim', said.at(-1) ?? ''));
  t.equal(await setDisabled('kim', true, options, {}, output), 0);
  t.equal(await listUsers(options, {}, output), 0);
  t.match(said.slice(-2), [/^kim +disabled/, /^root +\*=admin, never logged in, must change/]);
  t.equal(await setDisabled('root', true, options, {}, output), 1, 'the last one');
  t.match(said.at(-1), /API_USER_REFUSED/);
  t.equal(await listUsers(options, { FMS_COLLECTOR_TOKEN: 'fms_x' }, output), 1);
  t.match(said.at(-1), /API_UNAUTHENTICATED/);
  t.match(deeds[0], { who: 'local', kind: 'local', action: 'user.create', target: 'root' });
  await app.close();
  t.equal(await listUsers(options, {}, output), 3);
});
