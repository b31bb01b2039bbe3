/**
 * The small HTTP endpoint of enrolment, on connections that the broker's TLS port hands over. One request a
 * connection, bounded in size, time and number: whoever is slow or silent is cut, and holds up nobody.
 */

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { ENROLMENT_BYTES_MAX, ENROLMENT_PATHS } from '../../proto/enrolment.ts';
import type { CollectorErrorCode } from '../errors.ts';
import { CollectorError } from '../errors.ts';
import type { Clock, Logger } from '../types.ts';
import { enrolAskOf, renewAskOf, requestAskOf } from './asks.ts';
import type { AttemptThrottle } from './attempts.ts';
import type { Enrolment } from './enrolment.ts';
import type { Peers } from './peers.ts';

export interface EndpointOptions {
  enrolment: Enrolment;
  peers: Peers;
  attempts: AttemptThrottle;
  clock: Clock;
  logger: Logger;
}

/** From the end of the handshake to the end of the answer. */
const CONNECTION_MS = 20_000;
/** Beyond it the oldest gives way to the newest. */
const CONNECTIONS_MAX = 512;
const HEADER_BYTES_MAX = 8 * 1024;
/** Of a body that is too long so much is read, and thrown away. */
const DRAINED_BYTES_MAX = 1024 * 1024;

const STATUS: Partial<Record<CollectorErrorCode, number>> = {
  ENROL_INVALID: 400,
  ENROL_KEY_REFUSED: 400,
  GATEWAY_NAME_INVALID: 400,
  ENROL_TOKEN_UNKNOWN: 401,
  ENROL_CERTIFICATE_REFUSED: 401,
  ENROL_TOKEN_EXPIRED: 410,
  ENROL_TOKEN_USED: 409,
  ENROL_CLONE: 409,
  GATEWAY_REFUSED: 409,
  ENROL_NOT_FOUND: 404,
  ENROL_TOO_MANY: 429,
  TRUST_AUTHORITY_INVALID: 503,
  API_BUSY: 503,
  API_NOT_READY: 503,
  LOG_UNAVAILABLE: 503,
  LOG_CLOSED: 503,
  LOG_FULL: 503,
};
/** What a guess looks like. */
const GUESSES: ReadonlySet<CollectorErrorCode> = new Set([
  'ENROL_TOKEN_UNKNOWN',
  'ENROL_TOKEN_EXPIRED',
  'ENROL_TOKEN_USED',
  'ENROL_KEY_REFUSED',
  'ENROL_CLONE',
]);

interface Answer {
  status: number;
  body: object;
  retryAfterS?: number;
}

export class EnrolmentEndpoint {
  readonly #options: EndpointOptions;
  readonly #server: Server;
  /** Oldest first. */
  readonly #connections = new Set<TLSSocket>();

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.#server = createServer(
      { keepAlive: false, maxHeaderSize: HEADER_BYTES_MAX, noDelay: true },
      (request, response) => {
        void this.#serve(request, response);
      },
    );
  }

  /** Takes the connection over. */
  readonly accept = (socket: TLSSocket): void => {
    if (this.#connections.size >= CONNECTIONS_MAX) {
      const [oldest] = this.#connections;
      oldest?.destroy();
    }
    this.#connections.add(socket);
    const timer = setTimeout(() => socket.destroy(), CONNECTION_MS);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(timer);
      this.#connections.delete(socket);
    });
    this.#server.emit('connection', socket);
  };

  close(): void {
    for (const socket of this.#connections) socket.destroy();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      // It hung up: there is nobody to answer, and nothing to say of it.
      if (request.destroyed && !request.complete) return;
      answer = this.#refusal(error, request.url ?? '');
    }
    const { status, body, retryAfterS } = answer;
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      connection: 'close',
      ...(retryAfterS === undefined ? {} : { 'retry-after': String(retryAfterS) }),
    });
    response.end(JSON.stringify(body));
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const { enrolment, peers, clock } = this.#options;
    const path = (request.url ?? '').split('?')[0] ?? '';
    const from = request.socket.remoteAddress ?? '';
    const asked = `${request.method} ${path}`;
    switch (asked) {
      case `GET ${ENROLMENT_PATHS.time}`:
        return { status: 200, body: { now_ms: clock.wallMs() } };
      case `POST ${ENROLMENT_PATHS.enrol}`: {
        const ask = enrolAskOf(await bodyOf(request));
        return await this.#attempt(from, () => enrolment.enrol(ask, from), 201);
      }
      case `POST ${ENROLMENT_PATHS.requests}`: {
        const ask = requestAskOf(await bodyOf(request));
        return await this.#attempt(from, () => enrolment.request(ask, from), 202);
      }
      case `POST ${ENROLMENT_PATHS.renew}`: {
        const ask = renewAskOf(await bodyOf(request));
        const peer = peers.of(request.socket as TLSSocket);
        return await this.#attempt(from, () => enrolment.renew(ask, peer, from), 201);
      }
      default: {
        const id = requestIdIn(path);
        if (request.method !== 'GET' || id === undefined)
          throw new CollectorError('ENROL_NOT_FOUND', path.slice(0, 200));
        return { status: 200, body: enrolment.requested(id) };
      }
    }
  }

  /** Who guesses waits; who is right is not counted. */
  async #attempt(from: string, make: () => Promise<object>, status: number): Promise<Answer> {
    const { attempts } = this.#options;
    const waitMs = attempts.begin(from);
    if (waitMs > 0) return tooMany(waitMs);
    try {
      const body = await make();
      attempts.undo(from);
      return { status, body };
    } catch (error) {
      const isGuess = error instanceof CollectorError && GUESSES.has(error.code);
      if (!isGuess) attempts.undo(from);
      throw error;
    }
  }

  #refusal(error: unknown, url: string): Answer {
    if (error instanceof CollectorError) {
      const status = STATUS[error.code];
      if (status !== undefined) {
        const body = errorBody(error.code, error.message.slice(error.code.length + 2), error.hint);
        return { status, body, ...(status === 503 ? { retryAfterS: 5 } : {}) };
      }
    }
    this.#options.logger.error({ url, error: String(error) }, 'enrolment failed unexpectedly');
    return { status: 500, body: errorBody('API_INTERNAL', 'a defect', 'See the log.') };
  }
}

function tooMany(waitMs: number): Answer {
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1_000));
  const { code, hint } = new CollectorError('ENROL_TOO_MANY', '');
  const body = errorBody(code, `try again in ${retryAfterS} s`, hint);
  return { status: 429, body, retryAfterS };
}

function errorBody(code: string, message: string, hint: string): object {
  return { error: { code, message, hint } };
}

function requestIdIn(path: string): string | undefined {
  const prefix = `${ENROLMENT_PATHS.requests}/`;
  const id = path.slice(prefix.length);
  return path.startsWith(prefix) && /^[0-9a-f]{16}$/.test(id) ? id : undefined;
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    // Read on without keeping it, so that the answer reaches who sends it; leaving this loop cuts the connection.
    if (bytes <= ENROLMENT_BYTES_MAX) chunks.push(chunk);
    else if (bytes > DRAINED_BYTES_MAX) break;
  }
  if (bytes > ENROLMENT_BYTES_MAX)
    throw new CollectorError('ENROL_INVALID', `more than ${ENROLMENT_BYTES_MAX} bytes`);
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    throw new CollectorError('ENROL_INVALID', 'the body is no JSON');
  }
}
