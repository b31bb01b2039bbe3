/**
 * The newest value of every channel of every device, in memory: what lists and pages ask for all the
 * time and what would be a scan of the store. Fed from the log's readings as they come, and from the
 * store once at the start. Bounded: series over the bound are counted, not kept.
 */

import type { DeviceEntry } from '../../processor/outputs/device.ts';
import type { LiveDevice, LiveRecord, LiveSeries } from './records.ts';

export interface ChannelState {
  timeMs: number;
  /** Numbers; booleans as 0 and 1; text; null without a value. */
  value: number | string | null;
  quality: number;
  /** What the rules did and said; null: not known, the value is of before the start. */
  treatment: number | null;
  findings: number | null;
  kind: 'number' | 'boolean' | 'text';
  /** Decimals as the gateway sends them; null: a double, or not known yet. */
  decimals: number | null;
}

export interface DeviceState {
  site: string;
  device: string;
  /** The gateway that the newest reading came through. */
  gateway: string;
  /** Newest reading time. */
  lastMs: number;
  /** When that one became durable in the collector. */
  receivedMs: number;
  /** Estimate of the time from reading to reading; null until two have come. */
  intervalMs: number | null;
  channels: Map<string, ChannelState>;
  /** What the processor says of it, by the gateway that reads it. */
  entries: Map<string, DeviceEntry>;
}

/** Of one device; a device is read by one gateway, or by a few in turn. */
const ENTRIES_MAX = 8;

export interface DeviceBounds {
  devices: number;
  series: number;
}

const BOUNDS: DeviceBounds = { devices: 100_000, series: 500_000 };

/** A row of the store's newest values. */
export interface StoredChannel {
  site: string;
  device: string;
  gateway: string;
  channel: string;
  timeMs: number;
  value: number | null;
  text: string | null;
  quality: number;
  receivedMs: number;
}

export class LiveDevices {
  readonly #bounds: DeviceBounds;
  readonly #devices = new Map<string, DeviceState>();
  #series = 0;
  #leftOut = 0;
  /** Sorted by site, then device; undefined when a device has come since. */
  #sorted: DeviceState[] | undefined;

  constructor(bounds: DeviceBounds = BOUNDS) {
    this.#bounds = bounds;
  }

  /** Readings that had no room. */
  get leftOutTotal(): number {
    return this.#leftOut;
  }

  get deviceCount(): number {
    return this.#devices.size;
  }

  /** Sorted by site, then device name (code units). */
  sorted(): readonly DeviceState[] {
    this.#sorted ??= [...this.#devices.values()].sort(
      (a, b) => compare(a.site, b.site) || compare(a.device, b.device),
    );
    return this.#sorted;
  }

  get(site: string, device: string): DeviceState | undefined {
    return this.#devices.get(keyOf(site, device));
  }

  apply(record: LiveRecord): void {
    for (const device of record.devices) this.#applyDevice(record, device);
  }

  /** Only fills in what the log has not brought yet or brought with older times. */
  applyStored(row: StoredChannel): void {
    const state = this.#stateOf(row.site, row.device, row.gateway);
    if (state === undefined) return;
    const kind = row.text === null ? 'number' : 'text';
    const known = state.channels.get(row.channel);
    const value = row.text ?? row.value;
    const { timeMs, quality } = row;
    this.#put(state, row.channel, {
      timeMs,
      value,
      quality,
      treatment: null,
      findings: null,
      kind: known?.kind ?? kind,
      decimals: known?.decimals ?? null,
    });
    touch(state, row.gateway, row.timeMs, row.receivedMs);
  }

  /** The newest of each gateway counts; of two of one time the later given. */
  applyEntry(entry: DeviceEntry): void {
    const state = this.#stateOf(entry.site, entry.device, entry.gateway);
    if (state === undefined) return;
    const known = state.entries.get(entry.gateway);
    if (known !== undefined && entry.updatedMs < known.updatedMs) return;
    // Deleted first, so that the one that said something last is the last one.
    state.entries.delete(entry.gateway);
    if (state.entries.size >= ENTRIES_MAX) {
      const [oldest] = state.entries.keys();
      if (oldest !== undefined) state.entries.delete(oldest);
    }
    state.entries.set(entry.gateway, entry);
    if (state.lastMs === Number.NEGATIVE_INFINITY)
      touch(state, entry.gateway, entry.lastMs, entry.lastReceivedMs);
  }

  #applyDevice(record: LiveRecord, device: LiveDevice): void {
    const state = this.#stateOf(record.site, device.device, record.gateway);
    if (state === undefined) return;
    for (const series of device.series) {
      const { newest, kind, decimals } = series;
      estimateInterval(state, series, newest.timeMs);
      this.#put(state, series.channel, { ...newest, kind, decimals });
      touch(state, record.gateway, newest.timeMs, record.receivedMs);
    }
  }

  #put(state: DeviceState, channel: string, next: ChannelState): void {
    const known = state.channels.get(channel);
    if (known === undefined) {
      if (this.#series >= this.#bounds.series) {
        this.#leftOut++;
        return;
      }
      this.#series++;
    } else if (next.timeMs < known.timeMs) {
      return;
    }
    state.channels.set(channel, { ...next, decimals: moreDecimals(known, next) });
  }

  #stateOf(site: string, device: string, gateway: string): DeviceState | undefined {
    const key = keyOf(site, device);
    const known = this.#devices.get(key);
    if (known) return known;
    if (this.#devices.size >= this.#bounds.devices) {
      this.#leftOut++;
      return undefined;
    }
    const state: DeviceState = {
      site,
      device,
      gateway,
      lastMs: Number.NEGATIVE_INFINITY,
      receivedMs: 0,
      intervalMs: null,
      channels: new Map(),
      entries: new Map(),
    };
    this.#devices.set(key, state);
    this.#sorted = undefined;
    return state;
  }
}

function touch(state: DeviceState, gateway: string, timeMs: number, receivedMs: number): void {
  if (timeMs < state.lastMs) return;
  state.lastMs = timeMs;
  state.receivedMs = receivedMs;
  state.gateway = gateway;
}

/** A value such as 24.10 travels with one decimal: what the channel has shows only over time. */
function moreDecimals(known: ChannelState | undefined, next: ChannelState): number | null {
  if (known === undefined || known.decimals === null) return next.decimals;
  return Math.max(known.decimals, next.decimals ?? 0);
}

/** Of several channels the one that comes most often decides. A gap counts as little more than usual. */
function estimateInterval(state: DeviceState, series: LiveSeries, newestMs: number): void {
  const known = state.channels.get(series.channel);
  if (known === undefined || newestMs <= known.timeMs) return;
  const sampleMs = (newestMs - known.timeMs) / series.count;
  const before = state.intervalMs;
  if (before === null || sampleMs < before / 2) state.intervalMs = sampleMs;
  else state.intervalMs = before + (Math.min(sampleMs, 4 * before) - before) / 8;
}

/** Names cannot hold a NUL, so two pairs never share a key. */
function keyOf(site: string, device: string): string {
  return `${site}\0${device}`;
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
