/** Batches: chunks on their way, inside a compressed Envelope (fms.proto). */

import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Reader, Writer } from 'protobufjs/minimal.js';
import { chunkCrc } from './crc32c.ts';
import type { Decoded } from './errors.ts';
import { WireError } from './errors.ts';
import {
  decoded,
  expectType,
  key,
  newWriter,
  readBytes,
  readerOf,
  readHex64,
  readText,
  readTimeMs,
  readUint32,
  readUint64,
  WireType,
  wireTimeMs,
  writeBytes,
  writeHex64,
  writeInt64,
  writeText,
  writeUint32,
} from './fields.ts';
import {
  BATCH_BYTES_MAX,
  CHUNK_BYTES_MAX,
  CHUNKS_PER_BATCH_MAX,
  CORRECTIONS_PER_BATCH_MAX,
  GAPS_PER_BATCH_MAX,
  NAME_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
  READINGS_PER_CHUNK_MAX,
  SEQ_MAX,
  WIRE_VERSION,
  WORD_BYTES_MAX,
} from './limits.ts';
import type {
  Batch,
  BatchHeader,
  ChunkFrame,
  ClockCorrection,
  Epoch,
  Gap,
  GapReason,
} from './model.ts';
import { NO_EPOCH } from './model.ts';
import { isTopicName } from './topics.ts';

const CODEC_NONE = 0;
const CODEC_ZSTD = 1;
const ZSTD_LEVEL = 3;

/** What a decoder takes. The defaults are the wire's; records inside the collector may be larger. */
export interface PayloadLimits {
  payloadBytesMax: number;
  /** After decompression. */
  batchBytesMax: number;
}

const WIRE_LIMITS: PayloadLimits = {
  payloadBytesMax: PAYLOAD_BYTES_MAX,
  batchBytesMax: BATCH_BYTES_MAX,
};

/**
 * A batch as an Envelope. The chunks' bytes are copied as they are. The caller keeps to the limits (the
 * forwarder's window does): throws WIRE_TOO_LARGE where a decoder would refuse the number of parts.
 */
export function encodeBatch(
  header: BatchHeader,
  chunks: readonly ChunkFrame[],
  codec: 'zstd' | 'none' = 'zstd',
): Uint8Array {
  atMost('chunks', chunks.length, CHUNKS_PER_BATCH_MAX);
  atMost('gaps', header.gaps.length, GAPS_PER_BATCH_MAX);
  atMost('corrections', header.corrections.length, CORRECTIONS_PER_BATCH_MAX);
  const writer = newWriter();
  writeText(writer, 1, header.site);
  writeText(writer, 2, header.gateway);
  writeHex64(writer, 3, header.epoch);
  writeHex64(writer, 4, header.predecessorEpoch);
  writeInt64(writer, 5, header.predecessorLastSeq);
  writeInt64(writer, 6, header.lastSeq);
  writeInt64(writer, 7, wireTimeMs(header.sentMs));
  writeText(writer, 8, header.installId);
  for (const correction of header.corrections) {
    writer.uint32(key(9, WireType.BYTES)).fork();
    writeHex64(writer, 1, correction.boot);
    writeInt64(writer, 2, wireTimeMs(correction.offsetMs));
    writer.ldelim();
  }
  for (const gap of header.gaps) writeGap(writer, 10, gap);
  for (const chunk of chunks) {
    writer.uint32(key(11, WireType.BYTES)).fork();
    writeInt64(writer, 1, chunk.firstSeq);
    writeUint32(writer, 2, chunk.count);
    writeInt64(writer, 3, chunk.firstMs);
    writeInt64(writer, 4, chunk.lastMs);
    writer.uint32(key(5, WireType.FIXED32)).fixed32(chunk.crc32c);
    writeBytes(writer, 6, chunk.bytes);
    writer.ldelim();
  }
  return encodeEnvelope(writer.finish(), codec);
}

/**
 * Opens an Envelope with a batch. Any bytes, never throws, bounded memory. Chunks stay encoded, as
 * views into the decompressed bytes; neither their CRC nor their inside is checked here.
 */
export function decodeBatch(payload: Uint8Array, limits = WIRE_LIMITS): Decoded<Batch> {
  return decoded(() => {
    const reader = readerOf(decodeEnvelope(payload, limits));
    const batch = readBatch(reader);
    if (!isTopicName(batch.site)) throw new WireError('WIRE_INCONSISTENT', 'site');
    if (!isTopicName(batch.gateway)) throw new WireError('WIRE_INCONSISTENT', 'gateway');
    return batch;
  });
}

export function frameCrcOk(epoch: Epoch, frame: ChunkFrame): boolean {
  return chunkCrc(epoch, frame, frame.bytes) === frame.crc32c;
}

export function encodeEnvelope(message: Uint8Array, codec: 'zstd' | 'none'): Uint8Array {
  const writer = newWriter();
  writeUint32(writer, 1, WIRE_VERSION);
  if (codec === 'zstd') {
    writeUint32(writer, 2, CODEC_ZSTD);
    const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
    writeBytes(writer, 3, zstdCompressSync(message, { params }));
  } else {
    writeBytes(writer, 3, message);
  }
  return writer.finish();
}

/** The message inside an Envelope; throws WireErrors. */
export function decodeEnvelope(bytes: Uint8Array, limits = WIRE_LIMITS): Uint8Array {
  if (bytes.length > limits.payloadBytesMax) {
    throw new WireError('WIRE_TOO_LARGE', `payload: ${bytes.length} bytes`);
  }
  const reader = readerOf(bytes);
  let version = 0;
  let codec = 0;
  let payload: Uint8Array = new Uint8Array(0);
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        version = readUint32(reader, tag, 'version');
        break;
      case 2:
        codec = readUint32(reader, tag, 'codec');
        break;
      case 3:
        payload = readBytes(reader, tag, 'payload', limits.payloadBytesMax);
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (version !== WIRE_VERSION) throw new WireError('WIRE_VERSION', `version ${version}`);
  if (codec === CODEC_NONE) {
    atMost('payload', payload.length, limits.batchBytesMax);
    return payload;
  }
  if (codec !== CODEC_ZSTD) throw new WireError('WIRE_CODEC', `codec ${codec}`);
  return decompress(payload, limits.batchBytesMax);
}

/** Stops at the limit: neither a bomb nor a frame that asks for a huge window gets more memory. */
function decompress(payload: Uint8Array, maxBytes: number): Uint8Array {
  const windowLogMax = Math.min(Math.max(Math.ceil(Math.log2(maxBytes)), 10), 31);
  try {
    return zstdDecompressSync(payload, {
      maxOutputLength: maxBytes,
      params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
    });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new WireError('WIRE_TOO_LARGE', `more than ${maxBytes} bytes when decompressed`);
    }
    throw new WireError('WIRE_CODEC', error instanceof Error ? error.message : String(error));
  }
}

function readBatch(reader: Reader): Batch {
  const corrections: ClockCorrection[] = [];
  const gaps: Gap[] = [];
  const chunks: ChunkFrame[] = [];
  const batch: Batch = {
    site: '',
    gateway: '',
    epoch: NO_EPOCH,
    predecessorEpoch: NO_EPOCH,
    predecessorLastSeq: 0,
    lastSeq: 0,
    sentMs: 0,
    installId: '',
    corrections,
    gaps,
    chunks,
  };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        batch.site = readText(reader, tag, 'site', NAME_BYTES_MAX);
        break;
      case 2:
        batch.gateway = readText(reader, tag, 'gateway', NAME_BYTES_MAX);
        break;
      case 3:
        batch.epoch = readHex64(reader, tag, 'epoch');
        break;
      case 4:
        batch.predecessorEpoch = readHex64(reader, tag, 'predecessor_epoch');
        break;
      case 5:
        batch.predecessorLastSeq = readUint64(reader, tag, 'predecessor_last_seq');
        break;
      case 6:
        batch.lastSeq = readUint64(reader, tag, 'last_seq');
        break;
      case 7:
        batch.sentMs = readTimeMs(reader, tag, 'sent_ms');
        break;
      case 8:
        batch.installId = readText(reader, tag, 'install_id', NAME_BYTES_MAX);
        break;
      case 9:
        atMost('corrections', corrections.length + 1, CORRECTIONS_PER_BATCH_MAX);
        corrections.push(readCorrection(sub(reader, tag, 'corrections', 1024)));
        break;
      case 10:
        atMost('gaps', gaps.length + 1, GAPS_PER_BATCH_MAX);
        gaps.push(readGap(sub(reader, tag, 'gaps', 1024)));
        break;
      case 11:
        atMost('chunks', chunks.length + 1, CHUNKS_PER_BATCH_MAX);
        chunks.push(readFrame(sub(reader, tag, 'chunks', CHUNK_BYTES_MAX + 1024)));
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return batch;
}

function sub(reader: Reader, tag: number, name: string, maxBytes: number): Reader {
  return readerOf(readBytes(reader, tag, name, maxBytes));
}

function readCorrection(reader: Reader): ClockCorrection {
  const correction = { boot: NO_EPOCH, offsetMs: 0 };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        correction.boot = readHex64(reader, tag, 'correction.boot');
        break;
      case 2:
        correction.offsetMs = readTimeMs(reader, tag, 'correction.offset_ms');
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return correction;
}

function readFrame(reader: Reader): ChunkFrame {
  const frame: ChunkFrame = {
    firstSeq: 0,
    count: 0,
    firstMs: 0,
    lastMs: 0,
    crc32c: 0,
    bytes: new Uint8Array(0),
  };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        frame.firstSeq = readUint64(reader, tag, 'first_seq');
        break;
      case 2:
        frame.count = readUint32(reader, tag, 'count');
        break;
      case 3:
        frame.firstMs = readTimeMs(reader, tag, 'first_ms');
        break;
      case 4:
        frame.lastMs = readTimeMs(reader, tag, 'last_ms');
        break;
      case 5:
        expectType(tag, WireType.FIXED32, 'crc32c');
        frame.crc32c = reader.fixed32();
        break;
      case 6:
        frame.bytes = readBytes(reader, tag, 'chunk', CHUNK_BYTES_MAX);
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  atMost('count', frame.count, READINGS_PER_CHUNK_MAX);
  const seqsOk = frame.firstSeq >= 1 && frame.firstSeq <= SEQ_MAX - frame.count;
  if (frame.count < 1 || !seqsOk || frame.firstMs > frame.lastMs) {
    throw new WireError('WIRE_INCONSISTENT', 'a frame: its count, seqs or times');
  }
  return frame;
}

/** Gaps travel in batches and in states. */
export function writeGap(writer: Writer, field: number, gap: Gap): void {
  writer.uint32(key(field, WireType.BYTES)).fork();
  writeHex64(writer, 1, gap.epoch);
  writeInt64(writer, 2, gap.firstSeq);
  writeInt64(writer, 3, gap.lastSeq);
  writeInt64(writer, 4, wireTimeMs(gap.firstMs));
  writeInt64(writer, 5, wireTimeMs(gap.lastMs));
  writeText(writer, 6, gap.reason);
  writer.ldelim();
}

export function readGap(reader: Reader): Gap {
  const gap = { epoch: NO_EPOCH, firstSeq: 0, lastSeq: 0, firstMs: 0, lastMs: 0, reason: '' };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        gap.epoch = readHex64(reader, tag, 'gap.epoch');
        break;
      case 2:
        gap.firstSeq = readUint64(reader, tag, 'gap.first_seq');
        break;
      case 3:
        gap.lastSeq = readUint64(reader, tag, 'gap.last_seq');
        break;
      case 4:
        gap.firstMs = readTimeMs(reader, tag, 'gap.first_ms');
        break;
      case 5:
        gap.lastMs = readTimeMs(reader, tag, 'gap.last_ms');
        break;
      case 6:
        gap.reason = readText(reader, tag, 'gap.reason', WORD_BYTES_MAX);
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (gap.firstSeq < 1 || gap.lastSeq < gap.firstSeq) {
    throw new WireError('WIRE_INCONSISTENT', 'a gap: its seqs');
  }
  // A later sender may know reasons that this program does not.
  return { ...gap, reason: gap.reason as GapReason };
}

function atMost(name: string, count: number, max: number): void {
  if (count > max) throw new WireError('WIRE_TOO_LARGE', `${name}: ${count}, limit ${max}`);
}
