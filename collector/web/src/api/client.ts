/** How the pages ask the collector: one way in, one form of failure. */

const TIMEOUT_MS = 15_000;

/** An answer that is not a success; `message` and `hint` are for people. */
export class ApiFailure extends Error {
  /** 0: no answer. */
  readonly status: number;
  readonly code: string;
  readonly hint: string;
  /** Of a 429 or 503; undefined: not said. */
  readonly retryAfterSeconds: number | undefined;
  /** The whole answer, where it says more (mistakes of a file). */
  readonly body: unknown;

  constructor(status: number, code: string, message: string, more: Partial<ApiFailure> = {}) {
    super(message);
    this.name = 'ApiFailure';
    this.status = status;
    this.code = code;
    this.hint = more.hint ?? '';
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.body = more.body;
  }
}

export type Parameters = Record<string, string | number | boolean | undefined>;

export interface AskOptions {
  signal?: AbortSignal | undefined;
  /** Default 15 s. */
  timeoutMs?: number;
}

/** Address of an API path with its parameters; those that are undefined or '' are left out. */
export function apiUrl(path: string, parameters: Parameters = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '') query.set(name, String(value));
  const text = query.toString();
  return `/api/v1/${path}${text === '' ? '' : `?${text}`}`;
}

/** GET. Rejects with ApiFailure. */
export function ask<T>(
  path: string,
  parameters?: Parameters,
  options: AskOptions = {},
): Promise<T> {
  return answerOf<T>(apiUrl(path, parameters), {}, options);
}

/**
 * Changes something. Rejects with ApiFailure; after one with status 0 it may have been done all the same. An answer
 * without content is undefined.
 */
export function send<T>(
  method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: object,
  options: AskOptions = {},
): Promise<T> {
  const headers: Record<string, string> = { 'x-csrf-token': csrfToken };
  if (body !== undefined) headers['content-type'] = 'application/json';
  const init: RequestInit = { method, headers };
  if (body !== undefined) init.body = JSON.stringify(body);
  return answerOf<T>(apiUrl(path), init, options);
}

/** Of the session; a page of another origin cannot know it. */
let csrfToken = '';

export function rememberCsrf(token: string): void {
  csrfToken = token;
}

/** Whether the collector answers; told at each request. */
export interface Connection {
  /** Browser's clock; undefined: it answers. */
  lostSinceMs: number | undefined;
}

type Listener = () => void;
let connection: Connection = { lostSinceMs: undefined };
const listeners = new Set<Listener>();

/** For useSyncExternalStore. */
export const connectionStore = {
  subscribe(listener: Listener): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  get: (): Connection => connection,
};

const refusalListeners = new Set<Listener>();

/**
 * Calls `listener` whenever the collector refuses something for want of rights: the session may have ended. Where
 * looking needs no login, one that has ended goes on as nobody's, so that it is no 401 that tells of it.
 */
export function onRefused(listener: Listener): () => void {
  refusalListeners.add(listener);
  return () => refusalListeners.delete(listener);
}

function noteConnection(isThere: boolean): void {
  if (isThere === (connection.lostSinceMs === undefined)) return;
  connection = { lostSinceMs: isThere ? undefined : Date.now() };
  for (const listener of listeners) listener();
}

async function answerOf<T>(url: string, init: RequestInit, options: AskOptions): Promise<T> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? TIMEOUT_MS);
  const { signal: asked } = options;
  const signal = asked === undefined ? timeout : AbortSignal.any([asked, timeout]);
  let response: Response;
  try {
    response = await fetch(url, { ...init, signal });
  } catch (error) {
    if (asked?.aborted === true) throw error;
    noteConnection(false);
    throw new ApiFailure(0, 'UNREACHABLE', error instanceof Error ? error.message : String(error));
  }
  noteConnection(true);
  if (response.status === 204) return undefined as T;
  const body: unknown = await response.json().catch(() => undefined);
  if (response.ok && body !== undefined) return body as T;
  const failure = failureOf(response, body);
  if (failure.status === 401 || failure.status === 403 || failure.code === 'API_TOKEN_REFUSED')
    for (const listener of refusalListeners) listener();
  throw failure;
}

function failureOf(response: Response, body: unknown): ApiFailure {
  const { error } = (body ?? {}) as { error?: Record<'code' | 'message' | 'hint', string> };
  const { code = 'UNKNOWN', message = response.statusText, hint = '' } = error ?? {};
  const seconds = Number.parseInt(response.headers.get('retry-after') ?? '', 10);
  const retryAfterSeconds = Number.isNaN(seconds) ? undefined : seconds;
  return new ApiFailure(response.status, code, message, { hint, retryAfterSeconds, body });
}
