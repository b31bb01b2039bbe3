/** A broker on a port of its own before a real log that can be told to misbehave, and clients for it. */

import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTcp } from 'node:net';
import type { IClientOptions, MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import type { Packet } from 'mqtt-packet';
import mqttPacket from 'mqtt-packet';
import type { Test } from 'tap';
import { tokenDoor } from '../../collector/broker/door.ts';
import type { BrokerMetrics, BrokerRefusal } from '../../collector/broker/metrics.ts';
import type { Broker, BrokerOptions } from '../../collector/broker.ts';
import { startBroker } from '../../collector/broker.ts';
import type { LogRecord } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import { settings } from '../contracts/log.ts';
import { FaultyLog } from './faulty-log.ts';
import { silentLogger } from './silent-logger.ts';

export const TOKEN = 'a-token';

export interface TestBroker {
  broker: Broker;
  log: FaultyLog;
  metrics: CountingMetrics;
  /** Raw records, all so far. */
  records(): Promise<LogRecord[]>;
  /** Resolves with the first `count` raw records once they are there. */
  recordsOnce(count: number): Promise<LogRecord[]>;
  refused(reason: BrokerRefusal): number;
  acknowledged(): number;
  /** Resolves when a refusal has been counted this often. */
  refusedOnce(reason: BrokerRefusal, count?: number): Promise<void>;
}

export class CountingMetrics implements BrokerMetrics {
  readonly refusals = new Map<BrokerRefusal, number>();
  readonly onRefusal = new Set<() => void>();
  acknowledgements = 0;
  takeovers = 0;

  connections(): void {}
  appended(): void {}
  handshakeFailed(): void {}

  refused(reason: BrokerRefusal): void {
    this.refusals.set(reason, (this.refusals.get(reason) ?? 0) + 1);
    for (const check of [...this.onRefusal]) check();
  }

  takenOver(): void {
    this.takeovers += 1;
  }

  acknowledged(): void {
    this.acknowledgements += 1;
  }
}

/** Gateways of site `s` with the token; anything else is unknown. */
export function authenticateTest(username: string, password: string): GatewayId | undefined {
  const [site, gateway, ...rest] = username.split('/');
  if (site !== 's' || gateway === undefined || rest.length > 0) return undefined;
  return password === TOKEN ? { site, gateway } : undefined;
}

export async function startTestBroker(
  t: Test,
  over: Partial<BrokerOptions> = {},
): Promise<TestBroker> {
  const inner = await openSqliteLog({
    ...settings({ clock: { wallMs: () => Date.now() } }),
    path: `${t.testdir()}/log.sqlite`,
    log: silentLogger,
  });
  const log = new FaultyLog(inner);
  const metrics = new CountingMetrics();
  const broker = await startBroker({
    plain: { host: '127.0.0.1', port: 0 },
    log,
    partitionOf: () => 0,
    door: tokenDoor(authenticateTest),
    clock: { wallMs: () => Date.now() },
    metrics,
    logger: silentLogger,
    ...over,
  });
  t.teardown(async () => {
    log.appendFault = undefined;
    log.release();
    await broker.close();
    await log.close();
  });
  const refused = (reason: BrokerRefusal) => metrics.refusals.get(reason) ?? 0;
  const records = async () => {
    const limits = { maxRecords: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER };
    return inner.read('raw', 0, 0, limits);
  };
  return {
    broker,
    log,
    metrics,
    records,
    refused,
    acknowledged: () => metrics.acknowledgements,
    recordsOnce: async (count) => {
      await inner.waitFor('raw', 0, count - 1, AbortSignal.timeout(60_000));
      return records();
    },
    refusedOnce: (reason, count = 1) =>
      new Promise((resolve) => {
        const check = () => {
          if (refused(reason) < count) return;
          metrics.onRefusal.delete(check);
          resolve();
        };
        metrics.onRefusal.add(check);
        check();
      }),
  };
}

export interface GatewayOptions extends IClientOptions {
  gateway?: string;
  install?: string;
}

/** Options as a gateway's agent has them. */
export function gatewayOptions(over: GatewayOptions = {}): IClientOptions {
  const { gateway = 'g', install = 'i1', ...options } = over;
  const key = gatewayKey({ site: 's', gateway });
  return {
    protocolVersion: 4,
    clean: true,
    reconnectPeriod: 0,
    connectTimeout: 10_000,
    keepalive: 30,
    username: key,
    password: TOKEN,
    clientId: `${key}/${install}`,
    ...options,
  };
}

export async function connectGateway(
  t: Test,
  { broker }: TestBroker,
  over: GatewayOptions = {},
): Promise<MqttClient> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${broker.port}`, gatewayOptions(over));
  t.teardown(() => client.end(true));
  client.on('error', () => undefined);
  await new Promise<void>((resolve) => client.once('connect', () => resolve()));
  return client;
}

export function closeOf(client: MqttClient): Promise<void> {
  return new Promise((resolve) => client.once('close', () => resolve()));
}

/** CONNACK's return code of an attempt, or 'closed' when there was none. */
export async function connackOf(
  t: Test,
  { broker }: TestBroker,
  over: GatewayOptions = {},
): Promise<number | 'closed'> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${broker.port}`, gatewayOptions(over));
  t.teardown(() => client.end(true));
  client.on('error', () => undefined);
  return new Promise((resolve) => {
    client.on('packetreceive', (packet) => {
      if (packet.cmd === 'connack') resolve(packet.returnCode ?? packet.reasonCode ?? -1);
    });
    client.on('close', () => resolve('closed'));
  });
}

/** A socket that says what it is told to, byte for byte. */
export class RawClient {
  readonly socket: Socket;
  readonly received: Packet[] = [];
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  #waiting: (() => void)[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    const parser = mqttPacket.parser();
    parser.on('packet', (packet) => {
      this.received.push(packet);
      this.#wake();
    });
    parser.on('error', () => undefined);
    socket.on('data', (chunk) => parser.parse(chunk));
    socket.on('error', () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        resolve();
        this.#wake();
      });
    });
  }

  static async open(t: Test, { broker }: TestBroker): Promise<RawClient> {
    const socket = connectTcp(broker.port, '127.0.0.1');
    t.teardown(() => socket.destroy());
    const client = new RawClient(socket);
    await once(socket, 'connect');
    return client;
  }

  /** Opens and introduces itself as a gateway; resolves after the CONNACK. */
  static async admitted(t: Test, test: TestBroker, gateway = 'g'): Promise<RawClient> {
    const client = await RawClient.open(t, test);
    client.send(connectPacket(gateway));
    await client.next('connack');
    return client;
  }

  send(packet: Packet | Uint8Array): void {
    this.socket.write(packet instanceof Uint8Array ? packet : mqttPacket.generate(packet));
  }

  /** The first packet of a kind, now or when it comes; undefined once the connection is gone. */
  async next<C extends Packet['cmd']>(
    cmd: C,
    count = 1,
  ): Promise<Extract<Packet, { cmd: C }> | undefined> {
    for (;;) {
      const found = this.received.filter((packet) => packet.cmd === cmd);
      const packet = found[count - 1];
      if (packet !== undefined) return packet as Extract<Packet, { cmd: C }>;
      if (this.socket.destroyed) return undefined;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export function connectPacket(gateway = 'g', over: object = {}): Packet {
  return {
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId: `s/${gateway}/i1`,
    keepalive: 30,
    username: `s/${gateway}`,
    password: Buffer.from(TOKEN),
    ...over,
  };
}

export function publishPacket(topic: string, payload: string | Buffer, messageId = 1): Packet {
  return { cmd: 'publish', topic, payload, qos: 1, messageId, dup: false, retain: false };
}
