/**
 * What is known of the devices that a gateway reads: soft state. Whether one is online, late or silent
 * follows from when its last reading was received, the profile and log time; it is judged at each report.
 */

import {
  DEVICE_CHANNELS_MAX,
  DEVICES_PER_GATEWAY_MAX,
  UNPROFILED_LATE_AFTER_MS,
  UNPROFILED_SILENT_AFTER_MS,
} from './limits.ts';
import type { Origin } from './origin.ts';
import type { DeviceEntry, DeviceState } from './outputs/device.ts';
import type { Severity } from './outputs/event.ts';
import { EventKind } from './outputs/event.ts';
import type { Step } from './step.ts';
import type { DevicePlace } from './validation/compile.ts';
import type { DeviceSeen } from './validation/judgement.ts';

/** Of devices at the bound, this part makes room at a time. */
const EVICTED_PART = 16;

interface Device {
  readonly device: string;
  /** Sorted. */
  channels: string[];
  /** As put out last; undefined: never yet. */
  entry: DeviceEntry | undefined;
  readonly firstReceivedMs: number;
  lastReceivedMs: number;
  lastMs: number;
  /** What `channels` has taken in already; not part of the state. */
  taken: readonly string[] | undefined;
}

/** The encoded form of a device. */
type Encoded = Omit<Device, 'taken'>;

export interface EncodedDevices {
  dueMs: number;
  quietUntilMs: number;
  devices: Encoded[];
}

export class GatewayDevices {
  readonly #devices = new Map<string, Device>();
  /** No device changes its state before this, unless something of it comes. */
  #dueMs = Number.POSITIVE_INFINITY;
  /** Until then a device that shows up is not announced as new: it may have been known before. */
  #quietUntilMs = 0;

  /** Log time from which something may have to be put out. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Everything is to be looked at anew at the next report. */
  review(): void {
    if (this.#devices.size > 0) this.#dueMs = 0;
  }

  /** What was known of devices is lost. */
  beginAnew(quietUntilMs: number): void {
    this.#quietUntilMs = quietUntilMs;
  }

  /** Readings of these devices came. */
  seen(devices: readonly DeviceSeen[], nowMs: number): void {
    for (const { device: name, kept, lastMs, channels } of devices) {
      let device = this.#devices.get(name);
      if (device === undefined) {
        if (this.#devices.size >= DEVICES_PER_GATEWAY_MAX) this.#evict();
        device = {
          device: name,
          channels: [],
          entry: undefined,
          firstReceivedMs: nowMs,
          lastReceivedMs: nowMs,
          lastMs: 0,
          taken: undefined,
        };
        this.#devices.set(name, device);
        this.#dueMs = 0;
      }
      device.lastReceivedMs = nowMs;
      if (kept > 0 && lastMs > device.lastMs) device.lastMs = lastMs;
      if (device.taken !== channels) this.#takeChannels(device, channels);
      if (device.entry !== undefined && device.entry.state !== 'online') this.#dueMs = 0;
    }
  }

  /**
   * Puts out what changed. `resumedMs`: since when records come again after a pause of the collector.
   * Answers the devices that fell silent.
   */
  report(book: Origin, step: Step, resumedMs: number): string[] {
    const silent: string[] = [];
    this.#dueMs = Number.POSITIVE_INFINITY;
    for (const device of this.#devices.values()) {
      const place = step.configuration.placeOf(book.site, device.device);
      const sinceMs = Math.max(device.lastReceivedMs, resumedMs);
      const { state, nextMs } = stateOf(place, sinceMs, step.nowMs);
      this.#dueMs = Math.min(this.#dueMs, nextMs);
      const entry = entryOf(book, device, place, state, step.nowMs);
      const before = device.entry;
      if (before !== undefined && sameEntry(before, entry)) continue;
      device.entry = entry;
      step.device(book, entry);
      if (before === undefined) {
        if (step.nowMs >= this.#quietUntilMs) announce(book, entry, step);
      } else if (before.state !== state) {
        tell(book, entry, before.state, sinceMs, step);
        if (state === 'silent') silent.push(device.device);
      }
    }
    return silent;
  }

  encode(): EncodedDevices {
    return {
      // JSON knows no infinity.
      dueMs: Math.min(this.#dueMs, Number.MAX_SAFE_INTEGER),
      quietUntilMs: this.#quietUntilMs,
      devices: [...this.#devices.values()].map(({ taken, ...device }) => device),
    };
  }

  static decode(encoded: EncodedDevices): GatewayDevices {
    const decoded = new GatewayDevices();
    decoded.#dueMs = encoded.dueMs;
    decoded.#quietUntilMs = encoded.quietUntilMs;
    for (const device of encoded.devices)
      decoded.#devices.set(device.device, { ...device, entry: device.entry, taken: undefined });
    return decoded;
  }

  #takeChannels(device: Device, channels: readonly string[]): void {
    device.taken = channels;
    const before = device.channels.length;
    for (const channel of channels) {
      if (device.channels.length >= DEVICE_CHANNELS_MAX) break;
      if (!device.channels.includes(channel)) device.channels.push(channel);
    }
    if (device.channels.length === before) return;
    device.channels.sort();
    this.#dueMs = 0;
  }

  /** Those that were not seen for longest make room. */
  #evict(): void {
    const oldest = [...this.#devices.values()].sort((a, b) => a.lastReceivedMs - b.lastReceivedMs);
    for (const { device } of oldest.slice(0, Math.ceil(oldest.length / EVICTED_PART)))
      this.#devices.delete(device);
  }
}

/** The state, and when it changes if nothing comes. */
function stateOf(
  place: DevicePlace,
  sinceMs: number,
  nowMs: number,
): { state: DeviceState; nextMs: number } {
  const lateMs = sinceMs + (place.profile?.lateAfterMs ?? UNPROFILED_LATE_AFTER_MS);
  const silentMs = sinceMs + (place.profile?.silentAfterMs ?? UNPROFILED_SILENT_AFTER_MS);
  if (nowMs >= silentMs) return { state: 'silent', nextMs: Number.POSITIVE_INFINITY };
  if (nowMs >= lateMs) return { state: 'late', nextMs: silentMs };
  return { state: 'online', nextMs: Math.min(lateMs, silentMs) };
}

function entryOf(
  book: Origin,
  device: Device,
  place: DevicePlace,
  state: DeviceState,
  nowMs: number,
): DeviceEntry {
  return {
    site: book.site,
    device: device.device,
    gateway: book.gateway,
    area: place.area,
    line: place.line,
    profile: place.profile?.name ?? '',
    intervalMs: place.profile?.intervalMs ?? 0,
    channels: channelsOf(device, place),
    state,
    firstReceivedMs: device.firstReceivedMs,
    lastReceivedMs: device.lastReceivedMs,
    lastMs: device.lastMs,
    updatedMs: nowMs,
  };
}

/** Those of the profile in its order, then what else was seen. */
function channelsOf(device: Device, place: DevicePlace): string[] {
  const profiled = Object.keys(place.profile?.channels ?? {});
  const others = device.channels.filter((channel) => !profiled.includes(channel));
  return [...profiled, ...others].slice(0, DEVICE_CHANNELS_MAX);
}

function sameEntry(a: DeviceEntry, b: DeviceEntry): boolean {
  return (
    a.state === b.state &&
    a.area === b.area &&
    a.line === b.line &&
    a.profile === b.profile &&
    a.intervalMs === b.intervalMs &&
    a.channels.length === b.channels.length &&
    a.channels.every((channel, i) => channel === b.channels[i])
  );
}

function announce(book: Origin, entry: DeviceEntry, step: Step): void {
  const { device, profile, area, line } = entry;
  const kind = EventKind.DEVICE_NEW;
  step.event(book, { kind, severity: 'info', device, detail: { profile, area, line } });
}

const TOLD: Record<DeviceState, { kind: string; severity: Severity }> = {
  online: { kind: EventKind.DEVICE_ONLINE, severity: 'info' },
  late: { kind: EventKind.DEVICE_LATE, severity: 'warning' },
  silent: { kind: EventKind.DEVICE_SILENT, severity: 'error' },
};

function tell(
  book: Origin,
  entry: DeviceEntry,
  before: DeviceState,
  sinceMs: number,
  step: Step,
): void {
  const detail = { before, last_received_ms: entry.lastReceivedMs, since_ms: sinceMs };
  step.event(book, { ...TOLD[entry.state], device: entry.device, detail });
}
