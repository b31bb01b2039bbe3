/**
 * One connection to the outside broker. mqtt.js serves as a plain pipe: one client an attempt, no
 * reconnect, queue or resend of its own.
 */

import type { Socket } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { MqttClient } from 'mqtt';
import type { OutsideBrokerConfig } from '../config.ts';

export interface LinkOptions {
  outside: OutsideBrokerConfig;
  clientId: string;
  keepaliveSeconds: number;
  /** For the TCP connection and CONNACK together. */
  connectTimeoutMs: number;
}

const LEAVES = ['batch', 'state', 'reply'] as const;

/** Begins to connect. The client emits `connect`, or `error` and `close`; then it is spent. */
export function openLink(options: LinkOptions): MqttClient {
  const { outside, clientId, keepaliveSeconds, connectTimeoutMs } = options;
  return new MqttClient(() => openSocket(outside), {
    protocolVersion: 4,
    clientId,
    ...(outside.username === undefined ? {} : { username: outside.username }),
    ...(outside.password === undefined ? {} : { password: outside.password }),
    // Members of a group must not leave a session behind: the broker would go on giving it its share.
    clean: outside.shareGroup !== undefined,
    keepalive: keepaliveSeconds,
    connectTimeout: connectTimeoutMs,
    reconnectPeriod: 0,
    queueQoSZero: false,
    resubscribe: false,
    log: () => undefined,
  });
}

/** What is subscribed to at each connection: a session that the broker lost is made anew by it. */
export function subscriptionsOf(outside: OutsideBrokerConfig): string[] {
  const group = outside.shareGroup === undefined ? '' : `$share/${outside.shareGroup}/`;
  return LEAVES.map((leaf) => `${group}fms/v1/+/+/${leaf}`);
}

function openSocket(outside: OutsideBrokerConfig): Socket {
  const url = new URL(outside.url);
  const isTls = url.protocol === 'mqtts:';
  const address = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 8883 : 1883) : Number(url.port),
  };
  const { tls } = outside;
  const socket =
    isTls || tls !== undefined
      ? connectTls({ ...address, servername: serverName(address.host), ...given(tls) })
      : connectTcp(address);
  socket.setNoDelay(true);
  return socket;
}

/** TLS knows no server names that are addresses. */
function serverName(host: string): string {
  return /^[\d.]+$|:/.test(host) ? '' : host;
}

function given(tls: OutsideBrokerConfig['tls']): { ca?: string; cert?: string; key?: string } {
  return {
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
  };
}

/** What the system or CONNACK says, for people. */
export function reasonOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return error.message === '' ? String(code ?? 'no reason given') : error.message;
}
