/**
 * Carries batches from the outbox to the collector over MQTT, one connection after another. What is in
 * flight when a connection ends goes again on the next one. What counts as delivered is the PUBACK of the
 * collector's own broker, or, behind another broker, the collector's word on the command topic.
 */

import type { MqttClient } from 'mqtt';
import { encodeState } from '../../proto/state.ts';
import { topicOf } from '../../proto/topics.ts';
import type { AgentErrorCode } from '../errors.ts';
import { AgentError } from '../errors.ts';
import { wrongTimeTeller } from '../identity/tls.ts';
import { errorFields } from '../log.ts';
import { AwaitedBatches } from './awaited.ts';
import type { Forwarder, ForwarderOptions, ForwarderStatus } from './contract.ts';
import { errorOfLink, errorOfSilence, openLink } from './link.ts';
import type { OutgoingBatch } from './outbox.ts';
import { Outbox } from './outbox.ts';

const BACKOFF_BASE_MS = 1_000;
/** How often held chunks are looked at again: the clock may have become right. */
const HOLD_CHECK_MS = 1_000;
const LOOK_AGAIN_MS = 200;

/** Starts to connect at once. Never throws for reasons of the network. */
export function startForwarder(options: ForwarderOptions): Forwarder {
  const forwarder = new MqttForwarder(options);
  forwarder.start();
  return forwarder;
}

class MqttForwarder implements Forwarder {
  readonly #options: ForwarderOptions;
  readonly #onWrongTime: (detail: string) => void;
  readonly #outbox: Outbox;
  /** Undefined: a PUBACK is enough. */
  readonly #awaited: AwaitedBatches | undefined;
  readonly #counts = {
    connectionsTotal: 0,
    connectFailuresTotal: 0,
    publishTimeoutsTotal: 0,
    sentBatchesTotal: 0,
    sentBytesTotal: 0,
    ackedBatchesTotal: 0,
    ackedReadingsTotal: 0,
    resentBatchesTotal: 0,
    timeoutResendsTotal: 0,
  };
  #connection: ForwarderStatus['connection'] = 'connecting';
  #client: MqttClient | undefined;
  #onlineSinceMs: number | undefined;
  #nextAttemptMs: number | undefined;
  #lastError: AgentError | undefined;
  #lastAckMs: number | undefined;
  #failures = 0;
  #attemptTimer: NodeJS.Timeout | undefined;
  #stateTimer: NodeJS.Timeout | undefined;
  #statePending = false;
  #progressTimer: NodeJS.Timeout | undefined;
  #lookTimer: NodeJS.Timeout | undefined;
  /** Packets of this connection that the broker has not answered. */
  #unanswered = 0;
  #watch: AbortController | undefined;
  #closing: { flushing: boolean; onIdle: () => void } | undefined;
  #isEnding = false;
  #reconnecting: Promise<void> = Promise.resolve();
  /** What the collector said to refusals since the last connection. */
  #explained: AgentError | undefined;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#onWrongTime = options.onWrongTime ?? wrongTimeTeller(options.log);
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

  start(): void {
    this.#connect();
  }

  status(): ForwarderStatus {
    return {
      connection: this.#connection,
      waitsFor: this.#waitsFor(),
      onlineSinceMs: this.#onlineSinceMs,
      nextAttemptMs: this.#nextAttemptMs,
      lastError: this.#lastError,
      lastAckMs: this.#lastAckMs,
      inFlightBatches: this.#outbox.inFlightBatches,
      inFlightReadings: this.#outbox.inFlightReadings,
      inFlightBytes: this.#outbox.inFlightBytes,
      heldMs: this.#outbox.heldMs,
      windowShare: this.#outbox.share,
      ...this.#counts,
    };
  }

  #waitsFor(): ForwarderStatus['waitsFor'] {
    if (this.#connection !== 'online') return 'connection';
    if (this.#outbox.inFlightBatches === 0) return 'nothing';
    return this.#awaited !== undefined && this.#unanswered === 0 ? 'collector' : 'broker';
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
      this.#closing = undefined;
      this.#failures = 0;
      if (!this.#isEnding) this.#connect();
    });
    return this.#reconnecting;
  }

  async #end(end: { graceMs: number; lastState: boolean }): Promise<void> {
    if (this.#connection === 'stopped' || this.#closing !== undefined) return;
    clearTimeout(this.#attemptTimer);
    if (this.#connection === 'online') await this.#finishWithin(end.graceMs, end.lastState);
    const client = this.#client;
    this.#connection = 'stopped';
    this.#nextAttemptMs = undefined;
    this.#leave();
    client?.end(true);
    // end() does nothing while an earlier, unforced one still waits for PUBACKs.
    client?.stream.destroy();
  }

  /** A third of the time for what waits, a third for its PUBACKs, a third for the last state. */
  async #finishWithin(graceMs: number, lastState: boolean): Promise<void> {
    const idle = Promise.withResolvers<void>();
    const closing = { flushing: true, onIdle: idle.resolve };
    this.#closing = closing;
    this.#fill();
    this.#checkIdle();
    const stopFlushing = setTimeout(() => {
      closing.flushing = false;
      this.#checkIdle();
    }, graceMs / 3);
    await withinMs(idle.promise, (graceMs * 2) / 3);
    clearTimeout(stopFlushing);
    closing.flushing = false;
    const client = this.#client;
    if (client === undefined || !client.connected) return;
    if (lastState) {
      const told = Promise.withResolvers<void>();
      const state = this.#encodeState({ online: false, cleanEnd: true });
      this.#publish(client, 'state', state, told.resolve);
      await withinMs(told.promise, graceMs / 3);
    }
    if (client.connected) await this.#disconnect(client);
  }

  /** DISCONNECT, so that the broker does not publish the will. */
  async #disconnect(client: MqttClient): Promise<void> {
    const ended = Promise.withResolvers<void>();
    client.once('close', ended.resolve);
    client.end(false, {}, () => ended.resolve());
    await withinMs(ended.promise, 200);
  }

  #checkIdle(): void {
    if (this.#client?.connected !== true || this.#outbox.inFlightBatches === 0) {
      this.#closing?.onIdle();
    }
  }

  #connect(): void {
    const { settings, identity, collector } = this.#options;
    this.#connection = 'connecting';
    this.#nextAttemptMs = undefined;
    const client = openLink({
      collector,
      identity,
      keepaliveS: settings.keepaliveS,
      timeoutMs: settings.publishTimeoutMs,
      will: this.#encodeState({ online: false, cleanEnd: false }),
      onWrongTime: this.#onWrongTime,
    });
    this.#client = client;
    let failure: AgentError | undefined;
    client.on('connect', () => this.#entered(client));
    client.on('message', (topic, payload) => this.#heard(client, topic, payload));
    client.on('error', (error) => {
      const wasOnline = client === this.#client && this.#connection === 'online';
      // A coded one knows better than the parser that choked on the same bytes.
      if (failure === undefined || error instanceof AgentError) {
        failure = errorOfLink(error, wasOnline, collector);
      }
      client.stream.destroy();
    });
    client.on('close', () => this.#lost(client, failure));
  }

  #entered(client: MqttClient): void {
    if (client !== this.#client) return;
    this.#connection = 'online';
    this.#onlineSinceMs = this.#options.clock.wallMs();
    this.#explained = undefined;
    this.#counts.connectionsTotal++;
    this.#options.log.info('connected to the collector', { url: this.#options.collector.url });
    if (this.#awaited === undefined) this.#begin(client);
    else this.#subscribe(client);
  }

  /** Nothing goes out before the answers to it can come in. */
  #subscribe(client: MqttClient): void {
    const topic = topicOf(this.#options.identity, 'command');
    this.#expectAnswer(client);
    client.subscribe(topic, { qos: 1 }, (error, _granted, suback) => {
      if (client !== this.#client) return;
      if (error == null) {
        this.#answered();
        this.#begin(client);
      } else if (suback !== undefined) {
        this.#fail(client, new AgentError('AGENT_NOT_AUTHORISED', `may not subscribe to ${topic}`));
      }
      // Otherwise the connection is going, and says so itself.
    });
  }

  #begin(client: MqttClient): void {
    for (const batch of this.#awaited?.start() ?? []) this.#carry(client, batch);
    this.#publishState();
    this.#stateTimer = setInterval(
      () => this.#publishState(),
      this.#options.settings.stateIntervalMs,
    );
    this.#fill();
  }

  #lost(client: MqttClient, failure: AgentError | undefined): void {
    if (client !== this.#client) return;
    const wasOnline = this.#connection === 'online';
    if (this.#connection === 'stopped') return;
    const error =
      failure ??
      (wasOnline
        ? new AgentError('AGENT_CONNECTION_LOST', 'the connection was closed by the other side')
        : errorOfSilence(this.#options.collector));
    this.#fail(client, error);
  }

  /** Ends the connection for a reason, and tries again later. */
  #fail(client: MqttClient, failure: AgentError): void {
    const isRefused = failure.code === 'AGENT_CERTIFICATE_REFUSED';
    const error = isRefused ? (this.#explained ?? failure) : failure;
    const isNews = this.#lastError?.code !== error.code || this.#connection === 'online';
    if (this.#connection !== 'online') this.#counts.connectFailuresTotal++;
    this.#lastError = error;
    this.#leave(error.code !== 'AGENT_PUBLISH_TIMEOUT');
    client.end(true);
    client.stream.destroy();
    if (this.#closing !== undefined) {
      this.#connection = 'stopped';
      this.#closing.onIdle();
      return;
    }
    const delayMs = this.#backoffMs(error.code);
    this.#connection = 'waiting';
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
    if (reason === undefined || this.#connection === 'online') return;
    const isNews = this.#explained?.code !== reason.code;
    this.#explained = reason;
    if (this.#connection === 'waiting') this.#lastError = reason;
    if (isNews) this.#options.log.warn('why there is no connection', errorFields(reason));
  }

  /**
   * Everything of the connection that ended: timers, waits, and what was in flight. What waits for the
   * collector's word stays in flight, to go again unchanged: its word for the first copy may still come.
   * Only what the line could not carry is made anew, in smaller batches.
   */
  #leave(mayKeep = false): void {
    clearInterval(this.#stateTimer);
    clearTimeout(this.#progressTimer);
    this.#progressTimer = undefined;
    clearTimeout(this.#lookTimer);
    this.#lookTimer = undefined;
    this.#awaited?.stop();
    this.#unanswered = 0;
    this.#watch?.abort();
    this.#watch = undefined;
    this.#client = undefined;
    this.#onlineSinceMs = undefined;
    this.#statePending = false;
    this.#counts.resentBatchesTotal += this.#outbox.inFlightBatches;
    if (mayKeep && this.#awaited !== undefined) return;
    this.#awaited?.clear();
    this.#outbox.rewind();
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

  /** Sends until the window is full or the outbox is empty, then arranges for going on. */
  #fill({ woken = false }: { woken?: boolean } = {}): void {
    const client = this.#client;
    if (client === undefined || this.#connection !== 'online') return;
    if (this.#closing !== undefined && !this.#closing.flushing) return;
    let sent = 0;
    for (let batch = this.#outbox.take(); batch !== undefined; batch = this.#outbox.take()) {
      this.#send(client, batch);
      sent++;
    }
    if (this.#outbox.windowFull) return;
    const { heldMs } = this.#outbox;
    if (heldMs > 0) this.#lookAgainIn(Math.min(HOLD_CHECK_MS, Math.ceil(heldMs)));
    // Told that there is more and then given nothing: a disk that cannot be read. No busy circle.
    else if (woken && sent === 0) this.#lookAgainIn(LOOK_AGAIN_MS);
    else this.#waitForMore();
  }

  #lookAgainIn(delayMs: number): void {
    this.#lookTimer ??= setTimeout(() => {
      this.#lookTimer = undefined;
      this.#fill();
    }, delayMs);
  }

  #waitForMore(): void {
    if (this.#watch !== undefined) return;
    const watch = new AbortController();
    this.#watch = watch;
    void this.#options.buffer.waitForMore(this.#outbox.position, watch.signal).then(() => {
      if (this.#watch !== watch) return;
      this.#watch = undefined;
      this.#fill({ woken: true });
    });
  }

  #send(client: MqttClient, batch: OutgoingBatch): void {
    this.#awaited?.add(batch);
    this.#carry(client, batch);
  }

  #carry(client: MqttClient, batch: OutgoingBatch): void {
    this.#counts.sentBatchesTotal++;
    this.#counts.sentBytesTotal += batch.payload.length;
    this.#publish(client, 'batch', batch.payload, () => {
      if (this.#awaited === undefined) this.#delivered([batch]);
      // The line works; whether the collector does is another matter.
      else this.#failures = 0;
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
    this.#settled();
    this.#fill();
    this.#checkIdle();
  }

  #heard(client: MqttClient, topic: string, payload: Uint8Array): void {
    if (client !== this.#client || topic !== topicOf(this.#options.identity, 'command')) return;
    this.#delivered(this.#awaited?.hear(payload) ?? []);
  }

  /** The broker may have dropped them, at its queue's limit or in a crash. */
  #resend(batches: readonly OutgoingBatch[]): void {
    const client = this.#client;
    if (client === undefined) return;
    for (const batch of batches) this.#carry(client, batch);
    this.#counts.resentBatchesTotal += batches.length;
    this.#counts.timeoutResendsTotal += batches.length;
    if (this.#awaited?.isUnanswered !== true) return;
    const detail = `${this.#outbox.inFlightBatches} batches wait for its word`;
    const error = new AgentError('AGENT_COLLECTOR_SILENT', detail);
    const isNews = this.#lastError?.code !== error.code;
    this.#lastError = error;
    if (isNews) this.#options.log.warn('the collector acknowledges nothing', errorFields(error));
  }

  /** An acknowledgement of a batch: only this proves that the whole way works. */
  #settled(): void {
    this.#failures = 0;
    this.#lastError = undefined;
    this.#lastAckMs = this.#options.clock.wallMs();
  }

  #publishState(): void {
    const client = this.#client;
    if (client === undefined || this.#statePending || this.#closing !== undefined) return;
    this.#statePending = true;
    this.#publish(client, 'state', this.#encodeState({ online: true, cleanEnd: false }), () => {
      this.#statePending = false;
      // With batches under way the state's PUBACK proves nothing of them.
      if (this.#outbox.inFlightBatches > 0) return;
      if (this.#awaited === undefined) this.#settled();
      else this.#lastError = undefined;
    });
  }

  /** Publishes at QoS 1; `acked` is called once, only for a PUBACK on this connection. */
  #publish(
    client: MqttClient,
    leaf: 'batch' | 'state',
    payload: Uint8Array,
    acked: () => void,
  ): void {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const topic = topicOf(this.#options.identity, leaf);
    this.#expectAnswer(client);
    client.publish(topic, bytes, { qos: 1, retain: leaf === 'state' }, (error) => {
      if (client !== this.#client || error != null) return;
      this.#answered();
      acked();
    });
  }

  #expectAnswer(client: MqttClient): void {
    this.#unanswered++;
    this.#progressTimer ??= this.#startProgressTimer(client);
  }

  #answered(): void {
    this.#unanswered--;
    this.#progressTimer?.refresh();
    if (this.#unanswered > 0) return;
    clearTimeout(this.#progressTimer);
    this.#progressTimer = undefined;
  }

  /** Runs while the broker owes an answer; every answer is progress and starts it anew. */
  #startProgressTimer(client: MqttClient): NodeJS.Timeout {
    const { publishTimeoutMs } = this.#options.settings;
    return setTimeout(() => {
      if (client !== this.#client) return;
      this.#counts.publishTimeoutsTotal++;
      this.#outbox.shrink();
      this.#fail(
        client,
        new AgentError('AGENT_PUBLISH_TIMEOUT', `no acknowledgement for ${publishTimeoutMs} ms`),
      );
    }, publishTimeoutMs);
  }

  #encodeState(as: { online: boolean; cleanEnd: boolean }): Uint8Array {
    return encodeState({ ...this.#options.gatewayState(), ...as });
  }
}

function isRefusal(code: AgentErrorCode): boolean {
  return code === 'AGENT_NOT_AUTHORISED' || code.startsWith('AGENT_CERTIFICATE_');
}

async function withinMs(promise: Promise<void>, timeoutMs: number): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, timeoutMs);
  await Promise.race([promise, late.promise]);
  clearTimeout(timer);
}
