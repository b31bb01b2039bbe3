/**
 * fetch() that may be told whom to trust: for the command line and for the processes of one log, which meet
 * collectors whose certificates no authority of the system has signed. Nothing is sent before the certificate
 * has been judged.
 */

import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request as httpRequest } from 'node:http';
import { isIP } from 'node:net';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { checkServerIdentity, connect } from 'node:tls';
import { fingerprintOf } from '../proto/enrolment.ts';
import { CollectorError } from './errors.ts';

export interface Trust {
  /** PEM of authorities, the issuing ones do; empty: none; undefined: the system's. */
  ca?: readonly string[] | undefined;
  /** Keys that are right whoever signed them, at whatever address and time: see keyFingerprint. */
  keys?: readonly string[] | undefined;
  /**
   * False, and `ca` is given: those authorities sign for no other servers, so that the name in the certificate
   * adds nothing.
   */
  checkName?: boolean | undefined;
}

/** As RequestInit, of what is used here. */
export interface SecureInit {
  method?: string | undefined;
  headers?: Record<string, string>;
  body?: string | null;
  signal?: AbortSignal | null | undefined;
}

const CONNECT_TIMEOUT_MS = 10_000;

/**
 * Rejects as fetch does, with COLLECTOR_NOT_TRUSTED for a certificate that is not trusted, and with what
 * aborted the signal. An address of http: is asked without all this.
 */
export async function secureFetch(
  url: URL,
  init: SecureInit = {},
  trust: Trust = {},
): Promise<Response> {
  const { method = 'GET', headers = {}, body = null, signal = null } = init;
  if (url.protocol !== 'https:') return await fetch(url, { method, headers, body, signal });
  const socket = await trusted(url, trust, signal);
  return await new Promise<Response>((resolve, reject) => {
    const asked = httpRequest({
      createConnection: () => socket,
      method,
      path: `${url.pathname}${url.search}`,
      headers: { ...headers, host: url.host },
      ...(signal === null ? {} : { signal }),
    });
    asked.once('error', (error) => reject(signal?.aborted === true ? signal.reason : error));
    asked.once('response', (answer) => resolve(responseOf(answer)));
    asked.end(body ?? undefined);
  });
}

/** SHA-256 of the public key of a certificate (PEM, the first one in it), as hex. */
export function keyFingerprint(certPem: string): string {
  return keyOf(new X509Certificate(certPem));
}

function keyOf(certificate: X509Certificate): string {
  const publicKeyDer = certificate.publicKey.export({ type: 'spki', format: 'der' });
  return fingerprintOf({ publicKeyDer });
}

/** A connection to somebody whose certificate is trusted. */
function trusted(url: URL, trust: Trust, signal: AbortSignal | null): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const isNameless = trust.checkName === false && trust.ca !== undefined;
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const socket = connect({
    host,
    port: Number(url.port || 443),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(trust.ca === undefined ? {} : { ca: [...trust.ca] }),
    // The plant's issuing authority is often no root.
    allowPartialTrustChain: true,
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    checkServerIdentity: isNameless ? () => undefined : checkServerIdentity,
    // Judged below, before anything is sent.
    rejectUnauthorized: false,
  });
  const give = (error: unknown): void => {
    reject(error);
    socket.destroy();
  };
  const abort = (): void => give(signal?.reason);
  const late = setTimeout(() => give(new Error('no answer within 10 s')), CONNECT_TIMEOUT_MS);
  socket.once('error', give);
  socket.once('close', () => give(new Error('the connection was closed')));
  socket.once('secureConnect', () => {
    const problem = problemOf(socket, trust);
    if (problem === undefined) resolve(socket);
    else give(new CollectorError('COLLECTOR_NOT_TRUSTED', `${url.origin}: ${problem}`));
  });
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted === true) abort();
  return promise.finally(() => {
    clearTimeout(late);
    socket.off('error', give);
    signal?.removeEventListener('abort', abort);
  });
}

function problemOf(socket: TLSSocket, { keys = [] }: Trust): string | undefined {
  if (socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return 'it shows no certificate';
  if (keys.includes(keyOf(certificate))) return undefined;
  return String(socket.authorizationError);
}

function responseOf(answer: IncomingMessage): Response {
  const { statusCode: status = 500, statusMessage: statusText = '', rawHeaders } = answer;
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    headers.append(rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '');
  if (status === 204 || status === 304) {
    answer.resume();
    return new Response(null, { status, statusText, headers });
  }
  // The two types of web streams (DOM's and Node's) are one at run time.
  const body = Readable.toWeb(answer) as unknown as ReadableStream<Uint8Array>;
  return new Response(body, { status, statusText, headers });
}
