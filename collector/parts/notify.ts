/**
 * Alerts to people: reads them from the log, also when nobody is configured to hear of them, since the
 * position holds back trimming. Of several processes with component serve the first has all partitions, so
 * that what fires all over the plant is grouped.
 */

import type { CollectorConfig } from '../config.ts';
import { ControlView, jsonOf } from '../control.ts';
import type { CollectorError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { AlertBook } from '../notifiers/book.ts';
import { CONTROL_PREFIX, NotifyConsumer } from '../notifiers/consumer.ts';
import { Heartbeat } from '../notifiers/heartbeat.ts';
import { isQuiet } from '../notifiers/notice.ts';
import type { NotifierContext } from '../notifiers/notifier.ts';
import { Outbox } from '../notifiers/outbox.ts';
import { makeNotifier } from '../notifiers/registry.ts';
import { receiversOf } from '../notifiers/routes.ts';
import type { NotifyStatus } from '../notifiers/status.ts';
import type { AlertEntry } from '../processor/outputs/alert.ts';
import type { Share, SharedRun } from '../shares.ts';
import { runShare, wholeShare } from '../shares.ts';
import type { Clock, Logger } from '../types.ts';
import type { Team } from './team.ts';

/** What is over when all partitions are read is not told as new; longer than this nobody waits for that. */
const CATCH_UP_MS = 30_000;
/** So often alerts are looked at that nobody was responsible for when they fired. */
const ROUTE_AGAIN_MS = 30_000;
const LEFT_OUT_KEY = `${CONTROL_PREFIX}left_out`;

export interface NotifyPartOptions {
  config: Pick<CollectorConfig, 'notify' | 'sites'>;
  log: Log;
  /** What this process knows of topic `control`; undefined: it is followed here. */
  control: ControlView | undefined;
  share: Share;
  /** Log, processor and store work. */
  isWell: () => boolean;
  clock: Clock;
  logger: Logger;
  /** For tests. */
  backoffMinMs?: number;
  routeAgainMs?: number;
}

export class NotifyPart {
  /** Resolves when a partition's alerts cannot be read any more; with undefined after stop(). */
  readonly failed: Promise<CollectorError | undefined>;
  readonly #options: NotifyPartOptions;
  readonly #context: NotifierContext;
  readonly #outboxes = new Map<string, Outbox>();
  readonly #consumers = new Map<number, NotifyConsumer>();
  readonly #kept = new Map<string, Uint8Array>();
  readonly #control: ControlView;
  readonly #stopped = new AbortController();
  readonly #resolveFailed: (error: CollectorError | undefined) => void;
  #heartbeat: Heartbeat | undefined;
  #run: SharedRun | undefined;
  #starting: Promise<void> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #isDead = false;
  #catchUpTimer: NodeJS.Timeout | undefined;
  #routeTimer: NodeJS.Timeout | undefined;
  #catchingUp = new Set<number>();
  #saidLeftOut = '';

  constructor(options: NotifyPartOptions) {
    this.#options = options;
    const { config, clock } = options;
    this.#context = {
      timeZoneOf: (site) => config.sites.get(site)?.timeZone ?? 'UTC',
      wallMs: () => clock.wallMs(),
    };
    this.#control = options.control ?? new ControlView(options.log.control);
    for (const receiver of config.notify.receivers)
      this.#outboxes.set(receiver.name, this.#makeOutbox(receiver));
    const { promise, resolve } = Promise.withResolvers<CollectorError | undefined>();
    this.failed = promise;
    this.#resolveFailed = resolve;
  }

  /** Waits for nothing. */
  start(): void {
    this.#starting = this.#start();
  }

  status(): NotifyStatus {
    const receivers = [...this.#outboxes.values()].map((outbox) => outbox.status());
    return { receivers, heartbeat: this.#heartbeat && { ...this.#heartbeat.outcomes } };
  }

  /** Messages under way may end; what has not been told is told after the next start. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stopAll();
    return this.#stopping;
  }

  async #stopAll(): Promise<void> {
    this.#stopped.abort();
    clearTimeout(this.#catchUpTimer);
    clearInterval(this.#routeTimer);
    await this.#starting;
    // The books hear how the last messages ended before they are closed.
    await Promise.all([this.#heartbeat?.stop(), ...this.#eachOutbox((one) => one.stop())]);
    await this.#run?.stop();
    this.#resolveFailed(undefined);
  }

  async #start(): Promise<void> {
    const { signal } = this.#stopped;
    const { control, config, share, logger, routeAgainMs = ROUTE_AGAIN_MS } = this.#options;
    if (control === undefined) await this.#control.start(signal, logger);
    if (signal.aborted) return;
    this.#control.on(CONTROL_PREFIX, (key, value) => {
      if (value === undefined) this.#kept.delete(key);
      else this.#kept.set(key, value);
    });
    this.#restoreLeftOut();
    for (const outbox of this.#outboxes.values()) outbox.start();
    this.#run = runShare(
      share,
      (partition, aborts) => this.#work(partition, aborts),
      undefined,
      (partition, error) =>
        logger.warn(
          { code: error.code, partition },
          'another process has taken over the alerts of a partition',
        ),
    );
    void this.#run.failed.then((error) => {
      if (error === undefined) return;
      this.#isDead = true;
      this.#resolveFailed(error);
    });
    this.#routeTimer = setInterval(() => {
      for (const book of this.#books()) book.routeAgain();
    }, routeAgainMs);
    const { heartbeat } = config.notify;
    if (heartbeat === undefined) return;
    const isWell = () => this.#isWell();
    this.#heartbeat = new Heartbeat({ ...heartbeat, isWell, logger });
    this.#heartbeat.start();
  }

  #makeOutbox(receiver: CollectorConfig['notify']['receivers'][number]): Outbox {
    const { config, clock, logger, backoffMinMs } = this.#options;
    const { name, wants, groupMs } = receiver;
    const { waitingMax, waitingMaxMs } = config.notify;
    return new Outbox({
      name,
      wants,
      notifier: makeNotifier(receiver, this.#context),
      groupMs,
      waitingMax,
      waitingMaxMs,
      open: () => this.#openAlerts(name),
      isWell: () => this.#isWell(),
      onLeftOut: () => this.#keepLeftOut(),
      clock,
      logger,
      ...(backoffMinMs === undefined ? {} : { backoffMinMs }),
    });
  }

  async #work(partition: number, signal: AbortSignal): Promise<CollectorError | undefined> {
    this.#catchUp(partition);
    const consumer = this.#consumers.get(partition) ?? this.#makeConsumer(partition);
    this.#consumers.set(partition, consumer);
    try {
      return await consumer.run(signal);
    } finally {
      this.#consumers.delete(partition);
      this.#caughtUp(partition);
    }
  }

  #makeConsumer(partition: number): NotifyConsumer {
    const { config, log, share, clock, logger } = this.#options;
    const { routes, receivers } = config.notify;
    const names = receivers.map(({ name }) => name);
    return new NotifyConsumer(partition, {
      log,
      control: this.#control,
      kept: (prefix) => this.#keptBelow(prefix),
      outboxes: this.#outboxes,
      route: (alert, nowMs) => receiversOf(routes, names, alert, nowMs, this.#context.timeZoneOf),
      exclusive: share.exclusive,
      onCaughtUp: (one) => this.#caughtUp(one),
      clock,
      logger,
    });
  }

  *#keptBelow(prefix: string): Generator<[string, Uint8Array]> {
    for (const [key, value] of this.#kept)
      if (key.startsWith(prefix)) yield [key.slice(prefix.length), value];
  }

  #catchUp(partition: number): void {
    this.#catchingUp.add(partition);
    this.#eachOutbox((outbox) => {
      outbox.paused = true;
    });
    clearTimeout(this.#catchUpTimer);
    if (!this.#stopped.signal.aborted)
      this.#catchUpTimer = setTimeout(() => this.#goOn(), CATCH_UP_MS);
  }

  #caughtUp(partition: number): void {
    if (this.#catchingUp.delete(partition) && this.#catchingUp.size === 0) this.#goOn();
  }

  #goOn(): void {
    clearTimeout(this.#catchUpTimer);
    this.#catchingUp.clear();
    this.#eachOutbox((outbox) => {
      outbox.paused = false;
    });
  }

  #books(): AlertBook[] {
    return [...this.#consumers.values()].flatMap(({ book }) => (book === undefined ? [] : [book]));
  }

  /** Undefined: the alerts are another process'. */
  #openAlerts(receiver: string): AlertEntry[] | undefined {
    const books = this.#books();
    if (books.length === 0 || this.#isDead) return undefined;
    const open: AlertEntry[] = [];
    for (const book of books)
      for (const { alert, receivers } of book.all()) {
        const receiving = receivers.get(receiver);
        // What waits is told first.
        if (receiving === undefined || receiving.waiting !== undefined) continue;
        if (alert.state !== 'resolved' && !isQuiet(alert)) open.push(alert);
      }
    return open;
  }

  #isWell(): boolean {
    return !this.#isDead && this.#books().length > 0 && this.#options.isWell();
  }

  #eachOutbox<Result>(each: (outbox: Outbox) => Result): Result[] {
    return [...this.#outboxes.values()].map(each);
  }

  #restoreLeftOut(): void {
    const kept = jsonOf<Record<string, number>>(this.#control.get(LEFT_OUT_KEY)) ?? {};
    for (const [name, outbox] of this.#outboxes) {
      const count = kept[name];
      if (Number.isSafeInteger(count) && Number(count) > 0) outbox.leftOut = Number(count);
    }
  }

  /** A number for people: when it cannot be kept, it is kept with the next change. */
  #keepLeftOut(): void {
    const counts = Object.fromEntries(this.#eachOutbox(({ name, leftOut }) => [name, leftOut]));
    const text = JSON.stringify(counts);
    if (text === this.#saidLeftOut) return;
    this.#saidLeftOut = text;
    this.#control.put(LEFT_OUT_KEY, Buffer.from(text)).catch(() => {
      this.#saidLeftOut = '';
    });
  }
}

/** All partitions in the first of the processes that have component serve. */
export function firstOf(team: Pick<Team, 'isFirst' | 'onChange'>, partitionCount: number): Share {
  const { owned } = wholeShare(partitionCount);
  return {
    exclusive: false,
    owned: () => (team.isFirst('serve') ? owned() : new Set()),
    onChange: (listener) => team.onChange(listener),
  };
}
