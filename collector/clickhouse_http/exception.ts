/** What goes wrong, in a ClickHouse server's words: `Code: N. DB::Exception: … (NAME)`, and the HTTP status that it has there. */

import { CollectorError } from '../errors.ts';
import { GateRefusal } from '../query/refusal.ts';
import { EngineRefusal } from '../store/asking.ts';

export class ServerException extends Error {
  readonly code: number;
  readonly status: number;
  /** Seconds; undefined: no header. */
  readonly retryAfterSeconds: number | undefined;
  /** `words` end with the name, as (SYNTAX_ERROR). */
  constructor(code: number, words: string, status?: number, retryAfterSeconds?: number) {
    super(words);
    this.code = code;
    this.status = status ?? STATUS.get(code) ?? 500;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  /** The body of the answer. */
  get text(): string {
    return `Code: ${this.code}. DB::Exception: ${this.message} (version ${SAID_VERSION})\n`;
  }
}

/** Clients look for "(version …)" at the end; which version it is they ask by SELECT version(). */
const SAID_VERSION = 'fms-collector';

/** As a server maps them; all others are 500. */
const STATUS: ReadonlyMap<number, number> = new Map([
  ...[6, 26, 27, 36, 38, 41, 43, 53, 62, 69, 70, 72, 117, 321, 427, 457].map(
    (code) => [code, 400] as const,
  ),
  ...[16, 46, 47, 50, 56, 57, 60, 63, 73, 81, 115].map((code) => [code, 404] as const),
  [159, 408],
  [164, 403],
  [192, 403],
  [194, 401],
  [202, 503],
  [209, 503],
  [216, 409],
  [279, 503],
  [394, 499],
  [456, 400],
  [497, 403],
  [516, 403],
  [1001, 500],
  [48, 501],
  [161, 413],
  [223, 413],
]);

/** `unexpected`: a defect, to be logged; callers get no more than that it was one. */
export function exceptionOf(error: unknown): { exception: ServerException; unexpected: boolean } {
  if (error instanceof ServerException) return { exception: error, unexpected: false };
  if (error instanceof EngineRefusal)
    return { exception: new ServerException(error.engineCode, error.words), unexpected: false };
  if (error instanceof GateRefusal) return { exception: ofGate(error), unexpected: false };
  if (error instanceof CollectorError) {
    const known = ofCollector(error);
    if (known !== undefined) return { exception: known, unexpected: false };
  }
  const exception = new ServerException(1001, 'a defect of the collector (STD_EXCEPTION)');
  return { exception, unexpected: true };
}

function ofGate({ kind, message }: GateRefusal): ServerException {
  const words = message.replace(/^QUERY_NOT_ALLOWED: /, '');
  if (kind === 'write')
    return new ServerException(164, `Cannot execute query in readonly mode: ${words} (READONLY)`);
  if (kind === 'setting') return new ServerException(164, `${words} (READONLY)`);
  if (kind === 'format') return new ServerException(73, `${words} (UNKNOWN_FORMAT)`);
  return new ServerException(497, `Not enough privileges: ${words} (ACCESS_DENIED)`);
}

function ofCollector(error: CollectorError): ServerException | undefined {
  const words = error.message.slice(error.code.length + 2);
  switch (error.code) {
    case 'STORE_QUERY_REFUSED':
      return /given up/.test(words)
        ? new ServerException(394, 'Query was cancelled. (QUERY_WAS_CANCELLED)')
        : new ServerException(202, `${words} (TOO_MANY_SIMULTANEOUS_QUERIES)`);
    case 'API_BUSY':
      return new ServerException(202, `${words} (TOO_MANY_SIMULTANEOUS_QUERIES)`, 503, 1);
    case 'API_PARAMETER_INVALID':
      return new ServerException(216, `${words} (QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING)`);
    case 'API_NOT_READY':
    case 'STORE_UNAVAILABLE':
    case 'STORE_BUSY':
    case 'STORE_REFUSED':
    case 'LOG_UNAVAILABLE':
    case 'LOG_CLOSED':
    case 'LOG_FULL':
      return new ServerException(279, `${words} (ALL_CONNECTION_TRIES_FAILED)`, 503, 1);
    default:
      return undefined;
  }
}
