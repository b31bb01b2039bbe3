/**
 * What a log that is new, or was restored, is told of the time before it: which seqs the store has. From
 * there the accounts go on; what came in between and was acknowledged is lost with the log.
 */

import { SEQ_MAX } from '../../proto/limits.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import type { RecoveryValue } from '../types.ts';
import type { GatewayBook } from './gateway.ts';
import { EPOCHS_PER_GATEWAY_MAX } from './limits.ts';
import { EventKind } from './outputs/event.ts';
import { parseJson } from './parse.ts';
import type { Interval } from './ranges.ts';
import type { Step } from './step.ts';

const EPOCH = /^[0-9a-f]{16}$/;

/** Of one gateway. Said twice it changes nothing the second time. */
export function processRecovery(book: GatewayBook, value: Uint8Array, step: Step): void {
  const recovery = parseJson<RecoveryValue>(value);
  const accounts = Array.isArray(recovery?.accounts) ? recovery.accounts : [];
  let readings = 0;
  let epochs = 0;
  for (const told of accounts.slice(-EPOCHS_PER_GATEWAY_MAX)) {
    const epoch = String(told?.epoch ?? '');
    if (!EPOCH.test(epoch) || epoch === NO_EPOCH) continue;
    const openedMs = isSeq(told.openedMs) ? told.openedMs : step.nowMs;
    const account = book.account(epoch, openedMs);
    book.rank(account);
    if (isSeq(told.lastSeq)) account.announce(told.lastSeq);
    for (const { from, to } of intervals(told.stored)) {
      for (const part of account.unseen(from, to)) {
        const count = part.to - part.from + 1;
        account.take(part, count);
        readings += count;
      }
    }
    for (const { from, to } of intervals(told.quarantined)) {
      for (const part of account.unseen(from, to)) {
        const count = part.to - part.from + 1;
        // Which of them a rule sent there only the store knows: it offers no others for release.
        account.take(part, count, [part]);
        readings += count;
      }
    }
    epochs++;
  }
  book.beginRecovery();
  const detail = { reason: String(recovery?.reason ?? ''), epochs, readings };
  step.event(book, { kind: EventKind.LOG_RECOVERED, severity: 'warning', detail });
}

/** The ranges from, to, from, to, …; what is no range is left out. */
function intervals(ends: unknown): Interval[] {
  const found: Interval[] = [];
  if (!Array.isArray(ends)) return found;
  for (let i = 0; i + 1 < ends.length; i += 2) {
    const [from, to] = [ends[i] as unknown, ends[i + 1] as unknown];
    if (isSeq(from) && isSeq(to) && from >= 1 && from <= to) found.push({ from, to });
  }
  return found;
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < SEQ_MAX;
}
