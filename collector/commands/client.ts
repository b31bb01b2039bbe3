/** How the command line reaches the running collector: its address, its answers, its errors. */

import type { CollectorConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';

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

/** Where the API of a configuration listens, as seen from this machine. */
export function apiAddress({ http }: CollectorConfig): string {
  const everywhere = http.host === '0.0.0.0' || http.host === '::';
  const host = everywhere ? '127.0.0.1' : http.host;
  return `http://${host.includes(':') ? `[${host}]` : host}:${http.port}`;
}

/**
 * A GET, or a POST of `body` as JSON. Rejects with CollectorError COLLECTOR_UNREACHABLE when nobody answers,
 * and with ApiRefusal when the answer is an error.
 */
export async function askApi(
  base: string,
  path: string,
  options: { body?: unknown; signal?: AbortSignal } = {},
): Promise<Response> {
  const { body, signal = null } = options;
  const init: RequestInit =
    body === undefined
      ? { signal }
      : {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
          signal,
        };
  let response: Response;
  try {
    response = await fetch(new URL(path, base), init);
  } catch (error) {
    const { cause, message } = error as { cause?: { code?: string }; message?: string };
    const reason = cause?.code ?? message ?? String(error);
    throw new CollectorError('COLLECTOR_UNREACHABLE', `${base}: ${reason}`, { cause: error });
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
