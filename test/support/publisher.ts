/** A gateway for tests of the collector: publishes readings and states over real MQTT, without an agent. */

import type { MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import { encodeBatch } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import { chunkCrc } from '../../proto/crc32c.ts';
import { randomEpoch } from '../../proto/epoch.ts';
import type { ChunkFrame, GatewayState, Reading, Reject } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import { encodeState } from '../../proto/state.ts';
import { topicOf } from '../../proto/topics.ts';

export interface PublisherOptions {
  port: number;
  site: string;
  gateway: string;
  /** Left out: by certificate. */
  token?: string;
  /** PEM of the authority: connects with TLS. */
  ca?: string;
  /** PEM of the gateway's own certificate, and its key. */
  cert?: string;
  key?: string;
  installId?: string;
  /** Left out: it comes back by itself. */
  reconnectPeriod?: number;
}

const INSTALL_ID = '0123456789abcdef';

export class Publisher {
  #epoch = randomEpoch();
  readonly #options: PublisherOptions;
  readonly #client: MqttClient;
  #lastSeq = 0;

  private constructor(options: PublisherOptions, client: MqttClient) {
    this.#options = options;
    this.#client = client;
    // Refusals and breaks show as publishes that reject.
    client.on('error', () => undefined);
  }

  static async connect(options: PublisherOptions): Promise<Publisher> {
    const { port, site, gateway, token, ca, cert, key } = options;
    const { installId = INSTALL_ID, reconnectPeriod = 500 } = options;
    const client = await mqtt.connectAsync({
      ...(ca !== undefined && { protocol: 'mqtts' as const, ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      host: '127.0.0.1',
      port,
      protocolVersion: 4,
      ...(token !== undefined && { username: `${site}/${gateway}`, password: token }),
      clientId: `${site}/${gateway}/${installId}`,
      reconnectPeriod,
    });
    return new Publisher(options, client);
  }

  get epoch(): string {
    return this.#epoch;
  }

  /** Goes on where another one stopped, as an agent does whose connection broke. */
  resume(other: Pick<Publisher, 'epoch' | 'lastSeq'>): void {
    this.#epoch = other.epoch;
    this.#lastSeq = other.lastSeq;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Resolves with the PUBACK. */
  async readings(readings: readonly Reading[], rejects: readonly Reject[] = []): Promise<void> {
    const { site, gateway } = this.#options;
    const frame = this.#seal(readings, rejects);
    const payload = encodeBatch(
      {
        site,
        gateway,
        epoch: this.epoch,
        predecessorEpoch: NO_EPOCH,
        predecessorLastSeq: 0,
        lastSeq: this.#lastSeq,
        sentMs: Date.now(),
        installId: INSTALL_ID,
        corrections: [],
        gaps: [],
      },
      [frame],
    );
    await this.#client.publishAsync(topicOf(this.#options, 'batch'), Buffer.from(payload), {
      qos: 1,
    });
  }

  async state(more: Partial<GatewayState> = {}): Promise<void> {
    const { site, gateway } = this.#options;
    const state: GatewayState = {
      site,
      gateway,
      installId: INSTALL_ID,
      online: true,
      cleanEnd: false,
      version: '0.1.0',
      epoch: this.epoch,
      lastSeq: this.#lastSeq,
      sentMs: Date.now(),
      startedMs: Date.now(),
      bufferReadings: 0,
      bufferBytes: 0,
      bufferSecondsUntilEviction: -1,
      clockUnsynced: false,
      clockStepMs: 0,
      readers: [],
      gaps: [],
      ...more,
    };
    const payload = Buffer.from(encodeState(state));
    await this.#client.publishAsync(topicOf(this.#options, 'state'), payload, { qos: 1 });
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }

  #seal(readings: readonly Reading[], rejects: readonly Reject[]): ChunkFrame {
    const builder = new ChunkBuilder();
    const taken =
      readings.every((reading) => builder.addReading(reading)) &&
      rejects.every((reject) => builder.addReject(reject));
    if (!taken) throw new Error('more readings than a chunk holds');
    const now = Date.now();
    const { bytes, count, firstMs, lastMs } = builder.seal({
      boot: 'ffeeddccbbaa0099',
      wallMs: now,
      monoMs: 1,
      unsynced: false,
    });
    const header = { firstSeq: this.#lastSeq + 1, count, firstMs, lastMs };
    this.#lastSeq += count;
    return { ...header, crc32c: chunkCrc(this.epoch, header, bytes), bytes };
  }
}

/** One row of an FMS device: seven readings. */
export function fmsRow(device: string, timeMs: number, seed = 0): Reading[] {
  const wave = Math.sin(timeMs / 20_000 + seed);
  const values = {
    sensor1: 24 + 3 * wave,
    sensor2: 55 + 8 * Math.cos(timeMs / 47_000 + seed),
    sensor3: 101 + 2 * wave,
    motor1: 1_200 + 80 * wave,
    motor2: 900 - 40 * wave,
    motor3: 1_100 + 25 * Math.sin(timeMs / 9_000 + seed),
  };
  const readings: Reading[] = Object.entries(values).map(([channel, value]) => ({
    device,
    channel,
    timeMs,
    value: Number(value.toFixed(channel.startsWith('motor') ? 0 : 2)),
    quality: 0,
  }));
  readings.push({ device, channel: 'isFail', timeMs, value: false, quality: 0 });
  return readings;
}
