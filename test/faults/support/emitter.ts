/**
 * A gateway that sends its chunks in any order, more than once, or not at all, and keeps its own record
 * of what it emitted: what a test compares the store with.
 */

import type { MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import { encodeBatch } from '../../../proto/batch.ts';
import { ChunkBuilder } from '../../../proto/chunk.ts';
import { chunkCrc } from '../../../proto/crc32c.ts';
import { randomEpoch } from '../../../proto/epoch.ts';
import type { ChunkFrame, Gap, Reading } from '../../../proto/model.ts';
import { NO_EPOCH } from '../../../proto/model.ts';
import { topicOf } from '../../../proto/topics.ts';
import type { PublisherOptions } from '../../support/publisher.ts';
import { allReadings, open } from '../../support/wire.ts';

const INSTALL_ID = '0123456789abcdef';

export class EmitterEpoch {
  readonly id = randomEpoch();
  readonly predecessor: EmitterEpoch | undefined;
  /** What has the number i + 1, as it travels. */
  readonly emitted: Reading[] = [];

  constructor(predecessor?: EmitterEpoch) {
    this.predecessor = predecessor;
  }

  get lastSeq(): number {
    return this.emitted.length;
  }

  /** Numbers them, and seals as many chunks as they need. */
  number(readings: readonly Reading[]): ChunkFrame[] {
    const frames: ChunkFrame[] = [];
    const builder = new ChunkBuilder();
    const seal = (): void => {
      const frame = this.#seal(builder, this.lastSeq + 1);
      this.emitted.push(...allReadings(open(frame)));
      frames.push(frame);
    };
    for (const reading of readings) {
      if (builder.addReading(reading)) continue;
      seal();
      builder.addReading(reading);
    }
    if (builder.count > 0) seal();
    return frames;
  }

  /** A chunk under numbers that are given, which is no record of anything emitted. */
  forge(firstSeq: number, readings: readonly Reading[]): ChunkFrame {
    const builder = new ChunkBuilder();
    for (const reading of readings)
      if (!builder.addReading(reading)) throw new Error('more readings than a chunk holds');
    return this.#seal(builder, firstSeq);
  }

  #seal(builder: ChunkBuilder, firstSeq: number): ChunkFrame {
    const clock = { boot: 'ffeeddccbbaa0099', wallMs: Date.now(), monoMs: 1, unsynced: false };
    const { bytes, count, firstMs, lastMs } = builder.seal(clock);
    const header = { firstSeq, count, firstMs, lastMs };
    return { ...header, crc32c: chunkCrc(this.id, header, bytes), bytes };
  }
}

export class Emitter {
  readonly epochs: EmitterEpoch[] = [];
  readonly #options: PublisherOptions;
  readonly #client: MqttClient;

  private constructor(options: PublisherOptions, client: MqttClient) {
    this.#options = options;
    this.#client = client;
    // Connections that break while the collector is killed; what was published is sent again.
    client.on('error', () => undefined);
  }

  /** Connects again, and sends again what was not acknowledged, for as long as the port stays. */
  static async connect(options: PublisherOptions): Promise<Emitter> {
    const { port, site, gateway, token } = options;
    const client = await mqtt.connectAsync({
      host: '127.0.0.1',
      port,
      protocolVersion: 4,
      username: `${site}/${gateway}`,
      ...(token !== undefined && { password: token }),
      clientId: `${site}/${gateway}/${INSTALL_ID}`,
      reconnectPeriod: 250,
    });
    return new Emitter(options, client);
  }

  /** A new epoch, whose predecessor is the one before. */
  epoch(): EmitterEpoch {
    const epoch = new EmitterEpoch(this.epochs.at(-1));
    this.epochs.push(epoch);
    return epoch;
  }

  /** One batch. Resolves with the PUBACK. */
  async send(
    epoch: EmitterEpoch,
    frames: readonly ChunkFrame[],
    gaps: readonly Gap[] = [],
  ): Promise<void> {
    const { site, gateway } = this.#options;
    const payload = encodeBatch(
      {
        site,
        gateway,
        epoch: epoch.id,
        predecessorEpoch: epoch.predecessor?.id ?? NO_EPOCH,
        predecessorLastSeq: epoch.predecessor?.lastSeq ?? 0,
        lastSeq: epoch.lastSeq,
        sentMs: Date.now(),
        installId: INSTALL_ID,
        corrections: [],
        gaps,
      },
      frames,
    );
    await this.publish(payload);
  }

  /** Whatever bytes. Resolves with the PUBACK. */
  async publish(payload: Uint8Array): Promise<void> {
    await this.#client.publishAsync(topicOf(this.#options, 'batch'), Buffer.from(payload), {
      qos: 1,
    });
  }

  /** Bytes that nobody takes: resolves when the connection is closed for them, and gives up. */
  async publishInVain(payload: Uint8Array): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#client.once('close', () => resolve()));
    this.publish(payload).catch(() => undefined);
    await closed;
    await this.close();
  }

  async close(): Promise<void> {
    await this.#client.endAsync(true);
  }
}
