/**
 * The processor of one raw partition: a pure function of the records and of its state. Records in,
 * output records and changed state out; the same records give the same outputs, wherever the log is cut
 * and the processor made anew from committed state. Time is the highest appendedAtMs seen.
 *
 * Hard state, by key:
 * - `.partition`: log time, when rows were last put out, and whose turn it is next
 * - `.configuration`: the configuration that holds, as it came
 * - `site/gateway`: GatewayBook
 * - `site/gateway|epoch`: EpochAccount
 * - `site/gateway|anomalies`, `site/gateway|alerts0` to `…f`: those that have not ended
 * - `.silences`: those that have not ended
 * - `.audit`: where the audit log's chain stands; of partition 0
 * Soft state, by gateway: GatewaySoft. It is taken now and then and made good by processing again what
 * came since; without it rules and device states begin anew, and nothing else changes.
 */

import { CollectorError } from '../errors.ts';
import type { LogRecord } from '../log/log.ts';
import type { RecoveryValue } from '../types.ts';
import { RawKind } from '../types.ts';
import { AuditChain } from './audit.ts';
import { processBatch, reportGap } from './batches.ts';
import { ActiveConfiguration } from './configuration.ts';
import type { EpochAccount } from './epoch.ts';
import { GatewayBook } from './gateway.ts';
import { ledgerEntry } from './ledger.ts';
import {
  LOST_AFTER_MS,
  PAUSE_MS,
  REPORT_GATEWAYS_MAX,
  REPORT_INTERVAL_MS,
  SETTLE_AFTER_MS,
} from './limits.ts';
import { NOBODY } from './origin.ts';
import { EventKind } from './outputs/event.ts';
import type { LedgerEntry } from './outputs/ledger.ts';
import { CollectorGapReason } from './outputs/ledger.ts';
import { QuarantineReason } from './outputs/quarantine.ts';
import { parseJson } from './parse.ts';
import { processRecovery } from './recovery.ts';
import { processRelease } from './releases.ts';
import { Silences } from './silences.ts';
import {
  processIdentityConflict,
  processOversized,
  processState,
  reportGateway,
} from './states.ts';
import type { ProcessorOutput, ProcessorStats } from './step.ts';
import { Step } from './step.ts';

/** No gateway's key: those have a slash. */
const PARTITION_KEY = '.partition';
export const CONFIGURATION_KEY = '.configuration';
const SILENCES_KEY = '.silences';
const AUDIT_KEY = '.audit';
const FORMAT = 2;
/** Knew neither pauses nor configurations. */
const FORMAT_BEFORE_CONFIGURATIONS = 1;

interface EncodedPartition {
  format: number;
  timeMs: number;
  reportedMs: number;
  reportedUpTo?: string;
  resumedMs?: number;
}

export interface ProcessorOptions {
  /** Why soft state that there should be is not: told in an event. */
  coldReason?: string;
}

export class Processor {
  readonly stats: ProcessorStats = {
    recordsTotal: 0,
    readingsTotal: 0,
    duplicatesTotal: 0,
    quarantinedTotal: 0,
    eventsTotal: 0,
  };
  #timeMs = 0;
  #reportedMs = 0;
  /** Key of the last gateway of a report that had no room for all; '' when the last one had. */
  #reportedUpTo = '';
  /** When records came again after a pause: the collector was not running, or the log took nothing. */
  #resumedMs = 0;
  #coldReason: string | undefined;
  readonly #configuration = new ActiveConfiguration();
  #configurationChanged = false;
  readonly #silences = new Silences();
  readonly #audit = new AuditChain();
  readonly #books = new Map<string, GatewayBook>();
  /** Books that may differ from the state as last taken. */
  readonly #touched = new Set<GatewayBook>();

  /**
   * `state`: hard, as committed. Soft state is what restoreSoft() brings before the first record; without it
   * everything begins anew. Throws PROCESSOR_STATE_VERSION when another version wrote it.
   */
  constructor(state: ReadonlyMap<string, Uint8Array>, options: ProcessorOptions = {}) {
    for (const [key, bytes] of state) {
      const bar = key.indexOf('|');
      if (key === PARTITION_KEY) this.#restorePartition(bytes);
      else if (key === CONFIGURATION_KEY) this.#configuration.take(bytes);
      else if (key === SILENCES_KEY) this.#silences.restore(bytes);
      else if (key === AUDIT_KEY) this.#audit.restore(bytes);
      else if (bar < 0) this.#book(key).restore(bytes);
      else this.#book(key.slice(0, bar)).restorePart(key.slice(bar + 1), bytes);
    }
    this.#coldReason = options.coldReason;
    this.#touched.clear();
  }

  /**
   * Of one gateway, as takeSoft() answered: all of a large fleet takes seconds. Throws PROCESSOR_STATE_VERSION when
   * another version wrote it.
   */
  restoreSoft(key: string, bytes: Uint8Array): void {
    const book = this.#book(key);
    if (!book.soft.restore(bytes))
      throw new CollectorError('PROCESSOR_STATE_VERSION', `${key}: its windows and devices`);
    this.#touched.delete(book);
  }

  /** Log time. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** Takes the next record; answers what it leads to. No content of a record makes it throw. */
  process(record: LogRecord): ProcessorOutput[] {
    this.stats.recordsTotal++;
    const receivedMs = record.appendedAtMs;
    if (receivedMs - this.#timeMs > PAUSE_MS) this.#resumedMs = receivedMs;
    this.#timeMs = Math.max(this.#timeMs, receivedMs);
    const times = { receivedMs, nowMs: this.#timeMs };
    const { compiled: configuration } = this.#configuration;
    const step = new Step(times, { configuration, silences: this.#silences.all }, this.stats);
    if (this.#coldReason !== undefined) this.#beginAnew(this.#coldReason, step);
    if (record.kind === RawKind.CONFIGURATION) this.#configure(record, step);
    else if (record.kind === RawKind.SILENCE) this.#silence(record, step);
    else if (record.kind === RawKind.AUDIT) this.#enter(record, step);
    else if (record.kind === RawKind.RECOVERY && record.key === '') this.#recoverAll(record, step);
    else if (record.kind !== RawKind.TICK) this.#dispatch(record, step);
    if (this.#timeMs - this.#reportedMs >= REPORT_INTERVAL_MS) this.#report(step);
    return step.done();
  }

  /** What differs from the state as committed, or as taken before; null: the key is gone. */
  takeChanges(): Map<string, Uint8Array | null> {
    const changes = new Map<string, Uint8Array | null>();
    const partition: EncodedPartition = {
      format: FORMAT,
      timeMs: this.#timeMs,
      reportedMs: this.#reportedMs,
    };
    if (this.#reportedUpTo !== '') partition.reportedUpTo = this.#reportedUpTo;
    if (this.#resumedMs > 0) partition.resumedMs = this.#resumedMs;
    changes.set(PARTITION_KEY, Buffer.from(JSON.stringify(partition)));
    const { bytes } = this.#configuration;
    if (this.#configurationChanged && bytes !== undefined) changes.set(CONFIGURATION_KEY, bytes);
    this.#configurationChanged = false;
    const silences = this.#silences.takeChanges();
    if (silences !== undefined) changes.set(SILENCES_KEY, silences);
    const audit = this.#audit.takeChanges();
    if (audit !== undefined) changes.set(AUDIT_KEY, audit);
    for (const book of this.#touched) book.takeChanges(changes);
    this.#touched.clear();
    return changes;
  }

  /**
   * The soft state, by gateway, as far as it differs from what was restored, or taken before. One gateway at a time;
   * no record may be processed before the last.
   */
  *takeSoft(): Generator<[key: string, bytes: Uint8Array]> {
    for (const book of this.#books.values()) {
      const bytes = book.soft.takeChanges();
      if (bytes !== undefined) yield [book.key, bytes];
    }
  }

  /** Accounts as they stand: for tests and for a look from outside. */
  ledger(): LedgerEntry[] {
    const entries: LedgerEntry[] = [];
    for (const book of this.#books.values()) {
      for (const account of book.all()) entries.push(ledgerEntry(book, account, this.#timeMs));
    }
    return entries;
  }

  #dispatch(record: LogRecord, step: Step): void {
    const book = this.#book(record.key);
    const { value } = record;
    switch (record.kind) {
      case RawKind.BATCH:
        book.soft.heard(book, step);
        processBatch(book, value, step);
        break;
      case RawKind.STATE:
        book.soft.heard(book, step);
        processState(book, value, false, step);
        break;
      case RawKind.WILL:
        processState(book, value, true, step);
        break;
      case RawKind.OVERSIZED:
        book.soft.heard(book, step);
        processOversized(book, value, step);
        break;
      case RawKind.IDENTITY_CONFLICT:
        processIdentityConflict(book, value, step);
        break;
      case RawKind.RELEASE:
        processRelease(book, value, step);
        break;
      case RawKind.ACKNOWLEDGE:
        book.watch.acknowledge(book, value, step);
        break;
      case RawKind.MARK:
        book.watch.mark(book, value, step);
        break;
      case RawKind.RECOVERY:
        processRecovery(book, value, step);
        break;
      default:
        step.quarantine(book, {
          reason: QuarantineReason.UNKNOWN_RECORD,
          detail: `kind ${record.kind}`,
          head: value,
        });
    }
    for (let old = book.forgetOldest(); old !== undefined; old = book.forgetOldest()) {
      giveUp(book, old, step);
      step.ledger(book, [ledgerEntry(book, old, step.nowMs)]);
    }
  }

  /** Windows and devices are lost: nothing is said of what would only seem new. */
  #beginAnew(reason: string, step: Step): void {
    this.#coldReason = undefined;
    for (const book of this.#books.values()) {
      book.soft.beginAnew(book, step);
      this.#touched.add(book);
    }
    const detail = { reason, gateways: this.#books.size };
    step.event(NOBODY, { kind: EventKind.COLD_START, severity: 'warning', detail });
  }

  /** It holds from this record on. Every partition gets it; the first one says so. */
  #configure(record: LogRecord, step: Step): void {
    const before = this.#configuration.version;
    const outcome = this.#configuration.take(record.value);
    if (outcome === 'same') return;
    if (outcome === 'taken') {
      this.#configurationChanged = true;
      step.configuration = this.#configuration.compiled;
      for (const book of this.#books.values()) book.soft.reconfigure();
    }
    if (record.partition !== 0) return;
    const { version } = this.#configuration;
    const severity = outcome === 'taken' ? 'info' : 'error';
    const detail = { version, before, refused: outcome === 'refused' };
    step.event(NOBODY, { kind: EventKind.CONFIGURATION, severity, detail });
  }

  /** What matches makes no messages from this record on. Every partition gets it; the first one says so. */
  #silence(record: LogRecord, step: Step): void {
    const silence = this.#silences.take(record.value);
    step.silences = this.#silences.all;
    for (const book of this.#books.values()) book.soft.silenced();
    if (record.partition !== 0) return;
    if (silence === undefined) {
      const detail = { what: 'silence' };
      step.event(NOBODY, { kind: EventKind.DECISION_REFUSED, severity: 'warning', detail });
      return;
    }
    step.silence({ ...silence, updatedMs: step.nowMs });
    const { id, by, reason, untilMs } = silence;
    const detail = { id, silence_kind: silence.kind, until_ms: untilMs, by, reason };
    step.event(NOBODY, { kind: EventKind.SILENCE_SET, severity: 'info', detail });
  }

  /** The next entry of the audit log. What is none, or came to another partition than 0, is refused. */
  #enter(record: LogRecord, step: Step): void {
    const isHere = record.partition === 0;
    const entry = isHere ? this.#audit.take(record.value, step.nowMs) : 'wrong_partition';
    if (entry === 'repeated') return;
    if (typeof entry !== 'string') {
      step.audit(entry);
      return;
    }
    const detail = { what: 'audit', reason: entry, bytes: record.value.length };
    step.event(NOBODY, { kind: EventKind.DECISION_REFUSED, severity: 'error', detail });
  }

  /** The log was restored from a backup: of every gateway what came since is missing. */
  #recoverAll(record: LogRecord, step: Step): void {
    for (const book of this.#books.values()) {
      book.beginRecovery();
      this.#touched.add(book);
    }
    if (record.partition !== 0) return;
    const value = parseJson<RecoveryValue>(record.value) ?? {};
    const reason = String(value.reason ?? '');
    const entry = this.#audit.recover(value, step.nowMs);
    if (entry !== undefined) step.audit(entry);
    const detail = { reason, gateways: this.#books.size };
    step.event(NOBODY, { kind: EventKind.LOG_RECOVERED, severity: 'warning', detail });
  }

  /** Rows of what changed, in an order that depends on nothing but the state. */
  #report(step: Step): void {
    this.#reportedMs = step.nowMs;
    if (this.#silences.forget(step.nowMs)) {
      step.silences = this.#silences.all;
      for (const book of this.#books.values()) book.soft.silenced();
    }
    const books = this.#inTurn(
      [...this.#books.values()].filter((book) => this.#needsReport(book, step.nowMs)),
    );
    for (const book of books) {
      this.#touched.add(book);
      const entries: LedgerEntry[] = [];
      for (const account of [...book.open.values()].sort((a, b) => a.place - b.place)) {
        if (account.isQuiet(step.nowMs, LOST_AFTER_MS)) giveUp(book, account, step);
        if (account.unreported) {
          entries.push(ledgerEntry(book, account, step.nowMs));
          account.unreported = false;
          account.changed = true;
        }
        if (account.isQuiet(step.nowMs, SETTLE_AFTER_MS)) book.settle(account);
      }
      if (entries.length > 0) step.ledger(book, entries);
      if (book.unreported) reportGateway(book, step);
      book.soft.report(book, step, this.#resumedMs);
    }
  }

  #needsReport(book: GatewayBook, nowMs: number): boolean {
    if (book.unreported || book.soft.isDue(book, nowMs, this.#resumedMs)) return true;
    for (const account of book.open.values()) {
      if (account.unreported || account.isQuiet(nowMs, LOST_AFTER_MS)) return true;
    }
    return false;
  }

  /** As many as a report takes, those that wait longest first. */
  #inTurn(books: GatewayBook[]): GatewayBook[] {
    const upTo = this.#reportedUpTo;
    books.sort((a, b) => {
      const waited = Number(b.key > upTo) - Number(a.key > upTo);
      return waited !== 0 ? waited : a.key < b.key ? -1 : 1;
    });
    const taken = books.slice(0, REPORT_GATEWAYS_MAX);
    this.#reportedUpTo = taken.length < books.length ? taken.at(-1)!.key : '';
    return taken;
  }

  #book(key: string): GatewayBook {
    let book = this.#books.get(key);
    if (book === undefined) {
      book = new GatewayBook(key);
      this.#books.set(key, book);
    }
    this.#touched.add(book);
    return book;
  }

  #restorePartition(bytes: Uint8Array): void {
    const body = JSON.parse(Buffer.from(bytes).toString('utf8')) as EncodedPartition;
    if (body.format !== FORMAT && body.format !== FORMAT_BEFORE_CONFIGURATIONS) {
      throw new CollectorError('PROCESSOR_STATE_VERSION', `partition: format ${body.format}`);
    }
    this.#timeMs = body.timeMs;
    this.#reportedMs = body.reportedMs;
    this.#reportedUpTo = body.reportedUpTo ?? '';
    this.#resumedMs = body.resumedMs ?? 0;
  }
}

/** What was announced and never came, and cannot come any more. */
function giveUp(book: GatewayBook, account: EpochAccount, step: Step): void {
  const { LOST_ON_GATEWAY, LOST_WITH_LOG } = CollectorGapReason;
  const reason = account.recovering ? LOST_WITH_LOG : LOST_ON_GATEWAY;
  const parts = account.inFlightWithin(1, account.lastSeq);
  for (const part of parts) account.declare(part.from, part.to, reason);
  reportGap(book, account, parts, reason, step);
}
