/** From one printed line to a sample, or to the reason why it is none. Pure. */

import { NAME_BYTES_MAX } from '../../../proto/limits.ts';
import type { RejectReason } from '../../../proto/model.ts';
import { Quality, RejectReason as Reason, severityOf } from '../../../proto/model.ts';
import type { ReaderOutput, SampledValue } from '../../types.ts';
import { parseTime } from '../time.ts';
import { convertScalar, convertValue, excerpt, isRecord } from '../values.ts';
import type { Line } from './lines.ts';
import type { CommandOptions } from './options.ts';

type Format = Pick<
  CommandOptions,
  'channels' | 'deviceId' | 'timeFormat' | 'timeZone' | 'maxLineBytes'
>;

const FLAGS: ReadonlyMap<unknown, SampledValue['quality']> = new Map([
  ['good', Quality.GOOD],
  ['uncertain', Quality.DEVICE_UNCERTAIN],
  ['bad', Quality.DEVICE_BAD],
]);

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Adds what the line says to `output`. */
export function translateLine(
  { bytes, isCut }: Line,
  format: Format,
  nowMs: number,
  output: ReaderOutput,
): void {
  const reject = (reason: RejectReason, detail: string): void => {
    // A copy: the line may be a view of a much larger chunk of the stream.
    output.rejects.push({ reason, detail, payload: bytes.slice() });
  };
  if (isCut) {
    reject(Reason.TOO_LARGE, `more than ${format.maxLineBytes} bytes in a line`);
    return;
  }
  let row: unknown;
  try {
    row = JSON.parse(decoder.decode(bytes));
  } catch (error) {
    reject(Reason.GARBAGE, error instanceof Error ? error.message : String(error));
    return;
  }
  if (!isRecord(row)) {
    reject(Reason.GARBAGE, 'the line is not an object');
    return;
  }
  const { time, device, values: given, quality } = row;
  if (device !== undefined && device !== null && device !== format.deviceId) {
    reject(Reason.WRONG_DEVICE, `the device is ${excerpt(device)}, not '${format.deviceId}'`);
    return;
  }
  let sourceTimeMs: number | undefined;
  if (Object.hasOwn(row, 'time')) {
    if (time === null || time === '') {
      reject(Reason.MISSING_TIME, 'the time is empty');
      return;
    }
    const options = { format: format.timeFormat, timeZone: format.timeZone };
    sourceTimeMs = parseTime(time, options, nowMs);
    if (sourceTimeMs === undefined) {
      reject(Reason.BAD_TIME, `the time is ${excerpt(time)}`);
      return;
    }
  }
  const values = isRecord(given) ? readValues(given, isRecord(quality) ? quality : {}, format) : [];
  const named = values.filter(({ channel }) => isName(channel));
  if (named.length > 0) output.samples.push({ sourceTimeMs, values: named });
  if (named.length < values.length) reject(Reason.GARBAGE, 'a channel name is empty or too long');
  else if (values.length === 0) reject(Reason.NO_CHANNELS, 'no values');
}

function isName(channel: string): boolean {
  if (channel.length * 3 <= NAME_BYTES_MAX) return channel.length > 0;
  return Buffer.byteLength(channel) <= NAME_BYTES_MAX;
}

/** A program may print some of its channels in one line and others in the next: only what is there counts. */
function readValues(
  given: Record<string, unknown>,
  flags: Record<string, unknown>,
  format: Format,
): SampledValue[] {
  const values: SampledValue[] = [];
  const add = (channel: string, field: string, converted: Omit<SampledValue, 'channel'>): void => {
    const flag = Object.hasOwn(flags, field) ? FLAGS.get(flags[field]) : undefined;
    // What the device says of its value counts unless the value itself shows worse.
    const flagged =
      flag !== undefined &&
      converted.value !== null &&
      severityOf(flag) > severityOf(converted.quality);
    values.push({ channel, ...converted, ...(flagged && { quality: flag }) });
  };
  if (format.channels.length === 0) {
    for (const key of Object.keys(given)) add(key, key, convertScalar(given[key]));
    return values;
  }
  for (const { name, field, type, coerce } of format.channels) {
    if (Object.hasOwn(given, field)) add(name, field, convertValue(given[field], type, coerce));
  }
  return values;
}
