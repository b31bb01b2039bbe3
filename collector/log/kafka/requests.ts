/**
 * Produce and fetch, written and read here rather than by the client's own codec: records go from one
 * buffer to one buffer, without an object or a promise for each field.
 */

import type { Connection, Reader } from '@platformatic/kafka';
import { protocolErrorsCodesById, Writer } from '@platformatic/kafka';
import type { Batch } from './batches.ts';
import { decodeBatches, readInt64 } from './batches.ts';
import { BrokerError } from './failures.ts';

const PRODUCE = 0;
const PRODUCE_VERSION = 9;
const FETCH = 1;
const FETCH_VERSION = 13;
const ALL_REPLICAS = -1;

export function errorIdOf(code: number): string {
  return protocolErrorsCodesById[code] ?? `error ${code}`;
}

export interface ProducePart {
  topic: string;
  partition: number;
  batch: Buffer;
}

export interface Produced {
  topic: string;
  partition: number;
  /** 'NONE': stored. */
  error: string;
  detail: string;
  baseOffset: number;
}

/** Sends one batch for each partition; resolves with one answer for each, refused or not. */
export function produce(
  connection: Connection,
  parts: readonly ProducePart[],
  options: { transactionalId: string | null; timeoutMs: number },
): Promise<Produced[]> {
  const create = (): Writer => {
    const writer = Writer.create()
      .appendString(options.transactionalId)
      .appendInt16(ALL_REPLICAS)
      .appendInt32(options.timeoutMs);
    const topics = [...Map.groupBy(parts, ({ topic }) => topic)];
    writer.appendArray(topics, (topicWriter, [topic, partitions]) => {
      topicWriter.appendString(topic).appendArray(partitions, (w, { partition, batch }) => {
        w.appendInt32(partition)
          .appendUnsignedVarInt(batch.length + 1)
          .append(batch);
      });
    });
    return writer.appendTaggedFields();
  };
  return send(connection, PRODUCE, PRODUCE_VERSION, create, readProduced);
}

function readProduced(response: Buffer): Produced[] {
  const fields = new Fields(response);
  const produced: Produced[] = [];
  fields.array(() => {
    const topic = fields.string();
    fields.array(() => {
      const partition = fields.int32();
      const error = errorIdOf(fields.int16());
      const baseOffset = fields.int64();
      fields.skip(16);
      let detail = '';
      fields.array(() => {
        fields.skip(4);
        detail ||= fields.string();
        fields.tags();
      });
      detail = fields.string() || detail;
      fields.tags();
      produced.push({ topic, partition, error, detail, baseOffset });
    });
    fields.tags();
  });
  return produced;
}

export interface FetchPart {
  topicId: string;
  partition: number;
  leaderEpoch: number;
  offset: number;
}

export interface Fetched {
  topicId: string;
  partition: number;
  /** 'NONE': as asked. */
  error: string;
  highWatermark: number;
  lastStableOffset: number;
  firstOffset: number;
  aborted: { producerId: bigint; firstOffset: number }[];
  batches: Batch[];
}

export interface FetchLimits {
  maxWaitMs: number;
  /** Of one partition; a first batch that is larger comes whole. */
  partitionMaxBytes: number;
  maxBytes: number;
  committed: boolean;
}

export function fetch(
  connection: Connection,
  parts: readonly FetchPart[],
  limits: FetchLimits,
): Promise<Fetched[]> {
  const create = (): Writer => {
    const writer = Writer.create()
      .appendInt32(-1)
      .appendInt32(limits.maxWaitMs)
      .appendInt32(limits.maxWaitMs > 0 ? 1 : 0)
      .appendInt32(limits.maxBytes)
      .appendInt8(limits.committed ? 1 : 0)
      // No fetch session: each request says all that it wants.
      .appendInt32(0)
      .appendInt32(-1);
    const topics = [...Map.groupBy(parts, ({ topicId }) => topicId)];
    writer.appendArray(topics, (topicWriter, [topicId, partitions]) => {
      topicWriter.appendUUID(topicId).appendArray(partitions, (w, part) => {
        w.appendInt32(part.partition)
          .appendInt32(part.leaderEpoch)
          .appendInt64(BigInt(part.offset))
          .appendInt32(-1)
          .appendInt64(-1n)
          .appendInt32(limits.partitionMaxBytes);
      });
    });
    return writer
      .appendArray([], () => undefined)
      .appendString('')
      .appendTaggedFields();
  };
  return send(connection, FETCH, FETCH_VERSION, create, readFetched);
}

function readFetched(response: Buffer): Fetched[] {
  const fields = new Fields(response);
  fields.skip(4);
  const error = errorIdOf(fields.int16());
  if (error !== 'NONE') throw new BrokerError(error);
  fields.skip(4);
  const fetched: Fetched[] = [];
  fields.array(() => {
    const topicId = fields.uuid();
    fields.array(() => {
      const part: Fetched = {
        topicId,
        partition: fields.int32(),
        error: errorIdOf(fields.int16()),
        highWatermark: fields.int64(),
        lastStableOffset: fields.int64(),
        firstOffset: fields.int64(),
        aborted: [],
        batches: [],
      };
      fields.array(() => {
        part.aborted.push({ producerId: fields.bigInt64(), firstOffset: fields.int64() });
        fields.tags();
      });
      fields.skip(4);
      part.batches = decodeBatches(fields.bytes());
      fields.tags();
      fetched.push(part);
    });
    fields.tags();
  });
  return fetched;
}

function send<Response>(
  connection: Connection,
  key: number,
  version: number,
  create: () => Writer,
  read: (response: Buffer) => Response,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    // One buffer: the parts of the answer are looked at many times.
    const parse = (_id: number, _key: number, _version: number, reader: Reader): Response =>
      read(reader.buffer.slice(reader.position));
    connection.send<Response>(key, version, create, parse, true, true, (error, response) => {
      if (error !== null && error !== undefined) reject(error);
      else if (response === undefined) reject(new Error('an answer without content'));
      else resolve(response);
    });
  });
}

/** The fields of a flexible response, in order. */
class Fields {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  skip(bytes: number): void {
    this.#at += bytes;
  }

  int16(): number {
    this.#at += 2;
    return this.#buffer.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#buffer.readInt32BE(this.#at - 4);
  }

  int64(): number {
    this.#at += 8;
    return readInt64(this.#buffer, this.#at - 8);
  }

  bigInt64(): bigint {
    this.#at += 8;
    return this.#buffer.readBigInt64BE(this.#at - 8);
  }

  uuid(): string {
    this.#at += 16;
    return this.#buffer.toString('hex', this.#at - 16, this.#at);
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.#buffer.readUInt8(this.#at++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  /** Empty for null, too. */
  bytes(): Buffer {
    const length = Math.max(0, this.varint() - 1);
    this.#at += length;
    return this.#buffer.subarray(this.#at - length, this.#at);
  }

  string(): string {
    return this.bytes().toString();
  }

  /** Calls `entry` as often as the array says; not for null. */
  array(entry: () => void): void {
    for (let rest = this.varint() - 1; rest > 0; rest--) entry();
  }

  tags(): void {
    for (let rest = this.varint(); rest > 0; rest--) {
      this.varint();
      this.#at += this.varint();
    }
  }
}
