/** What the broker tells whoever counts. All calls are cheap and must not throw. */

import type { RawKind } from '../types.ts';

export type BrokerRefusal =
  /** Not MQTT, or not what a client may say at this point. */
  | 'protocol'
  | 'mqtt_version'
  | 'credentials'
  /** A token without TLS from another machine. */
  | 'needs_tls'
  /** A token of a gateway that has a certificate. */
  | 'enrolled'
  /** The name, or the certificate, was revoked. */
  | 'revoked'
  /** Issued neither here nor by an authority that is trusted, or replaced since. */
  | 'certificate_unknown'
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  /** Not for clients. */
  | 'certificate_purpose'
  /** The client id is not `{site}/{gateway}/{install_id}` of the token's gateway. */
  | 'client_id'
  | 'identity_conflict'
  /** The will's topic is not the gateway's own state, or it is too large. */
  | 'will'
  | 'log_unavailable'
  | 'closing'
  | 'connect_timeout'
  | 'max_connections'
  | 'packet_too_large'
  /** Partial packets of all connections together take too much memory. */
  | 'memory'
  /** Published where it may not. */
  | 'publish_topic'
  | 'publish_qos'
  /** Came over an outside broker under a name that `gateways` does not list. */
  | 'gateway_unknown'
  /** Subscribed to what it may not (SUBACK 128; the connection stays). */
  | 'subscribe_topic'
  /** The log refused or did not answer in time. */
  | 'append_failed';

export type HandshakeFailure =
  | 'timeout'
  /** The bytes were no TLS: MQTT or HTTP without it. */
  | 'not_tls'
  /** Older than TLS 1.2. */
  | 'version'
  | 'protocol'
  | 'closed'
  /** Gave way to a newer one. */
  | 'too_many';

export interface BrokerMetrics {
  /** Connections now open (of those with TLS: after their handshake), how many are gateways that were let in, and how many of these by TLS. */
  connections(open: number, admitted: number, admittedTls: number): void;
  handshakeFailed(why: HandshakeFailure): void;
  refused(reason: BrokerRefusal): void;
  /** A connection replaced by a newer one of the same install. */
  takenOver(): void;
  /** A record became durable in the log. */
  appended(kind: RawKind, bytes: number): void;
  /** From the arrival of a whole publish until its PUBACK was handed to the socket. */
  acknowledged(latencyMs: number): void;
}

/** Upper bounds of the acknowledgement latency's histogram. */
export const ACK_LATENCY_BUCKETS_SECONDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
