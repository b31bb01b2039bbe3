/** One request to a receiver over HTTP. Errors name the host only: paths of webhooks are secrets. */

import { NotifyError } from './notifier.ts';

const TIMEOUT_MS = 10_000;
/** Of an answer's body no more is read. */
const ANSWER_BYTES_MAX = 4_096;
/** Of it no more is said. */
const ANSWER_SHOWN_MAX = 160;
const AUTHORISATION_STATUS = new Set([401, 403, 404, 407, 410]);
/** Another attempt may do: too early, too many, or a way there that is not right yet. */
const PASSING_STATUS = new Set([408, 421, 423, 425, 429]);

export interface Request {
  url: string;
  method?: 'GET' | 'POST';
  headers?: Record<string, string>;
  body?: string;
  /** What must not be in an error, beside the URL. */
  secrets?: readonly string[];
  signal: AbortSignal;
}

/** Resolves when the answer is 2xx. Follows no redirects. Rejects with NotifyError. */
export async function request(options: Request): Promise<void> {
  const { url, method = 'POST', headers = {}, body, signal } = options;
  const host = hostOf(url);
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers: { 'user-agent': 'fms-collector', ...headers },
      ...(body === undefined ? {} : { body }),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
  } catch (error) {
    throw new NotifyError('NOTIFY_UNREACHABLE', `${host}: ${reasonOf(error)}`);
  }
  const answer = await headOf(response);
  if (response.ok) return;
  throw refusal(host, response, shown(answer, options));
}

function refusal(host: string, response: Response, answer: string): NotifyError {
  const { status } = response;
  const text = `${host} answered ${status}${answer === '' ? '' : `: ${answer}`}`;
  if (status >= 300 && status < 400)
    return new NotifyError('NOTIFY_NOT_AUTHORISED', `${text} (redirects are not followed)`);
  if (AUTHORISATION_STATUS.has(status)) return new NotifyError('NOTIFY_NOT_AUTHORISED', text);
  if (status >= 500 || PASSING_STATUS.has(status)) {
    const retryAfterMs = retryAfter(response.headers.get('retry-after'), Date.now());
    return new NotifyError('NOTIFY_UNREACHABLE', text, retryAfterMs);
  }
  return new NotifyError('NOTIFY_REFUSED', text);
}

/** RFC 9110, 10.2.3: seconds, or a date. Undefined: nothing that is understood. */
export function retryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1_000;
  if (!/^\s*[A-Z][a-z]{2}/.test(value)) return undefined;
  const atMs = Date.parse(value);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

async function headOf(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (reader === undefined) return '';
  const parts: Uint8Array[] = [];
  let bytes = 0;
  try {
    while (bytes < ANSWER_BYTES_MAX) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      bytes += value.length;
    }
  } catch {
    // The status says what matters.
  }
  await reader.cancel().catch(() => undefined);
  return Buffer.concat(parts).toString('utf8', 0, ANSWER_BYTES_MAX);
}

/** On one line, bounded, without anything that is secret. */
function shown(answer: string, { url, secrets = [] }: Request): string {
  const { pathname, search } = new URL(url);
  const hidden = [url, `${pathname}${search}`, ...pathname.split('/'), ...secrets];
  return scrub(answer, hidden)
    .replace(/[\p{C}\s]+/gu, ' ')
    .trim()
    .slice(0, ANSWER_SHOWN_MAX);
}

/** What is shorter would make any text unreadable, and is no secret. */
const SECRET_MIN = 4;

/** `text` with each of `secrets` replaced. */
export function scrub(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of [...secrets].sort((a, b) => b.length - a.length))
    if (secret.length >= SECRET_MIN) clean = clean.replaceAll(secret, '***');
  return clean;
}

export function hostOf(url: string): string {
  try {
    return new URL(url).host;
  } catch {
    return 'the receiver';
  }
}

/** fetch hides the reason in `cause`; neither names the URL. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  if (error.name === 'TimeoutError') return 'no answer in time';
  if (error.name === 'AbortError') return 'ended before there was an answer';
  const { cause } = error;
  if (cause instanceof AggregateError && cause.errors[0] instanceof Error)
    return cause.errors[0].message;
  if (cause instanceof Error) return cause.message || String((cause as { code?: string }).code);
  return 'no answer';
}
