/**
 * What waits to be told to one receiver, over all partitions of this process: grouped by site, sent one
 * message after the other, tried again while the receiver is away. A receiver never waits for another one.
 */

import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { Clock, Logger } from '../types.ts';
import type { AlertBook, BookReceiver } from './book.ts';
import { keyOf, worstFirst } from './message.ts';
import type { Preferences } from './notice.ts';
import type { Message, Notice, Notifier } from './notifier.ts';
import { asNotifyError, NotifyError } from './notifier.ts';
import type { OutboxStatus } from './status.ts';

/** What fires in the same moment is one message. */
const SETTLE_MS = 100;
/** Alerts in one message; the others follow at once in the next. */
const MESSAGE_ALERTS_MAX = 200;
const SEND_TIMEOUT_MS = 30_000;
const BACKOFF_MIN_MS = 1_000;
const BACKOFF_MAX_MS = 300_000;
/** Longer than this nobody is left alone because they say so. */
const RETRY_AFTER_MAX_MS = 3_600_000;
/** How often what waits is looked at for its age. */
const AGE_LOOK_MS = 10_000;
/** A clean end leaves the message under way so long. */
const STOP_WAIT_MS = 2_000;

export interface OutboxOptions {
  name: string;
  wants: Preferences;
  notifier: Notifier;
  groupMs: number;
  /** At both bounds what waits for longest is given up. */
  waitingMax: number;
  waitingMaxMs: number;
  /** What the notifier repeats: all that is open, told and of this process. Undefined: it has nothing to repeat now. */
  open: () => AlertEntry[] | undefined;
  /** Log, processor and store work. */
  isWell: () => boolean;
  /** `leftOut` has changed. */
  onLeftOut: () => void;
  clock: Clock;
  logger: Logger;
  /** For tests. */
  backoffMinMs?: number;
}

interface Item {
  book: AlertBook;
  id: string;
  site: string;
  sinceMs: number;
}

interface Group {
  items: Map<string, Item>;
  /** On performance.now(): not before this. */
  dueMs: number;
  /** When the last message went out. */
  sentAtMs: number;
}

export class Outbox implements BookReceiver {
  readonly name: string;
  readonly wants: Preferences;
  /** Alerts that were given up and that no message has told of yet. */
  leftOut = 0;
  readonly #options: OutboxOptions;
  readonly #groups = new Map<string, Group>();
  readonly #outcomes = { sent: 0, failed: 0, refused: 0, given_up: 0 };
  readonly #stop = new AbortController();
  /** Aborts when a clean end has waited long enough. */
  readonly #cut = new AbortController();
  #waiting = 0;
  #failures = 0;
  #notBeforeMs = 0;
  #agesLookedAtMs = 0;
  #repeatAtMs = 0;
  #lastError = '';
  #partProblem: string | undefined;
  #paused = false;
  #wake: () => void = () => undefined;
  #sending: Promise<void> = Promise.resolve();
  #ended: Promise<void> = Promise.resolve();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.name = options.name;
    this.wants = options.wants;
  }

  start(): void {
    this.#ended = this.#run();
  }

  /** While partitions are being caught up with: what is over by then is not told twice. */
  set paused(paused: boolean) {
    this.#paused = paused;
    this.#wake();
  }

  changed(book: AlertBook, id: string, alert: AlertEntry): void {
    const waiting = book.known(id)?.receivers.get(this.name)?.waiting;
    const group = this.#groups.get(alert.site);
    const item = group?.items.get(id);
    if (waiting === undefined) {
      if (item !== undefined && item.book === book) this.#remove(item);
      return;
    }
    if (item !== undefined) item.book = book;
    else this.#add({ book, id, site: alert.site, sinceMs: waiting.sinceMs });
  }

  /** Resolves when the message under way has ended. */
  idle(): Promise<void> {
    return this.#sending;
  }

  leaveOut(why: string): void {
    this.#outcomes.given_up += 1;
    if (this.leftOut === 0)
      this.#say(new NotifyError('NOTIFY_LEFT_OUT', why), 'messages are left out from here on', 1);
    this.#countLeftOut(1);
  }

  /** A partition has gone to another process: nothing of it is told here any more. */
  drop(book: AlertBook): void {
    for (const group of [...this.#groups.values()])
      for (const item of [...group.items.values()]) if (item.book === book) this.#remove(item);
  }

  status(): OutboxStatus {
    let oldestSinceMs: number | undefined;
    for (const { items } of this.#groups.values())
      for (const { sinceMs } of items.values())
        oldestSinceMs = Math.min(oldestSinceMs ?? sinceMs, sinceMs);
    return {
      name: this.name,
      outcomes: { ...this.#outcomes },
      waiting: this.#waiting,
      oldestSinceMs,
      lastError: this.#lastError,
    };
  }

  /** Resolves when the message under way has ended, one way or the other. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake();
    const timer = setTimeout(() => this.#cut.abort(), STOP_WAIT_MS);
    await this.#ended;
    clearTimeout(timer);
  }

  #add(item: Item): void {
    const { groupMs, waitingMax } = this.#options;
    const nowMs = performance.now();
    const group = this.#groups.get(item.site) ?? {
      items: new Map(),
      dueMs: 0,
      sentAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#groups.set(item.site, group);
    if (group.items.size === 0) group.dueMs = Math.max(nowMs + SETTLE_MS, group.sentAtMs + groupMs);
    group.items.set(item.id, item);
    this.#waiting += 1;
    if (this.#waiting > waitingMax) this.#giveUp(this.#oldest(), 'the outbox is full');
    this.#wake();
  }

  #remove({ site, id }: Item): void {
    const group = this.#groups.get(site);
    if (group?.items.delete(id)) this.#waiting -= 1;
  }

  #oldest(): Item | undefined {
    let oldest: Item | undefined;
    for (const { items } of this.#groups.values())
      for (const item of items.values())
        if (oldest === undefined || item.sinceMs < oldest.sinceMs) oldest = item;
    return oldest;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const group = this.#due();
      if (group !== undefined || performance.now() > this.#agesLookedAtMs + AGE_LOOK_MS / 2)
        this.#giveUpOld();
      if (group !== undefined) {
        this.#sending = this.#send(group);
        await this.#sending;
      } else if (!(await this.#repeat())) await this.#rest();
    }
  }

  /**
   * In the same row as the messages: what is repeated must not overtake the word that it is over. Answers
   * whether anything was sent.
   */
  async #repeat(): Promise<boolean> {
    const { notifier, open, isWell } = this.#options;
    const { repeat } = notifier;
    if (repeat === undefined || this.#paused || performance.now() < this.#repeatAtMs) return false;
    const alerts = open();
    if (alerts === undefined) return false;
    this.#repeatAtMs = performance.now() + repeat.intervalMs;
    try {
      await repeat.send(alerts, isWell(), this.#sendSignal());
      this.#isThrough();
    } catch (error) {
      const failure = asNotifyError(error);
      this.#outcomes.failed += 1;
      this.#noteFailure(
        failure,
        'open alerts cannot be repeated; it is tried again',
        alerts.length,
      );
    }
    return true;
  }

  #sendSignal(): AbortSignal {
    return AbortSignal.any([this.#cut.signal, AbortSignal.timeout(SEND_TIMEOUT_MS)]);
  }

  #isThrough(): void {
    if (this.#lastError !== '')
      this.#options.logger.info({ receiver: this.name }, 'messages get through again');
    this.#lastError = '';
  }

  #due(): Group | undefined {
    const nowMs = performance.now();
    if (this.#paused || nowMs < this.#notBeforeMs) return undefined;
    let due: Group | undefined;
    for (const group of this.#groups.values())
      if (group.items.size > 0 && group.dueMs <= Math.min(nowMs, due?.dueMs ?? nowMs)) due = group;
    return due;
  }

  /** Until something may be due, or has changed. */
  async #rest(): Promise<void> {
    const { groupMs } = this.#options;
    const nowMs = performance.now();
    let untilMs = nowMs + AGE_LOOK_MS;
    // One that has nothing to repeat now is looked at with the ages.
    if (this.#repeatAtMs > nowMs) untilMs = Math.min(untilMs, this.#repeatAtMs);
    for (const [site, { items, dueMs, sentAtMs }] of this.#groups) {
      if (items.size > 0) untilMs = Math.min(untilMs, Math.max(dueMs, this.#notBeforeMs));
      else if (sentAtMs + groupMs < nowMs) this.#groups.delete(site);
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    // Paused: it is woken.
    const waitMs = this.#paused ? AGE_LOOK_MS : Math.max(1, Math.ceil(untilMs - nowMs));
    const timer = setTimeout(resolve, waitMs);
    if (!this.#stop.signal.aborted) await promise;
    clearTimeout(timer);
  }

  async #send(group: Group): Promise<void> {
    const { notifier, clock } = this.#options;
    const items = [...group.items.values()].slice(0, MESSAGE_ALERTS_MAX);
    const message = messageOf(this.name, items, this.leftOut, clock.wallMs());
    if (message === undefined) {
      for (const item of items) this.#remove(item);
      return;
    }
    const { notices } = message;
    let problem: string | undefined;
    try {
      problem = await notifier.send(message, this.#sendSignal());
    } catch (error) {
      const failure = asNotifyError(error);
      if (failure.code === 'NOTIFY_REFUSED') {
        this.#outcomes.refused += 1;
        this.#lastError = failure.message;
        this.#say(failure, 'a message was refused and is given up', notices.length);
        this.#countLeftOut(notices.length);
        this.#settle(group, items, notices, true);
      } else this.#backOff(failure);
      return;
    }
    this.#outcomes.sent += 1;
    this.#isThrough();
    this.#notePart(problem);
    this.#failures = 0;
    if (message.leftOut > 0) this.#countLeftOut(-message.leftOut);
    this.#settle(group, items, notices, false);
  }

  /** What changed while the message was under way comes back by changed(), and waits for the next one. */
  #settle(group: Group, items: readonly Item[], notices: readonly Notice[], lost: boolean): void {
    const isMore = items.length === MESSAGE_ALERTS_MAX;
    group.sentAtMs = performance.now();
    group.dueMs = isMore ? group.sentAtMs : group.sentAtMs + this.#options.groupMs;
    const alerts = new Map(notices.map(({ alert }) => [alert.id, alert]));
    for (const item of items) {
      this.#remove(item);
      const alert = alerts.get(item.id);
      if (alert !== undefined) item.book.told(item.id, this.name, alert, lost);
    }
  }

  #backOff(failure: NotifyError): void {
    const { backoffMinMs = BACKOFF_MIN_MS } = this.#options;
    this.#outcomes.failed += 1;
    const wholeMs = Math.min(BACKOFF_MAX_MS, backoffMinMs * 2 ** Math.min(this.#failures, 20));
    const askedMs = Math.min(failure.retryAfterMs ?? 0, RETRY_AFTER_MAX_MS);
    const waitMs = Math.max(wholeMs * (0.5 + Math.random() / 2), askedMs);
    this.#notBeforeMs = performance.now() + waitMs;
    this.#failures += 1;
    this.#noteFailure(failure, 'messages do not get through; they are tried again', this.#waiting);
  }

  /** Once for each new kind of problem, not for each attempt. */
  #noteFailure(failure: NotifyError, what: string, alerts: number): void {
    const isNew = !this.#lastError.startsWith(failure.code);
    this.#lastError = failure.message;
    if (isNew && !this.#stop.signal.aborted) this.#say(failure, what, alerts);
  }

  /** Once for each new problem. */
  #notePart(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#partProblem)
      this.#say(new NotifyError('NOTIFY_REFUSED', problem), 'not everybody gets the messages', 0);
    this.#partProblem = problem;
  }

  #countLeftOut(count: number): void {
    this.leftOut += count;
    this.#options.onLeftOut();
  }

  #giveUpOld(): void {
    this.#agesLookedAtMs = performance.now();
    const notBeforeMs = this.#options.clock.wallMs() - this.#options.waitingMaxMs;
    for (const { items } of this.#groups.values())
      for (const item of [...items.values()])
        if (item.sinceMs < notBeforeMs) this.#giveUp(item, 'it waited for too long');
  }

  #giveUp(item: Item | undefined, why: string): void {
    if (item === undefined) return;
    this.#remove(item);
    this.leaveOut(why);
    const known = item.book.known(item.id);
    if (known !== undefined) item.book.told(item.id, this.name, known.alert, true);
  }

  #say(failure: NotifyError, what: string, alerts: number): void {
    const { code, hint } = failure;
    this.#options.logger.warn(
      { code, hint, receiver: this.name, alerts },
      `${what}: ${failure.message}`,
    );
  }
}

/** Of the newest that is known; undefined when nothing is to be told any more. */
function messageOf(
  receiver: string,
  items: readonly Item[],
  leftOut: number,
  sentMs: number,
): Message | undefined {
  const notices: Notice[] = [];
  for (const { book, id } of items) {
    const known = book.known(id);
    const receiving = known?.receivers.get(receiver);
    if (known === undefined || receiving?.waiting === undefined) continue;
    const toldSeverity = receiving.told?.severity;
    notices.push({ kind: receiving.waiting.kind, alert: known.alert, toldSeverity });
  }
  const [first] = notices;
  if (first === undefined) return undefined;
  notices.sort(worstFirst);
  const key = keyOf(receiver, notices);
  return { key, site: first.alert.site, notices, leftOut, sentMs, test: false };
}
