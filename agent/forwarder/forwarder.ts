/**
 * Keeps the agent connected to the collector, for the carrier to send batches over: when to try again,
 * what is told about it, the gateway's state, and a clean end.
 */

import { encodeState } from '../../proto/state.ts';
import type { AgentErrorCode } from '../errors.ts';
import { AgentError } from '../errors.ts';
import { wrongTimeTeller } from '../identity/tls.ts';
import { errorFields } from '../log.ts';
import { systemScheduler, within } from '../scheduler.ts';
import { Carrier } from './carrier.ts';
import { Connection } from './connection.ts';
import type { Forwarder, ForwarderOptions, ForwarderStatus } from './contract.ts';

const BACKOFF_BASE_MS = 1_000;

/** Starts to connect at once. Never throws for reasons of the network. */
export function startForwarder(options: ForwarderOptions): Forwarder {
  const forwarder = new MqttForwarder(options);
  forwarder.start();
  return forwarder;
}

class MqttForwarder implements Forwarder {
  readonly #options: ForwarderOptions;
  readonly #onWrongTime: (detail: string) => void;
  readonly #carrier: Carrier;
  readonly #counts = { connectionsTotal: 0, connectFailuresTotal: 0, publishTimeoutsTotal: 0 };
  #phase: ForwarderStatus['connection'] = 'connecting';
  #connection: Connection | undefined;
  #onlineSinceMs: number | undefined;
  #nextAttemptMs: number | undefined;
  #lastError: AgentError | undefined;
  #lastAckMs: number | undefined;
  #failures = 0;
  #attemptTimer: NodeJS.Timeout | undefined;
  #stateTimer: NodeJS.Timeout | undefined;
  #statePending = false;
  #isClosing = false;
  #isEnding = false;
  #reconnecting: Promise<void> = Promise.resolve();
  /** What the collector said to refusals since the last connection. */
  #explained: AgentError | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#onWrongTime = options.onWrongTime ?? wrongTimeTeller(options.log);
    this.#carrier = new Carrier({
      ...options,
      onCarried: () => {
        this.#failures = 0;
      },
      onDelivered: () => this.#settled(),
      onSilence: () => this.#noteSilence(),
    });
  }

  start(): void {
    this.#connect();
  }

  status(): ForwarderStatus {
    return {
      connection: this.#phase,
      waitsFor: this.#waitsFor(),
      onlineSinceMs: this.#onlineSinceMs,
      nextAttemptMs: this.#nextAttemptMs,
      lastError: this.#lastError,
      lastAckMs: this.#lastAckMs,
      ...this.#carrier.status(),
      ...this.#counts,
    };
  }

  #waitsFor(): ForwarderStatus['waitsFor'] {
    if (this.#phase !== 'online') return 'connection';
    if (this.#carrier.inFlightBatches === 0) return 'nothing';
    return this.#needsCollector && this.#connection?.unanswered === 0 ? 'collector' : 'broker';
  }

  /** A PUBACK alone frees nothing. */
  get #needsCollector(): boolean {
    return this.#options.settings.acknowledgedBy === 'collector';
  }

  async close(end: { graceMs: number; lastState: boolean }): Promise<void> {
    this.#isEnding = true;
    await this.#reconnecting;
    await this.#end(end);
  }

  reconnect(graceMs: number): Promise<void> {
    this.#reconnecting = this.#reconnecting.then(async () => {
      if (this.#isEnding) return;
      await this.#end({ graceMs, lastState: false });
      this.#isClosing = false;
      this.#failures = 0;
      if (!this.#isEnding) this.#connect();
    });
    return this.#reconnecting;
  }

  async #end(end: { graceMs: number; lastState: boolean }): Promise<void> {
    if (this.#phase === 'stopped' || this.#isClosing) return;
    clearTimeout(this.#attemptTimer);
    if (this.#phase === 'online') await this.#finishWithin(end.graceMs, end.lastState);
    const connection = this.#connection;
    this.#phase = 'stopped';
    this.#nextAttemptMs = undefined;
    this.#leave({ mayKeep: false });
    connection?.drop();
  }

  /** A third of the time for what waits, a third for its PUBACKs, a third for the last state. */
  async #finishWithin(graceMs: number, lastState: boolean): Promise<void> {
    this.#isClosing = true;
    await this.#carrier.drain({ flushMs: graceMs / 3, graceMs: (graceMs * 2) / 3 });
    const connection = this.#connection;
    if (connection?.isOpen !== true) return;
    if (lastState) {
      const told = Promise.withResolvers<void>();
      const state = this.#encodeState({ online: false, cleanEnd: true });
      connection.publish('state', state, told.resolve);
      await within(systemScheduler, graceMs / 3, told.promise, undefined);
    }
    if (connection.isOpen) await connection.disconnect();
  }

  #connect(): void {
    const { settings, identity, collector } = this.#options;
    this.#phase = 'connecting';
    this.#nextAttemptMs = undefined;
    const connection = new Connection({
      collector,
      identity,
      keepaliveS: settings.keepaliveS,
      answerTimeoutMs: settings.publishTimeoutMs,
      will: this.#encodeState({ online: false, cleanEnd: false }),
      onWrongTime: this.#onWrongTime,
      hearsCommands: this.#needsCollector,
      onOnline: () => this.#entered(),
      onReady: () => this.#begin(connection),
      onCommand: (payload) => this.#carrier.hear(payload),
      onEnd: (error) => this.#lost(error),
    });
    this.#connection = connection;
  }

  #entered(): void {
    this.#phase = 'online';
    this.#onlineSinceMs = this.#options.clock.wallMs();
    this.#explained = undefined;
    this.#counts.connectionsTotal++;
    this.#options.log.info('connected to the collector', { url: this.#options.collector.url });
  }

  #begin(connection: Connection): void {
    this.#carrier.begin(connection);
    this.#publishState();
    this.#stateTimer = setInterval(
      () => this.#publishState(),
      this.#options.settings.stateIntervalMs,
    );
    this.#carrier.fill();
  }

  /** The connection has ended for a reason; another one is tried later. */
  #lost(failure: AgentError): void {
    const isRefused = failure.code === 'AGENT_CERTIFICATE_REFUSED';
    const error = isRefused ? (this.#explained ?? failure) : failure;
    const isNews = this.#lastError?.code !== error.code || this.#phase === 'online';
    if (this.#phase !== 'online') this.#counts.connectFailuresTotal++;
    this.#lastError = error;
    // What the line could not carry in time is made anew, in smaller batches.
    const isTooSlow = error.code === 'AGENT_PUBLISH_TIMEOUT';
    if (isTooSlow) {
      this.#counts.publishTimeoutsTotal++;
      this.#carrier.shrink();
    }
    this.#leave({ mayKeep: !isTooSlow });
    if (this.#isClosing) {
      this.#phase = 'stopped';
      return;
    }
    const delayMs = this.#backoffMs(error.code);
    this.#phase = 'waiting';
    this.#nextAttemptMs = this.#options.clock.wallMs() + delayMs;
    this.#attemptTimer = setTimeout(() => this.#connect(), delayMs);
    const fields = { ...errorFields(error), next_attempt_ms: Math.round(delayMs) };
    if (isNews) this.#options.log.warn('no connection to the collector', fields);
    else this.#options.log.debug('still no connection to the collector', fields);
    if (isRefused) void this.#explain();
  }

  /** Of a refusal the broker tells nothing; the collector's endpoint of enrolment may. */
  async #explain(): Promise<void> {
    const reason = await this.#options.explainRefusal?.();
    if (reason === undefined || this.#phase === 'online') return;
    const isNews = this.#explained?.code !== reason.code;
    this.#explained = reason;
    if (this.#phase === 'waiting') this.#lastError = reason;
    if (isNews) this.#options.log.warn('why there is no connection', errorFields(reason));
  }

  /** Everything of the connection that ended. */
  #leave(batches: { mayKeep: boolean }): void {
    clearInterval(this.#stateTimer);
    this.#connection = undefined;
    this.#onlineSinceMs = undefined;
    this.#statePending = false;
    this.#carrier.leave(batches);
  }

  /** Exponential with full jitter; a refusal of the identity will not go away soon. */
  #backoffMs(code: AgentErrorCode): number {
    const { random, settings, backoffBaseMs = BACKOFF_BASE_MS } = this.#options;
    const ceiling = Math.min(
      settings.backoffMaxMs,
      backoffBaseMs * 2 ** Math.min(this.#failures, 30),
    );
    this.#failures++;
    if (isRefusal(code)) return settings.backoffMaxMs * (0.5 + random() / 2);
    return ceiling * random();
  }

  #noteSilence(): void {
    const detail = `${this.#carrier.inFlightBatches} batches wait for its word`;
    const error = new AgentError('AGENT_COLLECTOR_SILENT', detail);
    const isNews = this.#lastError?.code !== error.code;
    this.#lastError = error;
    if (isNews) this.#options.log.warn('the collector acknowledges nothing', errorFields(error));
  }

  /** The whole way works. */
  #settled(): void {
    this.#failures = 0;
    this.#lastError = undefined;
    this.#lastAckMs = this.#options.clock.wallMs();
  }

  #publishState(): void {
    if (this.#connection === undefined || this.#statePending || this.#isClosing) return;
    this.#statePending = true;
    const state = this.#encodeState({ online: true, cleanEnd: false });
    this.#connection.publish('state', state, () => {
      this.#statePending = false;
      // With batches under way the state's PUBACK proves nothing of them.
      if (this.#carrier.inFlightBatches > 0) return;
      if (this.#needsCollector) this.#lastError = undefined;
      else this.#settled();
    });
  }

  #encodeState(as: { online: boolean; cleanEnd: boolean }): Uint8Array {
    return encodeState({ ...this.#options.gatewayState(), ...as });
  }
}

function isRefusal(code: AgentErrorCode): boolean {
  return code === 'AGENT_NOT_AUTHORISED' || code.startsWith('AGENT_CERTIFICATE_');
}
