/** MQTT topics: `fms/v1/{site}/{gateway}/{leaf}`. */

import { NAME_BYTES_MAX } from './limits.ts';

export type TopicLeaf = 'batch' | 'state' | 'command' | 'reply';

export interface GatewayId {
  site: string;
  gateway: string;
}

const PREFIX = 'fms/v1/';
const SEGMENT = /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u;

/** Site and gateway names: letters and digits of any script, then also `.` `_` `-`; at most 128 UTF-8 bytes. */
export function isTopicName(name: string): boolean {
  return SEGMENT.test(name) && Buffer.byteLength(name) <= NAME_BYTES_MAX;
}

export function topicOf(id: GatewayId, leaf: TopicLeaf): string {
  return `${PREFIX}${id.site}/${id.gateway}/${leaf}`;
}

/** Undefined for any topic that is not exactly one of a gateway's. */
export function parseTopic(topic: string): (GatewayId & { leaf: TopicLeaf }) | undefined {
  if (!topic.startsWith(PREFIX)) return undefined;
  const parts = topic.slice(PREFIX.length).split('/');
  const [site, gateway, leaf] = parts;
  if (parts.length !== 3 || site === undefined || gateway === undefined) return undefined;
  if (leaf !== 'batch' && leaf !== 'state' && leaf !== 'command' && leaf !== 'reply')
    return undefined;
  if (!isTopicName(site) || !isTopicName(gateway)) return undefined;
  return { site, gateway, leaf };
}

/** The key by which a gateway is known in the log, the store and the ledger. */
export function gatewayKey(id: GatewayId): string {
  return `${id.site}/${id.gateway}`;
}
