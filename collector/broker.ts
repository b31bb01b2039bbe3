/**
 * The MQTT broker that is part of the collector: gateways publish, the log keeps, and only then a
 * publish is acknowledged. It routes nothing between clients and keeps nothing itself: no sessions, no
 * retained messages, no $SYS. The one thing sent to a gateway is a command on its own topic.
 */

import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { AuthenticateError, Client, ConnectPacket, PublishPacket, Subscription } from 'aedes';
import { Aedes } from 'aedes';
import { payloadDigest } from '../proto/command.ts';
import type { GatewayId } from '../proto/topics.ts';
import { gatewayKey, topicOf } from '../proto/topics.ts';
import { AckedMessages } from './broker/acked.ts';
import { Conflicts } from './broker/conflicts.ts';
import { Connection, Connections, Identity } from './broker/connections.ts';
import type { Admission, Door, Refusal } from './broker/door.ts';
import { Intake } from './broker/intake.ts';
import type { Listeners } from './broker/listeners.ts';
import { listen } from './broker/listeners.ts';
import type { BrokerMetrics, BrokerRefusal } from './broker/metrics.ts';
import { ownCopy } from './broker/own_copy.ts';
import { nullPersistence } from './broker/persistence.ts';
import { rawRecordOf } from './broker/records.ts';
import { identify, targetOf } from './broker/rules.ts';
import type { TlsIdentity } from './broker/tls_front.ts';
import { TlsFront } from './broker/tls_front.ts';
import { CollectorError } from './errors.ts';
import type { Log } from './log/log.ts';
import type { Clock, Logger } from './types.ts';
import { RawKind } from './types.ts';

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

/** Well below the ten seconds in which a revocation is to take effect. */
const REJUDGE_INTERVAL_MS = 5_000;

/** A PINGREQ waits behind a held publish: the hold ends well before the client gives up on its ping. */
const WAIT_SHARE_OF_KEEPALIVE = 0.6;

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

/** Nothing that is published goes anywhere: authorizePublish has put it into the log. */
class SinkAedes extends Aedes {
  override publish(...args: unknown[]): void {
    const done = args.at(-1);
    if (typeof done === 'function') done();
  }
}

type Done = (error?: Error | null) => void;
type Authenticated = (error: AuthenticateError | null, success: boolean | null) => void;

class EmbeddedBroker implements Broker {
  readonly #options: BrokerOptions;
  readonly #limits: BrokerLimits;
  readonly #aedes: SinkAedes;
  #listeners: Listeners | undefined;
  #tlsListeners: Listeners | undefined;
  readonly #front: TlsFront | undefined;
  readonly #rejudging: NodeJS.Timeout;
  readonly #endChanges: () => void;
  readonly #intake: Intake;
  readonly #connections: Connections;
  readonly #conflicts: Conflicts;
  readonly #acked = new AckedMessages((gateway, command) => {
    this.#send(gateway, command, 0);
  });
  readonly #byClient = new WeakMap<Client, Connection>();
  readonly #clients = new WeakMap<Connection, Client>();
  #serial = 0;
  #closing: Promise<void> | undefined;

  constructor(options: BrokerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_BROKER_LIMITS, ...options.limits };
    const { log, partitionOf, metrics, logger } = options;
    this.#intake = new Intake({ log, partitionOf, metrics, logger, ...this.#limits });
    this.#connections = new Connections(this.#limits, metrics);
    this.#conflicts = new Conflicts(this.#intake);
    this.#aedes = this.#createAedes();
    this.#front = this.#createFront();
    this.#endChanges = options.door.onChange((key) => this.#rejudge(this.#connections.holder(key)));
    // What ends by time alone, and any word of a change that was lost.
    this.#rejudging = setInterval(() => {
      for (const { connection } of this.#connections.letIn()) this.#rejudge(connection);
    }, REJUDGE_INTERVAL_MS);
    this.#rejudging.unref();
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
    await this.#aedes.listen();
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
    const client = connection === undefined ? undefined : this.#clients.get(connection);
    if (client === undefined || connection?.subscribed !== true) return Promise.resolve(false);
    const packet: PublishPacket = {
      cmd: 'publish',
      topic: topicOf(gateway, 'command'),
      payload: Buffer.from(payload),
      qos,
      retain: false,
      dup: false,
    };
    return new Promise((resolve) => {
      client.publish(packet, (error) => resolve(error === undefined && !client.closed));
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#endChanges();
    clearInterval(this.#rejudging);
    const closed = Promise.all([this.#listeners?.close(), this.#tlsListeners?.close()]);
    this.#front?.close();
    this.#options.tls?.http.close();
    await this.#intake.drain(this.#limits.closeTimeoutMs);
    // The acknowledgements just given are written in the turns after this one.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
    for (const connection of this.#connections.all) connection.socket.destroy();
    await closed;
    this.#intake.close();
  }

  #createAedes(): SinkAedes {
    const aedes = new SinkAedes({
      persistence: nullPersistence,
      connectTimeout: this.#limits.connectTimeoutMs,
      drainTimeout: this.#limits.drainTimeoutMs,
      preConnect: (client, packet, done) => this.#beforeConnect(client, packet, done),
      authenticate: (client, username, password, done) =>
        this.#authenticate(client, username ?? '', password?.toString() ?? '', done),
      authorizePublish: (client, packet, done) => this.#publish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) =>
        done(null, this.#subscribe(client, subscription) ? subscription : null),
      authorizeForward: (client, packet) =>
        packet.topic === this.#byClient.get(client)?.identity?.commandTopic ? packet : null,
    });
    aedes.on('connectionError', (client, error) => this.#clientFailed(client, error));
    aedes.on('clientError', (client, error) => this.#clientFailed(client, error));
    aedes.on('unsubscribe', (_topics, client) => {
      // There is only one that it can have had.
      const connection = this.#byClient.get(client);
      if (connection !== undefined) connection.subscribed = false;
    });
    const emitter: EventEmitter = aedes;
    emitter.on('error', (error: Error) => {
      this.#options.logger.error({ error: error.message }, 'the MQTT broker failed');
    });
    return aedes;
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
    const client = this.#aedes.handle(socket);
    this.#byClient.set(client, connection);
    this.#clients.set(connection, client);
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

  #connectionOf(client: Client): Connection {
    const connection = this.#byClient.get(client);
    if (connection === undefined) throw new Error('a client that the listener did not make');
    return connection;
  }

  #beforeConnect(
    client: Client,
    packet: ConnectPacket,
    done: (error: Error | null, success: boolean) => void,
  ): void {
    const connection = this.#connectionOf(client);
    connection.clientId = packet.clientId;
    // aedes closes an older client of the same id by itself. Whose connection gives way to whose is
    // decided in #authenticate, so each one gets an id that no other has.
    this.#serial += 1;
    packet.clientId = `${packet.clientId}#${this.#serial}`;
    packet.clean = true;
    const { keepaliveMaxSeconds } = this.#limits;
    const keepalive = packet.keepalive ?? 0;
    packet.keepalive =
      keepalive === 0 ? keepaliveMaxSeconds : Math.min(keepalive, keepaliveMaxSeconds);
    connection.waitMsMax = packet.keepalive * 1_000 * WAIT_SHARE_OF_KEEPALIVE;
    if (packet.will !== undefined) {
      packet.will.payload = ownCopy(packet.will.payload);
      connection.will = packet.will;
    }
    // Of thousands that come back at once many give up while they wait to be accepted. A turn later the
    // socket has said so, and neither an admission nor a will is wasted on it.
    setImmediate(() => done(null, true));
  }

  #authenticate(client: Client, username: string, password: string, done: Authenticated): void {
    const connection = this.#connectionOf(client);
    // It hung up: aedes goes no further, whatever the answer.
    if (client.closed) return;
    const verdict = this.#judge(connection, username, password);
    if (!(verdict instanceof Identity)) {
      this.#connections.note(connection, verdict.reason);
      const { returnCode } = verdict;
      done(Object.assign(refusal(verdict.reason), { returnCode }), false);
      return;
    }
    const before = this.#connections.admit(connection, verdict);
    this.#options.door.entered(verdict.admission, verdict.installId);
    const closing = before === undefined ? undefined : this.#clients.get(before);
    if (closing === undefined) {
      done(null, true);
      return;
    }
    this.#options.metrics.takenOver();
    // Its will is on the way to the log before the newcomer can publish anything.
    closing.close(() => done(null, true));
  }

  #judge(connection: Connection, username: string, password: string): Identity | Refusal {
    if (this.#closing !== undefined) return { reason: 'closing', returnCode: 3 };
    if (!this.#intake.open) return { reason: 'log_unavailable', returnCode: 3 };
    const { clientId, will, socket } = connection;
    const admission = this.#options.door.identify(socket, username, password);
    const verdict = identify({ clientId, will }, admission);
    if (!(verdict instanceof Identity)) return verdict;
    return this.#judgeInstall(verdict);
  }

  /** Two installs under one name: the registered one wins it, else the one that was first. Each time it is said. */
  #judgeInstall(identity: Identity): Identity | Refusal {
    const { gateway, installId, key } = identity;
    const registered = this.#options.door.installOf(gateway);
    const holder = this.#connections.holder(key)?.identity?.installId;
    const other = holder ?? registered;
    if (other === undefined || other === installId) return identity;
    this.#conflicts.note(gateway, installId, other);
    if (holder === undefined || installId === registered) return identity;
    return { reason: 'identity_conflict', returnCode: 2 };
  }

  /** Ends a connection of which what let it in does not count any more. */
  #rejudge(connection: Connection | undefined): void {
    const admission = connection?.identity?.admission;
    if (connection === undefined || admission === undefined) return;
    const reason = this.#options.door.reasonToCut(admission);
    if (reason === undefined) return;
    this.#options.logger.warn(
      { gateway: gatewayKey(admission.gateway), reason },
      'a gateway was cut',
    );
    this.#connections.refuse(connection, reason);
  }

  #publish(client: Client | null, packet: PublishPacket, done: Done): void {
    const connection = client === null ? undefined : this.#byClient.get(client);
    const identity = connection?.identity;
    if (connection === undefined || identity === undefined) {
      done(refusal('protocol'));
    } else if (packet === connection.will) {
      if (this.#closing !== undefined) done(refusal('closing'));
      else this.#intake.append(identity.gateway, RawKind.WILL, bytesOf(packet), done);
    } else if (!connection.refused) {
      this.#take(connection, identity, packet, done);
    }
    // Otherwise the connection is being closed: nothing of it may be acknowledged any more.
  }

  #take(connection: Connection, identity: Identity, packet: PublishPacket, done: Done): void {
    const target = targetOf(identity, packet);
    if (typeof target !== 'string') {
      this.#connections.note(connection, target.reason);
      done(refusal(target.reason));
    } else if (target === 'reply') {
      this.#options.onReply?.(identity.gateway, bytesOf(packet));
      done();
    } else {
      this.#append(connection, identity, target, bytesOf(packet), done);
    }
  }

  #append(
    connection: Connection,
    identity: Identity,
    leaf: 'batch' | 'state',
    payload: Buffer,
    done: Done,
  ): void {
    const arrivedMs = performance.now();
    const durable = connection.expect(() => {
      done();
      this.#options.metrics.acknowledged(performance.now() - arrivedMs);
    });
    const { kind, value } = rawRecordOf(leaf, payload);
    const settled = (error: CollectorError | undefined): void => {
      if (error === undefined) {
        durable();
        if (leaf === 'batch' && connection.subscribed) this.#tell(identity.gateway, payload);
      } else if (!connection.refused) {
        this.#connections.note(connection, 'append_failed');
        done(error);
      }
    };
    this.#intake.append(identity.gateway, kind, value, settled, connection.waitMsMax);
  }

  /** A gateway that listens for commands may be one that waits for the collector's own word. */
  #tell(gateway: GatewayId, payload: Uint8Array): void {
    const isFirst = this.#acked.add(gateway, payloadDigest(payload));
    if (isFirst) setImmediate(() => this.#acked.flush());
  }

  #subscribe(client: Client, subscription: Subscription): boolean {
    const connection = this.#connectionOf(client);
    const allowed = subscription.topic === connection.identity?.commandTopic;
    if (allowed) connection.subscribed = true;
    else this.#options.metrics.refused('subscribe_topic');
    return allowed;
  }

  /** The connection is gone already; this only finds out whether it should be counted, and as what. */
  #clientFailed(client: Client, error: Error & { code?: unknown; errorCode?: unknown }): void {
    const connection = this.#byClient.get(client);
    // Errors of the socket, and of clients that fell silent, are everyday life.
    if (connection === undefined || error.code !== undefined) return;
    if (error.errorCode === 1) this.#connections.note(connection, 'mqtt_version');
    else if (error.message === 'connect did not arrive in time')
      this.#connections.note(connection, 'connect_timeout');
    else if (!/^(keep alive|drain) timeout$|^connection closed$/.test(error.message))
      this.#connections.note(connection, 'protocol');
  }
}

function bytesOf(packet: PublishPacket): Buffer {
  return typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
}

function refusal(reason: BrokerRefusal): CollectorError {
  return new CollectorError('BROKER_REFUSED', reason);
}
