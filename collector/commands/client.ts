/** How the command line reaches the running collector: its address, what it shows there, its answers, its errors. */

import { readLocalToken } from '../access/local_token.ts';
import type { CollectorConfig } from '../config.ts';
import { loadConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import type { Output } from './check.ts';
import { configOrMistakes } from './check.ts';

/** What the collector answered instead of what was asked for. */
export class ApiRefusal extends Error {
  readonly code: string;
  readonly hint: string;
  constructor(code: string, message: string, hint: string) {
    super(`${code}: ${message}`);
    this.name = 'ApiRefusal';
    this.code = code;
    this.hint = hint;
  }
}

/** Where the API is, and what is shown there. */
export interface Api {
  url: string;
  /** Of FMS_COLLECTOR_TOKEN, or this machine's own. */
  token: string | undefined;
}

export interface ApiOptions {
  config: string;
  /** Left out: as the configuration says. */
  url?: string | undefined;
}

/** Undefined: the configuration has mistakes, and they have been said. */
export function apiOf(
  { url, config: file }: ApiOptions,
  env: Record<string, string | undefined>,
  output: Output,
): Api | undefined {
  if (url !== undefined) return { url, token: tokenFor(url, file, env) };
  const config = configOrMistakes(file, env, output);
  if (config === undefined) return undefined;
  const own = apiAddress(config);
  return { url: own, token: env.FMS_COLLECTOR_TOKEN ?? readLocalToken(config.dataDir) };
}

/** The secret of this machine is told to this machine alone, whatever address was asked for. */
export function tokenFor(
  url: string,
  file: string,
  env: Record<string, string | undefined>,
): string | undefined {
  if (env.FMS_COLLECTOR_TOKEN !== undefined) return env.FMS_COLLECTOR_TOKEN;
  if (!isThisMachine(url)) return undefined;
  try {
    return readLocalToken(loadConfig(file, env).dataDir);
  } catch {
    // Nothing but the address was asked for: without a configuration there is no token.
    return undefined;
  }
}

function isThisMachine(url: string): boolean {
  try {
    return /^(localhost|\[::1\]|127(\.\d+){3})$/.test(new URL(url).hostname);
  } catch {
    return false;
  }
}

/** Where the API of a configuration listens, as seen from this machine. */
export function apiAddress({ http }: CollectorConfig): string {
  const everywhere = http.host === '0.0.0.0' || http.host === '::';
  const host = everywhere ? '127.0.0.1' : http.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${http.port}`;
}

/**
 * A GET; with `body` a POST of it as JSON, or what `method` says. Rejects with CollectorError
 * COLLECTOR_UNREACHABLE when nobody answers, and with ApiRefusal when the answer is an error.
 */
export async function askApi(
  { url, token }: Api,
  path: string,
  options: { method?: string; body?: unknown; signal?: AbortSignal } = {},
): Promise<Response> {
  const { body, signal = null, method = body === undefined ? 'GET' : 'POST' } = options;
  const headers: Record<string, string> = {};
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  if (body !== undefined) headers['content-type'] = 'application/json';
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  let response: Response;
  try {
    response = await fetch(new URL(path, url), { method, headers, signal, ...init });
  } catch (error) {
    const { cause, message } = error as { cause?: { code?: string }; message?: string };
    const reason = cause?.code ?? message ?? String(error);
    throw new CollectorError('COLLECTOR_UNREACHABLE', `${url}: ${reason}`, { cause: error });
  }
  if (!response.ok) throw await refusalOf(response);
  return response;
}

async function refusalOf(response: Response): Promise<ApiRefusal> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error: Record<'code' | 'message' | 'hint', string> };
    return new ApiRefusal(error.code, error.message, error.hint);
  } catch {
    const said = `HTTP ${response.status}: ${text.slice(0, 200)}`;
    return new ApiRefusal('API_INTERNAL', said, 'Is it a collector that answers at this address?');
  }
}
