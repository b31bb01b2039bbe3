/** Reads a device that answers a GET request with a JSON object, such as the FMS API. */

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { RejectReason } from '../../../proto/model.ts';
import type { PolledReader, ReaderOutput } from '../../types.ts';
import { ReaderFailure } from '../../types.ts';
import type { ReaderDeps, ReaderSpec, ReaderType } from '../spec.ts';
import { rejectOf, translate } from './answer.ts';
import type { HttpOptions, SecretSource } from './options.ts';
import { checkOptions, readOptions } from './options.ts';
import type { Answer } from './request.ts';
import { HttpClient } from './request.ts';
import { channelSchema, deviceSchema } from './schema.ts';

const REDIRECTS_MAX = 3;
/** Of the answers below 500, those that may be different a moment later. */
const RETRYABLE = new Set([408, 421, 425, 429]);

class HttpReader implements PolledReader {
  readonly kind = 'polled';
  readonly #options: HttpOptions;
  readonly #baseDir: string;
  readonly #deps: ReaderDeps;
  #client: HttpClient | undefined;
  /** With the credentials; forgotten when the device refuses them, so that a renewed file is read. */
  #headers: Record<string, string> | undefined;

  constructor(spec: ReaderSpec, deps: ReaderDeps) {
    this.#options = readOptions(spec);
    this.#baseDir = spec.baseDir;
    this.#deps = deps;
  }

  async poll(signal: AbortSignal): Promise<ReaderOutput> {
    const answer = await this.#ask(signal);
    const { status, headers, body, isCut } = answer;
    if (status < 200 || status > 299) throw this.#refusal(answer);
    if (isCut) {
      const detail = `more than ${this.#options.maxBytes} bytes`;
      return rejectOf(RejectReason.TOO_LARGE, detail, body);
    }
    const encoding = headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') {
      return rejectOf(RejectReason.GARBAGE, `content-encoding ${encoding} was not asked for`, body);
    }
    const charset = /charset="?([^";\s]+)/i.exec(headers['content-type'] ?? '')?.[1];
    return translate(body, charset, this.#options, this.#deps.clock.wallMs());
  }

  async close(): Promise<void> {
    this.#client?.close();
    this.#client = undefined;
  }

  async #ask(signal: AbortSignal): Promise<Answer> {
    const { maxBytes } = this.#options;
    const [client, headers] = [await this.#openClient(), await this.#requestHeaders()];
    let url = this.#options.url;
    for (let redirects = 0; ; redirects++) {
      let answer: Answer;
      try {
        answer = await client.get(url, { headers, maxBytes, signal });
      } catch (error) {
        throw error instanceof ReaderFailure ? error : describe(error, url);
      }
      const target = redirectTarget(answer, url);
      if (target === undefined) return answer;
      // The credentials are for this host, and its answers are what was asked for.
      const isUpgrade = target.protocol === 'https:' && target.hostname === url.hostname;
      if ((target.origin !== url.origin && !isUpgrade) || redirects >= REDIRECTS_MAX) {
        throw new ReaderFailure(`redirected to ${target.href}`, { retryable: false });
      }
      url = target;
    }
  }

  #refusal({ status, headers }: Answer): ReaderFailure {
    if (status === 401 || status === 403) this.#headers = undefined;
    const retryAfterMs = parseRetryAfter(headers, this.#deps.clock.wallMs());
    const retryable = status >= 500 || RETRYABLE.has(status);
    return new ReaderFailure(`HTTP ${status}`, {
      retryable,
      ...(retryable && retryAfterMs !== undefined && { retryAfterMs }),
    });
  }

  async #openClient(): Promise<HttpClient> {
    if (this.#client === undefined) {
      const { caFile } = this.#options;
      const ca = caFile === undefined ? undefined : await this.#readFile(caFile);
      this.#client = new HttpClient(ca);
    }
    return this.#client;
  }

  async #requestHeaders(): Promise<Record<string, string>> {
    if (this.#headers === undefined) {
      const { headers, username, password, token } = this.#options;
      const secret = await this.#secret(username === undefined ? token : password);
      this.#headers = { ...headers };
      if (username !== undefined) {
        const pair = Buffer.from(`${username}:${secret ?? ''}`).toString('base64');
        this.#headers.authorization = `Basic ${pair}`;
      } else if (secret !== undefined) {
        this.#headers.authorization = `Bearer ${secret}`;
      }
    }
    return this.#headers;
  }

  async #secret({ value, file, env }: SecretSource): Promise<string | undefined> {
    if (file !== undefined) return (await this.#readFile(file)).trim();
    if (env === undefined) return value;
    const secret = this.#deps.env[env];
    if (secret === undefined) {
      throw new ReaderFailure(`the environment has no ${env}`, { retryable: false });
    }
    return secret;
  }

  async #readFile(path: string): Promise<string> {
    try {
      return await readFile(resolve(this.#baseDir, path), 'utf8');
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      throw new ReaderFailure(message, { retryable: false, cause: error });
    }
  }
}

function redirectTarget({ status, headers }: Answer, url: URL): URL | undefined {
  const { location } = headers;
  if (status < 301 || status > 308 || status === 304 || location === undefined) return undefined;
  return URL.canParse(location, url.href) ? new URL(location, url) : undefined;
}

/** Seconds, or a date: measured from the device's own Date, so that a wrong clock here does no harm. */
function parseRetryAfter(headers: IncomingHeaders, nowMs: number): number | undefined {
  const text = headers['retry-after']?.trim();
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  // Date.parse takes much for a date, '-5' too.
  const untilMs = /^[A-Z][a-z]+,? .* GMT$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(untilMs)) return undefined;
  const deviceNowMs = Date.parse(headers.date ?? '');
  return Math.max(0, untilMs - (Number.isNaN(deviceNowMs) ? nowMs : deviceNowMs));
}

type IncomingHeaders = Answer['headers'];

function describe(error: unknown, url: URL): ReaderFailure {
  const message = error instanceof Error ? error.message : String(error);
  // Connecting to a name with several addresses fails with an AggregateError without a message.
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const text = message === '' ? code : message;
  return new ReaderFailure(`${url.host}: ${text}`, { cause: error });
}

export const httpReader: ReaderType = {
  kind: 'polled',
  title: 'a device that answers a GET request with a JSON object',
  deviceSchema,
  channelSchema,
  channelsRequired: true,
  check: checkOptions,
  create: (spec, deps) => new HttpReader(spec, deps),
};
