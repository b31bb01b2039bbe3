/** Commands to a gateway (fms.proto): what the collector publishes on its command topic. */

import { createHash } from 'node:crypto';
import type { Reader } from 'protobufjs/minimal.js';
import { decodeEnvelope, encodeEnvelope } from './batch.ts';
import type { Decoded } from './errors.ts';
import { WireError } from './errors.ts';
import { decoded, expectType, key, newWriter, readBytes, readerOf, WireType } from './fields.ts';
import { ACKED_DIGESTS_MAX, COMMAND_BYTES_MAX, DIGEST_BYTES } from './limits.ts';

export interface Command {
  /** Digests of payloads that are durable; empty for a command that this program does not know. */
  acked: string[];
}

const LIMITS = { payloadBytesMax: COMMAND_BYTES_MAX, batchBytesMax: COMMAND_BYTES_MAX };

/** What Acked knows a published payload by: the first 16 bytes of its SHA-256 as 32 hex digits. */
export function payloadDigest(payload: Uint8Array): string {
  return createHash('sha256')
    .update(payload)
    .digest('hex')
    .slice(0, 2 * DIGEST_BYTES);
}

/** Throws WIRE_TOO_LARGE beyond ACKED_DIGESTS_MAX digests. */
export function encodeAcked(digests: readonly string[]): Uint8Array {
  if (digests.length > ACKED_DIGESTS_MAX) throw tooMany(digests.length);
  const writer = newWriter();
  writer.uint32(key(1, WireType.BYTES)).fork();
  for (const digest of digests) {
    writer.uint32(key(1, WireType.BYTES)).bytes(Buffer.from(digest, 'hex'));
  }
  writer.ldelim();
  return encodeEnvelope(writer.finish(), 'none');
}

/** Opens an Envelope with a command. Any bytes, never throws. */
export function decodeCommand(payload: Uint8Array): Decoded<Command> {
  return decoded(() => readCommand(readerOf(decodeEnvelope(payload, LIMITS))));
}

function readCommand(reader: Reader): Command {
  const acked: string[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag >>> 3 !== 1) {
      reader.skipType(tag & 7, 0, tag >>> 3);
      continue;
    }
    expectType(tag, WireType.BYTES, 'acked');
    readAcked(readerOf(readBytes(reader, tag, 'acked', COMMAND_BYTES_MAX)), acked);
  }
  return { acked };
}

function readAcked(reader: Reader, digests: string[]): void {
  while (reader.pos < reader.len) {
    const tag = reader.tag();
    if (tag >>> 3 !== 1) {
      reader.skipType(tag & 7, 0, tag >>> 3);
      continue;
    }
    const digest = readBytes(reader, tag, 'digests', DIGEST_BYTES);
    if (digest.length !== DIGEST_BYTES) {
      throw new WireError('WIRE_INCONSISTENT', `digests: ${digest.length} bytes`);
    }
    if (digests.length >= ACKED_DIGESTS_MAX) throw tooMany(digests.length + 1);
    digests.push(digest.toString('hex'));
  }
}

function tooMany(count: number): WireError {
  return new WireError('WIRE_TOO_LARGE', `digests: ${count}, limit ${ACKED_DIGESTS_MAX}`);
}
