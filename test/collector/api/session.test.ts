/** Logging in and out: cookie, CSRF token, throttling, the password that must be changed. */

import type { FastifyInstance } from 'fastify';
import type { Test } from 'tap';
import t from 'tap';
import type { Access } from '../../../collector/access/access.ts';
import type { AuditEntry } from '../../../collector/access/audit.ts';
import { createApi } from '../../../collector/api/server.ts';
import { fakeContext } from '../../support/api-context.ts';
import type { Clocked } from '../../support/users.ts';
import { cookieOf, logIn, MemoryControl, openAccess } from '../../support/users.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const PASSWORD = 'correct horse battery';

interface Scene {
  app: FastifyInstance;
  access: Access;
  clock: Clocked;
  deeds: AuditEntry[];
}

async function scene(t: Test, trustedProxies: string[] = []): Promise<Scene> {
  const clock = { nowMs: NOW };
  const access = await openAccess(new MemoryControl(), clock);
  const deeds: AuditEntry[] = [];
  const record = async (entry: AuditEntry): Promise<void> => void deeds.push(entry);
  const context = fakeContext(NOW, {
    access,
    auditLog: { record },
    clock: { wallMs: () => clock.nowMs },
  });
  const app = await createApi(context, {
    allowedHosts: [],
    trustedProxies,
    onDefect: (error) => t.fail(String(error)),
  });
  t.teardown(() => app.close());
  await access.opened.users.create('kim', [{ site: 'demo', role: 'operator' }], PASSWORD);
  return { app, access, clock, deeds };
}

const HOST = { host: 'localhost' };

t.test('a login, and what the page learns of it', async (t) => {
  const { app, deeds } = await scene(t);
  t.match(await app.inject({ url: '/api/v1/session', headers: HOST }), { statusCode: 401 });
  const { headers, answer } = await logIn(app, 'kim', PASSWORD);
  const [cookie] = answer.cookies as Record<string, unknown>[];
  t.match(cookie, { name: 'fms_session', path: '/', httpOnly: true, sameSite: 'Strict' });
  t.equal(cookie?.secure, undefined, 'without TLS');
  const session = await app.inject({ url: '/api/v1/session', headers: { ...HOST, ...headers } });
  t.same(session.json(), {
    user: {
      kind: 'user',
      name: 'kim',
      grants: [{ site: 'demo', role: 'operator' }],
      language: null,
    },
    csrf: headers['x-csrf-token'],
    expires_ms: NOW + 3_600_000,
    must_change_password: false,
  });
  t.match(deeds, [{ who: 'kim', kind: 'user', from: '127.0.0.1', action: 'session.login' }]);
});

t.test('a cookie that was stolen is worth nothing after the logout', async (t) => {
  const { app, deeds } = await scene(t);
  const { headers } = await logIn(app, 'kim', PASSWORD);
  const ask = async (): Promise<number> =>
    (await app.inject({ url: '/api/v1/gateways', headers: { ...HOST, ...headers } })).statusCode;
  t.equal(await ask(), 200);
  const out = await app.inject({
    method: 'DELETE',
    url: '/api/v1/session',
    headers: { ...HOST, ...headers },
  });
  t.equal(out.statusCode, 204);
  t.equal(await ask(), 401);
  t.same(
    deeds.map(({ action }) => action),
    ['session.login', 'session.logout'],
  );
});

t.test('a cookie alone changes nothing', async (t) => {
  const { app, deeds } = await scene(t);
  const { headers } = await logIn(app, 'kim', PASSWORD);
  const { cookie } = headers;
  const url = '/api/v1/users/kim';
  const tries: Record<string, string>[] = [
    { cookie },
    { cookie, 'x-csrf-token': '' },
    { cookie, 'x-csrf-token': `${headers['x-csrf-token']}x` },
    { ...headers, 'sec-fetch-site': 'cross-site' },
    { ...headers, 'sec-fetch-site': 'same-site' },
  ];
  for (const tried of tries) {
    const answer = await app.inject({
      method: 'PATCH',
      url,
      headers: { ...HOST, ...tried },
      payload: { language: 'ko' },
    });
    t.match([answer.statusCode, answer.json().error.code], [403, 'API_CSRF']);
  }
  const plain = await app.inject({
    method: 'PATCH',
    url,
    headers: { ...HOST, ...headers, 'content-type': 'text/plain' },
    payload: '{"language":"ko"}',
  });
  t.equal(plain.statusCode, 415);
  const good = await app.inject({
    method: 'PATCH',
    url,
    headers: { ...HOST, ...headers, 'sec-fetch-site': 'same-origin' },
    payload: { language: 'ko' },
  });
  t.match([good.statusCode, good.json()], [200, { name: 'kim', password: null }]);
  const refused = deeds.filter(({ action }) => action === 'session.refused');
  t.equal(refused.length, tries.length, 'each is written down');
  const elsewhere = await app.inject({
    method: 'POST',
    url: '/api/v1/session',
    headers: { ...HOST, 'sec-fetch-site': 'cross-site' },
    payload: { name: 'kim', password: PASSWORD },
  });
  t.equal(elsewhere.json().error.code, 'API_CSRF', 'nor does another page log somebody in');
});

t.test('who guesses must wait, and the wait says nothing of who there is', async (t) => {
  const { app, clock, deeds } = await scene(t);
  const guess = async (name: string, address: string): Promise<[number, string | undefined]> => {
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/session',
      remoteAddress: address,
      headers: HOST,
      payload: { name, password: 'wrong password' },
    });
    return [answer.statusCode, answer.headers['retry-after'] as string | undefined];
  };
  for (const name of ['kim', 'nobody']) {
    const answers: unknown[] = [];
    for (let i = 0; i < 6; i++) answers.push(await guess(name, `10.0.0.${i}`));
    t.same(answers.slice(0, 5), new Array(5).fill([401, undefined]), name);
    t.same(answers[5], [429, '1']);
    clock.nowMs += 1_000;
    t.same(await guess(name, '10.0.0.9'), [401, undefined]);
    t.same(await guess(name, '10.0.0.9'), [429, '2'], 'twice as long');
    clock.nowMs += 2_000;
  }
  t.equal(deeds.filter(({ action }) => action === 'session.login_refused').length, 12);
  t.notMatch(JSON.stringify(deeds), /wrong password/);
  const { headers } = await logIn(app, 'kim', PASSWORD);
  t.ok(headers.cookie, 'the right one is let in after the wait');
  t.same(await guess('kim', '10.0.0.9'), [401, undefined], 'and the count begins anew');
});

t.test('a password that was made up is good for one thing', async (t) => {
  const { app, access } = await scene(t);
  const made = await access.opened.users.create('lee', [{ site: '*', role: 'admin' }], undefined);
  const first = await logIn(app, 'lee', made ?? '');
  t.equal(first.answer.json().must_change_password, true);
  const refused = await app.inject({
    url: '/api/v1/users',
    headers: { ...HOST, ...first.headers },
  });
  t.match([refused.statusCode, refused.json().error.code], [403, 'API_PASSWORD_CHANGE']);
  const change = async (current: string, next: string) =>
    await app.inject({
      method: 'POST',
      url: '/api/v1/session/password',
      headers: { ...HOST, ...first.headers },
      payload: { current, next },
    });
  for (const [current, next] of [
    [made ?? '', 'short'],
    [made ?? '', 'my name is Lee'],
    [made ?? '', 'aaaaaaaaaaaa'],
    [made ?? '', made ?? ''],
    ['not the one', 'a password of mine'],
  ] as const)
    t.match((await change(current, next)).json().error.code, 'API_PASSWORD_REFUSED', next);
  const changed = await change(made ?? '', 'a password of mine');
  t.equal(changed.statusCode, 204);
  const old = await app.inject({ url: '/api/v1/users', headers: { ...HOST, ...first.headers } });
  t.equal(old.statusCode, 401, 'what the old password opened is over');
  const next = await app.inject({
    url: '/api/v1/users',
    headers: { ...HOST, ...cookieOf(changed) },
  });
  t.equal(next.statusCode, 200);
  t.rejects(logIn(app, 'lee', made ?? ''), /401/);
});

t.test('what a proxy says counts only when it is trusted', async (t) => {
  const seen = async (trusted: string[], remoteAddress: string): Promise<unknown[]> => {
    const { app, deeds } = await scene(t, trusted);
    const answer = await app.inject({
      method: 'POST',
      url: '/api/v1/session',
      remoteAddress,
      headers: { ...HOST, 'x-forwarded-for': '9.9.9.9, 8.8.8.8', 'x-forwarded-proto': 'https' },
      payload: { name: 'kim', password: PASSWORD },
    });
    const [cookie] = answer.cookies as Record<string, unknown>[];
    return [deeds[0]?.from, cookie?.secure];
  };
  t.same(await seen([], '10.0.0.1'), ['10.0.0.1', undefined]);
  t.same(await seen(['10.0.0.0/8'], '10.0.0.1'), ['8.8.8.8', true]);
  t.same(await seen(['10.0.0.0/8', '8.8.8.8'], '10.0.0.1'), ['9.9.9.9', true]);
  t.same(await seen(['10.0.0.0/8'], '11.0.0.1'), ['11.0.0.1', undefined]);
});

t.test('what has not changed is not sent again, but asked for each time', async (t) => {
  const { app, access } = await scene(t);
  const { headers } = await logIn(app, 'kim', PASSWORD);
  const ask = async (more: Record<string, string> = {}) =>
    await app.inject({ url: '/api/v1/gateways', headers: { ...HOST, ...headers, ...more } });
  const first = await ask();
  const tag = String(first.headers.etag);
  t.match(tag, /^"[\w-]{27}"$/);
  t.match(first.headers, { 'cache-control': 'private, no-cache', vary: 'cookie, authorization' });
  for (const known of [tag, `W/${tag}`, `"other", ${tag}`]) {
    const again = await ask({ 'if-none-match': known });
    t.same([again.statusCode, again.body], [304, '']);
  }
  t.equal((await ask({ 'if-none-match': '"other"' })).body, first.body);
  await access.opened.users.change('kim', { grants: [{ site: 'elsewhere', role: 'viewer' }] });
  const other = await ask({ 'if-none-match': tag });
  t.equal(other.statusCode, 200, 'another site, another answer');
  await access.opened.sessions.endAllOf('kim');
  t.equal((await ask({ 'if-none-match': tag })).statusCode, 401);
});
