/** Pages, API and the ClickHouse interface with TLS; who asks them: command line, other processes. */

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as ask } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { connect } from 'node:tls';
import type { Test } from 'tap';
import t from 'tap';
import { stringify } from 'yaml';
import { askPeer } from '../../../collector/api/peers.ts';
import { apiAddress, apiAt, apiOf, askApi } from '../../../collector/commands/client.ts';
import type { CollectorConfig } from '../../../collector/config.ts';
import { ConfigInvalid, loadConfig } from '../../../collector/config.ts';
import { startClickHouseHttp } from '../../../collector/parts/clickhouse_http.ts';
import type { RunningHttp } from '../../../collector/parts/http.ts';
import { startHttp } from '../../../collector/parts/http.ts';
import { identityFiles } from '../../../collector/parts/identity_files.ts';
import { keyFingerprint, secureFetch } from '../../../collector/secure_fetch.ts';
import type { Authority } from '../../../collector/trust/authority.ts';
import { HeldServerIdentity } from '../../../collector/trust/server_identity.ts';
import { fakeContext } from '../../support/api-context.ts';
import { serverCertificate, testAuthority, writePair } from '../../support/server-certificates.ts';
import { silentLogger } from '../../support/silent-logger.ts';
import { MemoryControl, openAccess } from '../../support/users.ts';

const NAMES = ['127.0.0.1', 'localhost'];
const NOW = Date.UTC(2026, 10, 27, 12);
const PASSWORD = 'correct horse battery';

interface Scene {
  folder: string;
  authority: Authority;
  ca: string[];
  identity: HeldServerIdentity;
  http: RunningHttp;
  base: URL;
  config: CollectorConfig;
}

function folderFor(t: Pick<Test, 'teardown'>): string {
  const folder = mkdtempSync(join(tmpdir(), 'fms-https-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A configuration in `folder` with its http port free. */
function configIn(folder: string, more: Record<string, unknown>): CollectorConfig {
  const file = join(folder, 'collector.yaml');
  writeFileSync(file, stringify({ data_dir: './data', ...more }));
  return loadConfig(file);
}

async function scene(t: Test, tls: Record<string, unknown> = {}): Promise<Scene> {
  const folder = folderFor(t);
  const authority = await testAuthority(join(folder, 'data'));
  const identity = new HeldServerIdentity(await serverCertificate(authority, NAMES));
  const config = configIn(folder, { http: { port: 0, tls } });
  const access = await openAccess(new MemoryControl(), { nowMs: NOW });
  await access.opened.users.create('kim', [{ site: '*', role: 'viewer' }], PASSWORD);
  const context = fakeContext(NOW, { access, auditLog: { record: async () => undefined } });
  const http = await startHttp(config, context, silentLogger, identity);
  t.teardown(() => http.close());
  const base = new URL(`https://127.0.0.1:${http.port}`);
  return { folder, authority, ca: [authority.authoritiesPem], identity, http, base, config };
}

/** Shaken hands with whoever listens; nothing is judged. */
async function shakeHands(t: Test, port: number, more: object = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...more });
  t.teardown(() => socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

t.test('pages and API by https, and a cookie that never goes another way', async (t) => {
  const { base, ca } = await scene(t);
  const page = await secureFetch(new URL('/healthz', base), {}, { ca });
  t.equal(page.status, 200);
  t.equal(page.headers.get('strict-transport-security'), null, 'unless it is asked for');
  const login = await secureFetch(
    new URL('/api/v1/session', base),
    {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'kim', password: PASSWORD }),
    },
    { ca },
  );
  t.equal(login.status, 201);
  t.match(await login.json(), { user: { name: 'kim' } });
  t.match(login.headers.get('set-cookie'), /fms_session=.*; Secure/);
  const refused = await secureFetch(new URL('/api/v1/users', base), {}, { ca });
  t.match(await refused.json(), { error: { code: 'API_UNAUTHENTICATED' } });
});

t.test('browsers are bound to https where that is asked for', async (t) => {
  const { base, ca } = await scene(t, { hsts_days: 2 });
  const page = await secureFetch(new URL('/healthz', base), {}, { ca });
  t.equal(page.headers.get('strict-transport-security'), 'max-age=172800');
});

t.test('who is not trusted is sent nothing', async (t) => {
  const { base, ca, authority, identity, http } = await scene(t);
  const other = await testAuthority(folderFor(t));
  const gets = (trust: Parameters<typeof secureFetch>[2], url = new URL('/healthz', base)) =>
    secureFetch(url, { headers: { authorization: 'Bearer x' } }, trust);
  const no = { code: 'COLLECTOR_NOT_TRUSTED' };
  await t.rejects(gets({ ca: [other.authoritiesPem] }), no, 'another authority');
  await t.rejects(gets({ ca: [] }), no, 'none');
  await t.rejects(gets({}), no, "the system's");
  await t.rejects(gets({ checkName: false }), no, "the system's, whatever the name");
  await t.rejects(gets({ ca: [], keys: ['00'] }), no, 'another key');
  t.equal((await gets({ ca: [], keys: http.keys() })).status, 200, 'its key, whoever signed');

  const elsewhere = await serverCertificate(authority, ['collector.plant.example']);
  identity.set(elsewhere);
  await t.rejects(gets({ ca }), no, 'the name of another server');
  t.equal((await gets({ ca, checkName: false })).status, 200, 'an authority of members alone');
  const stranger = await serverCertificate(other, NAMES);
  identity.set(stranger);
  await t.rejects(gets({ ca, checkName: false }), no);
  t.same(http.keys(), [keyFingerprint(stranger.certPem)]);

  const gone = new AbortController();
  gone.abort(new Error('enough'));
  await t.rejects(secureFetch(base, { signal: gone.signal }, { ca }), { message: 'enough' });
  await http.close();
  await t.rejects(gets({ ca }), { code: 'ECONNREFUSED' });
});

t.test('old TLS is refused', async (t) => {
  const { base } = await scene(t);
  const port = Number(base.port);
  // Security level 0 is what the client itself needs to offer it.
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' };
  await t.rejects(shakeHands(t, port, old), { code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION' });
  const socket = await shakeHands(t, port, { maxVersion: 'TLSv1.2' });
  t.equal(socket.getProtocol(), 'TLSv1.2');
});

t.test('who asks by http is sent on, or told', async (t) => {
  const { base } = await scene(t);
  const at = `http://127.0.0.1:${base.port}`;
  const page = { headers: { accept: 'text/html,*/*' }, redirect: 'manual' } as const;
  const sent = await fetch(`${at}/alerts?site=demo`, page);
  t.equal(sent.status, 307);
  t.equal(sent.headers.get('location'), `https://127.0.0.1:${base.port}/alerts?site=demo`);
  for (const init of [{}, { ...page, method: 'POST', body: 'x'.repeat(100_000) }]) {
    const told = await fetch(`${at}/api/v1/overview`, init);
    t.equal(told.status, 426);
    t.match(await told.json(), { error: { code: 'API_NEEDS_TLS', hint: /https/ } });
  }
  const foreign = await rawly(Number(base.port), [
    'GET / HTTP/1.1',
    'host: evil.example',
    'accept: text/html',
    '',
    '',
  ]);
  t.match(foreign, /^HTTP\/1\.1 426 /, 'no way to send somebody elsewhere');
  t.match(await rawly(Number(base.port), ['\u0001what']), /^HTTP\/1\.1 400 /);
});

/** What is answered to bytes without TLS, until the end. */
async function rawly(port: number, lines: readonly string[]): Promise<string> {
  const socket = connectPlain(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  socket.write(lines.join('\r\n'));
  await once(socket, 'close');
  return text;
}

t.test('a new certificate while it runs', async (t) => {
  const { base, ca, authority, identity, http } = await scene(t);
  const before = identity.current;
  const held = await shakeHands(t, http.port);
  t.equal(held.getPeerX509Certificate()?.raw.equals(rawOf(before.certPem)), true);
  const now = await serverCertificate(authority, NAMES);
  identity.set(now);
  const next = await shakeHands(t, http.port);
  t.equal(next.getPeerX509Certificate()?.raw.equals(rawOf(now.certPem)), true);
  held.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [answer] = await once(held, 'data');
  t.match(String(answer), /^HTTP\/1\.1 200 /, 'what was open goes on');

  identity.set({ ...now, keyPem: before.keyPem });
  const still = await shakeHands(t, http.port);
  t.equal(still.getPeerX509Certificate()?.raw.equals(rawOf(now.certPem)), true, 'no pair');
  t.equal((await secureFetch(new URL('/healthz', base), {}, { ca })).status, 200);
});

function rawOf(pem: string): Buffer {
  return new X509Certificate(pem).raw;
}

t.test('it ends although some have not said a word', async (t) => {
  const { http } = await scene(t);
  const silent = connectPlain(http.port, '127.0.0.1');
  await once(silent, 'connect');
  const half = connectPlain(http.port, '127.0.0.1');
  half.write(Buffer.from([0x16, 3, 1]));
  const idle = await shakeHands(t, http.port);
  const ended = [silent, half, idle].map((socket) =>
    once(
      socket.on('error', () => {}),
      'close',
    ),
  );
  await http.close();
  await Promise.all(ended);
  t.pass('all are closed');
});

t.test('certificates in files, and what takes their place', async (t) => {
  const folder = folderFor(t);
  const authority = await testAuthority(folder);
  const first = await serverCertificate(authority, NAMES);
  const files = writePair(folder, first);
  const warnings: string[] = [];
  const warned = Promise.withResolvers<void>();
  const logger = {
    ...silentLogger,
    warn: (_: object, text: string) => {
      warnings.push(text);
      warned.resolve();
    },
  };
  const { identity, close } = identityFiles(files, logger, 20);
  // Looking keeps no process alive.
  const alive = setInterval(() => undefined, 1_000);
  t.teardown(() => {
    clearInterval(alive);
    close();
  });
  t.equal(identity.current.certPem, first.certPem);
  const changed = new Promise<void>((resolve) => identity.onChange(() => resolve()));
  const second = await serverCertificate(authority, NAMES);
  writeFileSync(files.certFile, second.certPem);
  await warned.promise;
  t.match(warnings[0], /do not fit/);
  t.equal(identity.current.certPem, first.certPem, 'not before the key is there');
  writeFileSync(files.keyFile, second.keyPem);
  await changed;
  t.same(identity.current, second);
  t.throws(() => identityFiles({ ...files, keyFile: join(folder, 'none') }, silentLogger));
});

t.test('mistakes in the configuration are said before anything listens', async (t) => {
  const folder = folderFor(t);
  const authority = await testAuthority(folder);
  writePair(folder, await serverCertificate(authority, NAMES));
  const other = await serverCertificate(authority, NAMES);
  writeFileSync(join(folder, 'other.key'), other.keyPem);
  const mistakes = (tls: object): readonly string[] => {
    try {
      configIn(folder, { http: { tls } });
      return [];
    } catch (error) {
      if (error instanceof ConfigInvalid) return error.mistakes;
      throw error;
    }
  };
  t.same(mistakes({ cert_file: 'server.crt', key_file: 'server.key' }), []);
  t.same(mistakes({}), []);
  t.match(mistakes({ cert_file: 'server.crt' }), [/http\.tls needs both cert_file and key_file/]);
  t.match(mistakes({ cert_file: 'server.crt', key_file: 'other.key' }), [/yaml:4: http\.tls/]);
  t.match(mistakes({ cert_file: 'server.crt', key_file: 'none' }), [/cannot be read/]);
  t.match(mistakes({ cert: 'x' }), [/cert/]);

  const kafka = { brokers: ['127.0.0.1:9092'] };
  const files = { cert_file: 'server.crt', key_file: 'server.key' };
  t.ok(configIn(folder, { http: { tls: files }, log: { kafka } }), 'needs no authority');
  t.throws(() => configIn(folder, { http: { tls: {} }, log: { kafka } }), /ca\.cert_file/);
});

t.test('the command line trusts the collector of its machine, and whom it is told', async (t) => {
  const { folder, authority, http, config, identity, base } = await scene(t);
  const file = config.file;
  const said: string[] = [];
  const output = { log: () => undefined, error: (line: string) => void said.push(line) };
  const health = async (api: ReturnType<typeof apiOf>): Promise<number> => {
    if (api === undefined) throw new Error(said.join('\n'));
    return (await askApi({ ...api, url: base.origin }, '/healthz')).status;
  };
  t.equal(apiAddress(config), 'https://127.0.0.1:0');
  identity.set(await serverCertificate(authority, ['collector.plant.example']));
  t.equal(await health(apiOf({ config: file }, {}, output)), 200, 'whatever its names are');
  t.equal(await health(apiAt(base.origin, { config: file }, {})), 200, 'also at this address');

  const remote = apiAt(`https://collector.plant.example:${http.port}`, { config: file }, {});
  t.equal(remote.trust, undefined, "nowhere else: there the system's authorities count");
  const caFile = join(folder, 'ca.pem');
  writeFileSync(caFile, authority.authoritiesPem);
  const named = apiAt(base.origin, { config: file, caFile }, {});
  await t.rejects(health(named), { code: 'COLLECTOR_NOT_TRUSTED' }, 'then the name counts');
  identity.set(await serverCertificate(authority, NAMES));
  t.equal(await health(named), 200);
  const byEnvironment = { FMS_COLLECTOR_CA: caFile };
  t.equal(await health(apiAt(base.origin, { config: '/none' }, byEnvironment)), 200);
  await t.rejects(health(apiAt(base.origin, { config: '/none' }, {})), {
    code: 'COLLECTOR_NOT_TRUSTED',
  });
  t.equal(apiOf({ config: file, caFile: join(folder, 'none') }, {}, output), undefined);
  t.match(said, [/no such file/]);

  const own = await serverCertificate(await testAuthority(folderFor(t)), NAMES);
  writePair(folder, own);
  const tls = { cert_file: 'server.crt', key_file: 'server.key' };
  configIn(folder, { http: { port: 0, tls } });
  await t.rejects(health(apiOf({ config: file }, {}, output)), { code: 'COLLECTOR_NOT_TRUSTED' });
  identity.set(own);
  t.equal(await health(apiOf({ config: file }, {}, output)), 200, 'files of its own');
});

t.test('processes of one log ask each other', async (t) => {
  const { base, http, authority, identity } = await scene(t);
  const peer = { address: base.origin, secret: 's' };
  const ca = [authority.authoritiesPem];
  const none = { ca: [], checkName: false };
  t.equal(
    (await askPeer({ ...peer, trust: { ...none, keys: http.keys() } }, '/healthz')).status,
    200,
  );
  await t.rejects(askPeer({ ...peer, trust: none }, '/healthz'), { code: 'COLLECTOR_NOT_TRUSTED' });
  await t.rejects(askPeer(peer, '/healthz'), { code: 'COLLECTOR_NOT_TRUSTED' });
  identity.set(await serverCertificate(authority, ['pod-7']));
  t.equal((await askPeer({ ...peer, trust: { ca, checkName: false } }, '/healthz')).status, 200);
  await http.close();
  const trust = { ca, checkName: false };
  await t.rejects(askPeer({ ...peer, trust }, '/healthz'), { code: 'COLLECTOR_UNREACHABLE' });
});

t.test('the ClickHouse interface, too', async (t) => {
  const folder = folderFor(t);
  const authority = await testAuthority(folder);
  writePair(folder, await serverCertificate(authority, NAMES));
  const tls = { cert_file: 'server.crt', key_file: 'server.key' };
  const config = configIn(folder, { clickhouse_http: { port: 0, tls } });
  const server = await startClickHouseHttp(config, fakeContext(NOW), silentLogger);
  t.teardown(() => server?.close());
  const url = new URL(`https://127.0.0.1:${server?.port}/ping`);
  const pong = await secureFetch(url, {}, { ca: [authority.authoritiesPem] });
  t.equal(await pong.text(), 'Ok.\n');
  const told = await fetch(`http://127.0.0.1:${server?.port}/ping`);
  t.equal(told.status, 426);
});

t.test('answers come piece by piece, as from fetch', async (t) => {
  const { base, ca } = await scene(t);
  const { body, headers } = await secureFetch(new URL('/metrics', base), {}, { ca });
  let bytes = 0;
  for await (const piece of body ?? []) bytes += piece.length;
  t.ok(bytes > 0);
  t.match(headers.get('content-type'), /text\/plain/);
  // The same by a client that knows nothing of ours.
  const [answer] = await once(ask(new URL('/healthz', base), { ca }).end(), 'response');
  t.equal(answer.resume().statusCode, 200);
});
