/** What a connection that does not come about is called, so that the one who reads it knows what to do. */

import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import t from 'tap';
import { AgentError } from '../../../agent/errors.ts';
import type { CollectorAddress } from '../../../agent/forwarder/link.ts';
import { errorOfLink, errorOfSilence, openLink } from '../../../agent/forwarder/link.ts';
import { errorOfTls } from '../../../agent/identity/tls.ts';
import { SmallAuthority } from '../../support/small-authority.ts';

const authority = await SmallAuthority.make();

/** The error that a connection ends with. */
async function outcomeOf(collector: CollectorAddress, warned: string[] = []): Promise<AgentError> {
  const client = openLink({
    collector,
    identity: { site: 'plant', gateway: 'gw', installId: 'i' },
    keepaliveS: 30,
    timeoutMs: 120_000,
    will: Buffer.from('will'),
    onWrongTime: (detail) => void warned.push(detail),
  });
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  let failure: AgentError | undefined;
  client.on('error', (error) => {
    if (failure === undefined || error instanceof AgentError) {
      failure = errorOfLink(error, false, collector);
    }
    client.stream.destroy();
  });
  await closed;
  return failure ?? errorOfSilence(collector);
}

async function listen(
  test: Pick<typeof t, 'teardown'>,
  answer: (socket: Socket, heard: Buffer) => void,
  tls?: { cert: string; key: string },
): Promise<number> {
  const sockets = new Set<Socket>();
  const take = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (heard: Buffer) => answer(socket, heard));
  };
  const server = tls === undefined ? createServer(take) : createTlsServer(tls, take);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  test.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const connack = (code: number) => (socket: Socket) =>
  void socket.end(Buffer.from([0x20, 2, 0, code]));
const byToken = (url: string): CollectorAddress => ({ url, token: 'x', ca: authority.pem });

t.test('without TLS', async (t) => {
  const tlsAlert = Buffer.from([0x15, 3, 3, 0, 2, 2, 70]);
  const tlsOnly = await listen(t, (socket) => void socket.end(tlsAlert));
  t.match(await outcomeOf(byToken(`mqtt://127.0.0.1:${tlsOnly}`)), { code: 'AGENT_TLS_NEEDED' });
  t.match(errorOfSilence(byToken('mqtt://h:8883')), { code: 'AGENT_TLS_NEEDED' });
  t.match(errorOfSilence(byToken('mqtt://h')), { code: 'AGENT_COLLECTOR_UNREACHABLE' });
  const refuses = await listen(t, connack(5));
  const url = `mqtt://127.0.0.1:${refuses}`;
  t.match(await outcomeOf(byToken(url)), { code: 'AGENT_NOT_AUTHORISED' });
  const refusal = Object.assign(new Error('Not authorized'), { code: 5 });
  const far = byToken('mqtt://collector.plant');
  t.match(errorOfLink(refusal, false, far), { code: 'AGENT_TLS_NEEDED' });
  const wrong = Object.assign(new Error('Bad username or password'), { code: 4 });
  t.match(errorOfLink(wrong, false, far), { code: 'AGENT_NOT_AUTHORISED' });
});

t.test('with TLS: refused by token, by certificate, and a port that speaks none', async (t) => {
  const pair = await authority.server(['127.0.0.1']);
  const port = await listen(t, connack(5), pair);
  const url = `mqtts://127.0.0.1:${port}`;
  t.match(await outcomeOf(byToken(url)), { code: 'AGENT_NOT_AUTHORISED' });
  const shown = { ...byToken(url), own: { cert: pair.cert, key: pair.key } };
  t.match(await outcomeOf(shown), { code: 'AGENT_CERTIFICATE_REFUSED' });
  const busy = await listen(t, connack(3), pair);
  const later = await outcomeOf(byToken(`mqtts://127.0.0.1:${busy}`));
  t.match(later, { code: 'AGENT_COLLECTOR_UNAVAILABLE' });
  const plain = await listen(t, (socket) => void socket.end('no TLS here, and nothing like it'));
  const none = await outcomeOf(byToken(`mqtts://127.0.0.1:${plain}`));
  t.match(none, { code: 'AGENT_TLS_FAILED' });
});

t.test('nothing is told to a stranger: no user, no token', async (t) => {
  const heard: Buffer[] = [];
  const other = await SmallAuthority.make('CN=another');
  const port = await listen(
    t,
    (_, bytes) => void heard.push(bytes),
    await other.server(['127.0.0.1']),
  );
  const error = await outcomeOf(byToken(`mqtts://127.0.0.1:${port}`));
  t.match(error, { code: 'AGENT_COLLECTOR_UNKNOWN' });
  t.same(heard, []);
});

t.test('a wrong clock: the connection goes on, with a warning', async (t) => {
  const past = { fromMs: Date.UTC(2000, 0, 1), toMs: Date.UTC(2001, 0, 1) };
  const port = await listen(t, connack(3), await authority.server(['127.0.0.1'], past));
  const warned: string[] = [];
  const error = await outcomeOf(byToken(`mqtts://127.0.0.1:${port}`), warned);
  t.match(error, { code: 'AGENT_COLLECTOR_UNAVAILABLE' }, 'it came as far as CONNACK');
  t.match(warned, [/2001/]);
});

t.test('credentials that cannot be read end the attempt with their own code', async (t) => {
  const credentials = (): never => {
    throw new AgentError('AGENT_IDENTITY_UNUSABLE', 'key.pem is missing');
  };
  const error = await outcomeOf({ ...byToken('mqtts://127.0.0.1:1'), credentials });
  t.match(error, { code: 'AGENT_IDENTITY_UNUSABLE' });
});

t.test('what the other side says of our certificate', async (t) => {
  for (const [code, expected] of [
    ['ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_REVOKED', 'AGENT_CERTIFICATE_REVOKED'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'AGENT_CERTIFICATE_EXPIRED'],
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'AGENT_CERTIFICATE_REFUSED'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'AGENT_CERTIFICATE_REFUSED'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'AGENT_CERTIFICATE_REFUSED'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN', 'AGENT_CERTIFICATE_REFUSED'],
    ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'AGENT_TLS_FAILED'],
    ['ECONNRESET', undefined],
  ] as const) {
    t.equal(errorOfTls(Object.assign(new Error(code), { code }))?.code, expected, code);
  }
});
