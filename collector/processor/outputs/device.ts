/** DEVICE, in topic events: how a device is. */

import { decodeJson, encodeJson } from './json.ts';

export type DeviceState = 'online' | 'late' | 'silent';

/** What is known of a device as one gateway reads it; put out when anything but lastMs changed. */
export interface DeviceEntry {
  site: string;
  device: string;
  gateway: string;
  area: string;
  line: string;
  /** '' when unprofiled. */
  profile: string;
  /** Of the profile; 0: none. */
  intervalMs: number;
  /** Channels seen so far, and those of the profile; at most DEVICE_CHANNELS_MAX. */
  channels: string[];
  state: DeviceState;
  firstReceivedMs: number;
  /** Newest reading's receipt and time. */
  lastReceivedMs: number;
  lastMs: number;
  updatedMs: number;
}

export function encodeDevice(entry: DeviceEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeDevice(value: Uint8Array): DeviceEntry {
  return decodeJson(value) as DeviceEntry;
}
