/**
 * The contract of notifiers: what carries a message about alerts to somebody. One file each, and a line in
 * registry.ts. A notifier only sends: routing, grouping, retries and counting are outbox.ts'.
 */

import type { CollectorErrorCode } from '../errors.ts';
import { CollectorError } from '../errors.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { AlertSeverity } from '../profile.ts';

export const LANGUAGES = ['en', 'ko'] as const;
export type Language = (typeof LANGUAGES)[number];

/** What is told of an alert. `raised`, `lowered`: its severity. */
export type NoticeKind = 'firing' | 'raised' | 'lowered' | 'acknowledged' | 'resolved';

/** One change of one alert, as it stands when it is sent. */
export interface Notice {
  kind: NoticeKind;
  alert: AlertEntry;
  /** What the receiver was told last. Undefined: nothing yet; with `resolved` it hears of begin and end at once. */
  toldSeverity: AlertSeverity | undefined;
}

/** What a receiver gets at once: the changes of one site. */
export interface Message {
  /** The same for the same changes, so that a receiver can tell what it has already. 32 hex digits. */
  key: string;
  site: string;
  /** At least one; the worst first. */
  notices: readonly Notice[];
  /** Messages before this one that were given up. */
  leftOut: number;
  /** UTC ms. */
  sentMs: number;
  /** By `notify test`: nothing has happened. */
  test: boolean;
}

export interface Notifier {
  /**
   * Resolves when the receiver has it, with what of it did not get through (an address of several), for
   * people and without secrets. Rejects with NotifyError. Calls come one after the other.
   */
  send(message: Message, signal: AbortSignal): Promise<string | undefined>;
  /** For receivers that want to hear of all that is open again and again. */
  readonly repeat?: Repeat;
}

export interface Repeat {
  readonly intervalMs: number;
  /** `isWell`: log, processor and store work. Rejects like send. */
  send(open: readonly AlertEntry[], isWell: boolean, signal: AbortSignal): Promise<void>;
}

/** What notifiers are given beside their own settings. */
export interface NotifierContext {
  /** Time zone of a site, IANA name. */
  timeZoneOf: (site: string) => string;
  wallMs: () => number;
}

/**
 * NOTIFY_UNREACHABLE and NOTIFY_NOT_AUTHORISED: to be tried again. NOTIFY_REFUSED: this message will never
 * be taken. The text holds no secret.
 */
export class NotifyError extends CollectorError {
  /** How long the receiver wants to be left alone. */
  readonly retryAfterMs: number | undefined;
  constructor(
    code: Extract<CollectorErrorCode, `NOTIFY_${string}`>,
    detail: string,
    retryAfterMs?: number,
  ) {
    super(code, detail);
    this.name = 'NotifyError';
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a notifier throws that it did not expect is tried again. */
export function asNotifyError(error: unknown): NotifyError {
  if (error instanceof NotifyError) return error;
  const text = error instanceof CollectorError ? error.message : String(error);
  return new NotifyError('NOTIFY_UNREACHABLE', text.slice(0, 300));
}
