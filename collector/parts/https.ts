/**
 * HTTP servers with TLS: one certificate, which may change while they run, and on the same port an answer to
 * those who forgot the s.
 */

import { constants } from 'node:crypto';
import type { IncomingMessage, RequestListener, Server, ServerOptions } from 'node:http';
import { createServer as createPlainServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { Socket } from 'node:net';
import { toAnswer } from '../api/api_error.ts';
import { CollectorError } from '../errors.ts';
import type { ServerIdentity } from '../trust/server_identity.ts';
import type { Logger } from '../types.ts';

export interface TlsServersOptions {
  identity: ServerIdentity;
  /** Names (Host headers) that a browser is sent on to. */
  isKnownHost: (host: string) => boolean;
  logger: Logger;
}

/** First byte of every TLS connection: a record of type handshake. */
const HANDSHAKE = 0x16;
/** To say the first byte, and to shake hands; also for a whole request without TLS. */
const BEGIN_TIMEOUT_MS = 10_000;

export class TlsServers {
  readonly #options: TlsServersOptions;
  readonly #servers = new Set<ReturnType<typeof createSecureServer>>();
  readonly #forget: () => void;

  constructor(options: TlsServersOptions) {
    this.#options = options;
    this.#forget = options.identity.onChange(() => this.#renew());
  }

  /** In place of node:http's; for as many addresses as one listens at. Throws for an identity that is none. */
  create(options: ServerOptions, handler: RequestListener): Server {
    const server = createSecureServer(
      {
        ...options,
        ...this.#context(),
        handshakeTimeout: BEGIN_TIMEOUT_MS,
        secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      },
      handler,
    );
    this.#servers.add(server);
    server.once('close', () => this.#servers.delete(server));
    greetPlain(server, this.#options.isKnownHost);
    // The types do not know that what it has beyond tls.Server is all of http.Server.
    return server as unknown as Server;
  }

  /** The servers go on with the certificate that they have. */
  close(): void {
    this.#forget();
  }

  #context(): { cert: string; key: string; minVersion: 'TLSv1.2' } {
    const { certPem, keyPem } = this.#options.identity.current;
    return { cert: certPem, key: keyPem, minVersion: 'TLSv1.2' };
  }

  /** Connections that are open stay as they are. */
  #renew(): void {
    try {
      for (const server of this.#servers) server.setSecureContext(this.#context());
    } catch (error) {
      this.#options.logger.warn(
        { error: String(error) },
        'the new certificate cannot be used: the old one is shown on',
      );
    }
  }
}

/**
 * Lets each connection begin with a look at its first byte. Who speaks HTTP is told, or sent on, where TLS would
 * only hang up on them.
 */
function greetPlain(
  server: ReturnType<typeof createSecureServer>,
  isKnownHost: (host: string) => boolean,
): void {
  const secure = server.listeners('connection') as ((socket: Socket) => void)[];
  const plain = createPlainServer(
    { requestTimeout: BEGIN_TIMEOUT_MS, headersTimeout: BEGIN_TIMEOUT_MS },
    (request, response) => {
      const { status, headers, body } = plainAnswer(request, isKnownHost);
      response.writeHead(status, { ...headers, connection: 'close' }).end(body);
      request.resume();
    },
  );
  const sockets = new Set<Socket>();
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    firstByte(socket, (byte) => {
      if (byte !== HANDSHAKE) plain.emit('connection', socket);
      else for (const listener of secure) listener.call(server, socket);
    });
  });
  // Its own knows only those that have sent a request over TLS; close() would wait for the others.
  server.closeAllConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
}

function firstByte(socket: Socket, then: (byte: number) => void): void {
  const give = (): void => void socket.destroy();
  socket.once('error', give);
  socket.setTimeout(BEGIN_TIMEOUT_MS, give);
  socket.once('data', (begin: Buffer) => {
    socket.pause();
    socket.setTimeout(0);
    socket.off('timeout', give);
    socket.off('error', give);
    socket.unshift(begin);
    then(begin[0] ?? 0);
    // Plain HTTP reads what was put back from the stream; TLS has taken it, and the stream's source, over.
    process.nextTick(() => socket.resume());
  });
}

/** Pages are sent on. Programs are told: they would send their secrets unencrypted again, and never know. */
function plainAnswer(
  { method = '', url = '', headers }: IncomingMessage,
  isKnownHost: (host: string) => boolean,
): { status: number; headers: Record<string, string>; body: string } {
  const { host = '', accept = '' } = headers;
  const isPage = method === 'GET' && url.startsWith('/') && accept.includes('text/html');
  if (isPage && host !== '' && isKnownHost(host))
    return { status: 307, headers: { location: `https://${host}${url}` }, body: '' };
  const { status, body } = toAnswer(
    new CollectorError('API_NEEDS_TLS', 'asked without TLS at a port that has it'),
  );
  return {
    status,
    headers: {
      'content-type': 'application/json; charset=utf-8',
      // As RFC 9110 wants it beside 426.
      upgrade: 'TLS/1.2, HTTP/1.1',
    },
    body: JSON.stringify(body),
  };
}
