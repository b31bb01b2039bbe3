/** Connections to brokers: TLS, SASL, bounds in time, and a pause after one that failed. */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { isIP } from 'node:net';
import { Connection } from '@platformatic/kafka';
import type { KafkaConfig } from '../../config.ts';
import { closedError, isOfConnection, kindOf, messageOf, NotConnectedError } from './failures.ts';

export interface Address {
  host: string;
  port: number;
}

/**
 * What a connection is for. A broker answers the requests of one connection in order, so that what waits
 * must not be on one with what is in a hurry. `admin`: what brokers take long for. `wait:…`: one stream's
 * long poll.
 */
export type Lane = 'meta' | 'admin' | 'append' | 'commit' | 'read' | `wait:${string}`;

/** How long the server may hold a long poll; its request takes as long longer as a broker may. */
export const LONG_POLL_MS = 5_000;
export const REQUEST_TIMEOUT_MS = 5_000;
const META_TIMEOUT_MS = 3_000;
export const ADMIN_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 3_000;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 1_000;
/** Requests under way on one connection; more wait in this process. */
const INFLIGHT_MAX = 64;

const MECHANISMS = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const;

interface Opened {
  connection: Connection;
  ready: Promise<Connection>;
}

export class Connections {
  readonly #config: KafkaConfig;
  readonly #clientId: string;
  readonly #open = new Map<string, Opened>();
  readonly #failed = new Map<string, { error: Error; untilMs: number; backoffMs: number }>();
  #closed = false;

  constructor(config: KafkaConfig, clientId: string) {
    this.#config = config;
    this.#clientId = clientId;
  }

  /** Rejects with NotConnectedError, at once while the last failure is fresh; with LOG_CLOSED after close(). */
  async get(address: Address, lane: Lane): Promise<Connection> {
    if (this.#closed) throw closedError();
    const key = `${lane}@${address.host}:${address.port}`;
    const opened = this.#open.get(key);
    if (opened !== undefined) return await opened.ready;
    const failed = this.#failed.get(key);
    if (failed !== undefined && failed.untilMs > performance.now()) throw failed.error;
    return await this.#connect(key, address, lane);
  }

  /** Runs a request; a connection on which one was lost is given up. */
  async run<Result>(
    address: Address,
    lane: Lane,
    request: (connection: Connection) => Promise<Result>,
  ): Promise<Result> {
    const connection = await this.get(address, lane);
    try {
      return await request(connection);
    } catch (error) {
      if (this.#closed) throw closedError();
      if (isOfConnection(error)) this.#drop(`${lane}@${address.host}:${address.port}`, connection);
      throw error;
    }
  }

  /** What is under way is lost. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(all.map(({ connection }) => end(connection)));
  }

  async #connect(key: string, address: Address, lane: Lane): Promise<Connection> {
    const { tls, sasl } = this.#config;
    const connection = new Connection(this.#clientId, {
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: timeoutOf(lane),
      maxInflights: INFLIGHT_MAX,
      ...(tls === undefined ? {} : { tls: definedOf(tls), tlsServerName: !isIP(address.host) }),
      ...(sasl === undefined
        ? {}
        : {
            sasl: {
              mechanism: MECHANISMS[sasl.mechanism],
              username: sasl.username,
              password: sasl.password,
            },
          }),
    });
    // Requests learn of it by themselves; without a listener it would end the process.
    connection.on('error', () => undefined);
    const ready = this.#established(key, address, connection);
    this.#open.set(key, { connection, ready });
    connection.once('close', () => this.#drop(key, connection));
    return await ready;
  }

  async #established(key: string, address: Address, connection: Connection): Promise<Connection> {
    try {
      await connection.connect(address.host, address.port);
    } catch (error) {
      this.#drop(key, connection);
      if (this.#closed) throw closedError();
      const where = `${address.host}:${address.port}`;
      const failure = new NotConnectedError(`no connection to ${where}: ${messageOf(error)}`, {
        cause: error,
      });
      const before = this.#failed.get(key)?.backoffMs ?? 0;
      // One that lets nobody in is not asked every moment.
      const backoffMs =
        kindOf(error) === 'refused'
          ? BACKOFF_MAX_MS
          : Math.min(Math.max(before * 2, BACKOFF_MIN_MS), BACKOFF_MAX_MS);
      this.#failed.set(key, { error: failure, untilMs: performance.now() + backoffMs, backoffMs });
      throw failure;
    }
    if (this.#closed) {
      void end(connection);
      throw closedError();
    }
    this.#failed.delete(key);
    return connection;
  }

  #drop(key: string, connection: Connection): void {
    if (this.#open.get(key)?.connection === connection) this.#open.delete(key);
    void end(connection);
  }
}

function timeoutOf(lane: Lane): number {
  if (lane === 'meta') return META_TIMEOUT_MS;
  if (lane === 'admin') return ADMIN_TIMEOUT_MS;
  return lane.startsWith('wait:') ? LONG_POLL_MS + REQUEST_TIMEOUT_MS : REQUEST_TIMEOUT_MS;
}

/** Also of one that is still connecting; ends its timers. Never rejects. */
async function end(connection: Connection): Promise<void> {
  connection.close().catch(() => undefined);
  const socket: Socket | undefined = connection.socket;
  // close() asks the socket to end once all is written; a broker that is frozen would keep it open.
  socket?.destroy();
  if (socket !== undefined && !socket.closed) await once(socket, 'close').catch(() => undefined);
}

function definedOf<Options extends object>(
  options: Options,
): { [Key in keyof Options]?: Exclude<Options[Key], undefined> } {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as {
    [Key in keyof Options]?: Exclude<Options[Key], undefined>;
  };
}
