/** Mail through a real SMTP server: encrypted, authorised, in two languages, and safe from names. */

import type { Test } from 'tap';
import t from 'tap';
import type { EmailSettings } from '../../../collector/notifiers/email.ts';
import { makeEmail } from '../../../collector/notifiers/email.ts';
import { alertOf, HOSTILE, messageOf } from '../../support/alerts.ts';
import { whyNotWithout } from '../../support/programs.ts';
import type { TestSmtp } from '../../support/smtp-server.ts';
import { decodedWords, headersOf, partsOf, startSmtp } from '../../support/smtp-server.ts';

const never = new AbortController().signal;
const skip = whyNotWithout('openssl');

function settings({ port, ca }: TestSmtp, fields: Partial<EmailSettings> = {}): EmailSettings {
  return {
    host: '127.0.0.1',
    port,
    tls: 'none',
    ca,
    username: undefined,
    password: undefined,
    from: 'FMS plant <fms@plant.example>',
    to: ['kim@plant.example', 'lee@plant.example'],
    language: 'en',
    ...fields,
  };
}

function emailTo(smtp: TestSmtp, fields: Partial<EmailSettings> = {}) {
  return makeEmail(settings(smtp, fields), { timeZoneOf: () => 'Asia/Seoul' });
}

for (const tls of ['starttls', 'tls'] as const)
  t.test(`${tls} and a password`, { skip }, async (t) => {
    const smtp = await startSmtp(t, { tls, user: 'fms', password: 'pass-word-123' });
    const access = { tls, username: 'fms', password: 'pass-word-123' } as const;
    await emailTo(smtp, access).send(messageOf([alertOf()]), never);
    const { from, to, encrypted, user } = smtp.mails[0]!;
    t.same(
      { from, to, encrypted, user },
      {
        from: 'fms@plant.example',
        to: ['kim@plant.example', 'lee@plant.example'],
        encrypted: true,
        user: 'fms',
      },
    );

    const wrong = emailTo(smtp, { ...access, password: 'wrong-word-456' });
    const refusal = await wrong.send(messageOf([alertOf()]), never).catch((error) => error);
    t.equal(refusal.code, 'NOTIFY_NOT_AUTHORISED');
    t.notMatch(refusal.message, 'wrong-word-456');

    const stranger = emailTo(smtp, { ...access, ca: undefined });
    await t.rejects(stranger.send(messageOf([alertOf()]), never), { code: 'NOTIFY_UNREACHABLE' });
    t.equal(smtp.mails.length, 1);
  });

t.test('starttls sends nothing in the clear', async (t) => {
  const smtp = await startSmtp(t, { tls: 'none' });
  const notifier = emailTo(smtp, { tls: 'starttls' });
  await t.rejects(notifier.send(messageOf([alertOf()]), never), { code: 'NOTIFY_UNREACHABLE' });
  t.equal(smtp.mails.length, 0);
});

async function sent(
  t: Test,
  message = messageOf([alertOf()]),
  fields: Partial<EmailSettings> = {},
) {
  const smtp = await startSmtp(t, { tls: 'none' });
  await emailTo(smtp, fields).send(message, never);
  const { raw, to } = smtp.mails[0]!;
  const headers = headersOf(raw);
  return {
    raw,
    to,
    headers,
    subject: decodedWords(headers.get('subject') ?? ''),
    parts: partsOf(raw),
  };
}

t.test('headers, text and HTML', async (t) => {
  const alert = alertOf({ startedMs: Date.parse('2026-11-27T05:03:05Z') });
  const { headers, subject, parts } = await sent(t, messageOf([alert]));
  t.equal(subject, '[WARNING] press-1: Temperature too high (plant, firing)');
  t.match(headers.get('list-id'), /^FMS alerts <site-[0-9a-f]{12}\.alerts\.plant\.example>$/);
  t.match(headers.get('message-id'), /^<fms-[0-9a-f]{32}@plant\.example>$/);
  t.equal(headers.get('references'), '<alert-00000000000000a1@plant.example>');
  t.equal(headers.get('in-reply-to'), '<alert-00000000000000a1@plant.example>');
  t.equal(headers.get('auto-submitted'), 'auto-generated');
  const text = parts.get('text/plain') ?? '';
  t.match(text, 'sensor1 is 93.4 °C, expected at most 90');
  t.match(text, 'plant / hall 2 / line 7');
  t.match(text, 'since 2026-11-27 14:03:05', 'on the site’s clock');
  t.match(parts.get('text/html'), '<strong');
});

t.test('Korean, and one mail for a group', async (t) => {
  const alerts = Array.from({ length: 150 }, (_, i) =>
    alertOf({ id: `a${i}`, device: `press-${i}`, severity: i === 0 ? 'CRITICAL' : 'WARNING' }),
  );
  const { headers, subject, parts } = await sent(t, messageOf(alerts, 'firing', { leftOut: 7 }), {
    language: 'ko',
  });
  t.equal(subject, '[심각] plant: 경보 150건 (심각 1, 주의 149)');
  const text = parts.get('text/plain') ?? '';
  t.match(text, '심각 · press-0: 온도가 너무 높음 (발생)');
  t.match(text, '외 50건');
  t.match(text, '이전 알림 7건');
  t.ok((headers.get('references') ?? '').split(' ').length <= 20);
});

t.test('the end: how long it lasted, and when nobody had heard of the begin', async (t) => {
  const startedMs = Date.parse('2026-11-27T05:00:00Z');
  const over = alertOf({ state: 'resolved', startedMs, resolvedMs: startedMs + 180_000 });
  const { subject, parts } = await sent(t, {
    ...messageOf([]),
    site: 'plant',
    notices: [{ kind: 'resolved', alert: over, toldSeverity: undefined }],
  });
  t.equal(subject, '[RESOLVED] press-1: Temperature too high (plant, resolved)');
  t.match(
    parts.get('text/plain'),
    /until 2026-11-27 14:03:00 \(3 min\), over before it could be told/,
  );
});

t.test('hostile names change neither headers nor HTML nor recipients', async (t) => {
  const alert = alertOf({
    id: HOSTILE,
    site: HOSTILE,
    device: HOSTILE,
    title: HOSTILE,
    summary: HOSTILE,
    area: HOSTILE,
    acknowledgedMs: 1,
    acknowledgedBy: HOSTILE,
    acknowledgedNote: HOSTILE,
    values: { [HOSTILE]: HOSTILE },
  });
  const plain = await sent(t);
  const { raw, to, headers, parts, subject } = await sent(t, messageOf([alert]));
  t.same([...headers.keys()].sort(), [...plain.headers.keys()].sort(), 'no header more');
  t.notMatch(raw.slice(0, raw.indexOf('\r\n\r\n')), /^bcc:/im);
  t.same(to, ['kim@plant.example', 'lee@plant.example']);
  t.equal(/[\p{Cc}\u202e\u2028]/u.test(subject), false);
  t.notMatch(parts.get('text/html'), /<img/);
  t.match(parts.get('text/html'), '&lt;img src=x onerror=alert(1)&gt;');
});

t.test('what the server will never take, and what it cannot take now', async (t) => {
  const smtp = await startSmtp(t, { tls: 'none' });
  const notifier = emailTo(smtp);
  smtp.refuse = { code: 550 };
  await t.rejects(notifier.send(messageOf([alertOf()]), never), { code: 'NOTIFY_REFUSED' });
  smtp.refuse = { code: 451 };
  await t.rejects(notifier.send(messageOf([alertOf()]), never), { code: 'NOTIFY_UNREACHABLE' });
  smtp.refuse = { code: 550, address: 'lee@plant.example' };
  const problem = await notifier.send(messageOf([alertOf()]), never);
  t.same(smtp.mails[0]?.to, ['kim@plant.example'], 'the others get it');
  t.match(problem, /does not take lee@plant\.example$/);
  await t.rejects(emailTo({ ...smtp, port: 1 }).send(messageOf([alertOf()]), never), {
    code: 'NOTIFY_UNREACHABLE',
  });
  await t.rejects(notifier.send(messageOf([alertOf()]), AbortSignal.abort()), {
    code: 'NOTIFY_UNREACHABLE',
  });
});
