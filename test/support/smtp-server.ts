/** A real SMTP server on a port of the loopback, with its own certificate when a test wants one. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import type { Test } from 'tap';

export interface ReceivedMail {
  from: string;
  to: string[];
  /** As it came. */
  raw: string;
  encrypted: boolean;
  user: string;
}

export interface TestSmtp {
  port: number;
  mails: ReceivedMail[];
  /** PEM of who signed it; undefined: not encrypted. */
  ca: string | undefined;
  /** What every recipient, or whose name it is, is answered with; undefined: taken. */
  refuse: { code: number; address?: string } | undefined;
}

export interface SmtpOptions {
  tls: 'starttls' | 'tls' | 'none';
  user?: string;
  password?: string;
}

export async function startSmtp(t: Test, options: SmtpOptions): Promise<TestSmtp> {
  const { tls, user, password } = options;
  const pair = tls === 'none' ? undefined : certificate(t);
  const smtp: TestSmtp = { port: 0, mails: [], ca: pair?.cert, refuse: undefined };
  const server = new SMTPServer({
    secure: tls === 'tls',
    ...(pair === undefined ? { hideSTARTTLS: true } : pair),
    authOptional: user === undefined,
    logger: false,
    onAuth: (auth, _, callback) => {
      if (auth.username === user && auth.password === password) callback(null, { user });
      else callback(new Error(`Invalid login for ${auth.username} with ${auth.password}`));
    },
    onRcptTo: ({ address }, _, callback) => {
      const { refuse } = smtp;
      if (refuse === undefined || (refuse.address ?? address) !== address) callback();
      else callback(Object.assign(new Error('not taken'), { responseCode: refuse.code }));
    },
    onData: (stream, session, callback) => {
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('end', () => {
        const { mailFrom, rcptTo } = session.envelope;
        smtp.mails.push({
          from: mailFrom === false ? '' : mailFrom.address,
          to: rcptTo.map(({ address }) => address),
          raw: Buffer.concat(parts).toString('utf8'),
          encrypted: session.secure,
          user: String(session.user ?? ''),
        });
        callback();
      });
    },
  });
  server.on('error', () => undefined);
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  smtp.port = (listening.address() as { port: number }).port;
  t.teardown(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return smtp;
}

function certificate(t: Test): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'fms-smtp-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  const kind = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
  ];
  const names = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'];
  execFileSync('openssl', [...kind, ...names, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}

/** Headers by lower-case name, unfolded; the first of each name. */
export function headersOf(raw: string): Map<string, string> {
  const head = raw.slice(0, raw.indexOf('\r\n\r\n')).replace(/\r\n[ \t]+/g, ' ');
  const headers = new Map<string, string>();
  for (const line of head.split('\r\n')) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(at + 1).trim());
  }
  return headers;
}

/** A header's encoded words as text (RFC 2047). */
export function decodedWords(text: string): string {
  return text
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?UTF-8\?([BQ])\?([^?]*)\?=/gi, (_, kind: string, coded: string) =>
      (kind.toUpperCase() === 'B'
        ? Buffer.from(coded, 'base64')
        : quotedBytes(coded.replaceAll('_', ' '))
      ).toString('utf8'),
    );
}

/** The parts of a multipart mail as text, by their type. */
export function partsOf(raw: string): Map<string, string> {
  const boundary = /boundary="([^"]+)"/.exec(raw)?.[1] ?? '';
  const parts = new Map<string, string>();
  for (const part of raw.split(`--${boundary}`).slice(1, -1)) {
    const headers = headersOf(part.trimStart());
    const body = part.trimStart().slice(part.trimStart().indexOf('\r\n\r\n') + 4);
    const type = (headers.get('content-type') ?? '').split(';')[0] ?? '';
    const coding = headers.get('content-transfer-encoding');
    const bytes =
      coding === 'base64'
        ? Buffer.from(body, 'base64')
        : coding === 'quoted-printable'
          ? quotedBytes(body.replaceAll('=\r\n', ''))
          : Buffer.from(body);
    parts.set(type, bytes.toString('utf8'));
  }
  return parts;
}

function quotedBytes(text: string): Buffer {
  const latin = text.replace(/=([0-9A-F]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(latin, 'latin1');
}
