/** From the bytes of an answer to a channel's value. Pure. */

import { Quality } from '../../../proto/model.ts';
import type { SampledValue } from '../../types.ts';
import { convertText } from '../values.ts';
import type { ModbusChannel } from './options.ts';
import { isBits } from './options.ts';
import type { Block } from './plan.ts';

type Decoded = Pick<SampledValue, 'value' | 'quality'>;

/** How many bytes the answer to a block has. */
export function answerBytes(block: Block): number {
  return isBits(block.function) ? Math.ceil(block.count / 8) : block.count * 2;
}

/** `bytes`: of the whole block, at least `answerBytes` long. */
export function decodeChannel(bytes: Buffer, block: Block, channel: ModbusChannel): Decoded {
  const start = channel.address - block.address;
  if (isBits(block.function)) {
    const byte = bytes[start >> 3] ?? 0;
    return { value: ((byte >> (start & 7)) & 1) === 1, quality: Quality.GOOD };
  }
  const raw = Buffer.from(bytes.subarray(start * 2, (start + channel.count) * 2));
  if (channel.swapBytes) raw.swap16();
  if (channel.type === 'string') return decodeString(raw);
  if (channel.swapWords) swapWords(raw);
  if (channel.type === 'bool') {
    const register = raw.readUInt16BE(0);
    const isSet =
      channel.bit === undefined ? register !== 0 : ((register >> channel.bit) & 1) === 1;
    return { value: isSet, quality: Quality.GOOD };
  }
  return decodeNumber(raw, channel);
}

function decodeNumber(raw: Buffer, channel: ModbusChannel): Decoded {
  switch (channel.type) {
    case 'int16':
      return scaled(raw.readInt16BE(0), channel);
    case 'uint16':
      return scaled(raw.readUInt16BE(0), channel);
    case 'int32':
      return scaled(raw.readInt32BE(0), channel);
    case 'uint32':
      return scaled(raw.readUInt32BE(0), channel);
    case 'int64':
      return scaledBig(raw.readBigInt64BE(0), channel);
    case 'uint64':
      return scaledBig(raw.readBigUInt64BE(0), channel);
    case 'float32':
      return scaled(shortest(raw.readFloatBE(0)), channel);
    default:
      return scaled(raw.readDoubleBE(0), channel);
  }
}

function scaledBig(raw: bigint, channel: ModbusChannel): Decoded {
  const number = Number(raw);
  const decoded = scaled(number, channel);
  return Number.isSafeInteger(number) ? decoded : { ...decoded, quality: Quality.PRECISION_LOST };
}

/** Digits that a double always holds: 235 × 0.1 is 23.5 at this precision, 23.500000000000004 beyond. */
const PRECISION = 15;

function scaled(raw: number, { scale, offset }: ModbusChannel): Decoded {
  if (!Number.isFinite(raw)) return { value: raw, quality: Quality.NOT_FINITE };
  if (scale === 1 && offset === 0) return { value: raw, quality: Quality.GOOD };
  const value = raw * scale + offset;
  if (!Number.isFinite(value)) return { value, quality: Quality.NOT_FINITE };
  // Whole numbers are exact, and may have more digits.
  const isWhole = Number.isInteger(raw) && Number.isInteger(scale) && Number.isInteger(offset);
  return {
    value: isWhole ? value : Number(value.toPrecision(PRECISION)),
    quality: isWhole && !Number.isSafeInteger(value) ? Quality.PRECISION_LOST : Quality.GOOD,
  };
}

/**
 * The decimal number with the fewest digits that is this float32: 23.71 and not 23.709999084472656, as
 * the device would print it.
 */
export function shortest(float: number): number {
  if (!Number.isFinite(float) || Number.isInteger(float)) return float;
  for (let digits = 6; digits < 9; digits++) {
    const candidate = Number(float.toPrecision(digits));
    if (Math.fround(candidate) === float) return candidate;
  }
  return Number(float.toPrecision(9));
}

function swapWords(raw: Buffer): void {
  for (let low = 0, high = raw.length - 2; low < high; low += 2, high -= 2) {
    const word = raw.readUInt16BE(low);
    raw.writeUInt16BE(raw.readUInt16BE(high), low);
    raw.writeUInt16BE(word, high);
  }
}

/** Up to the first NUL, without trailing spaces; UTF-8, or Latin-1 when it is not. */
function decodeString(raw: Buffer): Decoded {
  const end = raw.indexOf(0);
  const bytes = end === -1 ? raw : raw.subarray(0, end);
  const utf8 = bytes.toString('utf8');
  const text = utf8.includes('\ufffd') ? bytes.toString('latin1') : utf8;
  return convertText(text.trimEnd());
}
