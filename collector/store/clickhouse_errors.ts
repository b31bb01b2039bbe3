/** What the errors of a ClickHouse server mean, and those of the way to it. */

import type { CollectorErrorCode } from '../errors.ts';
import { CollectorError } from '../errors.ts';
import { engineCode, firstLine } from './engine_errors.ts';
import { passReplaced } from './passes.ts';

type StoreCode = Extract<CollectorErrorCode, `STORE_${string}`>;

/** Whatever was asked. */
const ALWAYS: Readonly<Record<string, StoreCode>> = {
  // Who asks, and with what rights.
  192: 'STORE_REFUSED',
  193: 'STORE_REFUSED',
  194: 'STORE_REFUSED',
  195: 'STORE_REFUSED',
  497: 'STORE_REFUSED',
  516: 'STORE_REFUSED',
  // Too many statements, parts; no thread left.
  202: 'STORE_BUSY',
  252: 'STORE_BUSY',
  439: 'STORE_BUSY',
  // A replica that lost its keeper, a disk that is full.
  242: 'STORE_READ_ONLY',
  243: 'STORE_READ_ONLY',
  // Files, connections between servers, keepers, a server that is ending.
  74: 'STORE_UNAVAILABLE',
  75: 'STORE_UNAVAILABLE',
  76: 'STORE_UNAVAILABLE',
  198: 'STORE_UNAVAILABLE',
  209: 'STORE_UNAVAILABLE',
  210: 'STORE_UNAVAILABLE',
  225: 'STORE_UNAVAILABLE',
  236: 'STORE_UNAVAILABLE',
  279: 'STORE_UNAVAILABLE',
  319: 'STORE_UNAVAILABLE',
  999: 'STORE_UNAVAILABLE',
  1001: 'STORE_UNAVAILABLE',
  1002: 'STORE_UNAVAILABLE',
};

const READONLY_CODE = '164';
const MEMORY_CODE = '241';
/** Against those of one query: `Memory limit (total) exceeded`, `(for user)`, `User memory limit`. */
const SERVERS_MEMORY = /\(total\)|\(for user\)|user memory limit|overcommit/i;
const DISK_FULL = /no space left|not enough space/i;

/** The request never left, or nobody was there to take it. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
]);
/** Certificates, and a port that does not speak TLS. */
const TLS =
  /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO$|HOSTNAME_MISMATCH)/;

/** Nobody said how the statement ended: it may still run. */
export function isDoubtful(error: unknown): boolean {
  if (error instanceof CollectorError || engineCode(error) !== undefined) return false;
  const code = systemCode(error);
  return !NOT_SENT.has(code) && !TLS.test(code);
}

/** Of inserts, migrations and what the writer reads back. */
export function writeFailure(what: string, error: unknown): CollectorError {
  if (error instanceof CollectorError) return error;
  const code = engineCode(error);
  const text = textOf(error);
  const replaced = passReplaced(code, text);
  if (replaced !== undefined) return replaced;
  if (code === MEMORY_CODE) return failure('STORE_BUSY', what, error);
  if (code === READONLY_CODE) return failure('STORE_READ_ONLY', what, error);
  return failure(meaning(code, error) ?? 'STORE_UNAVAILABLE', what, error);
}

/** Of what people and jobs ask; what only they can have caused is STORE_QUERY_REFUSED. */
export function queryFailure(error: unknown): CollectorError {
  if (error instanceof CollectorError) return error;
  const code = engineCode(error);
  if (code === undefined)
    return failure(meaning(code, error) ?? 'STORE_UNAVAILABLE', 'query', error);
  if (code === MEMORY_CODE && SERVERS_MEMORY.test(textOf(error)))
    return failure('STORE_BUSY', 'query', error);
  const meant = meaning(code, error);
  if (meant !== undefined) return failure(meant, 'query', error);
  return new CollectorError('STORE_QUERY_REFUSED', textOf(error), { cause: error });
}

function meaning(code: string | undefined, error: unknown): StoreCode | undefined {
  if (code === undefined) return TLS.test(systemCode(error)) ? 'STORE_REFUSED' : undefined;
  if (DISK_FULL.test(textOf(error))) return 'STORE_READ_ONLY';
  return ALWAYS[code];
}

function failure(code: StoreCode, what: string, error: unknown): CollectorError {
  return new CollectorError(code, `${what}: ${textOf(error)}`, { cause: error });
}

function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** Some errors of connections have a code and no message. */
function textOf(error: unknown): string {
  return firstLine(error) || systemCode(error) || 'no answer';
}
