/** States and wills of gateways, and what intake has to say of them. */

import type { GatewayState, ReaderState } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import { decodeState } from '../../proto/state.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { IdentityConflictValue, OversizedValue } from '../types.ts';
import { declareGaps } from './batches.ts';
import type { GatewayBook } from './gateway.ts';
import { READERS_JSON_MAX } from './limits.ts';
import { EventKind } from './outputs/event.ts';
import type { GatewayEntry } from './outputs/gateway.ts';
import { QuarantineReason } from './outputs/quarantine.ts';
import { parseJson } from './parse.ts';
import type { Step } from './step.ts';

/** A gateway row goes out at once when one of these changed. */
const NEWS = ['online', 'version', 'installId', 'epoch', 'clockUnsynced', 'clockStepMs'] as const;

/** `isWill`: the broker speaks for the gateway; the payload dates from its connection. */
export function processState(
  book: GatewayBook,
  payload: Uint8Array,
  isWill: boolean,
  step: Step,
): void {
  const decoded = decodeState(payload);
  if (!decoded.ok) {
    const { code, message } = decoded.error;
    step.quarantine(book, { reason: code.toLowerCase(), detail: message, head: payload });
    return;
  }
  const state = decoded.value;
  if (gatewayKey(state) !== book.key) {
    const detail = `the state names ${gatewayKey(state)}`;
    step.quarantine(book, { reason: QuarantineReason.WRONG_IDENTITY, detail, head: payload });
    return;
  }
  if (!isWill) announce(book, state, step);
  const before = book.entry;
  const entry = isWill && before !== undefined ? { ...before } : entryOf(book, state);
  entry.online = state.online && !isWill;
  if (!entry.online && state.cleanEnd && !isWill) entry.endedCleanly = true;
  entry.updatedMs = step.nowMs;
  if (!entry.online) book.soft.left();
  reportOnline(book, entry, state.cleanEnd && !isWill, step);
  if (!isWill) reportClock(book, state, step);
  book.enter(entry, isWill ? book.startedMs : state.startedMs);
  book.watch.gatewaySpoke();
  // Counters and ages differ in every state: those wait for the next report.
  if (before === undefined || NEWS.some((field) => before[field] !== entry[field]))
    reportGateway(book, step);
  if (!isWill) declareGaps(book, state.gaps, step);
}

/** Puts out the gateway row as it stands. */
export function reportGateway(book: GatewayBook, step: Step): void {
  if (book.entry !== undefined) step.gateway(book, book.entry);
  book.reported();
}

/** Opens the account of the epoch that the gateway is in. */
function announce(book: GatewayBook, state: GatewayState, step: Step): void {
  const previous = book.entry?.epoch ?? NO_EPOCH;
  if (previous !== NO_EPOCH && previous !== state.epoch) {
    // The agent has started again: whatever epoch it is in now comes after that one.
    book.rank(book.account(previous, step.nowMs));
  }
  if (state.epoch !== NO_EPOCH) book.account(state.epoch, step.nowMs).announce(state.lastSeq);
}

function entryOf(book: GatewayBook, state: GatewayState): GatewayEntry {
  return {
    site: book.site,
    gateway: book.gateway,
    online: state.online,
    version: state.version,
    installId: state.installId,
    epoch: state.epoch,
    lastSeq: state.lastSeq,
    bufferReadings: state.bufferReadings,
    bufferBytes: state.bufferBytes,
    bufferSecondsUntilEviction: state.bufferSecondsUntilEviction,
    clockUnsynced: state.clockUnsynced,
    clockStepMs: state.clockStepMs,
    readers: boundedReaders(state.readers),
    stateMs: state.sentMs,
    updatedMs: 0,
  };
}

/** The first readers that fit: the entry is kept in the state and in every gateway row. */
function boundedReaders(readers: readonly ReaderState[]): ReaderState[] {
  const kept: ReaderState[] = [];
  let length = 0;
  for (const reader of readers) {
    length += JSON.stringify(reader).length;
    if (length > READERS_JSON_MAX) break;
    kept.push(reader);
  }
  return kept;
}

function reportOnline(book: GatewayBook, entry: GatewayEntry, cleanEnd: boolean, step: Step): void {
  const was = book.entry?.online;
  if (was === entry.online) return;
  if (entry.online) {
    const detail = { version: entry.version, install_id: entry.installId };
    step.event(book, { kind: EventKind.GATEWAY_ONLINE, severity: 'info', detail });
  } else {
    const severity = cleanEnd ? 'info' : 'warning';
    const detail = { clean_end: cleanEnd, last_state_ms: book.entry?.stateMs ?? 0 };
    step.event(book, { kind: EventKind.GATEWAY_OFFLINE, severity, detail });
  }
}

function reportClock(book: GatewayBook, state: GatewayState, step: Step): void {
  const before = book.entry;
  const sameRun = before !== undefined && book.startedMs === state.startedMs;
  const stepBefore = sameRun ? before.clockStepMs : 0;
  if (state.clockStepMs !== 0 && state.clockStepMs !== stepBefore) {
    const detail = { step_ms: state.clockStepMs };
    step.event(book, { kind: EventKind.CLOCK_STEP, severity: 'warning', detail });
  }
  if (state.clockUnsynced !== (before?.clockUnsynced ?? false)) {
    const detail = { gateway_ms: state.sentMs };
    const kind = state.clockUnsynced ? EventKind.CLOCK_UNSYNCED : EventKind.CLOCK_SYNCED;
    const severity = state.clockUnsynced ? 'warning' : 'info';
    step.event(book, { kind, severity, detail });
  }
}

/** Intake kept the head of what was too large. */
export function processOversized(book: GatewayBook, value: Uint8Array, step: Step): void {
  const oversized = parseJson<OversizedValue>(value);
  const leaf = String(oversized?.leaf ?? '');
  const bytes = Number(oversized?.bytes ?? 0);
  const head = Buffer.from(String(oversized?.head ?? ''), 'base64');
  const detail = `${leaf}: ${bytes} bytes: ${String(oversized?.reason ?? '')}`;
  step.quarantine(book, { reason: QuarantineReason.OVERSIZED, detail, head });
  step.event(book, {
    kind: EventKind.PAYLOAD_OVERSIZED,
    severity: 'error',
    detail: { leaf, bytes },
  });
}

export function processIdentityConflict(book: GatewayBook, value: Uint8Array, step: Step): void {
  const conflict = parseJson<IdentityConflictValue>(value);
  step.event(book, {
    kind: EventKind.IDENTITY_CONFLICT,
    severity: 'error',
    detail: {
      install_id: String(conflict?.installId ?? ''),
      holder: String(conflict?.holder ?? ''),
      unrecorded: Number(conflict?.unrecorded ?? 0),
    },
  });
}
