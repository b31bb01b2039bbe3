/** Gateway states (fms.proto): small, rare, and bounded like everything from the wire. */

import type { Reader, Writer } from 'protobufjs/minimal.js';
import { decodeEnvelope, encodeEnvelope, readGap, writeGap } from './batch.ts';
import type { Decoded } from './errors.ts';
import { WireError } from './errors.ts';
import {
  decoded,
  expectType,
  key,
  newWriter,
  readBool,
  readBytes,
  readerOf,
  readHex64,
  readText,
  readTimeMs,
  readUint64,
  WireType,
  wireTimeMs,
  writeBool,
  writeDouble,
  writeHex64,
  writeInt64,
  writeText,
} from './fields.ts';
import {
  GAPS_PER_BATCH_MAX,
  LAST_ERROR_BYTES_MAX,
  NAME_BYTES_MAX,
  READERS_PER_STATE_MAX,
  WORD_BYTES_MAX,
} from './limits.ts';
import type { Gap, GatewayState, ReaderState } from './model.ts';
import { NO_EPOCH } from './model.ts';
import { cutUtf8, wireName } from './text.ts';
import { isTopicName } from './topics.ts';

/**
 * A state as an Envelope, uncompressed: a will is made once and most are small. Never throws: of
 * readers beyond the limit the first are kept, of gaps the newest; texts are cut.
 */
export function encodeState(state: GatewayState): Uint8Array {
  const writer = newWriter();
  writeText(writer, 1, state.site);
  writeText(writer, 2, state.gateway);
  writeText(writer, 3, wireName(state.installId));
  writeBool(writer, 4, state.online);
  writeBool(writer, 5, state.cleanEnd);
  writeText(writer, 6, cutUtf8(state.version, WORD_BYTES_MAX));
  writeHex64(writer, 7, state.epoch);
  writeInt64(writer, 8, state.lastSeq);
  writeInt64(writer, 9, wireTimeMs(state.sentMs));
  writeInt64(writer, 10, wireTimeMs(state.startedMs));
  writeInt64(writer, 11, counter(state.bufferReadings));
  writeInt64(writer, 12, counter(state.bufferBytes));
  writeDouble(writer, 13, state.bufferSecondsUntilEviction);
  writeBool(writer, 14, state.clockUnsynced);
  writeDouble(writer, 15, state.clockStepMs);
  for (const reader of state.readers.slice(0, READERS_PER_STATE_MAX)) writeReader(writer, reader);
  for (const gap of state.gaps.slice(-GAPS_PER_BATCH_MAX)) writeGap(writer, 17, gap);
  writeInt64(writer, 18, wireTimeMs(state.certificateEndMs ?? 0));
  return encodeEnvelope(writer.finish(), 'none');
}

/** Opens an Envelope with a state. Any bytes, never throws. */
export function decodeState(payload: Uint8Array): Decoded<GatewayState> {
  return decoded(() => {
    const state = readState(readerOf(decodeEnvelope(payload)));
    if (!isTopicName(state.site)) throw new WireError('WIRE_INCONSISTENT', 'site');
    if (!isTopicName(state.gateway)) throw new WireError('WIRE_INCONSISTENT', 'gateway');
    return state;
  });
}

function counter(value: number): number {
  return Number.isFinite(value) ? Math.max(0, Math.round(value)) : 0;
}

function writeReader(writer: Writer, reader: ReaderState): void {
  writer.uint32(key(16, WireType.BYTES)).fork();
  writeText(writer, 1, wireName(reader.device));
  writeText(writer, 2, cutUtf8(reader.reader, WORD_BYTES_MAX));
  writeText(writer, 3, cutUtf8(reader.status, WORD_BYTES_MAX));
  writeInt64(writer, 4, wireTimeMs(reader.lastGoodMs));
  writeInt64(writer, 5, counter(reader.errorsTotal));
  writeText(writer, 6, cutUtf8(reader.lastError, LAST_ERROR_BYTES_MAX));
  writer.ldelim();
}

function readState(reader: Reader): GatewayState {
  const readers: ReaderState[] = [];
  const gaps: Gap[] = [];
  const state: GatewayState = {
    site: '',
    gateway: '',
    installId: '',
    online: false,
    cleanEnd: false,
    version: '',
    epoch: NO_EPOCH,
    lastSeq: 0,
    sentMs: 0,
    startedMs: 0,
    bufferReadings: 0,
    bufferBytes: 0,
    bufferSecondsUntilEviction: 0,
    clockUnsynced: false,
    clockStepMs: 0,
    readers,
    gaps,
  };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        state.site = readText(reader, tag, 'site', NAME_BYTES_MAX);
        break;
      case 2:
        state.gateway = readText(reader, tag, 'gateway', NAME_BYTES_MAX);
        break;
      case 3:
        state.installId = readText(reader, tag, 'install_id', NAME_BYTES_MAX);
        break;
      case 4:
        state.online = readBool(reader, tag, 'online');
        break;
      case 5:
        state.cleanEnd = readBool(reader, tag, 'clean_end');
        break;
      case 6:
        state.version = readText(reader, tag, 'version', WORD_BYTES_MAX);
        break;
      case 7:
        state.epoch = readHex64(reader, tag, 'epoch');
        break;
      case 8:
        state.lastSeq = readUint64(reader, tag, 'last_seq');
        break;
      case 9:
        state.sentMs = readTimeMs(reader, tag, 'sent_ms');
        break;
      case 10:
        state.startedMs = readTimeMs(reader, tag, 'started_ms');
        break;
      case 11:
        state.bufferReadings = readUint64(reader, tag, 'buffer_readings');
        break;
      case 12:
        state.bufferBytes = readUint64(reader, tag, 'buffer_bytes');
        break;
      case 13:
        state.bufferSecondsUntilEviction = readFinite(reader, tag, 'buffer_seconds');
        break;
      case 14:
        state.clockUnsynced = readBool(reader, tag, 'clock_unsynced');
        break;
      case 15:
        state.clockStepMs = readFinite(reader, tag, 'clock_step_ms');
        break;
      case 16:
        if (readers.length >= READERS_PER_STATE_MAX) throw tooMany('readers');
        readers.push(readReaderState(readerOf(readBytes(reader, tag, 'readers', 4096))));
        break;
      case 17:
        if (gaps.length >= GAPS_PER_BATCH_MAX) throw tooMany('gaps');
        gaps.push(readGap(readerOf(readBytes(reader, tag, 'gaps', 1024))));
        break;
      case 18:
        state.certificateEndMs = readTimeMs(reader, tag, 'certificate_end_ms');
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  return state;
}

function readFinite(reader: Reader, tag: number, name: string): number {
  expectType(tag, WireType.FIXED64, name);
  const value = reader.double();
  if (!Number.isFinite(value)) throw new WireError('WIRE_INCONSISTENT', `${name}: not finite`);
  return value;
}

function tooMany(name: string): WireError {
  return new WireError('WIRE_TOO_LARGE', `${name}: too many`);
}

const STATUSES: readonly string[] = ['ok', 'failing', 'open', 'stopped'];

function readReaderState(reader: Reader): ReaderState {
  const state = {
    device: '',
    reader: '',
    status: '',
    lastGoodMs: 0,
    errorsTotal: 0,
    lastError: '',
  };
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    switch (tag >>> 3) {
      case 1:
        state.device = readText(reader, tag, 'reader.device', NAME_BYTES_MAX);
        break;
      case 2:
        state.reader = readText(reader, tag, 'reader.reader', WORD_BYTES_MAX);
        break;
      case 3:
        state.status = readText(reader, tag, 'reader.status', WORD_BYTES_MAX);
        break;
      case 4:
        state.lastGoodMs = readTimeMs(reader, tag, 'reader.last_good_ms');
        break;
      case 5:
        state.errorsTotal = readUint64(reader, tag, 'reader.errors_total');
        break;
      case 6:
        state.lastError = readText(reader, tag, 'reader.last_error', LAST_ERROR_BYTES_MAX);
        break;
      default:
        reader.skipType(tag & 7, 0, tag >>> 3);
    }
  }
  if (!STATUSES.includes(state.status)) {
    throw new WireError('WIRE_INCONSISTENT', 'reader.status');
  }
  return { ...state, status: state.status as ReaderState['status'] };
}
