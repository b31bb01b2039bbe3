/** Reads a simulator's YAML file, checks it whole and fills in defaults. */

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ErrorObject } from 'ajv';
import { Ajv } from 'ajv';
import type { Document } from 'yaml';
import { LineCounter, parseDocument } from 'yaml';
import { SimError } from './errors.ts';
import type { FaultSwitch } from './faults.ts';
import { checkFault, faultSchema } from './faults.ts';
import type { BooleanSignal, NumberSignal, Signal } from './signal.ts';

/** What YAML says of a channel; absent keys take the defaults of `signalOf`. */
export interface SignalYaml {
  type?: 'number' | 'boolean';
  mean?: number;
  stddev?: number;
  min?: number;
  max?: number;
  decimals?: number;
  autocorrelation?: number;
  outlier_probability?: number;
  outlier_sigmas?: number;
  minus_one_probability?: number;
  probability?: number;
}

/** A fault of the schedule: on at `at_s` after the start, for `for_s` (for ever when absent), again every `every_s`. */
export interface ScheduledFaultYaml extends Omit<FaultSwitch, 'on'> {
  at_s: number;
  for_s?: number;
  every_s?: number;
}

export interface DevicesYaml {
  seed?: number | string;
  http?: { host?: string; port?: number };
  truth?: { path?: string; max_bytes?: number };
  channels?: Record<string, SignalYaml>;
  devices: Record<string, { channels?: Record<string, SignalYaml | null> } | null>;
  faults?: ScheduledFaultYaml[];
}

export interface DevicesConfig {
  seed: number | string;
  host: string;
  port: number;
  truthPath: string | undefined;
  truthMaxBytes: number;
  /** In the order of the answer's fields. */
  devices: { name: string; channels: Map<string, Signal> }[];
  schedule: ScheduledFaultYaml[];
}

const probability = { type: 'number', minimum: 0, maximum: 1 };

/** JSON Schema of one channel's signal; the Modbus simulator extends it. */
export const signalProperties = {
  type: { enum: ['number', 'boolean'] },
  mean: { type: 'number' },
  stddev: { type: 'number', minimum: 0 },
  min: { type: 'number' },
  max: { type: 'number' },
  decimals: { type: 'integer', minimum: 0, maximum: 9 },
  autocorrelation: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
  outlier_probability: probability,
  outlier_sigmas: { type: 'number', minimum: 0 },
  minus_one_probability: probability,
  probability,
};

export const scheduleSchema = {
  type: 'array',
  maxItems: 10_000,
  items: faultSchema({
    at_s: { type: 'number', minimum: 0 },
    for_s: { type: 'number', exclusiveMinimum: 0 },
    every_s: { type: 'number', exclusiveMinimum: 0 },
  }),
};

export const truthSchema = {
  type: 'object',
  additionalProperties: false,
  properties: { path: { type: 'string' }, max_bytes: { type: 'integer', minimum: 0 } },
};

export const seedSchema = { type: ['integer', 'string'] };

const name = { type: 'string', pattern: '^[\\p{L}\\p{N}][\\p{L}\\p{N}._-]*$', maxLength: 128 };

const devicesSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['devices'],
  properties: {
    seed: seedSchema,
    http: {
      type: 'object',
      additionalProperties: false,
      properties: {
        host: { type: 'string' },
        port: { type: 'integer', minimum: 0, maximum: 65_535 },
      },
    },
    truth: truthSchema,
    channels: {
      type: 'object',
      propertyNames: name,
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: signalProperties,
      },
    },
    devices: {
      type: 'object',
      minProperties: 1,
      maxProperties: 10_000,
      propertyNames: name,
      additionalProperties: {
        type: ['object', 'null'],
        additionalProperties: false,
        properties: {
          channels: {
            type: 'object',
            propertyNames: name,
            additionalProperties: {
              type: ['object', 'null'],
              additionalProperties: false,
              properties: signalProperties,
            },
          },
        },
      },
    },
    faults: scheduleSchema,
  },
};

/** Throws SimError SIM_FILE_UNREADABLE or SIM_CONFIG_INVALID (every mistake with its line). */
export function loadDevicesConfig(path: string): DevicesConfig {
  const yaml = loadYaml<DevicesYaml>(path, devicesSchema);
  const shared = yaml.channels ?? {};
  const devices = Object.entries(yaml.devices).map(([deviceName, device]) => {
    const channels = new Map<string, Signal>();
    const own = device?.channels ?? {};
    for (const channel of new Set([...Object.keys(shared), ...Object.keys(own)])) {
      if (own[channel] === null) continue;
      channels.set(channel, signalOf({ ...shared[channel], ...own[channel] }));
    }
    return { name: deviceName, channels };
  });
  const byName = new Map(devices.map((d) => [d.name, new Set(d.channels.keys())]));
  const mistakes: string[] = [];
  for (const [index, fault] of (yaml.faults ?? []).entries()) {
    const mistake = checkFault('devices', { ...fault, on: true }, byName);
    if (mistake !== undefined) mistakes.push(`${path}: faults, entry ${index + 1}: ${mistake}`);
  }
  if (mistakes.length > 0) throw new SimError('SIM_CONFIG_INVALID', mistakes.join('\n'));
  return {
    seed: yaml.seed ?? 1,
    host: yaml.http?.host ?? '127.0.0.1',
    port: yaml.http?.port ?? 9872,
    truthPath: pathIn(path, yaml.truth?.path),
    truthMaxBytes: yaml.truth?.max_bytes ?? 0,
    devices,
    schedule: yaml.faults ?? [],
  };
}

export function signalOf(yaml: SignalYaml): Signal {
  if (yaml.type === 'boolean') {
    const signal: BooleanSignal = {
      type: 'boolean',
      probability: yaml.probability ?? 0.01,
      autocorrelation: yaml.autocorrelation ?? 0.9,
    };
    return signal;
  }
  const signal: NumberSignal = {
    type: 'number',
    mean: yaml.mean ?? 50,
    stddev: yaml.stddev ?? 5,
    min: yaml.min ?? Number.NEGATIVE_INFINITY,
    max: yaml.max ?? Number.POSITIVE_INFINITY,
    decimals: yaml.decimals ?? 2,
    autocorrelation: yaml.autocorrelation ?? 0.95,
    outlierProbability: yaml.outlier_probability ?? 0,
    outlierSigmas: yaml.outlier_sigmas ?? 8,
    minusOneProbability: yaml.minus_one_probability ?? 0,
  };
  return signal;
}

/** Parses and validates; the value has the schema's shape when this returns. */
export function loadYaml<T>(path: string, schema: object): T {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SimError('SIM_FILE_UNREADABLE', `${path}: ${messageOf(error)}`, { cause: error });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const mistakes = document.errors.map(
    (error) => `${path}:${error.linePos?.[0].line ?? 1}: ${error.message.split('\n', 1)[0]}`,
  );
  const value: unknown = mistakes.length === 0 ? document.toJS() : undefined;
  if (mistakes.length === 0) {
    const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
    if (!validate(value)) {
      for (const error of validate.errors ?? [])
        mistakes.push(`${path}:${lineOf(document, lines, error)}: ${describe(error)}`);
    }
  }
  if (mistakes.length > 0) throw new SimError('SIM_CONFIG_INVALID', mistakes.join('\n'));
  return value as T;
}

/** The line of the nearest node that exists (a missing key: its parent's line). */
function lineOf(document: Document, lines: LineCounter, error: ErrorObject): number {
  const steps = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  const extra: unknown = error.params.additionalProperty;
  if (typeof extra === 'string') steps.push(extra);
  for (let length = steps.length; length > 0; length--) {
    const node = document.getIn(steps.slice(0, length), true);
    const range = (node as { range?: [number, number, number] } | undefined)?.range;
    if (range !== undefined) return lines.linePos(range[0]).line;
  }
  return 1;
}

function describe(error: ErrorObject): string {
  const where = error.instancePath.slice(1).replaceAll('/', '.') || 'the file';
  const extra: unknown = error.params.additionalProperty;
  if (typeof extra === 'string') return `${where}: unknown key '${extra}'`;
  const allowed: unknown = error.params.allowedValues;
  const list = Array.isArray(allowed) ? `: ${allowed.join(', ')}` : '';
  return `${where} ${error.message ?? 'is wrong'}${list}`;
}

/** Relative paths in a file start at its folder. */
export function pathIn(file: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(dirname(file), path);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
