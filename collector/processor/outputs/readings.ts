/**
 * READINGS, in topic readings: a wire Batch envelope whose chunks hold only readings never seen before, as
 * they came; behind it, in fields that decoders of the wire skip, when the payload became durable in log:raw
 * and what the rules said (annotations). A small one is not compressed.
 */

import type { PayloadLimits } from '../../../proto/batch.ts';
import { decodeBatch } from '../../../proto/batch.ts';
import type { Decoded } from '../../../proto/errors.ts';
import { decoded, key, newWriter, readerOf, WireType } from '../../../proto/fields.ts';
import { BATCH_BYTES_MAX } from '../../../proto/limits.ts';
import type { Batch } from '../../../proto/model.ts';
import type { Treatment } from '../../findings.ts';

/**
 * What the rules said of readings of one READINGS record: runs of consecutive seqs, ascending, never
 * overlapping. A reading in no run has no finding and was kept.
 */
export interface Annotation {
  firstSeq: number;
  count: number;
  /** Bits of collector/findings.ts. */
  findings: number;
  treatment: Treatment;
  /** One cleaned value a reading for CLIPPED and FILLED; else undefined. */
  values: Float64Array | undefined;
}

/**
 * What is put behind the envelope, readable from its end; to a decoder of the wire these are fields that
 * it skips:
 *   field 14, bytes: the annotations, if there are any
 *   field 13, fixed32: how many bytes field 14 takes in all, 0 if absent
 *   field 12, fixed64 (a double): receivedMs
 * Version 1 had only field 15, fixed64: receivedMs.
 */
const ANNOTATIONS_FIELD = 14;
const SIZE_TAG = (13 << 3) | 5;
const RECEIVED_TAG = (12 << 3) | 1;
const RECEIVED_TAG_V1 = (15 << 3) | 1;
const RECEIVED_BYTES = 9;
const TAIL_BYTES = 5 + RECEIVED_BYTES;
const NOTHING = new Uint8Array();

/** Room for what was cut and encoded again. */
const RECORD_LIMITS: PayloadLimits = {
  payloadBytesMax: 2 * BATCH_BYTES_MAX,
  batchBytesMax: 2 * BATCH_BYTES_MAX,
};

/** `envelope` as encodeBatch made it or as it came from the gateway. */
export function encodeReadings(
  envelope: Uint8Array,
  receivedMs: number,
  annotations: readonly Annotation[] = [],
): Uint8Array {
  const said = annotations.length > 0 ? annotationsField(annotations) : NOTHING;
  const value = Buffer.allocUnsafe(envelope.length + said.length + TAIL_BYTES);
  value.set(envelope, 0);
  value.set(said, envelope.length);
  let at = envelope.length + said.length;
  value[at++] = SIZE_TAG;
  at = value.writeUInt32LE(said.length, at);
  value[at++] = RECEIVED_TAG;
  value.writeDoubleLE(receivedMs, at);
  return value;
}

export interface ReadingsRecord {
  batch: Batch;
  receivedMs: number;
  annotations: Annotation[];
}

/** The content of a READINGS record. Its chunks' CRCs were checked when the record was made. */
export function decodeReadings(value: Uint8Array): Decoded<ReadingsRecord> {
  const batch = decodeBatch(value, RECORD_LIMITS);
  if (!batch.ok) return batch;
  const record: ReadingsRecord = {
    batch: batch.value,
    receivedMs: batch.value.sentMs,
    annotations: [],
  };
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const at = value.length - RECEIVED_BYTES;
  const tag = at >= 0 ? value[at] : undefined;
  if (tag === RECEIVED_TAG || tag === RECEIVED_TAG_V1)
    record.receivedMs = view.getFloat64(at + 1, true);
  if (tag === RECEIVED_TAG && at >= 5) {
    const end = at - 5;
    const size = view.getUint32(end + 1, true);
    return decoded(() => {
      if (size > 0) record.annotations = readAnnotations(value.subarray(end - size, end));
      return record;
    });
  }
  return { ok: true, value: record };
}

function annotationsField(annotations: readonly Annotation[]): Uint8Array {
  const writer = newWriter();
  writer.uint32(key(ANNOTATIONS_FIELD, WireType.BYTES)).fork();
  writer.uint32(annotations.length);
  let nextSeq = 0;
  for (const { firstSeq, count, findings, treatment, values } of annotations) {
    writer
      .uint64(firstSeq - nextSeq)
      .uint32(count)
      .uint32(findings);
    writer.uint32(treatment * 2 + (values === undefined ? 0 : 1));
    for (const value of values ?? []) writer.double(value);
    nextSeq = firstSeq + count;
  }
  return writer.ldelim().finish();
}

function readAnnotations(bytes: Uint8Array): Annotation[] {
  const field = readerOf(bytes);
  field.uint32();
  const reader = readerOf(field.bytes());
  const annotations: Annotation[] = [];
  let nextSeq = 0;
  for (let left = reader.uint32(); left > 0; left--) {
    const firstSeq = nextSeq + Number(reader.uint64());
    const count = reader.uint32();
    const findings = reader.uint32();
    const mark = reader.uint32();
    let values: Float64Array | undefined;
    if (mark % 2 === 1) {
      values = new Float64Array(count);
      for (let i = 0; i < count; i++) values[i] = reader.double();
    }
    const treatment = Math.floor(mark / 2) as Treatment;
    annotations.push({ firstSeq, count, findings, treatment, values });
    nextSeq = firstSeq + count;
  }
  return annotations;
}
