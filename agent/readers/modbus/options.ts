/** From the YAML block to what the modbus reader works with. */

import type { Speaker } from '../../words/say.ts';
import { english } from '../../words/say.ts';
import type { ReaderSpec, SpecIssue } from '../spec.ts';

export type FunctionCode = 1 | 2 | 3 | 4;
export type ModbusType =
  | 'bool'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float32'
  | 'float64'
  | 'string';

export interface ModbusChannel {
  name: string;
  function: FunctionCode;
  address: number;
  /** Registers, or bits of functions 1 and 2. */
  count: number;
  type: ModbusType;
  /** Of a register; undefined: any. */
  bit: number | undefined;
  swapBytes: boolean;
  swapWords: boolean;
  scale: number;
  offset: number;
}

export interface ModbusOptions {
  host: string;
  port: number;
  unit: number;
  requestTimeoutMs: number;
  maxRegisters: number;
  maxBits: number;
  /** In registers and in bits. */
  maxGap: number;
  maxGapBits: number;
  channels: readonly ModbusChannel[];
}

/** The schema has checked the types; this only names them. */
interface Yaml {
  host: string;
  port?: number;
  unit?: number;
  request_timeout_ms?: number;
  max_registers?: number;
  max_bits?: number;
  max_gap?: number;
}

interface ChannelYaml {
  function?: FunctionCode;
  address: number;
  type?: ModbusType;
  bit?: number;
  length?: number;
  byte_order?: 'big' | 'little';
  word_order?: 'big' | 'little';
  scale?: number;
  offset?: number;
}

const REGISTERS: Readonly<Record<Exclude<ModbusType, 'string'>, number>> = {
  bool: 1,
  int16: 1,
  uint16: 1,
  int32: 2,
  uint32: 2,
  float32: 2,
  int64: 4,
  uint64: 4,
  float64: 4,
};

export function isBits(code: FunctionCode): boolean {
  return code === 1 || code === 2;
}

export function readOptions(spec: ReaderSpec): ModbusOptions {
  const yaml = spec.options as unknown as Yaml;
  const maxGap = yaml.max_gap ?? 8;
  return {
    host: yaml.host,
    port: yaml.port ?? 502,
    unit: yaml.unit ?? 1,
    requestTimeoutMs: Math.min(yaml.request_timeout_ms ?? spec.timeoutMs, spec.timeoutMs),
    maxRegisters: yaml.max_registers ?? 125,
    maxBits: yaml.max_bits ?? 2_000,
    maxGap,
    maxGapBits: maxGap * 16,
    channels: Object.entries(spec.channels).map(([name, entry]) =>
      readChannel(name, entry as unknown as ChannelYaml),
    ),
  };
}

function readChannel(name: string, yaml: ChannelYaml): ModbusChannel {
  const { function: code = 3, address, length = 1 } = yaml;
  const type = yaml.type ?? (isBits(code) ? 'bool' : 'uint16');
  return {
    name,
    function: code,
    address,
    count: type === 'string' ? length : REGISTERS[type],
    type,
    bit: yaml.bit,
    swapBytes: yaml.byte_order === 'little',
    swapWords: yaml.word_order === 'little',
    scale: yaml.scale ?? 1,
    offset: yaml.offset ?? 0,
  };
}

export function checkOptions(spec: ReaderSpec, speaker: Speaker = english): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const { maxRegisters } = readOptions(spec);
  for (const [name, entry] of Object.entries(spec.channels)) {
    const yaml = entry as unknown as ChannelYaml;
    const channel = readChannel(name, yaml);
    for (const { key, message } of checkChannel(yaml, channel, maxRegisters, speaker)) {
      issues.push({ path: ['channels', name, key], message });
    }
  }
  return issues;
}

interface ChannelIssue {
  key: keyof ChannelYaml;
  message: string;
}

function checkChannel(
  yaml: ChannelYaml,
  channel: ModbusChannel,
  max: number,
  { say }: Speaker,
): ChannelIssue[] {
  const issues: ChannelIssue[] = [];
  const { type, count, address } = channel;
  const isNumber = type !== 'bool' && type !== 'string';
  const add = (key: keyof ChannelYaml, message: string): void => {
    issues.push({ key, message });
  };
  if (isBits(channel.function) && type !== 'bool') {
    add(
      'type',
      say('function {code} gives bits: the type must be bool', { code: channel.function }),
    );
  }
  if (yaml.bit !== undefined && (type !== 'bool' || isBits(channel.function))) {
    add('bit', say('is for type bool of functions 3 and 4'));
  }
  if (type === 'string' && yaml.length === undefined) add('length', say('a string needs a length'));
  if (type !== 'string' && yaml.length !== undefined) add('length', say('is for type string'));
  if (yaml.scale === 0) add('scale', say('must not be 0'));
  const notForType = say('is not for type {type}', { type });
  if (!isNumber && yaml.scale !== undefined) add('scale', notForType);
  if (!isNumber && yaml.offset !== undefined) add('offset', notForType);
  if (yaml.word_order !== undefined && (!isNumber || count === 1)) {
    add('word_order', say('is for numbers of several registers, not for {type}', { type }));
  }
  if (isBits(channel.function) && yaml.byte_order !== undefined) {
    add('byte_order', say('is not for functions 1 and 2'));
  }
  if (address + count > 65_536) add('address', say('reaches beyond register 65535'));
  if (!isBits(channel.function) && count > max) {
    add('type', say('takes {count} registers, more than max_registers', { count }));
  }
  return issues;
}
