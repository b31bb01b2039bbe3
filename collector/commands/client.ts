/** How the command line reaches the running collector: its address, what it shows there, its answers, its errors. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readLocalToken } from '../access/local_token.ts';
import type { CollectorConfig } from '../config.ts';
import { loadConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import type { Trust } from '../secure_fetch.ts';
import { keyFingerprint, secureFetch } from '../secure_fetch.ts';
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
  /** What it may show at https; left out: what the system's authorities have signed. */
  trust?: Trust;
}

export interface ApiOptions {
  config: string;
  /** Left out: as the configuration says. */
  url?: string | undefined;
  /** PEM: whose certificates count at https. Left out: FMS_COLLECTOR_CA; on its own machine the collector's own. */
  caFile?: string | undefined;
}

/** Undefined: there are mistakes in the configuration or the file of authorities, and they have been said. */
export function apiOf(
  options: ApiOptions,
  env: Record<string, string | undefined>,
  output: Output,
): Api | undefined {
  const { url, config: file } = options;
  try {
    if (url !== undefined) return apiAt(url, options, env);
    const config = configOrMistakes(file, env, output);
    return config && apiOfConfig(config, options, env);
  } catch (error) {
    if (!(error instanceof CollectorError)) throw error;
    output.error(`${error.message}\n${error.hint}`);
    return undefined;
  }
}

/** Of the collector of a configuration that is known. Throws as apiAt does. */
export function apiOfConfig(
  config: CollectorConfig,
  options: Pick<ApiOptions, 'caFile'>,
  env: Record<string, string | undefined>,
): Api {
  const trust = namedTrust(options, env) ?? ownTrust(config);
  const token = env.FMS_COLLECTOR_TOKEN ?? readLocalToken(config.dataDir);
  return { url: apiAddress(config), token, ...(trust && { trust }) };
}

/**
 * At an address that was named; with what this machine knows if it is its own. Throws COLLECTOR_CONFIG_UNREADABLE
 * for a file of authorities that cannot be read.
 */
export function apiAt(
  url: string,
  options: Omit<ApiOptions, 'url'>,
  env: Record<string, string | undefined>,
): Api {
  const { config: file } = options;
  const trust = namedTrust(options, env) ?? (isThisMachine(url) ? trustIn(file, env) : undefined);
  return { url, token: tokenFor(url, file, env), ...(trust && { trust }) };
}

function namedTrust(
  { caFile }: Pick<ApiOptions, 'caFile'>,
  env: Record<string, string | undefined>,
): Trust | undefined {
  const file = caFile ?? env.FMS_COLLECTOR_CA;
  if (file === undefined) return undefined;
  try {
    return { ca: [readFileSync(file, 'utf8')] };
  } catch (error) {
    const { message } = error as Error;
    throw new CollectorError('COLLECTOR_CONFIG_UNREADABLE', message, { cause: error });
  }
}

function trustIn(file: string, env: Record<string, string | undefined>): Trust | undefined {
  try {
    return ownTrust(loadConfig(file, env));
  } catch {
    // Nothing but the address was asked for.
    return undefined;
  }
}

/**
 * The collector of this machine shows the certificate of its files, or one that its own authority issued; which
 * names are in it says nothing more. Undefined: no https, or nothing is there yet.
 */
function ownTrust({ http: { tls }, authority, dataDir }: CollectorConfig): Trust | undefined {
  if (tls === undefined) return undefined;
  try {
    if (tls.files !== undefined) {
      const key = keyFingerprint(readFileSync(tls.files.certFile, 'utf8'));
      return { ca: [], keys: [key], checkName: false };
    }
    const ca = authority.given?.cert ?? readFileSync(join(dataDir, 'ca/authority.crt'), 'utf8');
    return { ca: [ca], checkName: false };
  } catch {
    // Then the system's authorities decide, and say no.
    return undefined;
  }
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
export function apiAddress({ http }: Pick<CollectorConfig, 'http'>): string {
  const everywhere = http.host === '0.0.0.0' || http.host === '::';
  const host = everywhere ? '127.0.0.1' : http.host;
  const scheme = http.tls === undefined ? 'http' : 'https';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${http.port}`;
}

/**
 * A GET; with `body` a POST of it as JSON, or what `method` says. Rejects with CollectorError
 * COLLECTOR_UNREACHABLE when nobody answers, COLLECTOR_NOT_TRUSTED before anything is sent, and with ApiRefusal
 * when the answer is an error.
 */
export async function askApi(
  { url, token, trust }: Api,
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
    response = await secureFetch(new URL(path, url), { method, headers, signal, ...init }, trust);
  } catch (error) {
    if (error instanceof CollectorError) throw error;
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
