/**
 * What the detectors keep of a gateway's devices: one slab of numbers each, and the anomaly that is open.
 * Bounded: beyond CHANNELS_MAX channels the device that was unseen longest is forgotten.
 *
 * Encoded (little-endian): format (uint8), 3 zeros, CRC32C of what follows, numbers of a device, numbers of
 * a channel, rows seen, bytes of the JSON (uint32 each; rows as float64), zeros to a multiple of 8; then the
 * slabs in the JSON's order.
 */

import { crc32c } from '../../../proto/crc32c.ts';
import type { AnomalyChange } from './change.ts';
import { CHANNELS_MAX, DEVICE_CHANNELS_MAX } from './limits.ts';
import { DETECTORS } from './registry.ts';

/** Places in a device's part of the slab. */
export const DeviceField = {
  /** Rows, and the gateway's number of rows when it was seen last. */
  ROWS: 0,
  SEEN: 1,
  /** Time of the newest row. */
  NEWEST_MS: 2,
  /** See ReadingAtHand.lnRare; reckoned anew at this number of rows. */
  LN_RARE: 3,
  LN_RARE_AT: 4,
  SCORE: 5,
  /** Of the open anomaly: quiet rows in a row, since when, peaks told, last row that was not quiet. */
  QUIET_ROWS: 6,
  QUIET_SINCE_MS: 7,
  PEAKS: 8,
  LOUD_MS: 9,
  /** Time of the last anomaly that late readings raised; and whether there was one. */
  LATE_MS: 10,
  HAD_LATE: 11,
} as const;
export const DEVICE_FIELDS = 12;

/** Places in a channel's part: then a score by detector, then what each detector keeps. */
export const ChannelField = {
  /** Readings that were judged in their turn. */
  COUNT: 0,
  LAST_MS: 1,
  LAST_VALUE: 2,
  /** Between two readings, learnt. 0: not known. */
  INTERVAL_MS: 3,
  /** The highest score of detectors whose word lasts. */
  HELD: 4,
  SCORES: 5,
} as const;

/** Where each detector's numbers begin in a channel's part. */
export const DETECTOR_AT: readonly number[] = offsets();
export const CHANNEL_FIELDS =
  ChannelField.SCORES +
  DETECTORS.length +
  DETECTORS.reduce((sum, detector) => sum + detector.fields, 0);

const FORMAT = 1;
const HEADER_BYTES = 32;
const FIRST_CHANNELS = 4;

function offsets(): number[] {
  let at: number = ChannelField.SCORES + DETECTORS.length;
  return DETECTORS.map(({ fields }) => {
    at += fields;
    return at - fields;
  });
}

export class DeviceState {
  readonly name: string;
  /** Names by place. */
  readonly channels: string[];
  readonly places: Map<string, number>;
  /** DEVICE_FIELDS numbers, then channel by channel CHANNEL_FIELDS. Another array after placeOf(). */
  slab: Float64Array;
  open: AnomalyChange | undefined;

  constructor(name: string, channels: readonly string[] = [], slab?: Float64Array) {
    this.name = name;
    this.channels = [...channels];
    this.places = new Map(channels.map((channel, place) => [channel, place]));
    this.slab = slab ?? new Float64Array(DEVICE_FIELDS + FIRST_CHANNELS * CHANNEL_FIELDS);
  }

  /** Where the channel's numbers begin. */
  at(place: number): number {
    return DEVICE_FIELDS + place * CHANNEL_FIELDS;
  }

  add(channel: string): number {
    const place = this.channels.length;
    this.channels.push(channel);
    this.places.set(channel, place);
    const needed = this.at(place + 1);
    if (needed > this.slab.length) {
      // A little more each time: most devices have as many channels for ever.
      const room = place + 1 < 16 ? place + 1 + 2 : Math.ceil((place + 1) * 1.25);
      const grown = new Float64Array(this.at(room));
      grown.set(this.slab);
      this.slab = grown;
    }
    return place;
  }

  get used(): Float64Array {
    return this.slab.subarray(0, this.at(this.channels.length));
  }
}

interface EncodedDevice {
  name: string;
  channels: string[];
  open?: AnomalyChange;
}

export class DeviceStates {
  readonly #devices = new Map<string, DeviceState>();
  readonly #channelsMax: number;
  #channelCount = 0;
  /** Rows of all devices so far. */
  rows = 0;
  /** Names and open anomalies; undefined after a change of them. */
  #encodedNames: Uint8Array | undefined;

  constructor(channelsMax = CHANNELS_MAX) {
    this.#channelsMax = channelsMax;
  }

  get channelCount(): number {
    return this.#channelCount;
  }

  find(device: string): DeviceState | undefined {
    return this.#devices.get(device);
  }

  device(name: string): DeviceState {
    let device = this.#devices.get(name);
    if (device === undefined) {
      device = new DeviceState(name);
      device.slab[DeviceField.SEEN] = this.rows;
      this.#devices.set(name, device);
      this.#encodedNames = undefined;
    }
    return device;
  }

  /** The channel's place in the device; -1: the device has too many. */
  placeOf(device: DeviceState, channel: string): number {
    const known = device.places.get(channel);
    if (known !== undefined) return known;
    if (device.channels.length >= Math.min(DEVICE_CHANNELS_MAX, this.#channelsMax)) return -1;
    while (this.#channelCount >= this.#channelsMax) this.#forgetOldest(device);
    this.#channelCount++;
    this.#encodedNames = undefined;
    return device.add(channel);
  }

  setOpen(device: DeviceState, open: AnomalyChange | undefined): void {
    device.open = open;
    this.#encodedNames = undefined;
  }

  encode(): Uint8Array {
    const devices = [...this.#devices.values()];
    this.#encodedNames ??= Buffer.from(
      JSON.stringify(
        devices.map(({ name, channels, open }): EncodedDevice => {
          return open === undefined ? { name, channels } : { name, channels, open };
        }),
      ),
    );
    const names = this.#encodedNames;
    const slabs = devices.map(({ used }) => used);
    const slabsAt = slabsAfter(names.length);
    const numbers = slabs.reduce((sum, { length }) => sum + length, 0);
    const bytes = new Uint8Array(slabsAt + 8 * numbers);
    const view = new DataView(bytes.buffer);
    view.setUint8(0, FORMAT);
    view.setUint32(8, DEVICE_FIELDS, true);
    view.setUint32(12, CHANNEL_FIELDS, true);
    view.setUint32(16, names.length, true);
    view.setFloat64(24, this.rows, true);
    bytes.set(names, HEADER_BYTES);
    let at = slabsAt;
    for (const slab of slabs) {
      new Float64Array(bytes.buffer, at, slab.length).set(slab);
      at += slab.byteLength;
    }
    view.setUint32(4, crc32c(bytes.subarray(8)), true);
    return bytes;
  }

  /** Undefined when these are not bytes that encode() of this version makes. */
  static decode(given: Uint8Array, channelsMax = CHANNELS_MAX): DeviceStates | undefined {
    if (given.length < HEADER_BYTES || given[0] !== FORMAT) return undefined;
    // A copy: numbers must stand at multiples of their size.
    const bytes = new Uint8Array(given);
    const view = new DataView(bytes.buffer);
    const isOurs =
      view.getUint32(8, true) === DEVICE_FIELDS && view.getUint32(12, true) === CHANNEL_FIELDS;
    if (!isOurs || view.getUint32(4, true) !== crc32c(bytes.subarray(8))) return undefined;
    const nameBytes = view.getUint32(16, true);
    const devices = namesOf(bytes.subarray(HEADER_BYTES, HEADER_BYTES + nameBytes));
    if (devices === undefined) return undefined;
    const states = new DeviceStates(channelsMax);
    states.rows = view.getFloat64(24, true);
    let at = slabsAfter(nameBytes);
    for (const { name, channels, open } of devices) {
      const length = DEVICE_FIELDS + channels.length * CHANNEL_FIELDS;
      if (at + 8 * length > bytes.length || states.#devices.has(name)) return undefined;
      const state = new DeviceState(name, channels, new Float64Array(bytes.buffer, at, length));
      state.open = open;
      states.#devices.set(name, state);
      states.#channelCount += channels.length;
      at += 8 * length;
    }
    return at === bytes.length && states.#channelCount <= channelsMax ? states : undefined;
  }

  #forgetOldest(except: DeviceState): void {
    let oldest: DeviceState | undefined;
    for (const device of this.#devices.values()) {
      if (device === except) continue;
      const seen = device.slab[DeviceField.SEEN]!;
      if (oldest === undefined || seen < oldest.slab[DeviceField.SEEN]!) oldest = device;
    }
    if (oldest === undefined) return;
    this.#devices.delete(oldest.name);
    this.#channelCount -= oldest.channels.length;
  }
}

function slabsAfter(nameBytes: number): number {
  return HEADER_BYTES + 8 * Math.ceil(nameBytes / 8);
}

/** What encode() wrote: its CRC has been found right. */
function namesOf(bytes: Uint8Array): EncodedDevice[] | undefined {
  try {
    const devices: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    return Array.isArray(devices) ? (devices as EncodedDevice[]) : undefined;
  } catch {
    return undefined;
  }
}
