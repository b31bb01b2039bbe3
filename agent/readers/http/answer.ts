/** From the body of an answer to a sample, or to the reason why it is none. Pure. */

import type { RejectReason } from '../../../proto/model.ts';
import { RejectReason as Reason } from '../../../proto/model.ts';
import type { ReaderOutput, SampledValue } from '../../types.ts';
import { parseTime } from '../time.ts';
import { convertValue, excerpt, isRecord, valueAt } from '../values.ts';
import type { HttpOptions } from './options.ts';

type Format = Pick<
  HttpOptions,
  'timeField' | 'timeFormat' | 'timeZone' | 'deviceField' | 'deviceId' | 'channels'
>;

export function rejectOf(reason: RejectReason, detail: string, payload: Uint8Array): ReaderOutput {
  return { samples: [], rejects: [{ reason, detail, payload }] };
}

/** `charset`: of the Content-Type, if it names one. */
export function translate(
  body: Uint8Array,
  charset: string | undefined,
  format: Format,
  nowMs: number,
): ReaderOutput {
  let document: unknown;
  try {
    document = JSON.parse(decode(body, charset));
  } catch (error) {
    const detail = body.length === 0 ? 'the body is empty' : messageOf(error);
    return rejectOf(Reason.GARBAGE, detail, body);
  }
  if (!isRecord(document)) return rejectOf(Reason.GARBAGE, 'the body is not an object', body);
  return translateDocument(document, body, format, nowMs);
}

function translateDocument(
  document: Record<string, unknown>,
  body: Uint8Array,
  format: Format,
  nowMs: number,
): ReaderOutput {
  const { timeField, timeFormat, timeZone, deviceField, deviceId, channels } = format;
  let sourceTimeMs: number | undefined;
  if (timeField !== undefined) {
    const raw = valueAt(document, timeField);
    if (isBlank(raw)) return rejectOf(Reason.MISSING_TIME, `no '${timeField}'`, body);
    sourceTimeMs = parseTime(raw, { format: timeFormat, timeZone }, nowMs);
    if (sourceTimeMs === undefined) {
      return rejectOf(Reason.BAD_TIME, `'${timeField}' is ${excerpt(raw)}`, body);
    }
  }
  if (deviceField !== undefined) {
    const raw = valueAt(document, deviceField);
    if (isBlank(raw)) return rejectOf(Reason.MISSING_DEVICE, `no '${deviceField}'`, body);
    if (typeof raw === 'object' || String(raw) !== deviceId) {
      const detail = `'${deviceField}' is ${excerpt(raw)}, not '${deviceId}'`;
      return rejectOf(Reason.WRONG_DEVICE, detail, body);
    }
  }
  let found = 0;
  const values = channels.map((channel): SampledValue => {
    const raw = valueAt(document, channel.field);
    if (raw !== undefined) found += 1;
    return { channel: channel.name, ...convertValue(raw, channel.type, channel.coerce) };
  });
  if (found === 0) return rejectOf(Reason.NO_CHANNELS, 'none of the channels’ fields', body);
  return { samples: [{ sourceTimeMs, values }], rejects: [] };
}

function isBlank(raw: unknown): boolean {
  return raw === undefined || raw === null || raw === '';
}

function decode(body: Uint8Array, charset: string | undefined): string {
  return decoderOf(charset).decode(body);
}

function decoderOf(charset = 'utf-8') {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    // A charset that nobody knows: JSON is UTF-8.
    return new TextDecoder('utf-8', { fatal: true });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
