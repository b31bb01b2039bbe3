/**
 * What the rules remember of each channel of a gateway: numbers in one slab, so that a copy of it is the
 * state. Bounded: at CHANNELS_MAX the channel unseen longest makes room.
 *
 * Encoded (little-endian): format (uint8), 3 zeros, channels, windows, bytes of names (uint32); then
 * fields (float64), windows (float64), slots from the one unseen longest to the latest (uint32), names
 * (JSON: device, channel, device, channel, …, by slot).
 */

import { CHANNELS_MAX, WINDOW_VALUES } from './limits.ts';

/** Places in a channel's fields. Times: NaN when there was none. */
export const Field = {
  /** Epoch order and seq of the newest reading that arrived. */
  ORDER: 0,
  SEQ: 1,
  /** Time of that reading, and the highest time that the rules learnt from. */
  PREVIOUS_MS: 2,
  NEWEST_MS: 3,
  /** Readings in a row behind NEWEST_MS. */
  BEHIND: 4,
  /** A ValueType; 0: there was no value yet. */
  TYPE: 5,
  TYPE_TOLD_MS: 6,
  /** Last good value. */
  GOOD: 7,
  GOOD_MS: 8,
  /** What the rate of change is measured from. */
  RATE: 9,
  RATE_MS: 10,
  /** The run of equal values. */
  RUN: 11,
  RUN_SINCE_MS: 12,
  RUN_LAST_MS: 13,
  /** Last usable value, for rules over several channels, and its ValueType. */
  JOIN: 14,
  JOIN_MS: 15,
  JOIN_TYPE: 16,
  /** Index of its window, -1: none; values in it; where the next one goes. */
  WINDOW: 17,
  WINDOW_COUNT: 18,
  WINDOW_NEXT: 19,
} as const;
export const FIELDS = 20;

export const ValueType = { NUMBER: 1, BOOLEAN: 2, TEXT: 3 } as const;
export type ValueType = (typeof ValueType)[keyof typeof ValueType];

const FORMAT = 1;
const HEADER_BYTES = 16;
const NONE = -1;
const FIRST_SLOTS = 8;

/** A device and the slots of its channels. */
export interface DeviceSlots {
  readonly name: string;
  readonly channels: Map<string, number>;
}

export class ChannelStates {
  /** Channel by channel FIELDS numbers. Another array after slotOf() or windowOf(). */
  fields = new Float64Array(FIRST_SLOTS * FIELDS);
  /** Window by window WINDOW_VALUES numbers: rings in the order of arrival, and the same ascending. */
  windows = new Float64Array();
  sorted = new Float64Array();
  #windowCount = 0;
  readonly #devices = new Map<string, DeviceSlots>();
  readonly #owners: DeviceSlots[] = [];
  readonly #names: string[] = [];
  /** Neighbours in the order of when a channel was last seen. */
  #older = new Int32Array(FIRST_SLOTS);
  #newer = new Int32Array(FIRST_SLOTS);
  #oldest = NONE;
  #newest = NONE;
  /** Encoded names; undefined after a change of them. */
  #encodedNames: Uint8Array | undefined;
  readonly #channelsMax: number;

  constructor(channelsMax = CHANNELS_MAX) {
    this.#channelsMax = channelsMax;
  }

  /** Channels. */
  get size(): number {
    return this.#names.length;
  }

  device(name: string): DeviceSlots {
    let device = this.#devices.get(name);
    if (device === undefined) {
      device = { name, channels: new Map() };
      this.#devices.set(name, device);
    }
    return device;
  }

  /** The channel's slot, which now is the latest. `onNew` is told when the slot is another channel's from now on. */
  slotOf(device: DeviceSlots, channel: string, onNew: (slot: number) => void): number {
    let slot = device.channels.get(channel);
    if (slot === undefined) {
      slot = this.#names.length < this.#channelsMax ? this.#addSlot() : this.#freeOldest();
      // Its last channel may have been the one that made room.
      this.#devices.set(device.name, device);
      this.#owners[slot] = device;
      this.#names[slot] = channel;
      device.channels.set(channel, slot);
      this.#encodedNames = undefined;
      this.#reset(slot);
      this.#link(slot);
      onNew(slot);
    } else if (slot !== this.#newest) {
      this.#unlink(slot);
      this.#link(slot);
    }
    return slot;
  }

  /** Index of the channel's window in `windows` and `sorted`, made if there is none. */
  windowOf(slot: number): number {
    const at = slot * FIELDS + Field.WINDOW;
    let window = this.fields[at]!;
    if (window === NONE) {
      window = this.#windowCount++;
      this.fields[at] = window;
      const needed = this.#windowCount * WINDOW_VALUES;
      if (needed > this.windows.length) {
        this.windows = grown(this.windows, new Float64Array(needed * 2));
        this.sorted = grown(this.sorted, new Float64Array(needed * 2));
      }
    }
    return window;
  }

  encode(): Uint8Array {
    const count = this.#names.length;
    const fields = this.fields.subarray(0, count * FIELDS);
    const windows = this.windows.subarray(0, this.#windowCount * WINDOW_VALUES);
    this.#encodedNames ??= Buffer.from(
      JSON.stringify(this.#names.flatMap((name, slot) => [this.#owners[slot]!.name, name])),
    );
    const names = this.#encodedNames;
    const bytes = new Uint8Array(
      HEADER_BYTES + fields.byteLength + windows.byteLength + 4 * count + names.length,
    );
    bytes[0] = FORMAT;
    new Uint32Array(bytes.buffer, 4, 3).set([count, this.#windowCount, names.length]);
    let at = HEADER_BYTES;
    new Float64Array(bytes.buffer, at, fields.length).set(fields);
    at += fields.byteLength;
    new Float64Array(bytes.buffer, at, windows.length).set(windows);
    at += windows.byteLength;
    const order = new Uint32Array(bytes.buffer, at, count);
    for (let slot = this.#oldest, i = 0; slot !== NONE; slot = this.#newer[slot]!)
      order[i++] = slot;
    bytes.set(names, at + 4 * count);
    return bytes;
  }

  /** Undefined when these are not bytes that encode() of this version makes. */
  static decode(bytes: Uint8Array, channelsMax = CHANNELS_MAX): ChannelStates | undefined {
    if (bytes.length < HEADER_BYTES || bytes[0] !== FORMAT) return undefined;
    // A copy: numbers must stand at multiples of their size. Not slice(): that of a Buffer copies nothing.
    const { buffer } = new Uint8Array(bytes);
    const [count = 0, windows = 0, nameBytes = 0] = new Uint32Array(buffer, 4, 3);
    const fieldsEnd = HEADER_BYTES + 8 * FIELDS * count;
    const windowsEnd = fieldsEnd + 8 * WINDOW_VALUES * windows;
    const orderEnd = windowsEnd + 4 * count;
    if (count > channelsMax || orderEnd + nameBytes !== bytes.length) return undefined;
    const names = namesOf(bytes.subarray(orderEnd), count);
    if (names === undefined) return undefined;

    const states = new ChannelStates(channelsMax);
    states.fields = new Float64Array(Math.max(count, FIRST_SLOTS) * FIELDS);
    states.fields.set(new Float64Array(buffer, HEADER_BYTES, count * FIELDS));
    states.windows = new Float64Array(buffer, fieldsEnd, windows * WINDOW_VALUES);
    states.sorted = new Float64Array(windows * WINDOW_VALUES);
    states.#windowCount = windows;
    states.#older = new Int32Array(Math.max(count, FIRST_SLOTS));
    states.#newer = new Int32Array(Math.max(count, FIRST_SLOTS));
    for (let slot = 0; slot < count; slot++) {
      const device = states.device(names[2 * slot]!);
      const channel = names[2 * slot + 1]!;
      if (device.channels.has(channel) || !states.#restoreWindow(slot)) return undefined;
      device.channels.set(channel, slot);
      states.#owners.push(device);
      states.#names.push(channel);
    }
    const linked = new Set<number>();
    for (const slot of new Uint32Array(buffer, windowsEnd, count)) {
      if (slot >= count || linked.has(slot)) return undefined;
      linked.add(slot);
      states.#link(slot);
    }
    return states;
  }

  /** Sorts the values of the slot's window; false when the fields make no sense. */
  #restoreWindow(slot: number): boolean {
    const at = slot * FIELDS;
    const window = this.fields[at + Field.WINDOW]!;
    if (window === NONE) return true;
    const count = this.fields[at + Field.WINDOW_COUNT]!;
    const next = this.fields[at + Field.WINDOW_NEXT]!;
    const sane =
      isBelow(window, this.#windowCount) &&
      isBelow(count, WINDOW_VALUES + 1) &&
      isBelow(next, WINDOW_VALUES);
    if (!sane) return false;
    const start = window * WINDOW_VALUES;
    // The ring is filled from its beginning.
    const values = this.windows.slice(start, start + count).sort();
    this.sorted.set(values, start);
    return true;
  }

  /** As it was before the channel's first reading; a window stays with the slot. */
  #reset(slot: number): void {
    const at = slot * FIELDS;
    const { fields } = this;
    const window = fields[at + Field.WINDOW]!;
    fields.fill(Number.NaN, at, at + FIELDS);
    fields[at + Field.ORDER] = -1;
    fields[at + Field.SEQ] = 0;
    fields[at + Field.BEHIND] = 0;
    fields[at + Field.TYPE] = 0;
    fields[at + Field.JOIN_TYPE] = 0;
    fields[at + Field.WINDOW] = window;
    fields[at + Field.WINDOW_COUNT] = 0;
    fields[at + Field.WINDOW_NEXT] = 0;
  }

  #link(slot: number): void {
    this.#older[slot] = this.#newest;
    this.#newer[slot] = NONE;
    if (this.#newest === NONE) this.#oldest = slot;
    else this.#newer[this.#newest] = slot;
    this.#newest = slot;
  }

  #unlink(slot: number): void {
    const older = this.#older[slot]!;
    const newer = this.#newer[slot]!;
    if (older === NONE) this.#oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) this.#newest = older;
    else this.#older[newer] = older;
  }

  #addSlot(): number {
    const slot = this.#names.length;
    if ((slot + 1) * FIELDS > this.fields.length) {
      this.fields = grown(this.fields, new Float64Array(this.fields.length * 2));
      this.#older = grown(this.#older, new Int32Array(this.#older.length * 2));
      this.#newer = grown(this.#newer, new Int32Array(this.#newer.length * 2));
    }
    this.fields[slot * FIELDS + Field.WINDOW] = NONE;
    return slot;
  }

  #freeOldest(): number {
    const slot = this.#oldest;
    const owner = this.#owners[slot]!;
    owner.channels.delete(this.#names[slot]!);
    if (owner.channels.size === 0) this.#devices.delete(owner.name);
    this.#unlink(slot);
    return slot;
  }
}

function isBelow(value: number, bound: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < bound;
}

/** Device and channel of each slot; undefined when the bytes are no such list. */
function namesOf(bytes: Uint8Array, count: number): string[] | undefined {
  try {
    const names: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    if (!Array.isArray(names) || names.length !== 2 * count) return undefined;
    return names.every((name) => typeof name === 'string') ? names : undefined;
  } catch {
    return undefined;
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
