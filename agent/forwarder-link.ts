/**
 * One connection to the collector. mqtt.js serves as a plain pipe: one client an attempt, no reconnect,
 * queue or resend of its own.
 */

import { connect as connectTcp } from 'node:net';
import { MqttClient } from 'mqtt';
import { topicOf } from '../proto/topics.ts';
import { AgentError } from './errors.ts';

export interface CollectorAddress {
  /** mqtt://host:port or mqtts://host:port. */
  url: string;
  token: string;
  /** PEM of the authority that signed the collector's certificate; undefined: the system's. */
  ca: string | undefined;
}

export interface LinkOptions {
  collector: CollectorAddress;
  identity: { site: string; gateway: string; installId: string };
  keepaliveS: number;
  /** For the TCP connection and CONNACK together. */
  timeoutMs: number;
  /** Payload that the broker publishes as this gateway's state when the connection breaks. */
  will: Uint8Array;
}

/** Begins to connect. The client emits `connect`, or `error` and `close`; then it is spent. */
export function openLink(options: LinkOptions): MqttClient {
  const { collector, identity, keepaliveS, timeoutMs, will } = options;
  return new MqttClient(() => openSocket(collector), {
    protocolVersion: 4,
    clientId: `${identity.site}/${identity.gateway}/${identity.installId}`,
    username: `${identity.site}/${identity.gateway}`,
    password: collector.token,
    clean: true,
    keepalive: keepaliveS,
    connectTimeout: timeoutMs,
    reconnectPeriod: 0,
    queueQoSZero: false,
    // It would make 65,536 buffers for numbers, 7 MB.
    writeCache: false,
    resubscribe: false,
    log: () => {},
    will: { topic: topicOf(identity, 'state'), payload: Buffer.from(will), qos: 1, retain: true },
  });
}

function openSocket(collector: CollectorAddress): ReturnType<typeof connectTcp> {
  const url = new URL(collector.url);
  const isTls = url.protocol === 'mqtts:';
  const address = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (isTls ? 8883 : 1883) : Number(url.port),
  };
  const socket = isTls
    ? process.getBuiltinModule('node:tls').connect({
        ...address,
        servername: address.host,
        ...(collector.ca ? { ca: collector.ca } : {}),
      })
    : connectTcp(address);
  socket.setNoDelay(true);
  return socket;
}

/** CONNACK codes of MQTT 3.1.1, and what sockets say. */
export function errorOfLink(error: Error, wasOnline: boolean): AgentError {
  const code = (error as { code?: unknown }).code;
  const detail = error.message || String(code);
  if (code === 3) return new AgentError('AGENT_COLLECTOR_UNAVAILABLE', detail, { cause: error });
  if (code === 2 || code === 4 || code === 5) {
    return new AgentError('AGENT_NOT_AUTHORISED', detail, { cause: error });
  }
  if (wasOnline) return new AgentError('AGENT_CONNECTION_LOST', detail, { cause: error });
  return new AgentError('AGENT_COLLECTOR_UNREACHABLE', detail, { cause: error });
}
