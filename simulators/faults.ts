/**
 * Faults that simulators make on purpose: what there is, which are on, and which of them strike a given
 * request. Switched by the schedule in YAML, by `--fault`, and at run time (control.ts).
 */

import { Ajv } from 'ajv';
import type { Random } from './random.ts';

interface FaultKind {
  /** Whether it strikes a channel: 'must' be named, 'may' be (otherwise one is drawn), or 'no'. */
  channel: 'must' | 'may' | 'no';
  /** Also the fields `time` and `DeviceId` can be named. */
  fields?: boolean;
  variants?: readonly string[];
  /** Which simulators can make it. */
  of: readonly SimulatorKind[];
}

export type SimulatorKind = 'devices' | 'modbus';

export const garbageVariants = [
  'random_bytes',
  'truncated',
  'html',
  'huge',
  'empty',
  'deep',
  'array',
  'scalar',
  'nan',
  'invalid_utf8',
  'long_length',
  'short_length',
  'stall',
] as const;
export type GarbageVariant = (typeof garbageVariants)[number];

export const wrongTypeVariants = [
  'text',
  'number_text',
  'boolean',
  'number',
  'array',
  'object',
  'huge_number',
  'empty_text',
] as const;
export type WrongTypeVariant = (typeof wrongTypeVariants)[number];

export const modbusGarbageVariants = ['random_bytes', 'truncated', 'wrong_transaction'] as const;
export type ModbusGarbageVariant = (typeof modbusGarbageVariants)[number];

const both = ['devices', 'modbus'] as const;
const http = ['devices'] as const;

/** Every fault. What each does is written in simulators/devices.yaml. */
export const faultKinds = {
  spike: { channel: 'may', of: both },
  drift: { channel: 'must', of: both },
  stuck: { channel: 'must', of: both },
  minus_one: { channel: 'may', of: http },
  isFail: { channel: 'no', of: http },
  wrong_type: { channel: 'may', variants: wrongTypeVariants, of: http },
  missing_field: { channel: 'may', fields: true, of: http },
  null: { channel: 'may', fields: true, of: http },
  wrong_device: { channel: 'no', of: http },
  time_future: { channel: 'no', of: http },
  time_past: { channel: 'no', of: http },
  time_jump: { channel: 'no', of: http },
  time_stuck: { channel: 'no', of: http },
  time_missing: { channel: 'no', of: http },
  time_naive: { channel: 'no', of: http },
  time_garbage: { channel: 'no', of: http },
  slow: { channel: 'no', of: both },
  dropout: { channel: 'no', of: both },
  '429': { channel: 'no', variants: ['seconds', 'date'], of: http },
  '500': { channel: 'no', of: http },
  exception: { channel: 'may', of: ['modbus'] },
  garbage: { channel: 'no', variants: [...garbageVariants, 'wrong_transaction'], of: both },
} as const satisfies Record<string, FaultKind>;

export type FaultName = keyof typeof faultKinds;

/** An order to switch a fault, as it comes from YAML, the command line or HTTP. */
export interface FaultSwitch {
  /** A device's name, or `*` for all. */
  device: string;
  fault: string;
  channel?: string;
  on: boolean;
  /** Share of requests that it strikes; 1 when absent. */
  probability?: number;
  /** Goes off by itself after so many strikes. */
  count?: number;
  variant?: string;
  /** slow: how long the answer is held back (3000). */
  delay_ms?: number;
  /** time_future, time_past, time_jump: how far; 429: how long to wait. */
  offset_ms?: number;
  /** spike: distance from the mean in standard deviations (12); drift: per sample (0.1). */
  sigmas?: number;
  /** time_naive: the device's zone, minutes east of UTC (540, Korea). */
  zone_minutes?: number;
  /** garbage huge: size of the answer (16 MiB). */
  bytes?: number;
  /** exception: the Modbus exception code (4, device failure). */
  code?: number;
}

/** JSON Schema of a switch, `on` left out; `extra` adds properties, all of them optional but at_s. */
export function faultSchema(extra: Record<string, object>): object {
  return {
    type: 'object',
    additionalProperties: false,
    required: ['device', 'fault', ...('at_s' in extra ? ['at_s'] : [])],
    properties: {
      device: { type: 'string' },
      fault: { type: ['string', 'integer', 'null'] },
      channel: { type: 'string' },
      probability: { type: 'number', minimum: 0, maximum: 1 },
      count: { type: 'integer', minimum: 1 },
      variant: { type: 'string' },
      delay_ms: { type: 'number', minimum: 0, maximum: 3_600_000 },
      offset_ms: { type: 'number' },
      sigmas: { type: 'number' },
      zone_minutes: { type: 'number', minimum: -1_440, maximum: 1_440 },
      bytes: { type: 'integer', minimum: 1, maximum: 1_073_741_824 },
      code: { type: 'integer', minimum: 1, maximum: 255 },
      ...extra,
    },
  };
}

/** YAML reads `429` as a number and `null` as nothing. */
export function faultNameOf(fault: unknown): string {
  return fault === null ? 'null' : String(fault);
}

/** What is wrong with a switch, or undefined. `devices`: names and their channels. */
export function checkFault(
  simulator: SimulatorKind,
  order: FaultSwitch,
  devices: ReadonlyMap<string, ReadonlySet<string>>,
): string | undefined {
  const name = faultNameOf(order.fault);
  const kind = kindOf(name);
  if (kind === undefined || !kind.of.includes(simulator)) {
    const known = Object.entries(faultKinds).filter(([, k]) => isOf(k, simulator));
    return `unknown fault '${name}' (known: ${known.map(([n]) => n).join(', ')})`;
  }
  if (order.device !== '*' && !devices.has(order.device)) {
    return `unknown device '${order.device}' (known: *, ${[...devices.keys()].join(', ')})`;
  }
  const mistake = checkChannel(kind, name, order, devices);
  if (mistake !== undefined) return mistake;
  if (order.variant === undefined) return undefined;
  const variants = variantsOf(simulator, name);
  if (variants.includes(order.variant)) return undefined;
  return `fault '${name}' has no variant '${order.variant}' (known: ${variants.join(', ') || 'none'})`;
}

function checkChannel(
  kind: FaultKind,
  name: string,
  order: FaultSwitch,
  devices: ReadonlyMap<string, ReadonlySet<string>>,
): string | undefined {
  if (order.channel === undefined) {
    return kind.channel === 'must' ? `fault '${name}' needs a channel` : undefined;
  }
  if (kind.channel === 'no') return `fault '${name}' takes no channel`;
  if (kind.fields === true && (order.channel === 'time' || order.channel === 'DeviceId')) return;
  const channel = order.channel;
  const isKnown = [...devices].some(
    ([device, channels]) =>
      (order.device === '*' || order.device === device) && channels.has(channel),
  );
  return isKnown ? undefined : `unknown channel '${channel}' of device '${order.device}'`;
}

export function variantsOf(simulator: SimulatorKind, name: string): readonly string[] {
  if (name === 'garbage') return simulator === 'modbus' ? modbusGarbageVariants : garbageVariants;
  return kindOf(name)?.variants ?? [];
}

function kindOf(name: string): FaultKind | undefined {
  return Object.hasOwn(faultKinds, name) ? faultKinds[name as FaultName] : undefined;
}

function isOf(kind: FaultKind, simulator: SimulatorKind): boolean {
  return kind.of.includes(simulator);
}

type KnownSwitch = FaultSwitch & { fault: FaultName };

interface ActiveFault {
  order: KnownSwitch;
  /** Strikes by device. */
  strikes: Map<string, number>;
  total: number;
}

/** A fault that strikes a request. */
export interface Strike {
  order: KnownSwitch;
  /** How often it has struck this device since it was switched on, this one included (drift grows by it). */
  strikes: number;
}

/** A switch that happened, for the truth file. */
export interface FaultChange {
  device: string;
  fault: string;
  channel: string | undefined;
  on: boolean;
}

interface Scheduled {
  order: KnownSwitch;
  atMs: number;
  forMs: number;
  everyMs: number;
  isOn: boolean;
}

/** Which faults are on. One entry a (device, fault, channel): bounded by what exists. */
export class FaultBoard {
  readonly #simulator: SimulatorKind;
  readonly #devices: ReadonlyMap<string, ReadonlySet<string>>;
  readonly #random: Random;
  readonly #startMs: number;
  readonly #onChange: (change: FaultChange) => void;
  readonly #active = new Map<string, ActiveFault>();
  readonly #schedule: Scheduled[];

  /** `onChange` is called at each switch, before it has an effect. */
  constructor(options: {
    simulator: SimulatorKind;
    devices: ReadonlyMap<string, ReadonlySet<string>>;
    random: Random;
    startMs: number;
    schedule: readonly (Omit<FaultSwitch, 'on'> & {
      at_s: number;
      for_s?: number;
      every_s?: number;
    })[];
    onChange: (change: FaultChange) => void;
  }) {
    this.#simulator = options.simulator;
    this.#devices = options.devices;
    this.#random = options.random;
    this.#startMs = options.startMs;
    this.#onChange = options.onChange;
    this.#schedule = options.schedule.map(({ at_s, for_s, every_s, ...order }) => ({
      order: { ...order, on: true, fault: faultNameOf(order.fault) as FaultName },
      atMs: at_s * 1_000,
      forMs: (for_s ?? Number.POSITIVE_INFINITY) * 1_000,
      everyMs: (every_s ?? 0) * 1_000,
      isOn: false,
    }));
  }

  /** Switches; returns what is wrong with the order, or undefined when it was done. */
  set(order: FaultSwitch): string | undefined {
    const mistake = checkFault(this.#simulator, order, this.#devices);
    if (mistake !== undefined) return mistake;
    const fault = faultNameOf(order.fault) as FaultName;
    this.#switch({ ...order, fault });
    return undefined;
  }

  #switch(order: KnownSwitch): void {
    const key = `${order.device}|${order.fault}|${order.channel ?? ''}`;
    const { device, fault, channel, on } = order;
    if (!on && !this.#active.has(key)) return;
    this.#onChange({ device, fault, channel, on });
    if (on) this.#active.set(key, { order, strikes: new Map(), total: 0 });
    else this.#active.delete(key);
  }

  /** Faults that strike this request of the device, in the order of being switched on. */
  strike(device: string, nowMs: number): Strike[] {
    this.#follow(nowMs - this.#startMs);
    const struck: Strike[] = [];
    for (const fault of [...this.#active.values()]) {
      const { order } = fault;
      if (order.device !== '*' && order.device !== device) continue;
      if (!this.#isForDevice(order, device)) continue;
      if (order.probability !== undefined && this.#random.next() >= order.probability) continue;
      const strikes = (fault.strikes.get(device) ?? 0) + 1;
      fault.strikes.set(device, strikes);
      fault.total++;
      struck.push({ order, strikes });
      if (order.count !== undefined && fault.total >= order.count)
        this.#switch({ ...order, on: false });
    }
    return struck;
  }

  #isForDevice(order: FaultSwitch, device: string): boolean {
    const { channel } = order;
    if (channel === undefined || channel === 'time' || channel === 'DeviceId') return true;
    return this.#devices.get(device)?.has(channel) ?? false;
  }

  #follow(elapsedMs: number): void {
    for (const entry of this.#schedule) {
      const since = elapsedMs - entry.atMs;
      const within = entry.everyMs > 0 && since >= 0 ? since % entry.everyMs : since;
      const isOn = within >= 0 && within < entry.forMs;
      if (isOn === entry.isOn) continue;
      entry.isOn = isOn;
      this.#switch({ ...entry.order, on: isOn });
    }
  }

  list(): FaultSwitch[] {
    return [...this.#active.values()].map((fault) => fault.order);
  }
}

const isOrder = new Ajv({ allErrors: true, allowUnionTypes: true }).compile<
  Omit<FaultSwitch, 'on'> & { on?: boolean }
>(faultSchema({ on: { type: 'boolean' } }));

/** A switch from outside; `on` is true when left out. Throws a RangeError that says what is wrong. */
export function orderOf(value: unknown): FaultSwitch {
  if (isOrder(value)) return { ...value, on: value.on ?? true };
  const mistakes = (isOrder.errors ?? []).map((error) => {
    const extra: unknown = error.params.additionalProperty;
    const what = typeof extra === 'string' ? `: '${extra}'` : '';
    return `${error.instancePath.slice(1) || 'the order'} ${error.message ?? 'is wrong'}${what}`;
  });
  throw new RangeError(mistakes.join('; '));
}

/** `DEVICE:FAULT[:CHANNEL][,key=value…]` of the command line. Throws a RangeError that says what is wrong. */
export function parseFaultOption(text: string): FaultSwitch {
  const [head = '', ...settings] = text.split(',');
  const [device, fault, channel, ...more] = head.split(':');
  if (device === undefined || fault === undefined || fault === '' || more.length > 0) {
    throw new RangeError(`'${text}' is not DEVICE:FAULT[:CHANNEL][,key=value…]`);
  }
  const order: Record<string, unknown> = { device, fault, on: true };
  if (channel !== undefined) order.channel = channel;
  for (const setting of settings) {
    const [key = '', value] = setting.split('=');
    const isNumber = value !== undefined && value !== '' && Number.isFinite(Number(value));
    if (value === undefined) throw new RangeError(`'${setting}' of '${text}' is not key=value`);
    if (key !== 'variant' && !isNumber)
      throw new RangeError(`'${setting}' of '${text}' is not a number`);
    order[key] = key === 'variant' ? value : Number(value);
  }
  return orderOf(order);
}
