/** What somebody tries who wants in, or wants others out. Each of it is refused, counted by its reason. */

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import t from 'tap';
import { openAuthority } from '../../../collector/trust/authority.ts';
import { AuthorityFiles } from '../../../collector/trust/authority_files.ts';
import { gatewayKeyIn } from '../../../collector/trust/pem.ts';
import { ENROLMENT_PATHS } from '../../../proto/enrolment.ts';
import { TOKEN } from '../../support/broker.ts';
import {
  askEndpoint,
  askWithToken,
  enrolWithToken,
  makeKey,
  proofOf,
} from '../../support/trust.ts';
import { connectGateway, ended, startTrustPlant } from '../../support/trust-plant.ts';
import { MemoryControl } from '../../support/users.ts';

t.setTimeout(1_200_000);

const DAY_MS = 24 * 3_600_000;
const PRESS = { site: 's', gateway: 'press' };
const OVEN = { site: 's', gateway: 'oven' };
const NOT_AUTHORIZED = { code: 5 };

t.test('a certificate of another authority', async (t) => {
  const plant = await startTrustPlant(t);
  const press = await plant.enrol(PRESS);
  const files = new AuthorityFiles(`${t.testdir()}/other`);
  const clock = { wallMs: () => Date.now() };
  const other = await openAuthority({ given: undefined, files, clock });
  const key = makeKey();
  const publicKey = gatewayKeyIn(key.publicKeyPem);
  if (publicKey === undefined) return;
  const { pem } = await other.issueGateway('s/press', publicKey, 90);
  const forged = { ...press, cert: pem, key: key.keyPem };
  await t.rejects(connectGateway(t, plant.port, forged), NOT_AUTHORIZED);
  t.equal(plant.test.refused('certificate_unknown'), 1);
  // And the other way round: whoever pins the plant's authority does not speak to another one.
  await t.rejects(connectGateway(t, plant.port, { ...press, ca: other.authoritiesPem }));
});

t.test('one that the authority issued and the registry does not know', async (t) => {
  const plant = await startTrustPlant(t);
  const press = await plant.enrol(PRESS);
  const key = makeKey();
  const publicKey = gatewayKeyIn(key.publicKeyPem);
  if (publicKey === undefined) return;
  const { pem } = await plant.authority.issueGateway('s/press', publicKey, 90);
  const forged = { ...press, cert: pem, key: key.keyPem };
  await t.rejects(connectGateway(t, plant.port, forged), NOT_AUTHORIZED);
  t.equal(plant.test.refused('certificate_unknown'), 1);
});

t.test('a certificate before and after its time', async (t) => {
  const plant = await startTrustPlant(t);
  const press = await plant.enrol(PRESS);
  const issuedMs = plant.clock.nowMs;
  plant.clock.nowMs = issuedMs - 2 * DAY_MS;
  await t.rejects(connectGateway(t, plant.port, press), NOT_AUTHORIZED);
  t.equal(plant.test.refused('certificate_not_yet_valid'), 1);
  plant.clock.nowMs = press.notAfterMs + 29 * DAY_MS;
  await connectGateway(t, plant.port, press);
  t.equal(plant.test.broker.connected().length, 1, 'within the grace it is let in');
  plant.clock.nowMs = press.notAfterMs + 31 * DAY_MS;
  await t.rejects(connectGateway(t, plant.port, press), NOT_AUTHORIZED);
  t.equal(plant.test.refused('certificate_expired'), 1);
});

t.test('a revoked one: cut at once, also by another process of the log', async (t) => {
  const control = new MemoryControl();
  const plant = await startTrustPlant(t, { control });
  const { authority } = plant;
  const elsewhere = await startTrustPlant(t, { control, authority });
  const press = await plant.enrol(PRESS);
  const client = await connectGateway(t, elsewhere.port, press);
  const closed = ended(client);
  await plant.admin.revoke(PRESS, 'lost', 'test');
  await closed;
  await t.rejects(connectGateway(t, elsewhere.port, press), NOT_AUTHORIZED);
  await t.rejects(connectGateway(t, plant.port, press), NOT_AUTHORIZED);
  t.equal(elsewhere.test.refused('revoked'), 2, 'the cut, and the attempt after it');
  t.equal(plant.test.refused('revoked'), 1);
  await t.rejects(plant.token(PRESS), { code: 'GATEWAY_REFUSED' });
  const { token } = await plant.admin.token(PRESS, { validHours: 1, now: false, by: 'test' });
  await t.rejects(connectGateway(t, plant.port, press), NOT_AUTHORIZED);
  await connectGateway(t, plant.port, await enrolWithToken(plant.port, token));
});

t.test("under another gateway's name", async (t) => {
  const plant = await startTrustPlant(t);
  const press = await plant.enrol(PRESS);
  await plant.enrol(OVEN);
  const stranger = connectGateway(t, plant.port, press, { clientId: 's/oven/0123456789abcdef' });
  await t.rejects(stranger, { code: 2 });
  t.equal(plant.test.refused('client_id'), 1);
  const client = await connectGateway(t, plant.port, press, {
    username: 's/oven',
    password: TOKEN,
  });
  t.same(plant.test.broker.connected(), [PRESS], 'a user name beside the certificate is nothing');
  const closed = ended(client);
  client.publish('fms/v1/s/oven/batch', 'x', { qos: 1 });
  await closed;
  t.equal(plant.test.refused('publish_topic'), 1);
  t.same(await plant.test.records(), []);
});

t.test("the server's own certificate as a client's", async (t) => {
  const plant = await startTrustPlant(t);
  const press = await plant.enrol(PRESS);
  const pem = readFileSync(join(plant.folder, 'ca/server.key'), 'utf8');
  await t.rejects(connectGateway(t, plant.port, { ...press, cert: pem, key: pem }), NOT_AUTHORIZED);
  t.equal(plant.test.refused('certificate_unknown'), 1);
});

t.test(
  'of an authority that is trusted: only what is for clients, named and not revoked',
  async (t) => {
    const files = new AuthorityFiles(`${t.testdir()}/plant`);
    const clock = { wallMs: () => Date.now() };
    const other = await openAuthority({ given: undefined, files, clock });
    const plant = await startTrustPlant(t, { trusted: [other.authoritiesPem] });
    const key = makeKey();
    const publicKey = gatewayKeyIn(key.publicKeyPem);
    if (publicKey === undefined) return;
    const of = (pem: string) => ({
      ...PRESS,
      ca: plant.authority.authoritiesPem,
      cert: pem,
      key: key.keyPem,
    });
    const good = of((await other.issueGateway('s/press', publicKey, 90)).pem);
    const client = await connectGateway(t, plant.port, good);
    const server = of((await other.issueServer(['s/press'.replace('/', '.')], publicKey)).pem);
    await t.rejects(connectGateway(t, plant.port, server), NOT_AUTHORIZED);
    t.equal(plant.test.refused('certificate_purpose'), 1);
    const nameless = of((await other.issueGateway('press', publicKey, 90)).pem);
    await t.rejects(connectGateway(t, plant.port, nameless), NOT_AUTHORIZED);
    t.equal(plant.test.refused('certificate_unknown'), 1);
    const closed = ended(client);
    await plant.admin.revoke(PRESS, '', 'test');
    await closed;
    await t.rejects(connectGateway(t, plant.port, good), NOT_AUTHORIZED);
    t.equal(plant.test.refused('revoked'), 2);
  },
);

t.test('a token: shown by another key, expired, replaced, guessed', async (t) => {
  const plant = await startTrustPlant(t);
  const used = await plant.token(PRESS);
  t.equal((await askWithToken(plant.port, used)).status, 201);
  const stolen = await askWithToken(plant.port, used);
  t.equal(stolen.body.error?.code, 'ENROL_TOKEN_USED');
  t.match(plant.deeds.at(-1), { action: 'gateway.token_replayed', target: 's/press' });
  const old = await plant.token(OVEN, 1);
  const { token } = await plant.admin.token(OVEN, { validHours: 1, now: false, by: 'test' });
  t.equal((await askWithToken(plant.port, old)).body.error?.code, 'ENROL_TOKEN_UNKNOWN');
  plant.clock.nowMs += 2 * 3_600_000;
  t.equal((await askWithToken(plant.port, token)).body.error?.code, 'ENROL_TOKEN_EXPIRED');
  const guess = old.replace(/\.[\w-]{22}\./, '.AAAAAAAAAAAAAAAAAAAAAA.');
  let answers = 0;
  for (; answers < 100; answers++) {
    const answer = await askWithToken(plant.port, guess);
    if (answer.status !== 429) continue;
    t.ok(Number(answer.retryAfter) >= 1);
    break;
  }
  t.ok(answers < 100, 'who guesses has to wait');
});

t.test('a token where there is a certificate, or without TLS from elsewhere', async (t) => {
  const plant = await startTrustPlant(t);
  const login = { username: 's/press', password: TOKEN };
  const { authoritiesPem: ca } = plant.authority;
  const byToken = await connectGateway(
    t,
    plant.plainPort,
    { ...PRESS, ca },
    {
      protocol: 'mqtt',
      ...login,
    },
  );
  const closed = ended(byToken);
  const press = await plant.enrol(PRESS);
  await closed;
  const plain = { protocol: 'mqtt', ...login } as const;
  await t.rejects(connectGateway(t, plant.plainPort, { ...PRESS, ca }, plain), NOT_AUTHORIZED);
  await t.rejects(connectGateway(t, plant.port, { ...PRESS, ca }, login), NOT_AUTHORIZED);
  t.equal(plant.test.refused('enrolled'), 3, 'the one that was there, and both attempts');
  await connectGateway(t, plant.port, press);
  const from = (remoteAddress: string) =>
    plant.door.identify({ remoteAddress } as Socket, 's/oven', TOKEN);
  t.match(from('192.0.2.7'), { reason: 'needs_tls' });
  t.match(from('::ffff:192.0.2.7'), { reason: 'needs_tls' });
  t.match(from('127.0.0.1'), { gateway: OVEN, transport: 'plain' });
  t.match(from('::1'), { gateway: OVEN });
});

t.test('older TLS, and other protocols on either port', async (t) => {
  const plant = await startTrustPlant(t);
  const old = connectTls({
    host: '127.0.0.1',
    port: plant.port,
    rejectUnauthorized: false,
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  });
  await t.rejects(once(old, 'secureConnect'), { code: /ALERT_PROTOCOL_VERSION|UNSUPPORTED/ });
  const connect = Buffer.from('101000044d5154540402003c000474657374', 'hex');
  for (const port of [plant.port, plant.plainPort]) {
    const socket = connectTcp(port, '127.0.0.1');
    socket.on('error', () => undefined);
    // TLS to the port without, MQTT to the port with TLS.
    socket.write(port === plant.port ? connect : Buffer.from('1603010005010000010303', 'hex'));
    const [hadError] = (await once(socket.resume(), 'close')) as [boolean];
    t.type(hadError, 'boolean');
  }
  t.equal(plant.test.refused('protocol'), 1, 'TLS is no MQTT');
  t.same(plant.test.broker.connected(), []);
});

t.test('a proof by another key, or for something else', async (t) => {
  const plant = await startTrustPlant(t);
  const token = await plant.token(PRESS);
  const secret = token.split('.')[1] ?? '';
  const { fingerprint } = plant.authority;
  const [own, other] = [makeKey(), makeKey()];
  const ask = (proof: string, public_key = own.publicKeyPem) =>
    askEndpoint(plant.port, ENROLMENT_PATHS.enrol, {
      body: { secret, public_key, proof, version: '1' },
    });
  for (const [proof, key] of [
    [proofOf(other, 'enrol', secret, fingerprint)],
    [proofOf(own, 'request', secret, fingerprint)],
    [proofOf(own, 'enrol', secret, '0'.repeat(64))],
    [proofOf(own, 'enrol', secret, fingerprint), own.keyPem],
  ] as [string, string?][]) {
    const { status, body } = await ask(proof, key);
    t.match({ status, body }, { status: 400, body: { error: { code: 'ENROL_KEY_REFUSED' } } });
  }
  t.equal(
    (await ask(proofOf(own, 'enrol', secret, fingerprint))).status,
    201,
    'nothing used it up',
  );
});

t.test('hostile requests', async (t) => {
  const plant = await startTrustPlant(t);
  const deep = `${'['.repeat(8_000)}${']'.repeat(8_000)}`;
  const bodies = ['', '{', 'null', '[]', '"x"', '{"__proto__":{"secret":"x"}}', deep];
  bodies.push(
    JSON.stringify({ secret: 'x'.repeat(22), public_key: '\u202e', proof: {}, version: 1 }),
  );
  bodies.push('x'.repeat(64 * 1_024));
  for (const raw of bodies) {
    const answer = await askEndpoint(plant.port, ENROLMENT_PATHS.enrol, { raw });
    t.equal(answer.body.error?.code, 'ENROL_INVALID', raw.slice(0, 40));
  }
  const [key, name] = [makeKey(), '../x'];
  const body = { site: name, gateway: 'a', public_key: key.publicKeyPem, version: '1' };
  const proof = proofOf(key, 'request', `${name}/a`, plant.authority.fingerprint);
  const named = await askEndpoint(plant.port, ENROLMENT_PATHS.requests, {
    body: { ...body, proof },
  });
  t.equal(named.body.error?.code, 'GATEWAY_NAME_INVALID');
  t.equal((await askEndpoint(plant.port, '/etc/passwd')).status, 404);
  t.equal((await askEndpoint(plant.port, `${ENROLMENT_PATHS.requests}/%00`)).status, 404);
  t.same(plant.deeds, []);
});

t.test('handshakes that do not end hold up nobody', async (t) => {
  const plant = await startTrustPlant(t, { limits: { maxHandshakes: 4 } });
  const press = await plant.enrol(PRESS);
  const silent = Array.from({ length: 12 }, () => connectTcp(plant.port, '127.0.0.1'));
  t.teardown(() => {
    for (const socket of silent) socket.destroy();
  });
  for (const socket of silent) socket.on('error', () => undefined);
  await Promise.all(silent.slice(0, 8).map((socket) => once(socket.resume(), 'close')));
  await connectGateway(t, plant.port, press);
  t.same(plant.test.broker.connected(), [PRESS]);
});

t.test('a handshake has a time, too', async (t) => {
  const plant = await startTrustPlant(t, { limits: { handshakeTimeoutMs: 100 } });
  const silent = connectTcp(plant.port, '127.0.0.1');
  await once(silent.resume(), 'close');
  t.same(plant.test.broker.connected(), []);
});
