/** One Connection a socket: what it may do, what it holds in memory. Connections: all of them, bounded. */

import type { Socket } from 'node:net';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey, topicOf } from '../../proto/topics.ts';
import type { Admission } from './door.ts';
import type { FrameViolation } from './frames.ts';
import { FrameScanner } from './frames.ts';
import type { BrokerMetrics, BrokerRefusal } from './metrics.ts';

/** Who a connection was found to be. */
export class Identity {
  readonly gateway: GatewayId;
  readonly key: string;
  readonly installId: string;
  readonly admission: Admission;
  readonly batchTopic: string;
  readonly stateTopic: string;
  readonly replyTopic: string;
  readonly commandTopic: string;

  constructor(admission: Admission, installId: string) {
    const { gateway } = admission;
    this.admission = admission;
    this.gateway = gateway;
    this.key = gatewayKey(gateway);
    this.installId = installId;
    this.batchTopic = topicOf(gateway, 'batch');
    this.stateTopic = topicOf(gateway, 'state');
    this.replyTopic = topicOf(gateway, 'reply');
    this.commandTopic = topicOf(gateway, 'command');
  }
}

interface Acknowledgement {
  settled: boolean;
  acknowledge: () => void;
}

export class Connection {
  readonly socket: Socket;
  /** The client id as it came: aedes gets another one, see mqtt.ts. */
  clientId = '';
  /** The very object that the broker will publish when the connection ends without a goodbye. */
  will: { topic: string; payload: Uint8Array | string } | undefined;
  identity: Identity | undefined;
  /** How long a publish of it may wait for the log: less than its keepalive. */
  waitMsMax = Number.POSITIVE_INFINITY;
  /** Holds a subscription to its command topic. */
  subscribed = false;
  readonly scanner = new FrameScanner();
  partialBytes = 0;
  /** Counted as refused: what else happens to it is a consequence. */
  refused = false;
  readonly #acknowledgements: Acknowledgement[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /**
   * Puts an acknowledgement in line and returns the function that says its record is durable. They are
   * given in the order of arrival, whatever the order of the answers.
   */
  expect(acknowledge: () => void): () => void {
    const own: Acknowledgement = { settled: false, acknowledge };
    const line = this.#acknowledgements;
    line.push(own);
    return () => {
      own.settled = true;
      while (line[0]?.settled === true && !this.refused) line.shift()?.acknowledge();
    };
  }
}

export interface ConnectionLimits {
  maxConnections: number;
  /** Partial packets of all connections that are not let in yet, and of all that are. */
  maxPendingBytes: number;
  maxPartialBytes: number;
}

export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #metrics: BrokerMetrics;
  readonly #all = new Set<Connection>();
  /** Not let in yet, oldest first. */
  readonly #pending = new Set<Connection>();
  readonly #byGateway = new Map<string, Connection>();
  #pendingBytes = 0;
  #partialBytes = 0;
  #admittedTls = 0;

  constructor(limits: ConnectionLimits, metrics: BrokerMetrics) {
    this.#limits = limits;
    this.#metrics = metrics;
  }

  /** At the bound a newcomer replaces the one that has been silent longest; gateways stay. */
  add(connection: Connection): boolean {
    if (this.#all.size >= this.#limits.maxConnections) {
      const [oldest] = this.#pending;
      if (oldest === undefined) {
        this.refuse(connection, 'max_connections');
        return false;
      }
      this.refuse(oldest, 'max_connections');
      this.remove(oldest);
    }
    this.#all.add(connection);
    this.#pending.add(connection);
    this.#report();
    return true;
  }

  /** Counts the first reason and ends the connection. */
  refuse(connection: Connection, reason: BrokerRefusal): void {
    this.note(connection, reason);
    // Its memory is free from now on, not only when the system says that it is closed.
    this.#count(connection, 0);
    connection.socket.destroy();
  }

  /** Counts the first reason only. */
  note(connection: Connection, reason: BrokerRefusal): void {
    if (connection.refused) return;
    connection.refused = true;
    this.#metrics.refused(reason);
  }

  remove(connection: Connection): void {
    if (!this.#all.delete(connection)) return;
    this.#count(connection, 0);
    this.#pending.delete(connection);
    if (connection.identity?.admission.transport === 'tls') this.#admittedTls--;
    const key = connection.identity?.key;
    if (key !== undefined && this.#byGateway.get(key) === connection) this.#byGateway.delete(key);
    this.#report();
  }

  /** The connection that speaks for a gateway now. */
  holder(key: string): Connection | undefined {
    return this.#byGateway.get(key);
  }

  /** Lets a connection in and returns the one that it replaces. */
  admit(connection: Connection, identity: Identity): Connection | undefined {
    const before = this.#byGateway.get(identity.key);
    this.#count(connection, 0);
    this.#pending.delete(connection);
    connection.identity = identity;
    if (identity.admission.transport === 'tls') this.#admittedTls++;
    connection.scanner.admit();
    this.#count(connection, connection.scanner.partialBytes);
    this.#byGateway.set(identity.key, connection);
    this.#report();
    return before;
  }

  /** Looks at bytes before the parser gets them. */
  scan(connection: Connection, chunk: Uint8Array): FrameViolation | 'memory' | undefined {
    const violation = connection.scanner.scan(chunk);
    if (violation !== undefined) return violation;
    this.#count(connection, connection.scanner.partialBytes);
    const fits =
      connection.identity === undefined
        ? this.#pendingBytes <= this.#limits.maxPendingBytes
        : this.#partialBytes <= this.#limits.maxPartialBytes;
    return fits || connection.partialBytes === 0 ? undefined : 'memory';
  }

  /** Every connection that was let in and is not gone. */
  *letIn(): Generator<{ connection: Connection; identity: Identity }> {
    for (const connection of this.#byGateway.values())
      if (connection.identity !== undefined) yield { connection, identity: connection.identity };
  }

  admitted(): GatewayId[] {
    return [...this.#byGateway.values()].flatMap(({ identity }) =>
      identity === undefined ? [] : [identity.gateway],
    );
  }

  get all(): ReadonlySet<Connection> {
    return this.#all;
  }

  #count(connection: Connection, partialBytes: number): void {
    const change = partialBytes - connection.partialBytes;
    connection.partialBytes = partialBytes;
    if (connection.identity === undefined) this.#pendingBytes += change;
    else this.#partialBytes += change;
  }

  #report(): void {
    this.#metrics.connections(this.#all.size, this.#byGateway.size, this.#admittedTls);
  }
}
