/** Who is taken for the collector, and what each refusal is called. */

import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import t from 'tap';
import { ask } from '../../../agent/identity/ask.ts';
import type { Trust } from '../../../agent/identity/tls.ts';
import { signersIn } from '../../../agent/identity/verify.ts';
import type { Validity } from '../../support/small-authority.ts';
import { SmallAuthority } from '../../support/small-authority.ts';
import type { SmallCollector } from '../../support/small-collector.ts';
import { startSmallCollector } from '../../support/small-collector.ts';

const PAST: Validity = { fromMs: Date.UTC(2000, 0, 1), toMs: Date.UTC(2001, 0, 1) };
const FUTURE: Validity = { fromMs: Date.UTC(2090, 0, 1), toMs: Date.UTC(2091, 0, 1) };
const NAMES = ['collector.plant.example', '127.0.0.1'];
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

const own = await SmallAuthority.make();
const other = await SmallAuthority.make('CN=another authority');

interface Outcome {
  /** `ok`, or the code of the error. */
  outcome: string;
  message: string;
  /** The certificate's time was let pass. */
  warned: boolean;
}

async function tryOut(
  collector: SmallCollector,
  trust: Trust,
  host = '127.0.0.1',
): Promise<Outcome> {
  let warned = false;
  const onWrongTime = (): void => {
    warned = true;
  };
  const endpoint = { host, port: collector.port, trust, onWrongTime };
  const question = {
    method: 'POST',
    path: '/x',
    body: { secret: 's' },
    timeoutMs: 120_000,
  } as const;
  return ask(endpoint, question, () => performance.now()).then(
    () => ({ outcome: 'ok', message: '', warned }),
    (error: Error & { code: string }) => ({ outcome: error.code, message: error.message, warned }),
  );
}

const PINNED: Trust = { ca: own.pem };
const BY_FINGERPRINT: Trust = { fingerprint: own.fingerprint };

t.test('the collector, and who is not', async (t) => {
  const collector = await startSmallCollector(t, await own.server(NAMES));
  collector.answer = () => ({ status: 200, body: {} });
  for (const { what, pair, trust = PINNED, host, expected, message = /./ } of [
    { what: 'the right one', pair: own.server(NAMES), expected: 'ok' },
    { what: 'by the fingerprint', pair: own.server(NAMES), trust: BY_FINGERPRINT, expected: 'ok' },
    { what: 'expired', pair: own.server(NAMES, PAST), expected: 'ok, with a warning' },
    { what: 'not valid yet', pair: own.server(NAMES, FUTURE), expected: 'ok, with a warning' },
    {
      what: 'expired, by the fingerprint: the first contact asks for no time',
      pair: own.server(NAMES, PAST),
      trust: BY_FINGERPRINT,
      expected: 'ok',
    },
    {
      what: 'another name',
      pair: own.server(['192.0.2.1', 'elsewhere.example']),
      expected: 'AGENT_COLLECTOR_NAME',
      message: /127\.0\.0\.1 but for IP Address:192\.0\.2\.1, DNS:elsewhere\.example/,
    },
    {
      what: 'another name and expired: the time hides nothing',
      pair: own.server(['192.0.2.1'], PAST),
      expected: 'AGENT_COLLECTOR_NAME',
    },
    {
      what: 'another name, by the fingerprint',
      pair: own.server(['192.0.2.1']),
      trust: BY_FINGERPRINT,
      expected: 'AGENT_COLLECTOR_NAME',
    },
    {
      what: 'a name of DNS is no address',
      pair: own.server(['collector.plant.example']),
      host: '127.0.0.1',
      expected: 'AGENT_COLLECTOR_NAME',
    },
    {
      what: 'another authority',
      pair: other.server(NAMES),
      expected: 'AGENT_COLLECTOR_UNKNOWN',
      message: new RegExp(other.fingerprint.slice(0, 4).toUpperCase()),
    },
    {
      what: 'another authority and expired',
      pair: other.server(NAMES, PAST),
      expected: 'AGENT_COLLECTOR_UNKNOWN',
    },
    {
      what: 'another authority, by the fingerprint',
      pair: other.server(NAMES),
      trust: BY_FINGERPRINT,
      expected: 'AGENT_ENROL_STRANGER',
    },
    {
      what: "another authority that shows the right one's certificate behind its own",
      pair: other.server(NAMES).then((made) => ({ ...made, cert: made.cert + own.pem })),
      trust: BY_FINGERPRINT,
      expected: /AGENT_(ENROL_STRANGER|COLLECTOR_UNKNOWN)/,
    },
    {
      what: "a gateway's certificate",
      pair: own.server(NAMES, undefined, CLIENT_AUTH),
      expected: 'AGENT_COLLECTOR_UNKNOWN',
    },
    {
      what: "a gateway's certificate, expired",
      pair: own.server(NAMES, PAST, CLIENT_AUTH),
      expected: 'AGENT_COLLECTOR_UNKNOWN',
    },
    {
      what: "a gateway's certificate, by the fingerprint",
      pair: own.server(NAMES, undefined, CLIENT_AUTH),
      trust: BY_FINGERPRINT,
      expected: 'AGENT_COLLECTOR_UNKNOWN',
    },
    {
      what: "the system's authorities do not know it",
      pair: own.server(NAMES, undefined, SERVER_AUTH),
      trust: { system: true } as const,
      expected: 'AGENT_COLLECTOR_UNKNOWN',
    },
  ]) {
    collector.show(await pair);
    collector.asked.length = 0;
    const result = await tryOut(collector, trust, host);
    const outcome = result.warned ? `${result.outcome}, with a warning` : result.outcome;
    if (typeof expected === 'string') t.equal(outcome, expected, `${what}: ${result.message}`);
    else t.match(outcome, expected, `${what}: ${result.message}`);
    if (outcome.startsWith('ok')) t.equal(collector.asked.length, 1, what);
    else {
      t.match(result.message, message, what);
      t.same(collector.asked, [], `${what}: was told nothing`);
    }
  }
});

t.test('what a person compares without a token: whoever signed, and nobody else', async (t) => {
  const issuing = await own.below('CN=issuing authority');
  const { cert } = await issuing.server(NAMES);
  const [leaf, middle, root, stranger] = [cert, issuing.pem, own.pem, other.pem].map(
    (pem) => new X509Certificate(pem),
  ) as [X509Certificate, X509Certificate, X509Certificate, X509Certificate];
  const signers = (...presented: X509Certificate[]): string[] =>
    signersIn(presented).map(({ subject }) => subject);
  const both = [middle.subject, root.subject];
  t.same(signers(leaf, middle, root), both, 'nearest first');
  t.same(signers(leaf, root, stranger, middle), both, 'in whatever order they come');
  t.same(signers(leaf, root), [], 'not without the one between');
  t.same(signers(root), [], 'nobody vouches for oneself');
  const theirs = new X509Certificate((await other.server(NAMES)).cert);
  const names = [stranger.subject];
  t.same(signers(theirs, stranger, root), names, "the right one's certificate is shown by anybody");
  t.same(signersIn([]), []);
});

t.test('an authority that is over, on a gateway whose clock is wrong', async (t) => {
  const old = await SmallAuthority.make('CN=old', PAST);
  const collector = await startSmallCollector(t, await old.server(NAMES, PAST));
  collector.answer = () => ({ status: 200, body: {} });
  t.match(await tryOut(collector, { ca: old.pem }), { outcome: 'ok', warned: true });
  const namesake = await SmallAuthority.make('CN=old', PAST);
  collector.show(await namesake.server(NAMES, PAST));
  t.match(await tryOut(collector, { ca: old.pem }), { outcome: 'AGENT_COLLECTOR_UNKNOWN' });
});

t.test("a plant's issuing authority, pinned without the root above it", async (t) => {
  const issuing = await own.below('CN=issuing');
  const collector = await startSmallCollector(t, await issuing.server(NAMES));
  collector.answer = () => ({ status: 200, body: {} });
  t.match(await tryOut(collector, { ca: issuing.pem }), { outcome: 'ok', warned: false });
  t.match(await tryOut(collector, { fingerprint: issuing.fingerprint }), { outcome: 'ok' });
  t.match(await tryOut(collector, PINNED), { outcome: 'ok' }, 'and by the root');
  collector.show(await issuing.server(NAMES, PAST));
  t.match(await tryOut(collector, { ca: issuing.pem }), { outcome: 'ok', warned: true });
  const beside = await own.below('CN=beside');
  collector.show(await beside.server(NAMES));
  t.match(await tryOut(collector, { ca: issuing.pem }), { outcome: 'AGENT_COLLECTOR_UNKNOWN' });
});

t.test('no TLS there, nobody there, silence', async (t) => {
  const plain = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  const { port } = plain.address() as AddressInfo;
  const asking = (timeoutMs: number) =>
    ask({ host: '127.0.0.1', port, trust: PINNED }, { method: 'GET', path: '/', timeoutMs }, () =>
      performance.now(),
    );
  await t.rejects(asking(120_000), { code: 'AGENT_TLS_FAILED' });
  plain.close();
  await once(plain, 'close');
  await t.rejects(asking(120_000), { code: 'AGENT_COLLECTOR_UNREACHABLE' });
  const silent = createServer((socket) => {
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
  });
  silent.listen(port, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  await t.rejects(asking(200), { code: 'AGENT_COLLECTOR_UNREACHABLE', message: /200 ms/ });
});

t.test('an answer without end, and one that is no JSON', async (t) => {
  const collector = await startSmallCollector(t, await own.server(NAMES));
  collector.answer = () => ({ status: 200, body: { long: 'x'.repeat(20_000) } });
  t.match(await tryOut(collector, PINNED), {
    outcome: 'AGENT_COLLECTOR_UNREACHABLE',
    message: /too long/,
  });
  collector.answer = () => undefined;
  t.match(await tryOut(collector, PINNED), { outcome: 'AGENT_COLLECTOR_UNREACHABLE' });
});
