/**
 * The MQTT broker that is part of the collector: gateways publish, the log keeps, and only then a
 * publish is acknowledged. The one thing sent to a gateway is a command on its own topic. Here is what it
 * offers and its life, from sockets that listen to sockets that are closed; in broker/ is what happens
 * between: judge.ts lets in, mqtt.ts speaks, publishes.ts takes and acknowledges.
 */

import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { GatewayId } from '../proto/topics.ts';
import { gatewayKey } from '../proto/topics.ts';
import { Conflicts } from './broker/conflicts.ts';
import { Connection, Connections } from './broker/connections.ts';
import type { Admission, Door } from './broker/door.ts';
import { Intake } from './broker/intake.ts';
import { Judge } from './broker/judge.ts';
import type { Listeners } from './broker/listeners.ts';
import { listen } from './broker/listeners.ts';
import type { BrokerMetrics } from './broker/metrics.ts';
import { Mqtt } from './broker/mqtt.ts';
import { Publishes } from './broker/publishes.ts';
import type { TlsIdentity } from './broker/tls_front.ts';
import { TlsFront } from './broker/tls_front.ts';
import type { Log } from './log/log.ts';
import type { Clock, Logger } from './types.ts';

export interface BrokerLimits {
  /** TCP connections; beyond it a newcomer replaces the oldest that has not been let in. */
  maxConnections: number;
  /** TLS handshakes under way; beyond it the newest replaces the oldest. */
  maxHandshakes: number;
  /** Long enough for thousands that come back at once to have theirs, one after the other. */
  handshakeTimeoutMs: number;
  /** From the TCP connection, or the end of the handshake, to a whole CONNECT. */
  connectTimeoutMs: number;
  /** How long a publish waits for the log before its connection is closed; less if the keepalive is short. */
  appendTimeoutMs: number;
  /** Payload bytes handed to the log and not answered; beyond it nothing more is read. */
  maxBytesInFlight: number;
  /** Memory of incomplete packets, over all connections not yet let in, and over all gateways. */
  maxPendingBytes: number;
  maxPartialBytes: number;
  /** A longer keepalive, or none, counts as this. */
  keepaliveMaxSeconds: number;
  /** A client that does not read is closed after this. */
  drainTimeoutMs: number;
  /** What close() waits for the log. */
  closeTimeoutMs: number;
}

export const DEFAULT_BROKER_LIMITS: BrokerLimits = {
  maxConnections: 20_000,
  maxHandshakes: 10_000,
  handshakeTimeoutMs: 30_000,
  connectTimeoutMs: 10_000,
  appendTimeoutMs: 10_000,
  maxBytesInFlight: 64 * 1024 * 1024,
  maxPendingBytes: 64 * 1024 * 1024,
  maxPartialBytes: 256 * 1024 * 1024,
  keepaliveMaxSeconds: 300,
  drainTimeoutMs: 30_000,
  closeTimeoutMs: 3_000,
};

export interface ListenAt {
  host: string;
  /** 0: any free one, see Broker.port and Broker.tlsPort. */
  port: number;
}

export interface TlsOptions extends ListenAt {
  identity: TlsIdentity;
  clientAuthoritiesPem: string;
  /** Takes over connections that speak HTTP instead of MQTT. */
  http: { accept(socket: TLSSocket): void; close(): void };
}

export interface BrokerOptions {
  /** Without TLS. Undefined: only `tls`. */
  plain: ListenAt | undefined;
  tls?: TlsOptions | undefined;
  log: Log;
  partitionOf: (gatewayKey: string, partitionCount: number) => number;
  door: Door;
  clock: Clock;
  metrics: BrokerMetrics;
  logger: Logger;
  limits?: Partial<BrokerLimits>;
  /** What a gateway published on its reply topic. */
  onReply?: (gateway: GatewayId, payload: Uint8Array) => void;
}

export interface BrokerStats {
  /** Gateways' payloads are taken in. */
  accepting: boolean;
  bytesInFlight: number;
  /** Why they are not, when it is not the log. */
  problem?: string | undefined;
}

/** Where payloads of gateways come in: this file, or outside_broker.ts. */
export interface Broker {
  /** Where it listens without TLS; 0: it does not. */
  readonly port: number;
  /** Where it listens with TLS; 0: it does not. */
  readonly tlsPort: number;
  /** Tells how an append that somebody else made ended: a good one opens the door again. */
  noteAppend(succeeded: boolean): void;
  /**
   * True: handed to the gateway's connection at QoS 1 (an outside broker: to the broker, which drops it
   * when the gateway is not connected). False: it is not connected, or not subscribed.
   */
  publishCommand(gateway: GatewayId, payload: Uint8Array): Promise<boolean>;
  /** The gateways that are connected (an outside broker: those that published lately). */
  connected(): GatewayId[];
  stats(): BrokerStats;
  /** How a gateway is connected here, and as which install; undefined: it is not, or not to be known. */
  connectionOf(
    gatewayKey: string,
  ): { transport: Admission['transport']; installId: string } | undefined;
  /** Another install than `holder` asked for something under the gateway's name: to be written down. */
  noteConflict(gateway: GatewayId, installId: string, holder: string): void;
  /**
   * Stops accepting and reading, lets the appends under way settle and be acknowledged (bounded), then
   * closes all connections. No wills are published: the gateways did not go, the collector did.
   */
  close(): Promise<void>;
}

/** Rejects with COLLECTOR_PORT_TAKEN. */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const broker = new EmbeddedBroker(options);
  await broker.listen();
  return broker;
}

class EmbeddedBroker implements Broker {
  readonly #options: BrokerOptions;
  readonly #limits: BrokerLimits;
  readonly #intake: Intake;
  readonly #connections: Connections;
  readonly #conflicts: Conflicts;
  readonly #judge: Judge;
  readonly #mqtt: Mqtt;
  readonly #front: TlsFront | undefined;
  #listeners: Listeners | undefined;
  #tlsListeners: Listeners | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: BrokerOptions) {
    this.#options = options;
    const limits = { ...DEFAULT_BROKER_LIMITS, ...options.limits };
    const { log, partitionOf, door, metrics, logger, onReply } = options;
    const intake = new Intake({ log, partitionOf, metrics, logger, ...limits });
    const connections = new Connections(limits, metrics);
    const conflicts = new Conflicts(intake);
    this.#limits = limits;
    this.#intake = intake;
    this.#connections = connections;
    this.#conflicts = conflicts;
    this.#front = this.#createFront();
    const isClosing = () => this.#closing !== undefined;
    const judge = new Judge({ door, connections, conflicts, intake, isClosing, metrics, logger });
    const sendAcked = (gateway: GatewayId, command: Uint8Array) => {
      this.#send(gateway, command, 0);
    };
    const publishes = new Publishes({
      intake,
      connections,
      metrics,
      isClosing,
      onReply,
      sendAcked,
    });
    this.#judge = judge;
    this.#mqtt = new Mqtt({
      limits,
      connections,
      metrics,
      logger,
      onConnect: (connection, username, password) => judge.letIn(connection, username, password),
      onPublish: (connection, packet, done) => publishes.take(connection, packet, done),
    });
  }

  get port(): number {
    return this.#listeners?.port ?? this.#options.plain?.port ?? 0;
  }

  get tlsPort(): number {
    return this.#tlsListeners?.port ?? this.#options.tls?.port ?? 0;
  }

  async listen(): Promise<void> {
    const { plain, tls } = this.#options;
    const front = this.#front;
    await this.#mqtt.listen();
    try {
      if (tls !== undefined && front !== undefined)
        this.#tlsListeners = await this.#listen(tls, (socket) => front.accept(socket));
      if (plain !== undefined)
        this.#listeners = await this.#listen(plain, (socket) => this.#accept(socket));
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  #listen({ host, port }: ListenAt, onSocket: (socket: Socket) => void): Promise<Listeners> {
    const onError = (error: Error): void =>
      this.#options.logger.error({ error: error.message }, 'an MQTT listener failed');
    return listen({ host, port, onSocket, onError });
  }

  #createFront(): TlsFront | undefined {
    const { tls, metrics } = this.#options;
    if (tls === undefined) return undefined;
    const { identity, clientAuthoritiesPem, http } = tls;
    return new TlsFront({
      identity,
      clientAuthoritiesPem,
      onHttp: (socket) => http.accept(socket),
      ...this.#limits,
      onMqtt: (socket) => this.#accept(socket),
      failed: (why) => metrics.handshakeFailed(why),
    });
  }

  noteAppend(succeeded: boolean): void {
    this.#intake.noteAppend(succeeded);
  }

  connected(): GatewayId[] {
    return this.#connections.admitted();
  }

  stats(): BrokerStats {
    const accepting = this.#closing === undefined && this.#intake.open;
    return { accepting, bytesInFlight: this.#intake.bytesInFlight };
  }

  connectionOf(key: string): ReturnType<Broker['connectionOf']> {
    const identity = this.#connections.holder(key)?.identity;
    if (identity === undefined) return undefined;
    return { transport: identity.admission.transport, installId: identity.installId };
  }

  noteConflict(gateway: GatewayId, installId: string, holder: string): void {
    this.#conflicts.note(gateway, installId, holder);
  }

  publishCommand(gateway: GatewayId, payload: Uint8Array): Promise<boolean> {
    return this.#send(gateway, payload, 1);
  }

  #send(gateway: GatewayId, payload: Uint8Array, qos: 0 | 1): Promise<boolean> {
    const connection = this.#connections.holder(gatewayKey(gateway));
    if (connection === undefined) return Promise.resolve(false);
    return this.#mqtt.sendCommand(connection, payload, qos);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#judge.close();
    const closed = Promise.all([this.#listeners?.close(), this.#tlsListeners?.close()]);
    this.#front?.close();
    this.#options.tls?.http.close();
    await this.#intake.drain(this.#limits.closeTimeoutMs);
    // The acknowledgements just given are written in the turns after this one.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    await this.#mqtt.close();
    for (const connection of this.#connections.all) connection.socket.destroy();
    await closed;
    this.#intake.close();
  }

  #accept(socket: Socket): void {
    const connection = new Connection(socket);
    socket.on('error', () => undefined);
    if (!this.#connections.add(connection)) return;
    const resume = () => socket.emit('readable');
    socket.on('close', () => {
      this.#intake.forget(resume);
      this.#connections.remove(connection);
    });
    this.#guard(connection, resume);
    this.#mqtt.handle(connection);
  }

  /** All that the parser reads passes here first: nothing while memory is short, nothing too long. */
  #guard(connection: Connection, resume: () => void): void {
    const { socket } = connection;
    const read = socket.read.bind(socket);
    socket.read = (size?: number): Buffer | null => {
      // Node's own call, which only asks the system for more.
      if (size === 0) return read(0);
      // Newcomers are always heard: they must learn that the log is unavailable.
      if (connection.identity !== undefined && !this.#intake.roomOr(resume)) return null;
      const chunk: Buffer | null = read(size);
      if (chunk === null) return null;
      const violation = this.#connections.scan(connection, chunk);
      if (violation === undefined) return chunk;
      this.#connections.refuse(connection, violation);
      return null;
    };
  }
}
