/** What the broker asks of whoever knows gateways, tokens and certificates. It decides nothing of that itself. */

import type { Socket } from 'node:net';
import type { GatewayId } from '../../proto/topics.ts';
import type { BrokerRefusal } from './metrics.ts';

export interface Refusal {
  reason: BrokerRefusal;
  /** Of MQTT 3.1.1's CONNACK: 2 identifier, 3 server unavailable, 4 credentials, 5 not authorized. */
  returnCode: 2 | 3 | 4 | 5;
}

/** Who a connection is, and by what. */
export interface Admission {
  gateway: GatewayId;
  /** certificate: one that was issued here; foreign: of an authority that is trusted. */
  by: 'token' | 'certificate' | 'foreign';
  transport: 'plain' | 'tls';
  /** Of the certificate; '' by token. */
  fingerprint: string;
  /** Likewise: its end. */
  notAfterMs: number;
}

export interface Door {
  /** Who it is that says CONNECT. Must take equally long for any wrong token. */
  identify(socket: Socket, username: string, password: string): Admission | Refusal;
  /** The install that the name belongs to: it wins over others. Undefined: none is registered. */
  installOf(gateway: GatewayId): string | undefined;
  /** It was let in. */
  entered(admission: Admission, installId: string): void;
  /** Why one that was let in must not go on; undefined: it may. */
  reasonToCut(admission: Admission): BrokerRefusal | undefined;
  /** Calls with the key of each gateway of which something changed. The answer ends the calls. */
  onChange(listener: (key: string) => void): () => void;
}

/** Tokens only, however they come. */
export function tokenDoor(
  authenticate: (username: string, password: string) => GatewayId | undefined,
): Door {
  return {
    identify: (_socket, username, password) => {
      const gateway = authenticate(username, password);
      if (gateway === undefined) return { reason: 'credentials', returnCode: 4 };
      return { gateway, by: 'token', transport: 'plain', fingerprint: '', notAfterMs: 0 };
    },
    installOf: () => undefined,
    entered: () => undefined,
    reasonToCut: () => undefined,
    onChange: () => () => undefined,
  };
}
