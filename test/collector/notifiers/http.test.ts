/** HTTP receivers that behave badly, and webhooks and Slack messages as they arrive. */

import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import t from 'tap';
import { request, retryAfter, scrub } from '../../../collector/notifiers/http.ts';
import type { Notifier } from '../../../collector/notifiers/notifier.ts';
import { NotifyError } from '../../../collector/notifiers/notifier.ts';
import { makeSlack, slackBody } from '../../../collector/notifiers/slack.ts';
import { makeWebhook } from '../../../collector/notifiers/webhook.ts';
import { alertOf, HOSTILE, messageOf } from '../../support/alerts.ts';
import { freePort } from '../../support/free-port.ts';
import { WebhookServer } from '../../support/webhook-server.ts';

const never = new AbortController().signal;
const context = { timeZoneOf: () => 'Asia/Seoul', wallMs: () => 1_764_217_385_123 };

async function failure(sending: Promise<unknown>): Promise<NotifyError> {
  try {
    await sending;
  } catch (error) {
    if (error instanceof NotifyError) return error;
    throw error;
  }
  throw new Error('it was sent');
}

t.test('what each answer means', async (t) => {
  const server = await WebhookServer.start(t);
  for (const [status, code] of [
    [301, 'NOTIFY_NOT_AUTHORISED'],
    [400, 'NOTIFY_REFUSED'],
    [401, 'NOTIFY_NOT_AUTHORISED'],
    [404, 'NOTIFY_NOT_AUTHORISED'],
    [408, 'NOTIFY_UNREACHABLE'],
    [422, 'NOTIFY_REFUSED'],
    [429, 'NOTIFY_UNREACHABLE'],
    [500, 'NOTIFY_UNREACHABLE'],
    [503, 'NOTIFY_UNREACHABLE'],
  ] as const) {
    server.answer = status;
    const error = await failure(request({ url: server.url(), body: '{}', signal: never }));
    t.equal(error.code, code, `${status}`);
  }
  server.answer = 204;
  await request({ url: server.url(), body: '{}', signal: never });
  t.equal(server.received.length, 10);
});

t.test('a redirect is not followed', async (t) => {
  const other = await WebhookServer.start(t);
  const server = await WebhookServer.start(t);
  server.answer = (response) => response.writeHead(307, { location: other.url() }).end();
  const error = await failure(request({ url: server.url(), body: 'x', signal: never }));
  t.match(error.message, 'redirects are not followed');
  t.equal(other.received.length, 0);
});

t.test('no answer, nobody there, and an answer without end', async (t) => {
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const port = (silent.address() as { port: number }).port;
  silent.on('connection', (socket) => socket.on('error', () => undefined).unref());
  const signal = AbortSignal.timeout(50);
  const late = await failure(request({ url: `http://127.0.0.1:${port}/`, signal }));
  t.match(late, { code: 'NOTIFY_UNREACHABLE', message: /no answer in time/ });

  const server = await WebhookServer.start(t);
  server.answer = (response) => {
    response.writeHead(500);
    const write = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
      if (!response.destroyed) response.once('drain', write);
    };
    write();
  };
  const flood = await failure(request({ url: server.url(), signal: never }));
  t.ok(flood.message.length < 400, 'bounded');

  const gone = await failure(
    request({ url: `http://127.0.0.1:${await freePort()}/secret-path`, signal: never }),
  );
  t.match(gone, { code: 'NOTIFY_UNREACHABLE', message: /ECONNREFUSED/ });
  t.notMatch(gone.message, 'secret-path');
});

t.test('Retry-After', async (t) => {
  t.equal(retryAfter('120', 0), 120_000);
  t.equal(retryAfter('Fri, 27 Nov 2026 10:00:10 GMT', Date.parse('2026-11-27T10:00:00Z')), 10_000);
  t.equal(retryAfter('Fri, 27 Nov 2020 10:00:00 GMT', Date.parse('2026-11-27T10:00:00Z')), 0);
  for (const odd of [null, '', 'soon', '-5', '1e9x'])
    t.equal(retryAfter(odd, 0), undefined, `${odd}`);
});

t.test('secrets are in no error, whatever the receiver says', async (t) => {
  t.equal(scrub('key abcdefgh and abc', ['abc', 'abcdefgh']), 'key *** and abc');
  const server = await WebhookServer.start(t);
  const secret = 'the-signing-secret-of-all';
  const token = 'token-0123456789';
  server.answer = (response, { path, headers }) =>
    response.writeHead(403).end(`no: ${path} ${headers.authorization} ${secret}\r\n\u0007x`);
  const url = server.url('/services/T00000000/B00000000/XXXXXXXXXXXX?key=querysecret');
  const notifiers: Notifier[] = [
    makeWebhook({ url, secret, token }, 'ops', context),
    makeSlack({ url, language: 'en' }, context),
  ];
  for (const [i, notifier] of notifiers.entries()) {
    const { message } = await failure(notifier.send(messageOf([alertOf()]), never));
    t.match(message, '403');
    for (const hidden of [...(i === 0 ? [secret, token] : []), 'XXXXXXXXXXXX', 'querysecret'])
      t.notOk(message.includes(hidden), `${hidden} in ${message}`);
    t.equal(/\p{Cc}/u.test(message), false);
  }
});

t.test('a webhook can be verified as the manual says', async (t) => {
  const server = await WebhookServer.start(t);
  const secret = 'the-signing-secret-of-all';
  const notifier = makeWebhook(
    { url: server.url(), secret, token: 'token-0123456789' },
    'ops',
    context,
  );
  const message = messageOf([alertOf({ title: HOSTILE, device: HOSTILE })]);
  await notifier.send(message, never);
  const { headers, body } = server.received[0]!;
  const timestamp = String(headers['x-fms-timestamp']);
  t.equal(timestamp, '1764217385');
  const expected = createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
  t.equal(headers['x-fms-signature'], `sha256=${expected}`);
  t.equal(headers['idempotency-key'], message.key);
  t.equal(headers.authorization, 'Bearer token-0123456789');
  t.match(server.bodies()[0], {
    version: 1,
    receiver: 'ops',
    site: 'plant',
    test: false,
    left_out: 0,
    alerts: [{ key: '00000000000000a1/1', change: 'firing', told_severity: null, area: 'hall 2' }],
  });
});

t.test('Slack: escaped, bounded, in both languages', async (t) => {
  const server = await WebhookServer.start(t);
  const notifier = makeSlack({ url: server.url(), language: 'ko' }, context);
  await notifier.send(
    messageOf([alertOf({ title: HOSTILE, titleKo: HOSTILE, device: HOSTILE })]),
    never,
  );
  const { body } = server.received[0]!;
  t.notMatch(body, /<!channel>|<img|@here|\]\(http|http:\/\/evil|\\u202e|\\ud800/);
  const many = Array.from({ length: 500 }, (_, i) =>
    alertOf({ id: `${i}`, device: `d${i}`, summary: 'x'.repeat(5_000), severity: 'CRITICAL' }),
  );
  const big = slackBody(messageOf(many, 'firing', { leftOut: 3 }), 'en', 'Asia/Seoul') as {
    text: string;
    attachments: { text: string }[];
  };
  t.equal(big.attachments.length, 20);
  t.match(big.text, /500 alerts \(500 CRITICAL\)[\s\S]*and 480 more[\s\S]*3 earlier alert/);
  t.ok(JSON.stringify(big).length < 40_000);
  const korean = slackBody(
    messageOf([alertOf({ state: 'resolved' })], 'resolved'),
    'ko',
    'Asia/Seoul',
  );
  t.match(korean, { text: '[해제] press-1: 온도가 너무 높음 (plant, 해제)' });
});
