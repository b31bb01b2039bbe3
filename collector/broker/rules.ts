/** Who may connect, and what a gateway may publish. Decisions only; judge.ts and publishes.ts carry them out. */

import { gatewayKey } from '../../proto/topics.ts';
import { Identity } from './connections.ts';
import type { Admission, Refusal } from './door.ts';
import type { BrokerRefusal } from './metrics.ts';

const WILL_BYTES_MAX = 64 * 1024;
const INSTALL_ID = /^[A-Za-z0-9_-]{1,64}$/;

export interface ConnectAttempt {
  clientId: string;
  will: { topic: string; payload: Uint8Array | string } | undefined;
}

/**
 * Identity is the gateway of certificate or token. The client id only says which install of it is speaking, and the
 * will may only be the gateway's own state.
 */
export function identify(
  attempt: ConnectAttempt,
  admission: Admission | Refusal,
): Identity | Refusal {
  if ('reason' in admission) return admission;
  const prefix = `${gatewayKey(admission.gateway)}/`;
  const installId = attempt.clientId.slice(prefix.length);
  if (!attempt.clientId.startsWith(prefix) || !INSTALL_ID.test(installId))
    return { reason: 'client_id', returnCode: 2 };
  const identity = new Identity(admission, installId);
  const { will } = attempt;
  if (
    will !== undefined &&
    (will.topic !== identity.stateTopic || will.payload.length > WILL_BYTES_MAX)
  )
    return { reason: 'will', returnCode: 5 };
  return identity;
}

export type PublishTarget = 'batch' | 'state' | 'reply';

/** Where a publish goes, or why it may not. */
export function targetOf(
  identity: Identity,
  packet: { topic: string; qos: number },
): PublishTarget | { reason: BrokerRefusal } {
  if (packet.qos > 1) return { reason: 'publish_qos' };
  if (packet.topic === identity.batchTopic) return 'batch';
  if (packet.topic === identity.stateTopic) return 'state';
  if (packet.topic === identity.replyTopic) return 'reply';
  return { reason: 'publish_topic' };
}
