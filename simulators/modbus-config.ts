/** The YAML file of `fms-sim modbus`. */

import type { ScheduledFaultYaml, SignalYaml } from './config.ts';
import {
  loadYaml,
  pathIn,
  scheduleSchema,
  seedSchema,
  signalOf,
  signalProperties,
  truthSchema,
} from './config.ts';
import { SimError } from './errors.ts';
import { checkFault } from './faults.ts';
import type { ModbusTable } from './modbus-server.ts';
import type { RegisterFormat, RegisterType } from './registers.ts';
import { registerTypes, wordCount } from './registers.ts';
import type { Signal } from './signal.ts';

/** A channel's place in the register map. */
export interface RegisterEntry {
  channel: string;
  table: ModbusTable;
  address: number;
  /** Registers (or coils) that it takes. */
  count: number;
  format: RegisterFormat;
  /** Undefined for text. */
  signal: Signal | undefined;
  /** What a string register holds. */
  text: string;
}

export interface ModbusUnit {
  name: string;
  unit: number;
  registers: RegisterEntry[];
  /** Addresses that are refused always. */
  exceptions: { table: ModbusTable; address: number; count: number; code: number }[];
  /** Addresses that no channel has read as 0; otherwise they are refused (exception 2). */
  zeroGaps: boolean;
}

export interface ModbusConfig {
  seed: number | string;
  host: string;
  port: number;
  controlPort: number | undefined;
  truthPath: string | undefined;
  truthMaxBytes: number;
  units: ModbusUnit[];
  schedule: ScheduledFaultYaml[];
}

interface RegisterYaml extends Omit<SignalYaml, 'type'> {
  table?: ModbusTable;
  address: number;
  type?: RegisterType;
  bit?: number;
  length?: number;
  byte_order?: 'big' | 'little';
  word_order?: 'big' | 'little';
  scale?: number;
  offset?: number;
  text?: string;
}

interface ModbusYaml {
  seed?: number | string;
  modbus?: { host?: string; port?: number };
  control?: { port?: number };
  truth?: { path?: string; max_bytes?: number };
  devices: Record<
    string,
    {
      unit: number;
      unmapped?: 'zero' | 'exception';
      registers: Record<string, RegisterYaml>;
      exceptions?: { table?: ModbusTable; address: number; count?: number; code?: number }[];
    }
  >;
  faults?: ScheduledFaultYaml[];
}

const port = { type: 'integer', minimum: 0, maximum: 65_535 };
const table = { enum: ['coil', 'discrete', 'holding', 'input'] };
const order = { enum: ['big', 'little'] };
const { type: _signalType, ...signal } = signalProperties;

const registerSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['address'],
  properties: {
    ...signal,
    table,
    address: port,
    type: { enum: registerTypes },
    bit: { type: 'integer', minimum: 0, maximum: 15 },
    length: { type: 'integer', minimum: 1, maximum: 64 },
    byte_order: order,
    word_order: order,
    scale: { type: 'number', not: { const: 0 } },
    offset: { type: 'number' },
    text: { type: 'string' },
  },
};

const modbusSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['devices'],
  properties: {
    seed: seedSchema,
    modbus: {
      type: 'object',
      additionalProperties: false,
      properties: { host: { type: 'string' }, port },
    },
    control: { type: 'object', additionalProperties: false, properties: { port } },
    truth: truthSchema,
    devices: {
      type: 'object',
      minProperties: 1,
      maxProperties: 247,
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        required: ['unit', 'registers'],
        properties: {
          unit: { type: 'integer', minimum: 0, maximum: 255 },
          unmapped: { enum: ['zero', 'exception'] },
          registers: { type: 'object', additionalProperties: registerSchema },
          exceptions: {
            type: 'array',
            maxItems: 1_000,
            items: {
              type: 'object',
              additionalProperties: false,
              required: ['address'],
              properties: {
                table,
                address: port,
                count: { type: 'integer', minimum: 1, maximum: 65_536 },
                code: { type: 'integer', minimum: 1, maximum: 255 },
              },
            },
          },
        },
      },
    },
    faults: scheduleSchema,
  },
};

/** Throws SimError SIM_FILE_UNREADABLE or SIM_CONFIG_INVALID. */
export function loadModbusConfig(path: string): ModbusConfig {
  const yaml = loadYaml<ModbusYaml>(path, modbusSchema);
  const units = Object.entries(yaml.devices).map(([name, device]) => ({
    name,
    unit: device.unit,
    registers: Object.entries(device.registers).map(([channel, r]) => entryOf(channel, r)),
    exceptions: (device.exceptions ?? []).map((e) => ({
      table: e.table ?? ('holding' as const),
      address: e.address,
      count: e.count ?? 1,
      code: e.code ?? 2,
    })),
    zeroGaps: device.unmapped === 'zero',
  }));
  const mistakes = units.flatMap((unit) => overlapsOf(unit).map((m) => `${path}: ${m}`));
  const numbers = units.map((unit) => unit.unit);
  if (new Set(numbers).size !== numbers.length)
    mistakes.push(`${path}: two devices have the same unit`);
  const names = new Map(units.map((u) => [u.name, new Set(u.registers.map((r) => r.channel))]));
  for (const [index, fault] of (yaml.faults ?? []).entries()) {
    const mistake = checkFault('modbus', { ...fault, on: true }, names);
    if (mistake !== undefined) mistakes.push(`${path}: faults, entry ${index + 1}: ${mistake}`);
  }
  if (mistakes.length > 0) throw new SimError('SIM_CONFIG_INVALID', mistakes.join('\n'));
  return {
    seed: yaml.seed ?? 1,
    host: yaml.modbus?.host ?? '127.0.0.1',
    port: yaml.modbus?.port ?? 1502,
    controlPort: yaml.control?.port,
    truthPath: pathIn(path, yaml.truth?.path),
    truthMaxBytes: yaml.truth?.max_bytes ?? 0,
    units,
    schedule: yaml.faults ?? [],
  };
}

function entryOf(channel: string, yaml: RegisterYaml): RegisterEntry {
  const where = yaml.table ?? 'holding';
  const isBit = where === 'coil' || where === 'discrete';
  const format: RegisterFormat = {
    type: isBit ? 'bool' : (yaml.type ?? 'uint16'),
    bit: isBit ? 0 : (yaml.bit ?? 0),
    length: yaml.length ?? 8,
    byteOrder: yaml.byte_order ?? 'big',
    wordOrder: yaml.word_order ?? 'big',
    scale: yaml.scale ?? 1,
    offset: yaml.offset ?? 0,
  };
  const { type } = format;
  const kind = type === 'bool' ? 'boolean' : 'number';
  return {
    channel,
    table: where,
    address: yaml.address,
    count: wordCount(format),
    format,
    signal: type === 'string' ? undefined : signalOf({ ...yaml, type: kind }),
    text: yaml.text ?? '',
  };
}

/** Channels that claim the same register; bools with different bits may share one. */
function overlapsOf(unit: ModbusUnit): string[] {
  const taken = new Map<string, string>();
  const mistakes: string[] = [];
  for (const entry of unit.registers) {
    const bit = entry.format.type === 'bool' ? entry.format.bit : -1;
    for (let i = 0; i < entry.count; i++) {
      const place = `${entry.table} ${entry.address + i}`;
      const keys =
        bit < 0 ? Array.from({ length: 16 }, (_, b) => `${place}.${b}`) : [`${place}.${bit}`];
      const other = keys.map((key) => taken.get(key)).find((name) => name !== undefined);
      if (other !== undefined && other !== entry.channel)
        mistakes.push(`device ${unit.name}: '${entry.channel}' and '${other}' share ${place}`);
      for (const key of keys) taken.set(key, entry.channel);
    }
  }
  return [...new Set(mistakes)];
}
