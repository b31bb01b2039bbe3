/**
 * A gateway under load that has several intake processes to go to: it stays with one until that does not
 * take what it sends, then goes to the next, and sends again what was not acknowledged. It keeps its own
 * record of what it emitted: what the store is compared with.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import { encodeBatch } from '../../proto/batch.ts';
import type { Reading } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import { topicOf } from '../../proto/topics.ts';
import { EmitterEpoch } from '../faults/support/emitter.ts';
import { SITE, TOKEN } from './components.ts';

const INSTALL_ID = '0123456789abcdef';
/** As an agent: a publish without an answer is given up after a while, and its connection with it. */
const PUBLISH_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 5_000;
const RETRY_MS = 200;

export interface RovingGatewayOptions {
  gateway: string;
  /** Of the intake processes, asked for anew at each connection. */
  ports: () => readonly number[];
  /** Readings in a batch, a number that 5 divides; default 100. */
  batchReadings?: number;
  /** Between two batches; default 100. */
  pauseMs?: number;
}

export class RovingGateway {
  readonly epoch = new EmitterEpoch();
  readonly gateway: string;
  /** Connections that it had. */
  connections = 0;
  readonly #options: RovingGatewayOptions;
  readonly #stop = new AbortController();
  #client: MqttClient | undefined;
  #turn = 0;
  #abandoned = false;
  #running: Promise<void> = Promise.resolve();

  constructor(options: RovingGatewayOptions) {
    this.#options = options;
    this.gateway = options.gateway;
  }

  /** Readings that it has numbered. */
  get emitted(): readonly Reading[] {
    return this.epoch.emitted;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Emits nothing more; resolves when everything was acknowledged. */
  async finish(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#client?.endAsync(true).catch(() => undefined);
  }

  /** Ends, whether everything was acknowledged or not: a test that failed must not go on for ever. */
  abandon(): void {
    this.#abandoned = true;
    this.#stop.abort();
    this.#client?.end(true);
  }

  async #run(): Promise<void> {
    const { batchReadings = 100, pauseMs = 100, gateway } = this.#options;
    while (!this.#stop.signal.aborted) {
      const timeMs = Date.now();
      const from = this.epoch.lastSeq;
      const readings = Array.from({ length: batchReadings }, (_, i) => ({
        device: `${gateway}-D${i % 5}`,
        channel: `c${Math.floor(i / 5)}`,
        timeMs,
        value: from + i + 1,
        quality: 0,
      }));
      const frames = this.epoch.number(readings);
      const payload = Buffer.from(
        encodeBatch(
          {
            site: SITE,
            gateway,
            epoch: this.epoch.id,
            predecessorEpoch: NO_EPOCH,
            predecessorLastSeq: 0,
            lastSeq: this.epoch.lastSeq,
            sentMs: timeMs,
            installId: INSTALL_ID,
            corrections: [],
            gaps: [],
          },
          frames,
        ),
      );
      await this.#deliver(payload);
      await delay(pauseMs);
    }
  }

  /** Until somebody has acknowledged it. */
  async #deliver(payload: Buffer): Promise<void> {
    const topic = topicOf({ site: SITE, gateway: this.gateway }, 'batch');
    while (!this.#abandoned) {
      try {
        this.#client ??= await this.#connect();
        await inTime(this.#client.publishAsync(topic, payload, { qos: 1 }), this.#client);
        return;
      } catch {
        this.#client?.end(true);
        this.#client = undefined;
        await delay(RETRY_MS);
      }
    }
  }

  async #connect(): Promise<MqttClient> {
    const ports = this.#options.ports();
    const port = ports[this.#turn++ % ports.length];
    const client = await mqtt.connectAsync({
      host: '127.0.0.1',
      port: port ?? 0,
      protocolVersion: 4,
      username: `${SITE}/${this.gateway}`,
      password: TOKEN,
      clientId: `${SITE}/${this.gateway}/${INSTALL_ID}`,
      reconnectPeriod: 0,
      connectTimeout: CONNECT_TIMEOUT_MS,
      keepalive: 20,
    });
    client.on('error', () => undefined);
    this.connections++;
    return client;
  }
}

async function inTime(publish: Promise<unknown>, client: MqttClient): Promise<void> {
  const enough = new AbortController();
  const { promise: closed, reject } = Promise.withResolvers<never>();
  const close = (): void => reject(new Error('the connection was closed'));
  client.once('close', close);
  const late = delay(PUBLISH_TIMEOUT_MS, undefined, { signal: enough.signal }).then(() => {
    throw new Error('no answer in time');
  });
  for (const one of [publish, closed, late]) one.catch(() => undefined);
  try {
    await Promise.race([publish, closed, late]);
  } finally {
    enough.abort();
    client.off('close', close);
  }
}
