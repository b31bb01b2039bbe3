/** One GET over a connection that is kept: status, headers and a bounded body. */

import type { Agent as HttpAgent, IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';

// Importing node:http as a module evaluates all that it exports, WebSocket with the whole of undici
// among it: 17 MB and 100 ms that nobody uses. This way it is 4 MB and 10 ms, and when a reader asks.
const loadHttp = () => process.getBuiltinModule('node:http');
const loadHttps = () => process.getBuiltinModule('node:https');

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Whole, or the first bytes of it when `isCut`. */
  body: Uint8Array;
  isCut: boolean;
}

export interface RequestOptions {
  headers: Readonly<Record<string, string>>;
  maxBytes: number;
  signal: AbortSignal;
}

/** How many bytes of a body that is too long are kept to show what it was. */
const HEAD_BYTES = 1_024;

const ONE_CONNECTION = { keepAlive: true, maxSockets: 1, maxFreeSockets: 1 };

/** A client of one device: at most one connection, kept between requests. */
export class HttpClient {
  readonly #ca: string | undefined;
  #http: HttpAgent | undefined;
  #https: HttpsAgent | undefined;

  constructor(ca: string | undefined) {
    this.#ca = ca;
  }

  /** Rejects with the socket's or parser's error, or the signal's reason. */
  async get(url: URL, options: RequestOptions): Promise<Answer> {
    try {
      return await this.#once(url, options);
    } catch (error) {
      // The device closed the idle connection in the moment in which we used it again.
      const isStale = error instanceof StaleConnection && !options.signal.aborted;
      if (!isStale) throw error instanceof StaleConnection ? error.cause : error;
    }
    return this.#once(url, options).catch((error: unknown) => {
      throw error instanceof StaleConnection ? error.cause : error;
    });
  }

  #once(url: URL, { headers, maxBytes, signal }: RequestOptions): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const isHttps = url.protocol === 'https:';
      const request = (isHttps ? loadHttps() : loadHttp()).request(url, {
        agent: isHttps ? this.#httpsAgent() : this.#httpAgent(),
        headers: { accept: 'application/json', 'accept-encoding': 'identity', ...headers },
      });
      // Not by the option `signal`, which watches the stream for its end as well: a fifth of the CPU.
      const abort = (): void => void request.destroy();
      signal.addEventListener('abort', abort, { once: true });
      request.on('close', () => signal.removeEventListener('abort', abort));
      if (signal.aborted) abort();
      let answered = false;
      request.on('error', (error) => {
        const cause = signal.aborted ? signal.reason : error;
        reject(request.reusedSocket && !answered ? new StaleConnection(cause) : cause);
      });
      request.on('response', (response) => {
        answered = true;
        readBody(response, maxBytes).then(resolve, (error: unknown) =>
          reject(signal.aborted ? signal.reason : error),
        );
      });
      request.end();
    });
  }

  /** Ends the kept connection. */
  close(): void {
    this.#http?.destroy();
    this.#https?.destroy();
  }

  #httpAgent(): HttpAgent {
    this.#http ??= new (loadHttp().Agent)(ONE_CONNECTION);
    return this.#http;
  }

  #httpsAgent(): HttpsAgent {
    const ca = this.#ca === undefined ? {} : { ca: this.#ca };
    this.#https ??= new (loadHttps().Agent)({ ...ONE_CONNECTION, ...ca });
    return this.#https;
  }
}

class StaleConnection extends Error {
  constructor(cause: unknown) {
    super('the kept connection was closed', { cause });
  }
}

/** Stops reading at `maxBytes` and closes the connection: what the header promises is not believed. */
function readBody(response: IncomingMessage, maxBytes: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    let isFinished = false;
    const finish = (isCut: boolean): void => {
      isFinished = true;
      const whole = Buffer.concat(parts);
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        body: isCut ? whole.subarray(0, HEAD_BYTES) : whole,
        isCut,
      });
    };
    response.on('data', (part: Buffer) => {
      bytes += part.length;
      parts.push(part);
      if (bytes <= maxBytes) return;
      finish(true);
      response.destroy();
    });
    response.on('end', () => finish(false));
    response.on('error', reject);
    // After an error this is a no-op; before 'end', the body was cut off by the other side.
    response.on('close', () => {
      if (!isFinished) reject(new Error('the answer ended in the middle of its body'));
    });
  });
}
