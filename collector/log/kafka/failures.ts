/** What errors of brokers and connections mean: to the log's callers, and to those who try again. */

import { AuthenticationError, findErrorBy, NetworkError } from '@platformatic/kafka';
import { CollectorError } from '../../errors.ts';

/**
 * `stale`: the brokers refused without doing anything, since they know better who leads: look again and
 * repeat. `busy`: the same, without looking. `fenced`: another session took over. `refused`: no rights.
 * `outside`: an offset that is not there. `other`: what was asked for may have been done.
 */
export type FailureKind = 'stale' | 'busy' | 'fenced' | 'refused' | 'outside' | 'large' | 'other';

const KINDS: Readonly<Record<string, FailureKind>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'stale',
  UNKNOWN_TOPIC_ID: 'stale',
  INCONSISTENT_TOPIC_ID: 'stale',
  LEADER_NOT_AVAILABLE: 'stale',
  NOT_LEADER_OR_FOLLOWER: 'stale',
  FENCED_LEADER_EPOCH: 'stale',
  UNKNOWN_LEADER_EPOCH: 'stale',
  BROKER_NOT_AVAILABLE: 'stale',
  REPLICA_NOT_AVAILABLE: 'stale',
  NOT_COORDINATOR: 'stale',
  COORDINATOR_NOT_AVAILABLE: 'stale',
  KAFKA_STORAGE_ERROR: 'stale',
  NOT_CONTROLLER: 'stale',
  COORDINATOR_LOAD_IN_PROGRESS: 'busy',
  CONCURRENT_TRANSACTIONS: 'busy',
  OFFSET_NOT_AVAILABLE: 'busy',
  NOT_ENOUGH_REPLICAS: 'busy',
  THROTTLING_QUOTA_EXCEEDED: 'busy',
  INVALID_PRODUCER_EPOCH: 'fenced',
  PRODUCER_FENCED: 'fenced',
  TRANSACTION_COORDINATOR_FENCED: 'busy',
  TOPIC_AUTHORIZATION_FAILED: 'refused',
  GROUP_AUTHORIZATION_FAILED: 'refused',
  CLUSTER_AUTHORIZATION_FAILED: 'refused',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 'refused',
  SASL_AUTHENTICATION_FAILED: 'refused',
  UNSUPPORTED_SASL_MECHANISM: 'refused',
  SECURITY_DISABLED: 'refused',
  OPERATION_NOT_ATTEMPTED: 'busy',
  OFFSET_OUT_OF_RANGE: 'outside',
  MESSAGE_TOO_LARGE: 'large',
  RECORD_LIST_TOO_LARGE: 'large',
};

/** A broker's own error code in a response that this folder reads itself. */
export class BrokerError extends Error {
  readonly apiId: string;

  constructor(apiId: string, detail = '') {
    super(detail === '' ? apiId : `${apiId}: ${detail}`);
    this.apiId = apiId;
  }
}

/** Nothing was sent: no connection. */
export class NotConnectedError extends Error {}

/** The codes by which the brokers named the error, such as NOT_LEADER_OR_FOLLOWER; none: no answer. */
export function apiIdsOf(error: unknown): string[] {
  if (error instanceof BrokerError) return [error.apiId];
  if (error instanceof AggregateError) return error.errors.flatMap(apiIdsOf);
  if (typeof error !== 'object' || error === null) return [];
  const { apiId, cause } = error as { apiId?: unknown; cause?: unknown };
  if (typeof apiId === 'string') return [apiId];
  return cause === undefined ? [] : apiIdsOf(cause);
}

export function kindOf(error: unknown): FailureKind {
  const kinds = apiIdsOf(error).map((id) => KINDS[id] ?? 'other');
  for (const kind of ['fenced', 'refused', 'outside', 'large', 'other', 'stale', 'busy'] as const)
    if (kinds.includes(kind)) return kind;
  if (isAuthentication(error)) return 'refused';
  return error instanceof NotConnectedError ? 'stale' : 'other';
}

/** The broker did not do what was asked for, and may do it at the next try. */
export function isRepeatable(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === 'stale' || kind === 'busy';
}

/** The connection is of no use any more. */
export function isOfConnection(error: unknown): boolean {
  return error instanceof Error && findErrorBy(error, 'code', NetworkError.code) !== null;
}

function isAuthentication(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  // One that was cut off in the middle of it was not refused.
  if (findErrorBy(error, 'code', AuthenticationError.code) !== null)
    return !isOfConnection(error.cause);
  if (isUntrusted(error)) return true;
  return error.cause !== undefined && isAuthentication(error.cause);
}

/** TLS: one of the two does not trust the other's certificate. */
function isUntrusted(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|TLSV1_ALERT/.test(code);
}

/** As callers of the log know it. `what`: what was tried, for the message. */
export function asLogError(error: unknown, what: string): CollectorError {
  if (error instanceof CollectorError) return error;
  const detail = `${what}: ${messageOf(error)}`;
  switch (kindOf(error)) {
    case 'fenced':
      return new CollectorError('LOG_FENCED', detail, { cause: error });
    case 'refused':
      return new CollectorError('LOG_REFUSED', detail, { cause: error });
    case 'outside':
      return new CollectorError('LOG_POSITION_OUTSIDE', detail, { cause: error });
    case 'large':
      return new CollectorError('LOG_RECORD_TOO_LARGE', detail, { cause: error });
    default:
      return new CollectorError('LOG_UNAVAILABLE', detail, { cause: error });
  }
}

export function messageOf(error: unknown): string {
  const ids = apiIdsOf(error);
  if (ids.length > 0) return [...new Set(ids)].join(', ');
  if (!(error instanceof Error)) return String(error);
  // It tells of its cause already.
  if (error instanceof NotConnectedError) return error.message;
  return error.cause instanceof Error
    ? `${error.message} (${messageOf(error.cause)})`
    : error.message;
}

export function closedError(): CollectorError {
  return new CollectorError('LOG_CLOSED', 'the log is closed');
}

export function unavailable(detail: string, cause?: unknown): CollectorError {
  return new CollectorError('LOG_UNAVAILABLE', detail, cause === undefined ? {} : { cause });
}

export function tooLarge(bytes: number, maxBytes: number): CollectorError {
  const detail = `a record of ${bytes} bytes; at most ${maxBytes} are taken`;
  return new CollectorError('LOG_RECORD_TOO_LARGE', detail);
}

/** What the brokers had acknowledged is not there any more. */
export function wentBack(place: string, before: number, now: number): CollectorError {
  const detail = `${place} ended at ${before} and takes records at ${now} now: brokers lost records`;
  return new CollectorError('LOG_POSITION_OUTSIDE', detail);
}
