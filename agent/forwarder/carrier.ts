/**
 * Carries batches from the outbox over one connection after another. What is in flight when a connection
 * ends goes again on the next one. What counts as delivered is the PUBACK of the collector's own broker,
 * or, behind another broker, the collector's word on the command topic.
 */

import { systemScheduler, within } from '../scheduler.ts';
import { AwaitedBatches } from './awaited.ts';
import type { Connection } from './connection.ts';
import type { ForwarderOptions, ForwarderStatus } from './contract.ts';
import type { OutgoingBatch } from './outbox.ts';
import { Outbox } from './outbox.ts';

/** How often held chunks are looked at again: the clock may have become right. */
const HOLD_CHECK_MS = 1_000;
const LOOK_AGAIN_MS = 200;

export interface CarrierOptions
  extends Pick<
    ForwarderOptions,
    'buffer' | 'identity' | 'settings' | 'clock' | 'clockState' | 'random'
  > {
  /** Behind another broker: it has a batch, so the line works. Whether the collector does is another matter. */
  onCarried: () => void;
  /** The collector has a batch: only this proves that the whole way works. */
  onDelivered: () => void;
  /** Batches went again, and the collector has acknowledged nothing since their first time. */
  onSilence: () => void;
}

/** The part of the forwarder's status that is known here. */
export type CarrierStatus = Pick<
  ForwarderStatus,
  | 'inFlightBatches'
  | 'inFlightReadings'
  | 'inFlightBytes'
  | 'heldMs'
  | 'windowShare'
  | 'sentBatchesTotal'
  | 'sentBytesTotal'
  | 'ackedBatchesTotal'
  | 'ackedReadingsTotal'
  | 'resentBatchesTotal'
  | 'timeoutResendsTotal'
>;

export class Carrier {
  readonly #options: CarrierOptions;
  readonly #outbox: Outbox;
  /** Undefined: a PUBACK is enough. */
  readonly #awaited: AwaitedBatches | undefined;
  readonly #counts = {
    sentBatchesTotal: 0,
    sentBytesTotal: 0,
    ackedBatchesTotal: 0,
    ackedReadingsTotal: 0,
    resentBatchesTotal: 0,
    timeoutResendsTotal: 0,
  };
  #connection: Connection | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  #watch: AbortController | undefined;
  /** False from the end of drain() until leave(). */
  #mayTake = true;
  #onIdle: (() => void) | undefined;

  constructor(options: CarrierOptions) {
    this.#options = options;
    const { buffer, identity, settings, clock, clockState } = options;
    this.#outbox = new Outbox({ buffer, identity, clock, clockState, ...settings });
    if (settings.acknowledgedBy === 'collector') {
      const { resendAfterMs } = settings;
      this.#awaited = new AwaitedBatches({
        resendAfterMs,
        random: options.random,
        onDue: (batches) => this.#resend(batches),
      });
    }
  }

  get inFlightBatches(): number {
    return this.#outbox.inFlightBatches;
  }

  status(): CarrierStatus {
    return {
      inFlightBatches: this.#outbox.inFlightBatches,
      inFlightReadings: this.#outbox.inFlightReadings,
      inFlightBytes: this.#outbox.inFlightBytes,
      heldMs: this.#outbox.heldMs,
      windowShare: this.#outbox.share,
      ...this.#counts,
    };
  }

  /** Carries what was in flight when the last connection ended; fill() goes on with what is new. */
  begin(connection: Connection): void {
    this.#connection = connection;
    for (const batch of this.#awaited?.start() ?? []) this.#carry(connection, batch);
  }

  /** Sends until the window is full or the outbox is empty, then arranges for going on. */
  fill({ woken = false }: { woken?: boolean } = {}): void {
    const connection = this.#connection;
    if (connection === undefined || !this.#mayTake) return;
    let sent = 0;
    for (let batch = this.#outbox.take(); batch !== undefined; batch = this.#outbox.take()) {
      this.#awaited?.add(batch);
      this.#carry(connection, batch);
      sent++;
    }
    if (this.#outbox.windowFull) return;
    const { heldMs } = this.#outbox;
    if (heldMs > 0) this.#lookAgainIn(Math.min(HOLD_CHECK_MS, Math.ceil(heldMs)));
    // Told that there is more and then given nothing: a disk that cannot be read. No busy circle.
    else if (woken && sent === 0) this.#lookAgainIn(LOOK_AGAIN_MS);
    else this.#waitForMore();
  }

  /** A command of the collector. */
  hear(command: Uint8Array): void {
    this.#delivered(this.#awaited?.hear(command) ?? []);
  }

  /**
   * Sends what still waits, for `flushMs` at most. Resolves once nothing is in flight or the connection is
   * gone, within `graceMs` in any case; nothing new is taken from then until leave().
   */
  async drain({ flushMs, graceMs }: { flushMs: number; graceMs: number }): Promise<void> {
    const idle = Promise.withResolvers<void>();
    this.#onIdle = idle.resolve;
    this.fill();
    this.#checkIdle();
    const stopFlushing = setTimeout(() => {
      this.#mayTake = false;
      this.#checkIdle();
    }, flushMs);
    await within(systemScheduler, graceMs, idle.promise, undefined);
    clearTimeout(stopFlushing);
    this.#mayTake = false;
  }

  /** The line did not carry the window in time. */
  shrink(): void {
    this.#outbox.shrink();
  }

  /**
   * The connection ended. What waits for the collector's word may stay in flight, to go again unchanged:
   * its word for the first copy may still come. What may not is made anew from the buffer.
   */
  leave({ mayKeep }: { mayKeep: boolean }): void {
    this.#connection = undefined;
    clearTimeout(this.#lookTimer);
    this.#lookTimer = undefined;
    this.#watch?.abort();
    this.#watch = undefined;
    this.#awaited?.stop();
    this.#counts.resentBatchesTotal += this.#outbox.inFlightBatches;
    this.#checkIdle();
    this.#onIdle = undefined;
    this.#mayTake = true;
    if (mayKeep && this.#awaited !== undefined) return;
    this.#awaited?.clear();
    this.#outbox.rewind();
  }

  #checkIdle(): void {
    if (this.#connection?.isOpen !== true || this.#outbox.inFlightBatches === 0) this.#onIdle?.();
  }

  #lookAgainIn(delayMs: number): void {
    this.#lookTimer ??= setTimeout(() => {
      this.#lookTimer = undefined;
      this.fill();
    }, delayMs);
  }

  #waitForMore(): void {
    if (this.#watch !== undefined) return;
    const watch = new AbortController();
    this.#watch = watch;
    void this.#options.buffer.waitForMore(this.#outbox.position, watch.signal).then(() => {
      if (this.#watch !== watch) return;
      this.#watch = undefined;
      this.fill({ woken: true });
    });
  }

  #carry(connection: Connection, batch: OutgoingBatch): void {
    this.#counts.sentBatchesTotal++;
    this.#counts.sentBytesTotal += batch.payload.length;
    connection.publish('batch', batch.payload, () => {
      if (this.#awaited === undefined) this.#delivered([batch]);
      else this.#options.onCarried();
    });
  }

  /** The collector has them. */
  #delivered(batches: readonly OutgoingBatch[]): void {
    if (batches.length === 0) return;
    for (const batch of batches) {
      this.#outbox.acknowledge(batch);
      this.#counts.ackedBatchesTotal++;
      this.#counts.ackedReadingsTotal += batch.readings;
    }
    this.#options.onDelivered();
    this.fill();
    this.#checkIdle();
  }

  /** The broker may have dropped them, at its queue's limit or in a crash. */
  #resend(batches: readonly OutgoingBatch[]): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    for (const batch of batches) this.#carry(connection, batch);
    this.#counts.resentBatchesTotal += batches.length;
    this.#counts.timeoutResendsTotal += batches.length;
    if (this.#awaited?.isUnanswered === true) this.#options.onSilence();
  }
}
