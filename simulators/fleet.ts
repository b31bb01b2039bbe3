/**
 * `fms-sim fleet`: many gateways on one collector, over real MQTT with the real codec. Open loop: each
 * batch is due at a time that no acknowledgement moves; what cannot be sent in time is late, and says so.
 */

import { MqttClient } from 'mqtt';
import type { GatewayState } from '../proto/model.ts';
import { encodeState } from '../proto/state.ts';
import { topicOf } from '../proto/topics.ts';
import { askLedger } from './fleet-ledger.ts';
import { openSocket } from './fleet-link.ts';
import type {
  FleetCounts,
  FleetHooks,
  FleetLedger,
  FleetOptions,
  FleetReport,
} from './fleet-options.ts';
import type { OutgoingBatch } from './fleet-source.ts';
import { BatchSource, installIdOf, SharedSource } from './fleet-source.ts';
import { Histogram } from './histogram.ts';
import { Random } from './random.ts';
import { noTruth } from './truth.ts';

/** Due and not sent: beyond this a gateway's batches are skipped. */
const WAITING_MAX = 1_000;
/** As agents do by default. */
const BACKOFF_BASE_MS = 1_000;
const BACKOFF_MAX_MS = 60_000;
const CONNECT_TIMEOUT_MS = 30_000;
const KEEPALIVE_S = 30;

/** Runs until `seconds` have passed or the signal aborts, then awaits the last acknowledgements. */
export async function runFleet(options: FleetOptions, hooks: FleetHooks): Promise<FleetReport> {
  const fleet = new Fleet(options, hooks);
  return fleet.run();
}

interface Unacked extends OutgoingBatch {
  dueMs: number;
  sentMs: number;
}

class Fleet {
  readonly options: FleetOptions;
  readonly hooks: FleetHooks;
  readonly counts: FleetCounts = {
    connected: 0,
    connectionsTotal: 0,
    connectFailuresTotal: 0,
    connectionsLostTotal: 0,
    dueBatches: 0,
    sentBatches: 0,
    sentReadings: 0,
    sentBytes: 0,
    ackedBatches: 0,
    ackedReadings: 0,
    resentBatches: 0,
    skippedBatches: 0,
    statesSent: 0,
    lastError: '',
  };
  readonly latency = new Histogram();
  readonly dueLatency = new Histogram();
  readonly lateness = new Histogram();
  readonly random: Random;
  readonly gateways: SimulatedGateway[];
  lastAckMs = 0;

  constructor(options: FleetOptions, hooks: FleetHooks) {
    this.options = options;
    this.hooks = hooks;
    this.random = new Random(options.seed, 'fleet');
    const { site, gatewayPrefix, truth, mode } = options;
    const rowsPerBatch = Math.max(
      1,
      Math.round((options.rowsPerS * options.batchIntervalMs) / 1000),
    );
    const shared = new SharedSource({
      ...options,
      rowsPerBatch,
      rowIntervalMs: options.batchIntervalMs / rowsPerBatch,
      onRows: truth === noTruth || mode !== 'live' ? undefined : (rows) => truth.writeAll(rows),
    });
    this.gateways = Array.from({ length: options.gateways }, (_, i) => {
      const id = { site, gateway: `${gatewayPrefix}${i + 1}` };
      return new SimulatedGateway(this, new BatchSource(id, shared));
    });
  }

  async run(): Promise<FleetReport> {
    const { hooks, options } = this;
    options.truth.write({ type: 'start', at_ms: Date.now(), seed: options.seed, kind: 'fleet' });
    const progress = setInterval(() => hooks.progress(this.#line(), this.counts), 1_000);
    try {
      await this.#connectAll();
      hooks.onStarted?.(this.counts);
      const startedMs = performance.now();
      await this.#sendWhileDue();
      await this.#drain();
      const seconds = (Math.max(this.lastAckMs, startedMs + 1) - startedMs) / 1_000;
      const unacked = this.gateways.reduce((sum, gateway) => sum + gateway.open, 0);
      for (const gateway of this.gateways) gateway.end();
      return { ...this.#report(seconds), unackedBatches: unacked, ledger: await this.#ledger() };
    } finally {
      clearInterval(progress);
      for (const gateway of this.gateways) gateway.end();
    }
  }

  async #connectAll(): Promise<void> {
    const { connectPerS } = this.options;
    const startedMs = performance.now();
    let next = 0;
    while (!this.hooks.signal.aborted) {
      const allowed = 1 + ((performance.now() - startedMs) / 1_000) * connectPerS;
      while (next < Math.min(allowed, this.gateways.length)) this.gateways[next++]!.connect();
      if (this.counts.connected === this.gateways.length) return;
      await pause(5);
    }
  }

  /** Batch n is due at start + n * interval / gateways, and gateway n modulo gateways sends it. */
  async #sendWhileDue(): Promise<void> {
    const { batchIntervalMs, seconds } = this.options;
    const { signal, hold } = this.hooks;
    const stepMs = batchIntervalMs / this.gateways.length;
    let startMs = performance.now();
    const total = seconds === undefined ? Number.POSITIVE_INFINITY : (seconds * 1_000) / stepMs;
    let n = 0;
    while (!signal.aborted && n < total) {
      if (hold?.() === true) {
        const sinceMs = performance.now();
        await pause(5);
        startMs += performance.now() - sinceMs;
        continue;
      }
      const due = Math.min(total, Math.floor((performance.now() - startMs) / stepMs) + 1);
      // A slice at a time, so that acknowledgements are read in between.
      const until = Math.min(due, n + 50);
      for (; n < until; n++) {
        this.counts.dueBatches++;
        this.gateways[n % this.gateways.length]!.due(startMs + n * stepMs);
      }
      const waitMs = startMs + n * stepMs - performance.now();
      await (waitMs > 1 ? pause(Math.min(waitMs, 50)) : turn());
    }
  }

  async #drain(): Promise<void> {
    const untilMs = performance.now() + this.options.drainMs;
    while (performance.now() < untilMs && this.gateways.some((gateway) => gateway.open > 0)) {
      await pause(5);
    }
  }

  #line(): string {
    const { counts, options, latency } = this;
    const left = counts.sentBatches - counts.ackedBatches;
    return (
      `${counts.connected}/${options.gateways} gateways · ${counts.ackedReadings.toLocaleString('en')} ` +
      `readings acknowledged · ${left} batches open · p99 ${latency.quantileMs(0.99).toFixed(1)} ms` +
      (counts.lastError === '' ? '' : ` · ${counts.lastError}`)
    );
  }

  #report(seconds: number): Omit<FleetReport, 'unackedBatches' | 'ledger'> {
    const { latency } = this;
    return {
      ...this.counts,
      seconds,
      ackedReadingsPerS: this.counts.ackedReadings / seconds,
      p50Ms: latency.quantileMs(0.5),
      p95Ms: latency.quantileMs(0.95),
      p99Ms: latency.quantileMs(0.99),
      maxMs: latency.maxMs,
      dueP99Ms: this.dueLatency.quantileMs(0.99),
      latenessP99Ms: this.lateness.quantileMs(0.99),
    };
  }

  /** Asks until all that was acknowledged is accounted for, or `drainMs` have passed. */
  async #ledger(): Promise<FleetLedger | undefined> {
    const { apiUrl, site, drainMs } = this.options;
    if (apiUrl === undefined) return undefined;
    const epochs = new Set(this.gateways.map((gateway) => gateway.source.epoch));
    const untilMs = performance.now() + drainMs;
    for (;;) {
      const ledger = await askLedger(apiUrl, site, epochs);
      const accounted = (ledger?.stored ?? 0) + (ledger?.quarantined ?? 0);
      if (accounted >= this.counts.ackedReadings || performance.now() > untilMs) return ledger;
      await pause(500);
    }
  }
}

/** One connection, as an agent keeps it: its own window and outbox, no resending by mqtt.js. */
class SimulatedGateway {
  readonly source: BatchSource;
  readonly #fleet: Fleet;
  readonly #startedMs = Date.now();
  /** Due times of batches not made yet. */
  readonly #waiting: number[] = [];
  /** Sent, in order. */
  readonly #unacked: Unacked[] = [];
  /** Sent on a connection that was lost: go first. */
  #again: Unacked[] = [];
  #client: MqttClient | undefined;
  #online = false;
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  #states: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(fleet: Fleet, source: BatchSource) {
    this.#fleet = fleet;
    this.source = source;
  }

  /** Batches not acknowledged, or not sent. */
  get open(): number {
    return this.#waiting.length + this.#unacked.length + this.#again.length;
  }

  due(dueMs: number): void {
    if (this.#waiting.length >= WAITING_MAX) this.#fleet.counts.skippedBatches++;
    else this.#waiting.push(dueMs);
    this.#fill();
  }

  connect(): void {
    const { options } = this.#fleet;
    const { gateway } = this.source;
    // Who shows a certificate needs no token, and is refused by it.
    const password = options.identities === undefined ? options.tokenOf(gateway) : undefined;
    const client = new MqttClient(() => openSocket(options, gateway), {
      protocolVersion: 4,
      clientId: `${gateway.site}/${gateway.gateway}/${installIdOf(gateway)}`,
      username: `${gateway.site}/${gateway.gateway}`,
      ...(password === undefined ? {} : { password }),
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      queueQoSZero: false,
      resubscribe: false,
      log: () => {},
      will: {
        topic: topicOf(gateway, 'state'),
        payload: this.#state(false),
        qos: 1,
        retain: true,
      },
    });
    this.#client = client;
    client.on('connect', () => this.#entered(client));
    client.on('error', (error) => {
      this.#fleet.counts.lastError = error.message;
      client.stream.destroy();
    });
    client.on('close', () => this.#lost(client));
  }

  /** Leaves at once. Nothing is sent or received any more. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#retry);
    clearInterval(this.#states);
    const client = this.#client;
    if (client === undefined) return;
    if (this.#online) client.end(false);
    else client.stream.destroy();
  }

  #entered(client: MqttClient): void {
    if (client !== this.#client || this.#ended) return;
    const { counts, options, random } = this.#fleet;
    this.#online = true;
    this.#failures = 0;
    counts.connected++;
    counts.connectionsTotal++;
    this.#publishState(client);
    const { stateIntervalMs } = options;
    if (stateIntervalMs > 0) {
      // Spread, as the starts of real gateways are.
      this.#states = setTimeout(() => {
        this.#publishState(client);
        this.#states = setInterval(() => this.#publishState(client), stateIntervalMs);
      }, random.next() * stateIntervalMs);
    }
    this.#fill();
  }

  #lost(client: MqttClient): void {
    if (client !== this.#client) return;
    const { counts, random } = this.#fleet;
    clearInterval(this.#states);
    if (this.#online) {
      counts.connected--;
      if (!this.#ended) counts.connectionsLostTotal++;
    } else counts.connectFailuresTotal++;
    this.#online = false;
    this.#client = undefined;
    client.end(true);
    client.stream.destroy();
    if (this.#ended) return;
    this.#again = [...this.#unacked.splice(0), ...this.#again];
    const ceilingMs = Math.min(
      BACKOFF_MAX_MS,
      BACKOFF_BASE_MS * 2 ** Math.min(this.#failures++, 10),
    );
    this.#retry = setTimeout(() => this.connect(), ceilingMs * random.next());
  }

  #publishState(client: MqttClient): void {
    if (client !== this.#client || !this.#online || this.#ended) return;
    this.#fleet.counts.statesSent++;
    const topic = topicOf(this.source.gateway, 'state');
    client.publish(topic, this.#state(true), { qos: 1, retain: true }, () => {});
  }

  #state(online: boolean): Buffer {
    const state: GatewayState = {
      ...this.source.gateway,
      installId: installIdOf(this.source.gateway),
      online,
      cleanEnd: false,
      version: 'fleet',
      epoch: this.source.epoch,
      lastSeq: this.source.lastSeq,
      sentMs: Date.now(),
      startedMs: this.#startedMs,
      bufferReadings: 0,
      bufferBytes: 0,
      bufferSecondsUntilEviction: -1,
      clockUnsynced: false,
      clockStepMs: 0,
      readers: [],
      gaps: [],
    };
    return Buffer.from(encodeState(state));
  }

  #fill(): void {
    const client = this.#client;
    const { counts, lateness, options } = this.#fleet;
    while (client !== undefined && this.#online && this.#unacked.length < options.window) {
      const again = this.#again.shift();
      if (again !== undefined) {
        counts.resentBatches++;
        this.#send(client, again);
        continue;
      }
      const dueMs = this.#waiting.shift();
      if (dueMs === undefined) return;
      const nowMs = performance.now();
      const batch = this.source.next(performance.timeOrigin + dueMs);
      counts.sentBatches++;
      counts.sentReadings += batch.readings;
      counts.sentBytes += batch.payload.length;
      lateness.add(nowMs - dueMs);
      this.#send(client, { ...batch, dueMs, sentMs: nowMs });
    }
  }

  #send(client: MqttClient, batch: Unacked): void {
    this.#unacked.push(batch);
    const topic = topicOf(this.source.gateway, 'batch');
    client.publish(topic, batch.payload as Buffer, { qos: 1 }, (error) => {
      // Without a PUBACK it goes again on the next connection.
      if (error == null && client === this.#client) this.#acknowledged(batch);
    });
  }

  #acknowledged(batch: Unacked): void {
    const at = this.#unacked.indexOf(batch);
    if (at < 0) return;
    this.#unacked.splice(at, 1);
    const fleet = this.#fleet;
    const nowMs = performance.now();
    fleet.lastAckMs = nowMs;
    fleet.counts.ackedBatches++;
    fleet.counts.ackedReadings += batch.readings;
    fleet.latency.add(nowMs - batch.sentMs);
    fleet.dueLatency.add(nowMs - batch.dueMs);
    this.#fill();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
