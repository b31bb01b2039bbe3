/**
 * Intake over a broker that is not the collector's own (Mosquitto, and what speaks like it): subscribes
 * there instead of listening. That broker's PUBACK tells a gateway nothing about the collector's log, so
 * each durable batch is named to its gateway in an `acked` command. In this order: append, `acked`, PUBACK
 * to the broker. Killed anywhere in between, the broker delivers the message again, or the gateway sends it
 * again; the processor removes the second copy.
 */

import type { MqttClient } from 'mqtt';
import { payloadDigest } from '../proto/command.ts';
import type { GatewayId } from '../proto/topics.ts';
import { gatewayKey, parseTopic, topicOf } from '../proto/topics.ts';
import { AckedMessages } from './broker/acked.ts';
import { Intake } from './broker/intake.ts';
import type { BrokerMetrics } from './broker/metrics.ts';
import { rawRecordOf } from './broker/records.ts';
import type { Broker, BrokerStats } from './broker.ts';
import type { OutsideBrokerConfig } from './config.ts';
import { CollectorError } from './errors.ts';
import type { Log } from './log/log.ts';
import { Arrivals } from './outside_broker/arrivals.ts';
import { keptClientId } from './outside_broker/client_id.ts';
import { HeardGateways } from './outside_broker/heard.ts';
import { openLink, reasonOf, subscriptionsOf } from './outside_broker/link.ts';
import type { Clock, Logger } from './types.ts';

export interface OutsideBrokerLimits {
  /** How long a message waits for the log before the connection is given up; well below the keepalive. */
  appendTimeoutMs: number;
  /** Payload bytes handed to the log and not answered; beyond it nothing more is read. */
  maxBytesInFlight: number;
  keepaliveSeconds: number;
  /** For the TCP connection, CONNACK and SUBACK, each. */
  connectTimeoutMs: number;
  /** Pauses between attempts grow from this to the longest. */
  backoffBaseMs: number;
  backoffMaxMs: number;
  /** A gateway counts as connected this long after it published. */
  heardMs: number;
  /** Commands that the broker has not answered. */
  maxCommands: number;
  /** What close() waits for the log, and then for the broker. */
  closeTimeoutMs: number;
}

export const DEFAULT_OUTSIDE_BROKER_LIMITS: OutsideBrokerLimits = {
  appendTimeoutMs: 10_000,
  maxBytesInFlight: 64 * 1024 * 1024,
  keepaliveSeconds: 30,
  connectTimeoutMs: 10_000,
  backoffBaseMs: 500,
  backoffMaxMs: 15_000,
  heardMs: 60_000,
  maxCommands: 1_024,
  closeTimeoutMs: 3_000,
};

export interface OutsideBrokerOptions {
  outside: OutsideBrokerConfig;
  /** Where the name of the session is kept. */
  dataDir: string;
  log: Log;
  partitionOf: (gatewayKey: string, partitionCount: number) => number;
  /** Others are ignored and counted. Absent or empty: every name; who may use it is the broker's to guard. */
  gateways?: { list(): readonly GatewayId[] };
  clock: Clock;
  metrics: BrokerMetrics;
  logger: Logger;
  /** In [0, 1); jitter. */
  random?: () => number;
  limits?: Partial<OutsideBrokerLimits>;
  /** What a gateway published on its reply topic. */
  onReply?: (gateway: GatewayId, payload: Uint8Array) => void;
}

/**
 * Begins to connect, and never gives up: stats() tells how it goes. Rejects with what the file system
 * says when the name of the session cannot be kept.
 */
export async function startOutsideBroker(options: OutsideBrokerOptions): Promise<Broker> {
  const broker = new OutsideBroker(options);
  broker.connect();
  return broker;
}

interface Link {
  client: MqttClient;
  arrivals: Arrivals;
  /** Gateways that were told on this connection that the collector is there. */
  greeted: Set<string>;
  /** Does the broker know what is subscribed to? */
  isSubscribed: boolean;
  timer: NodeJS.Timeout | undefined;
}

class OutsideBroker implements Broker {
  readonly port = 0;
  readonly tlsPort = 0;
  readonly #options: OutsideBrokerOptions;
  readonly #limits: OutsideBrokerLimits;
  readonly #clientId: string;
  readonly #intake: Intake;
  readonly #acked: AckedMessages;
  readonly #heard: HeardGateways;
  readonly #known: ReadonlySet<string>;
  #link: Link | undefined;
  #attempt: NodeJS.Timeout | undefined;
  #failures = 0;
  #problem: string | undefined = 'not connected yet';
  #commands = 0;
  #closing: Promise<void> | undefined;

  constructor(options: OutsideBrokerOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_OUTSIDE_BROKER_LIMITS, ...options.limits };
    const { log, partitionOf, metrics, logger, outside, dataDir, gateways } = options;
    this.#clientId = outside.clientId ?? keptClientId(dataDir);
    this.#intake = new Intake({ log, partitionOf, metrics, logger, ...this.#limits });
    this.#acked = new AckedMessages((gateway, command) => this.#tell(gateway, command));
    this.#heard = new HeardGateways(this.#limits.heardMs);
    this.#known = new Set(gateways?.list().map(gatewayKey));
  }

  connect(): void {
    clearTimeout(this.#attempt);
    const client = openLink({
      outside: this.#options.outside,
      clientId: this.#clientId,
      ...this.#limits,
    });
    const arrivals = new Arrivals({
      client,
      roomOr: (resume) => this.#intake.roomOr(resume),
      forget: (resume) => this.#intake.forget(resume),
      take: (topic, payload, done) => this.#take(link, topic, payload, done),
      beforeAcknowledging: () => this.#acked.flush(),
    });
    const greeted = new Set<string>();
    const link: Link = { client, arrivals, greeted, isSubscribed: false, timer: undefined };
    this.#link = link;
    let reason: string | undefined;
    client.on('connect', ({ sessionPresent }) => this.#subscribe(link, sessionPresent));
    client.on('error', (error) => {
      reason ??= reasonOf(error);
      client.stream.destroy();
    });
    client.on('close', () => this.#lose(link, reason ?? 'the broker closed the connection'));
  }

  noteAppend(succeeded: boolean): void {
    const wasOpen = this.#intake.open;
    this.#intake.noteAppend(succeeded);
    // Waiting out the pause would only delay what can go on now.
    if (succeeded && !wasOpen && this.#attempt !== undefined) this.#connectIn(0);
  }

  connected(): GatewayId[] {
    return this.#heard.list();
  }

  /** How gateways reach that broker is not known here. */
  connectionOf(): undefined {
    return undefined;
  }

  noteConflict(): void {}

  stats(): BrokerStats {
    const isLinked = this.#link?.isSubscribed === true && this.#closing === undefined;
    return {
      accepting: isLinked && this.#intake.open,
      bytesInFlight: this.#intake.bytesInFlight,
      problem: isLinked ? undefined : this.#problem,
    };
  }

  publishCommand(gateway: GatewayId, payload: Uint8Array): Promise<boolean> {
    const link = this.#link;
    if (link?.isSubscribed !== true || this.#commands >= this.#limits.maxCommands)
      return Promise.resolve(false);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const lost = (): void => resolve(false);
    this.#commands++;
    link.client.once('close', lost);
    const bytes = Buffer.from(payload);
    link.client.publish(topicOf(gateway, 'command'), bytes, { qos: 1 }, (error) =>
      resolve(error == null),
    );
    return promise.finally(() => {
      this.#commands--;
      link.client.off('close', lost);
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#attempt);
    await this.#intake.drain(this.#limits.closeTimeoutMs);
    const link = this.#link;
    if (link !== undefined) {
      link.arrivals.flush();
      link.arrivals.end();
      clearTimeout(link.timer);
      link.timer = undefined;
      if (link.client.connected) await this.#disconnect(link.client);
      link.client.end(true);
      link.client.stream.destroy();
    }
    this.#link = undefined;
    this.#intake.close();
  }

  /** DISCONNECT behind the last PUBACKs. */
  async #disconnect(client: MqttClient): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#limits.closeTimeoutMs);
    client.once('close', resolve);
    client.end(false, {}, () => resolve());
    await promise;
    clearTimeout(timer);
  }

  /**
   * Also in a session that is still there: its subscriptions may be those of an older version. Its SUBACK
   * waits behind all that the broker kept meanwhile, so whatever becomes durable is as good as an answer.
   */
  #subscribe(link: Link, isSessionPresent: boolean): void {
    if (link !== this.#link) return;
    const { logger, outside, metrics } = this.#options;
    link.isSubscribed = isSessionPresent;
    const topics = subscriptionsOf(outside);
    const { connectTimeoutMs } = this.#limits;
    link.timer = setTimeout(() => this.#lose(link, 'no answer to SUBSCRIBE'), connectTimeoutMs);
    link.client.subscribe(topics, { qos: 1 }, (error, _granted, packet) => {
      clearTimeout(link.timer);
      link.timer = undefined;
      if (link !== this.#link) return;
      const codes = packet?.granted ?? [];
      const refused = topics.filter((_, index) => Number(codes[index] ?? 128) >= 128);
      if (error != null || refused.length > 0) {
        const what = refused.length > 0 ? refused.join(', ') : (error?.message ?? '');
        this.#lose(link, `the broker refuses the subscription: ${what}`);
        return;
      }
      link.isSubscribed = true;
      metrics.connections(1, this.#heard.list().length, 0);
      // While the log is away each attempt comes as far as this, and that is no news.
      if (!this.#intake.open) return;
      this.#problem = undefined;
      logger.info({ url: outside.url }, 'subscribed to the outside broker');
    });
  }

  #take(link: Link, topic: string, payload: Buffer, done: () => void): void {
    const { metrics, onReply } = this.#options;
    const parsed = parseTopic(topic);
    const isOurs = parsed !== undefined && parsed.leaf !== 'command';
    if (!isOurs || !this.#isKnown(parsed)) {
      metrics.refused(isOurs ? 'gateway_unknown' : 'publish_topic');
      done();
      return;
    }
    const { site, gateway, leaf } = parsed;
    const id = { site, gateway };
    if (this.#heard.note(id)) metrics.connections(1, this.#heard.list().length, 0);
    if (leaf === 'reply') {
      onReply?.(id, payload);
      done();
    } else if (payload.length === 0 && leaf === 'state') {
      // How a retained message is removed from a broker: it says nothing about the gateway.
      done();
    } else if (leaf === 'batch' || leaf === 'state') {
      this.#append(link, id, leaf, payload, done);
    }
  }

  #isKnown(gateway: GatewayId): boolean {
    return this.#known.size === 0 || this.#known.has(gatewayKey(gateway));
  }

  #append(
    link: Link,
    gateway: GatewayId,
    leaf: 'batch' | 'state',
    payload: Buffer,
    done: () => void,
  ): void {
    const arrivedMs = performance.now();
    const { kind, value } = rawRecordOf(leaf, payload);
    this.#intake.append(gateway, kind, value, (error) => {
      if (error !== undefined) {
        // Not acknowledged, so the broker keeps it, and what came after it, for the next connection.
        if (link === this.#link) this.#options.metrics.refused('append_failed');
        this.#lose(link, `waits for the log: ${error.message}`);
        return;
      }
      this.#failures = 0;
      this.#problem = undefined;
      link.timer?.refresh();
      // Also when its connection has gone: it is durable, and another one may carry the word.
      if (leaf === 'batch') this.#acked.add(gateway, payloadDigest(payload));
      else this.#greet(link, gateway);
      done();
      this.#options.metrics.acknowledged(performance.now() - arrivedMs);
    });
  }

  /**
   * While the collector was away the broker may have dropped what gateways sent, and those that hear
   * nothing try ever more rarely. Their states still come every few seconds: once a connection each of them
   * is told that the collector is back.
   */
  #greet(link: Link, gateway: GatewayId): void {
    const key = gatewayKey(gateway);
    if (link.greeted.has(key)) return;
    link.greeted.add(key);
    this.#acked.greet(gateway);
  }

  /** QoS 0: what is lost between here and the gateway goes with a connection, and both ends resend then. */
  #tell(gateway: GatewayId, command: Uint8Array): void {
    const link = this.#link;
    if (link === undefined || !link.client.connected) return;
    link.client.publish(topicOf(gateway, 'command'), Buffer.from(command), { qos: 0 });
  }

  /** Ends a connection for a reason, and tries again later. */
  #lose(link: Link, reason: string): void {
    if (link !== this.#link) return;
    this.#link = undefined;
    clearTimeout(link.timer);
    link.timer = undefined;
    link.arrivals.end();
    link.client.end(true);
    link.client.stream.destroy();
    if (this.#closing !== undefined) return;
    this.#options.metrics.connections(0, 0, 0);
    const { url } = this.#options.outside;
    const error = new CollectorError('OUTSIDE_BROKER_UNAVAILABLE', `${url}: ${reason}`);
    if (this.#problem !== error.message) {
      const { code, hint } = error;
      this.#options.logger.warn({ code, hint, reason }, 'no connection to the outside broker');
    }
    this.#problem = error.message;
    const { backoffBaseMs, backoffMaxMs } = this.#limits;
    const ceilingMs = Math.min(backoffMaxMs, backoffBaseMs * 2 ** Math.min(this.#failures, 30));
    this.#failures++;
    this.#connectIn(ceilingMs * (0.5 + (this.#options.random ?? Math.random)() / 2));
  }

  #connectIn(delayMs: number): void {
    clearTimeout(this.#attempt);
    this.#attempt = setTimeout(() => {
      this.#attempt = undefined;
      this.connect();
    }, delayMs);
  }
}
