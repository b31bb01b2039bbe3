/** Questions to the collector's endpoint of enrolment: JSON over HTTPS, one connection each. */

import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { ENROLMENT_BYTES_MAX } from '../../proto/enrolment.ts';
import { AgentError } from '../errors.ts';
import type { OwnCertificate, Trust } from './tls.ts';
import { connectTls, errorOfTls, presentedBy } from './tls.ts';

export interface Endpoint {
  host: string;
  port: number;
  trust: Trust;
  own?: OwnCertificate | undefined;
  onWrongTime?: (detail: string) => void;
}

export interface Question {
  method: 'GET' | 'POST';
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** For everything, from the first packet to the last byte of the answer. */
  timeoutMs: number;
  signal?: AbortSignal;
}

export interface Answer {
  status: number;
  /** An object always; empty when the answer is none. */
  body: Record<string, unknown>;
  /** From the sending of the question to the head of the answer; monotonic milliseconds. */
  sentMonoMs: number;
  answeredMonoMs: number;
}

/** Where to ask, from an mqtts:// or https:// URL. */
export function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url.replace(/^\w+:/, 'https:'));
  // 443 is what the URL parser leaves out for https.
  const explicit = /:(\d+)\/?$/.exec(url)?.[1];
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || explicit || 8_883) };
}

/**
 * Asks once. Rejects with a coded error when no answer came: AGENT_COLLECTOR_UNREACHABLE, or what
 * connectTls says of the other side. An answer of any status is an answer.
 */
export async function ask(
  endpoint: Endpoint,
  question: Question,
  monoMs: () => number,
): Promise<Answer> {
  const { request } = process.getBuiltinModule('node:http');
  const socket = connectTls({ ...endpoint, protocol: 'http/1.1' });
  const text = question.body === undefined ? undefined : JSON.stringify(question.body);
  const done = Promise.withResolvers<Answer>();
  const fail = (error: Error): void => {
    socket.destroy();
    done.reject(errorOfAsking(error, endpoint));
  };
  const timer = setTimeout(
    () => fail(new Error(`no answer within ${question.timeoutMs} ms`)),
    question.timeoutMs,
  );
  const abort = (): void => fail(new Error('given up'));
  question.signal?.addEventListener('abort', abort, { once: true });
  let sentMonoMs = monoMs();
  socket.once('trusted', () => {
    sentMonoMs = monoMs();
  });
  // Node's request may not have its listener on the socket yet.
  socket.on('error', fail);
  const asking = request({
    createConnection: () => socket,
    host: endpoint.host,
    port: endpoint.port,
    method: question.method,
    path: question.path,
    headers: {
      accept: 'application/json',
      connection: 'close',
      ...(text === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    },
  });
  asking.on('error', fail);
  asking.on('response', (response) => {
    const answeredMonoMs = monoMs();
    readBody(response).then(
      (body) =>
        done.resolve({ status: response.statusCode ?? 0, body, sentMonoMs, answeredMonoMs }),
      fail,
    );
  });
  asking.end(text);
  try {
    return await done.promise;
  } finally {
    clearTimeout(timer);
    question.signal?.removeEventListener('abort', abort);
    socket.destroy();
  }
}

async function readBody(response: IncomingMessage): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > ENROLMENT_BYTES_MAX) throw new Error('the answer is too long');
    parts.push(part);
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function errorOfAsking(error: Error, { host, port }: Endpoint): AgentError {
  return (
    errorOfTls(error) ??
    new AgentError('AGENT_COLLECTOR_UNREACHABLE', `${host}:${port}: ${error.message}`, {
      cause: error,
    })
  );
}

/**
 * What is presented at an address, its own certificate first, judged by nobody: for a person to compare.
 * Rejects like ask().
 */
export async function presentedAt(
  address: { host: string; port: number },
  timeoutMs: number,
): Promise<X509Certificate[]> {
  const endpoint: Endpoint = { ...address, trust: { system: true } };
  const tls = process.getBuiltinModule('node:tls');
  const done = Promise.withResolvers<X509Certificate[]>();
  const socket: TLSSocket = tls.connect({
    ...address,
    ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });
  const timer = setTimeout(() => socket.destroy(new Error('no answer')), timeoutMs);
  socket.once('secureConnect', () => done.resolve(presentedBy(socket)));
  socket.once('error', (error) => done.reject(errorOfAsking(error, endpoint)));
  try {
    return await done.promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

export interface Refused {
  code: string;
  message: string;
  hint: string;
}

/** What a collector says for an error, each in one line without control characters. */
export function refusalOf(answer: Answer): Refused {
  const error = (answer.body.error ?? {}) as Record<string, unknown>;
  const line = (value: unknown): string =>
    (typeof value === 'string' ? value : '').replaceAll(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 500);
  const message = line(error.message) || `the collector answered with status ${answer.status}`;
  return { code: line(error.code), message, hint: line(error.hint) };
}
