/** Users, sessions and tokens over topic `control`: of one process, and of two that share it. */

import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { Access, OpenAccess } from '../../../collector/access/access.ts';
import { makeFirstAdmin } from '../../../collector/access/first_admin.ts';
import { Passwords } from '../../../collector/access/passwords.ts';
import type { Session } from '../../../collector/access/sessions.ts';
import type { User } from '../../../collector/access/users.ts';
import { Users } from '../../../collector/access/users.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { QUICK } from '../../support/api-context.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import type { Clocked } from '../../support/users.ts';
import { MemoryControl, openAccess, viewOf } from '../../support/users.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const PASSWORD = 'correct horse battery';
const HOUR_MS = 3_600_000;
const ALL = [{ site: '*', role: 'admin' as const }];
const VIEWER = [{ site: 'a', role: 'viewer' as const }];

interface Scene extends OpenAccess {
  access: Access;
  control: MemoryControl;
  clock: Clocked;
}

async function scene(): Promise<Scene> {
  const control = new MemoryControl();
  const clock = { nowMs: NOW };
  const access = await openAccess(control, clock);
  return { access, control, clock, ...access.opened };
}

t.test('names', async (t) => {
  const { users } = await scene();
  await users.create('김-철수', VIEWER, PASSWORD);
  for (const name of [
    '',
    'a/b',
    ' kim',
    'ki m',
    'kim\u202e',
    '<b>',
    'x'.repeat(65),
    'local',
    'Anonymous',
    'member',
    '김-철수'.normalize('NFD'),
    '김-철수',
  ])
    await t.rejects(users.create(name, VIEWER, PASSWORD), { code: 'API_USER_REFUSED' }, name);
  await users.create('Kim', VIEWER, PASSWORD);
  await t.rejects(users.create('kim', VIEWER, PASSWORD), { code: 'API_USER_REFUSED' });
  await t.rejects(users.create('lee', VIEWER, 'short'), { code: 'API_PASSWORD_REFUSED' });
  t.same(
    users.all().map(({ name }) => name),
    ['Kim', '김-철수'],
  );
});

t.test('somebody stays who may all', async (t) => {
  const { users } = await scene();
  await users.create('one', ALL, PASSWORD);
  await users.create('two', ALL, PASSWORD);
  await users.create('three', VIEWER, PASSWORD);
  await users.change('two', { disabled: true });
  for (const deed of [
    () => users.remove('one'),
    () => users.change('one', { disabled: true }),
    () => users.change('one', { grants: VIEWER }),
    () => users.change('one', { grants: [{ site: 'a', role: 'admin' }] }),
  ])
    await t.rejects(deed(), { code: 'API_USER_REFUSED' });
  await users.change('two', { disabled: false });
  await users.change('one', { grants: VIEWER });
  await users.remove('one');
  t.equal(users.get('one'), undefined);
  await t.rejects(users.remove('two'), { code: 'API_USER_REFUSED' });
});

t.test('only the right password of one who may log in', async (t) => {
  const { users } = await scene();
  await users.create('kim', VIEWER, PASSWORD);
  t.equal((await users.verify('kim', PASSWORD))?.name, 'kim');
  t.equal(await users.verify('kim', `${PASSWORD}!`), undefined);
  t.equal(await users.verify('nobody', PASSWORD), undefined);
  t.equal(await users.verify('Kim', PASSWORD), undefined);
  await users.change('kim', { disabled: true });
  t.equal(await users.verify('kim', PASSWORD), undefined);
});

t.test('a session ends when nothing uses it, and in any case some day', async (t) => {
  const { users, sessions, clock, control } = await scene();
  await users.create('kim', VIEWER, PASSWORD);
  const { id } = await sessions.begin(users.get('kim') as User);
  const found = () => sessions.find(id);
  t.equal(found()?.expiresMs, NOW + HOUR_MS);
  clock.nowMs = NOW + HOUR_MS;
  t.equal(found(), undefined, 'idle');
  clock.nowMs = NOW;
  for (; clock.nowMs < NOW + 10 * HOUR_MS; clock.nowMs += 60_000) {
    const session = found();
    if (session === undefined) t.fail(`over after ${clock.nowMs - NOW} ms`);
    else sessions.use(session);
    await Promise.resolve();
  }
  t.equal(found(), undefined, 'ten hours, however often it was used');
  const written = control.puts.get('session_seen') ?? 0;
  t.ok(written >= 90 && written <= 101, `600 uses, ${written} written: every six minutes`);
});

t.test(
  'what a user had is over with the user, the password, and for a new one of the name',
  async (t) => {
    const { users, sessions, tokens } = await scene();
    await users.create('root', ALL, PASSWORD);
    const kim = () => users.get('kim') as User;
    await users.create('kim', VIEWER, PASSWORD);
    const first = await sessions.begin(kim());
    const token = await tokens.create(kim(), { name: 'x', grants: VIEWER, expiresMs: null });
    t.ok(sessions.find(first.id));
    await users.setPassword('kim', 'another horse battery');
    t.equal(sessions.find(first.id), undefined);
    t.ok(tokens.principal(token.token), 'a token is not of the password');
    const second = await sessions.begin(kim());
    await users.change('kim', { disabled: true });
    t.equal(sessions.find(second.id), undefined);
    t.equal(tokens.principal(token.token), undefined);
    await users.change('kim', { disabled: false });
    t.ok(sessions.find(second.id));
    await users.remove('kim');
    await users.create('kim', ALL, PASSWORD);
    t.equal(sessions.find(second.id), undefined);
    t.equal(tokens.principal(token.token), undefined);
    t.same(tokens.all('kim'), []);
  },
);

t.test('a token may at no time more than its user', async (t) => {
  const { users, tokens, clock } = await scene();
  await users.create('root', ALL, PASSWORD);
  await users.create('kim', [{ site: 'a', role: 'operator' }], PASSWORD);
  const make = async (grants: typeof VIEWER | typeof ALL, expiresMs: number | null = null) => {
    const kim = users.get('kim') as User;
    return await tokens.create(kim, { name: 'x', grants, expiresMs });
  };
  for (const grants of [ALL, [{ site: 'b', role: 'viewer' as const }]])
    await t.rejects(make(grants as typeof VIEWER), { code: 'API_FORBIDDEN' });
  await t.rejects(make(VIEWER, NOW), { code: 'API_PARAMETER_INVALID' });
  const { token } = await make([{ site: 'a', role: 'operator' }] as never, NOW + HOUR_MS);
  t.same(tokens.principal(token), {
    kind: 'token',
    name: 'kim/x',
    grants: [{ site: 'a', role: 'operator' }],
  });
  await users.change('kim', { grants: VIEWER });
  t.same(tokens.principal(token)?.grants, VIEWER, 'demoted');
  await users.change('kim', { grants: [{ site: 'b', role: 'admin' }] });
  t.same(tokens.principal(token)?.grants, []);
  await users.change('kim', { grants: ALL });
  t.same(tokens.principal(token)?.grants, [{ site: 'a', role: 'operator' }]);
  clock.nowMs = NOW + HOUR_MS;
  t.equal(tokens.principal(token), undefined, 'expired');
});

t.test('no secret is in topic control', async (t) => {
  const { users, sessions, tokens, control } = await scene();
  const made = await users.create('kim', VIEWER, undefined);
  const user = users.get('kim') as User;
  const { secret } = await sessions.begin(user);
  const { token } = await tokens.create(user, {
    name: 'x',
    grants: VIEWER,
    expiresMs: null,
  });
  const texts: string[] = [];
  await control.follow((key, value) => {
    texts.push(key, Buffer.from(value ?? []).toString());
  }, new AbortController().signal);
  t.ok(texts.length > 6);
  for (const text of [made ?? '', secret, token, token.slice(4)])
    t.notOk(text === '' || texts.some((one) => one.includes(text)));
});

t.test('entries of another form count for nothing', async (t) => {
  const control = new MemoryControl();
  const put = (key: string, value: unknown) =>
    control.put(key, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));
  await put('user/kim', { id: 'x', grants: 'all', more: 1 });
  await put('user/lee', 'no JSON');
  await put('session/abc', { user: 'kim' });
  await put('token/abc', { name: 'x', user: 'kim', userId: 'x', hash: 'y', grants: ALL });
  const { users, sessions, tokens } = (await openAccess(control, { nowMs: NOW })).opened;
  t.match(users.all(), [{ name: 'kim', grants: [], disabled: true }]);
  t.equal(sessions.find('abc'), undefined);
  t.match(tokens.all(), [{ id: 'abc', expiresMs: 0 }]);
});

t.test('two processes of one log', async (t) => {
  const control = new MemoryControl();
  const clock = { nowMs: NOW };
  const one = (await openAccess(control, clock)).opened;
  const two = (await openAccess(control, clock)).opened;
  await one.users.create('root', ALL, PASSWORD);
  await one.users.create('kim', VIEWER, PASSWORD);
  t.equal((await two.users.verify('kim', PASSWORD))?.name, 'kim');
  const { id } = await one.sessions.begin(one.users.get('kim') as User);
  const seen = two.sessions.find(id);
  t.ok(seen, 'a session of one is one of the other');
  await one.sessions.end(id);
  two.sessions.use(seen as Session);
  clock.nowMs += HOUR_MS / 2;
  two.sessions.use(seen as Session);
  t.equal(one.sessions.find(id), undefined, 'what was ended is not brought back by a use');
  t.equal(two.sessions.find(id), undefined);

  control.delayed = [];
  const disabled = one.users.change('kim', { disabled: true });
  const renewed = two.users.setLanguage('kim', 'ko');
  control.deliver();
  await Promise.all([disabled, renewed]);
  t.match(two.users.get('kim'), { disabled: true, language: 'ko' }, 'neither undoes the other');
});

t.test('the log of one machine keeps them from start to start', async (t) => {
  const path = join(t.testdir(), 'log.sqlite');
  const open = async () => {
    const common = { partitions: 1, maxBytes: 1e8, retentionBytes: 1e8, retentionMs: 1e8 };
    const log = await openSqliteLog({
      path,
      ...common,
      clock: { wallMs: () => NOW },
      log: silentLogger,
    });
    return { log, opened: (await openAccess(log.control, { nowMs: NOW })).opened };
  };
  const before = await open();
  await before.opened.users.create('kim', VIEWER, PASSWORD);
  const { id } = await before.opened.sessions.begin(before.opened.users.get('kim') as User);
  await before.log.close();
  const after = await open();
  t.teardown(() => after.log.close());
  t.equal((await after.opened.users.verify('kim', PASSWORD))?.name, 'kim');
  t.equal(after.opened.sessions.find(id)?.user.name, 'kim');
});

interface Maker {
  said: string[];
  ended: Promise<void>;
  users: OpenAccess['users'];
  stop: AbortController;
}

async function maker(t: Test, control: MemoryControl, roundMs = 60_000): Promise<Maker> {
  const stop = new AbortController();
  t.teardown(() => stop.abort());
  const view = await viewOf(control);
  const users = new Users(view, new Passwords(QUICK), { wallMs: () => NOW });
  const said: string[] = [];
  const say = (name: string, password: string): void => void said.push(`${name} ${password}`);
  const { signal } = stop;
  const options = { control: view, users, say, logger: silentLogger, signal, roundMs };
  return { said, ended: makeFirstAdmin(options), users, stop };
}

t.test('the first user is made once, and its password said once', async (t) => {
  const control = new MemoryControl();
  const first = await maker(t, control);
  await first.ended;
  const [name = '', password = ''] = first.said.join().split(' ');
  t.match(await first.users.verify(name, password), { grants: ALL, mustChange: true });
  const again = await maker(t, control);
  await again.ended;
  t.same(again.said, [], 'not at the next start');
});

t.test('processes that start at once make one, and one says it', async (t) => {
  for (let round = 0; round < 20; round++) {
    const control = new MemoryControl();
    // All have read the log before any of them sees what the others write.
    control.delayed = [];
    const makers = await Promise.all([1, 2, 3].map(() => maker(t, control)));
    control.deliver();
    await Promise.all(makers.map(({ ended }) => ended));
    const said = makers.flatMap((one) => one.said);
    t.equal(said.length, 1);
    const [name = '', password = ''] = said.join().split(' ');
    for (const { users } of makers) t.ok(await users.verify(name, password));
  }
});

t.test('who died over it is replaced', async (t) => {
  // Nothing else keeps the process alive, as a collector's sockets do.
  const alive = setInterval(() => undefined, 1_000);
  t.teardown(() => clearInterval(alive));
  const control = new MemoryControl();
  await control.put('first_admin', Buffer.from(JSON.stringify({ round: 3, by: 'dead' })));
  const makers = await Promise.all([1, 2].map(() => maker(t, control, 50)));
  await Promise.all(makers.map(({ ended }) => ended));
  t.equal(makers.flatMap(({ said }) => said).length, 1);
});
