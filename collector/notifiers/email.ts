/** Mail over SMTP: one for each group, HTML and text, in one language. */

import { createHash } from 'node:crypto';
import nodemailer from 'nodemailer';
import { emailHtml, emailText } from './email_body.ts';
import { scrub } from './http.ts';
import type { Language, Message, Notifier, NotifierContext } from './notifier.ts';
import { NotifyError } from './notifier.ts';
import { headline, oneLine } from './texts.ts';

export interface EmailSettings {
  host: string;
  port: number;
  /** starttls: refused when the server does not offer it. none: also without, for a server on this machine. */
  tls: 'starttls' | 'tls' | 'none';
  /** PEM; undefined: the system's authorities. */
  ca: string | undefined;
  username: string | undefined;
  password: string | undefined;
  /** An address, or `Name <address>`. */
  from: string;
  to: readonly string[];
  language: Language;
}

const CONNECT_TIMEOUT_MS = 10_000;
const SOCKET_TIMEOUT_MS = 20_000;
/** Threads that one mail belongs to. */
const REFERENCES_MAX = 20;

interface SmtpFailure {
  code?: string;
  responseCode?: number;
  message: string;
}

export function makeEmail(
  settings: EmailSettings,
  { timeZoneOf }: Pick<NotifierContext, 'timeZoneOf'>,
): Notifier {
  const { host, port, tls, ca, username, password = '' } = settings;
  const transport = nodemailer.createTransport({
    host,
    port,
    secure: tls === 'tls',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { minVersion: 'TLSv1.2', ...(ca === undefined ? {} : { ca }) },
    ...(username === undefined ? {} : { auth: { user: username, pass: password } }),
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: CONNECT_TIMEOUT_MS,
    dnsTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    send: async (message, signal) => {
      const timeZone = timeZoneOf(message.site);
      const sending = transport.sendMail(mailOf(message, settings, timeZone));
      try {
        const { rejected = [] } = await untilAborted(sending, signal);
        if (rejected.length === 0) return undefined;
        return `${host}:${port} does not take ${rejected.join(', ')}`;
      } catch (error) {
        throw failureOf(error as SmtpFailure, `${host}:${port}`, username, password);
      }
    },
  };
}

/** What nodemailer is given. It encodes and folds headers; what is in them is on one line already. */
export function mailOf(message: Message, settings: EmailSettings, timeZone: string) {
  const { from, to, language } = settings;
  const domain = domainOf(from);
  const threads = message.notices.slice(0, REFERENCES_MAX).map(({ alert }) => alert.id);
  // No mail has these ids, but programs join mails that name the same ones.
  const references = threads.map(
    (id) => `<alert-${oneLine(id, 64).replace(/[^\w-]/g, '')}@${domain}>`,
  );
  const list = createHash('sha256').update(message.site).digest('hex').slice(0, 12);
  return {
    from,
    to: [...to],
    subject: headline(message, language),
    text: emailText(message, language, timeZone),
    html: emailHtml(message, language, timeZone),
    date: new Date(message.sentMs),
    // The same for the same changes: a copy after a crash is known to be one.
    messageId: `<fms-${message.key}@${domain}>`,
    ...(message.test ? {} : { references, inReplyTo: references[0] ?? '' }),
    headers: {
      'List-Id': `FMS alerts <site-${list}.alerts.${domain}>`,
      'Auto-Submitted': 'auto-generated',
      'X-Auto-Response-Suppress': 'All',
      'X-FMS-Key': message.key,
    },
  };
}

function domainOf(address: string): string {
  const domain = /@([A-Za-z0-9.-]+)>?\s*$/.exec(address)?.[1];
  return domain ?? 'fms.invalid';
}

/** nodemailer cannot be called off: what it does beyond is nobody's concern any more. */
async function untilAborted<Result>(
  sending: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new Error('no answer in time'));
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  sending.catch(() => undefined);
  try {
    return await Promise.race([sending, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function btoaUtf8(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** A mail that the server will never take, as against one that it cannot take now. */
function failureOf(
  error: SmtpFailure,
  server: string,
  username: string | undefined,
  password: string,
): NotifyError {
  const { code = '', responseCode = 0 } = error;
  // Also as AUTH LOGIN and AUTH PLAIN send it, should a server repeat that.
  const sent = [password, `\0${username ?? ''}\0${password}`];
  const secrets = password === '' ? [] : sent.flatMap((one) => [one, btoaUtf8(one)]);
  const text = `${server}: ${oneLine(scrub(error.message, secrets), 200)}`;
  if (code === 'EAUTH' || responseCode === 530 || responseCode === 535)
    return new NotifyError('NOTIFY_NOT_AUTHORISED', text);
  // Of the connection and its greeting nothing is said about this mail.
  const isOfMail = code === 'EENVELOPE' || code === 'EMESSAGE';
  if (isOfMail && responseCode >= 500) return new NotifyError('NOTIFY_REFUSED', text);
  return new NotifyError('NOTIFY_UNREACHABLE', text);
}
