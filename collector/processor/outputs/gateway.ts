/** GATEWAY, in topic events: how a gateway is. */

import type { Epoch, ReaderState } from '../../../proto/model.ts';
import { decodeJson, encodeJson } from './json.ts';

/** What is known of a gateway. */
export interface GatewayEntry {
  site: string;
  gateway: string;
  online: boolean;
  /** It is not online because it said goodbye. Left out: false. */
  endedCleanly?: true;
  version: string;
  installId: string;
  epoch: Epoch;
  lastSeq: number;
  bufferReadings: number;
  bufferBytes: number;
  bufferSecondsUntilEviction: number;
  clockUnsynced: boolean;
  clockStepMs: number;
  readers: ReaderState[];
  stateMs: number;
  updatedMs: number;
}

export function encodeGateway(entry: GatewayEntry): Uint8Array {
  return encodeJson(entry);
}

export function decodeGateway(value: Uint8Array): GatewayEntry {
  return decodeJson(value) as GatewayEntry;
}
