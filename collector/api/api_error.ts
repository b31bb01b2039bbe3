/** Every answer that is not a success has the form {error: {code, message, hint}}. */

import type { CollectorErrorCode } from '../errors.ts';
import { CollectorError, collectorErrors } from '../errors.ts';

export interface ApiAnswer {
  status: number;
  body: { error: { code: string; message: string; hint: string } };
  /** A defect: to be logged. */
  unexpected: boolean;
}

const STATUS: Partial<Record<CollectorErrorCode, number>> = {
  API_PARAMETER_INVALID: 400,
  API_HOST_REFUSED: 421,
  API_NEEDS_TLS: 426,
  API_NOT_FOUND: 404,
  API_UNAUTHENTICATED: 401,
  API_LOGIN_REFUSED: 401,
  API_FORBIDDEN: 403,
  API_TOO_MANY: 429,
  API_CSRF: 403,
  API_PASSWORD_CHANGE: 403,
  API_PASSWORD_REFUSED: 422,
  API_USER_REFUSED: 409,
  API_TOKEN_REFUSED: 409,
  API_CONTENT_TYPE: 415,
  API_RELEASE_REFUSED: 409,
  API_ACKNOWLEDGE_REFUSED: 409,
  API_SILENCE_REFUSED: 409,
  PROFILES_REFUSED: 422,
  PROFILES_CHANGED: 409,
  PROFILES_BUILT_IN: 409,
  PROFILES_FOLDER: 503,
  TRUST_OFF: 409,
  TRUST_AUTHORITY_INVALID: 503,
  GATEWAY_REFUSED: 409,
  GATEWAY_NAME_INVALID: 422,
  ENROL_NOT_FOUND: 404,
  ENROL_KEY_REFUSED: 409,
  JOB_UNKNOWN: 404,
  JOB_BUSY: 409,
  API_BUSY: 503,
  BACKUP_REFUSED: 409,
  API_NOT_READY: 503,
  STORE_UNAVAILABLE: 503,
  STORE_BUSY: 503,
  STORE_READ_ONLY: 503,
  STORE_REFUSED: 503,
  STORE_QUERY_REFUSED: 422,
  QUERY_NOT_ALLOWED: 422,
  COLLECTOR_UNREACHABLE: 503,
  COLLECTOR_NOT_TRUSTED: 503,
  LOG_UNAVAILABLE: 503,
  LOG_CLOSED: 503,
  LOG_FULL: 503,
};

/** Codes that answers may carry. */
export const ANSWERED_CODES: readonly string[] = ['API_INTERNAL', ...Object.keys(STATUS)];

/** Asked too often; answered with the header retry-after. */
export class TooMany extends CollectorError {
  readonly retryAfterS: number;
  constructor(detail: string, retryAfterS: number) {
    super('API_TOO_MANY', detail);
    this.retryAfterS = Math.max(1, Math.ceil(retryAfterS));
  }
}

/** The HTTP status that an error of this code is answered with. */
export function statusOf(code: CollectorErrorCode): number {
  return STATUS[code] ?? 500;
}

/** Seconds for the header retry-after; undefined: it says nothing of when. */
export function retryAfterOf(error: unknown, status: number): number | undefined {
  if (error instanceof TooMany) return error.retryAfterS;
  return status === 503 || status === 429 ? 1 : undefined;
}

/** Details of defects stay in the collector's messages; callers get the code. */
export function toAnswer(error: unknown): ApiAnswer {
  if (error instanceof CollectorError) {
    const status = STATUS[error.code];
    if (status !== undefined) return answer(status, error.code, detailOf(error), false);
  }
  const { statusCode, validation, message } = error as {
    statusCode?: number;
    validation?: unknown;
    message?: string;
  };
  if (validation !== undefined || (statusCode !== undefined && statusCode < 500))
    return answer(statusCode ?? 400, 'API_PARAMETER_INVALID', message ?? '', false);
  return answer(500, 'API_INTERNAL', collectorErrors.API_INTERNAL.cause, true);
}

function detailOf(error: CollectorError): string {
  return error.message.slice(error.code.length + 2);
}

function answer(
  status: number,
  code: CollectorErrorCode,
  message: string,
  unexpected: boolean,
): ApiAnswer {
  return {
    status,
    unexpected,
    body: { error: { code, message, hint: collectorErrors[code].hint } },
  };
}
