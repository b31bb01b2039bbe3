/** A channel's value as Modbus registers: types, byte and word order, scale. */

export const registerTypes = [
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'bool',
  'string',
] as const;
export type RegisterType = (typeof registerTypes)[number];

export interface RegisterFormat {
  type: RegisterType;
  /** bool in a register: the bit, 0 = least significant. */
  bit: number;
  /** string: registers. */
  length: number;
  /** Within a register; big is Modbus's own. */
  byteOrder: 'big' | 'little';
  /** Of the registers of one value: big = most significant first. */
  wordOrder: 'big' | 'little';
  /** What is measured is raw × scale + offset. */
  scale: number;
  offset: number;
}

const WORDS: Record<RegisterType, number> = {
  int16: 1,
  uint16: 1,
  int32: 2,
  uint32: 2,
  int64: 4,
  uint64: 4,
  float32: 2,
  float64: 4,
  bool: 1,
  string: 0,
};

export function wordCount(format: RegisterFormat): number {
  return format.type === 'string' ? format.length : WORDS[format.type];
}

const INTEGER_BOUNDS: Partial<Record<RegisterType, [number, number]>> = {
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-2_147_483_648, 2_147_483_647],
  uint32: [0, 4_294_967_295],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  uint64: [0, Number.MAX_SAFE_INTEGER],
};

/** The registers, and the value that a client reads from them (rounded to what the type can hold). */
export function encodeRegisters(
  value: number | boolean | string,
  format: RegisterFormat,
): { words: number[]; value: number | boolean | string } {
  if (format.type === 'bool') {
    const isOn = value === true || value === 1;
    return { words: [isOn ? 1 << format.bit : 0], value: isOn };
  }
  if (format.type === 'string') {
    const text = String(value);
    const bytes = Buffer.alloc(format.length * 2);
    bytes.write(text, 'utf8');
    return { words: wordsOf(bytes, format), value: text };
  }
  const raw = rawOf(Number(value), format);
  const bytes = Buffer.alloc(WORDS[format.type] * 2);
  const write: Record<Exclude<RegisterType, 'bool' | 'string'>, () => void> = {
    int16: () => bytes.writeInt16BE(raw),
    uint16: () => bytes.writeUInt16BE(raw),
    int32: () => bytes.writeInt32BE(raw),
    uint32: () => bytes.writeUInt32BE(raw),
    int64: () => bytes.writeBigInt64BE(BigInt(raw)),
    uint64: () => bytes.writeBigUInt64BE(BigInt(raw)),
    float32: () => bytes.writeFloatBE(raw),
    float64: () => bytes.writeDoubleBE(raw),
  };
  write[format.type]();
  return { words: wordsOf(bytes, format), value: readBack(raw, format) };
}

/** What the registers stand for in decimals, without the digits that binary fractions add. */
function readBack(raw: number, format: RegisterFormat): number {
  const held = format.type === 'float32' ? shortest(raw) : raw;
  if (format.scale === 1 && format.offset === 0) return held;
  const value = held * format.scale + format.offset;
  return Number.isInteger(value) ? value : Number(value.toPrecision(15));
}

/** The shortest decimal number that a float32 stands for: 7.07 and not 7.070000171661377. */
function shortest(raw: number): number {
  const candidates = [6, 7, 8].map((digits) => Number(raw.toPrecision(digits)));
  const found = candidates.find((candidate) => Math.fround(candidate) === raw);
  return found ?? Number(raw.toPrecision(9));
}

function rawOf(value: number, format: RegisterFormat): number {
  // Plus zero: -0 would be written with a sign that no reader tells.
  const raw = (value - format.offset) / format.scale + 0;
  if (format.type === 'float32') return Math.fround(raw) + 0;
  const bounds = INTEGER_BOUNDS[format.type];
  if (bounds === undefined) return raw;
  return Math.min(bounds[1], Math.max(bounds[0], Math.round(raw) + 0));
}

function wordsOf(bytes: Buffer, format: RegisterFormat): number[] {
  const words: number[] = [];
  for (let at = 0; at < bytes.length; at += 2) {
    words.push(format.byteOrder === 'big' ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at));
  }
  // The order of words is a number's affair; text runs on.
  return format.wordOrder === 'big' || format.type === 'string' ? words : words.reverse();
}
