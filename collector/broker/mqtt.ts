/**
 * MQTT, as aedes speaks it: it parses, keeps time and writes; what a client may do is asked of others. It
 * routes nothing between clients and keeps nothing itself: no sessions, no retained messages, no $SYS.
 */

import type { EventEmitter } from 'node:events';
import type { AuthenticateError, Client, ConnectPacket, PublishPacket, Subscription } from 'aedes';
import { Aedes } from 'aedes';
import { CollectorError } from '../errors.ts';
import type { Logger } from '../types.ts';
import type { Connection, Connections } from './connections.ts';
import type { Verdict } from './judge.ts';
import type { BrokerMetrics } from './metrics.ts';
import { ownCopy } from './own_copy.ts';
import { nullPersistence } from './persistence.ts';
import type { Done, Publish } from './publishes.ts';

export interface MqttLimits {
  connectTimeoutMs: number;
  drainTimeoutMs: number;
  keepaliveMaxSeconds: number;
}

export interface MqttOptions {
  limits: MqttLimits;
  connections: Pick<Connections, 'note'>;
  metrics: Pick<BrokerMetrics, 'refused'>;
  logger: Logger;
  /** Asked once a CONNECT, of a client that has not hung up. */
  onConnect: (connection: Connection, username: string, password: string) => Verdict;
  /** A publish of a client, or its will. Until `done` is called there is no PUBACK. */
  onPublish: (connection: Connection | undefined, packet: Publish, done: Done) => void;
}

/** A PINGREQ waits behind a held publish: the hold ends well before the client gives up on its ping. */
const WAIT_SHARE_OF_KEEPALIVE = 0.6;

/** Nothing that is published goes anywhere: authorizePublish has put it into the log. */
class SinkAedes extends Aedes {
  override publish(...args: unknown[]): void {
    const done = args.at(-1);
    if (typeof done === 'function') done();
  }
}

type Authenticated = (error: AuthenticateError | null, success: boolean | null) => void;

export class Mqtt {
  readonly #options: MqttOptions;
  readonly #aedes: SinkAedes;
  readonly #byClient = new WeakMap<Client, Connection>();
  readonly #clients = new WeakMap<Connection, Client>();
  #serial = 0;

  constructor(options: MqttOptions) {
    this.#options = options;
    this.#aedes = this.#createAedes();
  }

  /** Before the first handle(). */
  async listen(): Promise<void> {
    await this.#aedes.listen();
  }

  /** Speaks MQTT on the connection's socket from now on. */
  handle(connection: Connection): void {
    const client = this.#aedes.handle(connection.socket);
    this.#byClient.set(client, connection);
    this.#clients.set(connection, client);
  }

  /** Sends on the gateway's command topic. Answers whether that worked; false: it does not listen there. */
  sendCommand(connection: Connection, payload: Uint8Array, qos: 0 | 1): Promise<boolean> {
    const client = this.#clients.get(connection);
    const topic = connection.identity?.commandTopic;
    if (client === undefined || topic === undefined || !connection.subscribed)
      return Promise.resolve(false);
    const packet: PublishPacket = {
      cmd: 'publish',
      topic,
      payload: Buffer.from(payload),
      qos,
      retain: false,
      dup: false,
    };
    return new Promise((resolve) => {
      client.publish(packet, (error) => resolve(error === undefined && !client.closed));
    });
  }

  /** Closes the clients; what their sockets still have to write is written. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
  }

  #createAedes(): SinkAedes {
    const { limits, logger, onPublish } = this.#options;
    const aedes = new SinkAedes({
      persistence: nullPersistence,
      connectTimeout: limits.connectTimeoutMs,
      drainTimeout: limits.drainTimeoutMs,
      preConnect: (client, packet, done) => this.#beforeConnect(client, packet, done),
      authenticate: (client, username, password, done) =>
        this.#authenticate(client, username ?? '', password?.toString() ?? '', done),
      authorizePublish: (client, packet, done) =>
        onPublish(client === null ? undefined : this.#byClient.get(client), packet, done),
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
      logger.error({ error: error.message }, 'the MQTT broker failed');
    });
    return aedes;
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
    // decided in onConnect, so each one gets an id that no other has.
    this.#serial += 1;
    packet.clientId = `${packet.clientId}#${this.#serial}`;
    packet.clean = true;
    const { keepaliveMaxSeconds } = this.#options.limits;
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
    const verdict = this.#options.onConnect(connection, username, password);
    if ('reason' in verdict) {
      const { reason, returnCode } = verdict;
      done(Object.assign(new CollectorError('BROKER_REFUSED', reason), { returnCode }), false);
      return;
    }
    const { replaces } = verdict;
    const closing = replaces === undefined ? undefined : this.#clients.get(replaces);
    // Its will is on the way to the log before the newcomer can publish anything.
    if (closing !== undefined) closing.close(() => done(null, true));
    else done(null, true);
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
    const { connections } = this.#options;
    // Errors of the socket, and of clients that fell silent, are everyday life.
    if (connection === undefined || error.code !== undefined) return;
    if (error.errorCode === 1) connections.note(connection, 'mqtt_version');
    else if (error.message === 'connect did not arrive in time')
      connections.note(connection, 'connect_timeout');
    else if (!/^(keep alive|drain) timeout$|^connection closed$/.test(error.message))
      connections.note(connection, 'protocol');
  }
}
