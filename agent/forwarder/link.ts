/**
 * One connection to the collector. mqtt.js serves as a plain pipe: one client an attempt, no reconnect,
 * queue or resend of its own.
 */

import type { Socket } from 'node:net';
import { connect as connectTcp, isIP } from 'node:net';
import { MqttClient } from 'mqtt';
import { topicOf } from '../../proto/topics.ts';
import { AgentError } from '../errors.ts';
import type { OwnCertificate } from '../identity/tls.ts';
import { connectTls, errorOfTls } from '../identity/tls.ts';

/** What a connection with TLS is made with, in PEM. */
export interface Credentials {
  /** The authorities that sign the collector's certificate; undefined: the system's. */
  ca: string | undefined;
  /** What the gateway shows; undefined: nothing, the token counts. */
  own?: OwnCertificate | undefined;
}

export interface CollectorAddress extends Credentials {
  /** mqtt://host:port or mqtts://host:port. */
  url: string;
  token: string | undefined;
  /**
   * In place of `ca` and `own`: asked at each connection, so that a renewed certificate counts from the
   * next one on. What it throws ends the attempt.
   */
  credentials?: () => Credentials;
}

export interface LinkOptions {
  collector: CollectorAddress;
  identity: { site: string; gateway: string; installId: string };
  keepaliveS: number;
  /** For the TCP connection and CONNACK together. */
  timeoutMs: number;
  /** Payload that the broker publishes as this gateway's state when the connection breaks. */
  will: Uint8Array;
  /** The collector is the right one, but its certificate is not valid at the time that this machine has. */
  onWrongTime?: ((detail: string) => void) | undefined;
}

/** Begins to connect. The client emits `connect`, or `error` and `close`; then it is spent. */
export function openLink(options: LinkOptions): MqttClient {
  const { collector, identity, keepaliveS, timeoutMs, will } = options;
  return new MqttClient(() => openSocket(collector, options.onWrongTime), {
    protocolVersion: 4,
    clientId: `${identity.site}/${identity.gateway}/${identity.installId}`,
    username: `${identity.site}/${identity.gateway}`,
    ...(collector.token === undefined ? {} : { password: collector.token }),
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

function openSocket(collector: CollectorAddress, onWrongTime: LinkOptions['onWrongTime']): Socket {
  const url = new URL(collector.url);
  const isTls = url.protocol === 'mqtts:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? (isTls ? 8883 : 1883) : Number(url.port);
  if (!isTls) return openPlain(host, port);
  let credentials: Credentials;
  try {
    credentials = collector.credentials?.() ?? collector;
  } catch (error) {
    // The client knows no other way to be told.
    return connectTcp({ host: '127.0.0.1', port: 9 }).destroy(error as Error);
  }
  const { ca, own } = credentials;
  return connectTls({
    host,
    port,
    own,
    trust: ca === undefined ? { system: true } : { ca },
    ...(onWrongTime === undefined ? {} : { onWrongTime }),
  });
}

/** The first byte of a TLS alert, which no answer to CONNECT begins with. */
const TLS_ALERT = 0x15;

function openPlain(host: string, port: number): Socket {
  const socket = connectTcp({ host, port });
  socket.setNoDelay(true);
  socket.prependOnceListener('data', (bytes: Buffer) => {
    if (bytes[0] !== TLS_ALERT) return;
    socket.destroy(new AgentError('AGENT_TLS_NEEDED', `${host}:${port} answers with TLS`));
  });
  return socket;
}

/** CONNACK codes of MQTT 3.1.1, and what sockets say. */
export function errorOfLink(
  error: Error,
  wasOnline: boolean,
  collector: CollectorAddress,
): AgentError {
  const code = (error as { code?: unknown }).code;
  const detail = error.message || String(code);
  if (code === 3) return new AgentError('AGENT_COLLECTOR_UNAVAILABLE', detail, { cause: error });
  if (code === 2 || code === 4 || code === 5) return errorOfRefusal(error, detail, collector);
  const ofTls = errorOfTls(error);
  if (ofTls !== undefined) return ofTls;
  if (wasOnline) return new AgentError('AGENT_CONNECTION_LOST', detail, { cause: error });
  return new AgentError('AGENT_COLLECTOR_UNREACHABLE', detail, { cause: error });
}

/** The connection was closed before the answer to CONNECT. */
export function errorOfSilence({ url }: CollectorAddress): AgentError {
  const { protocol, port } = new URL(url);
  // What expects TLS closes at the first bytes of anything else.
  if (protocol === 'mqtt:' && port === '8883') {
    return new AgentError('AGENT_TLS_NEEDED', 'closed before the answer, at the port for TLS');
  }
  return new AgentError('AGENT_COLLECTOR_UNREACHABLE', 'closed before the answer to CONNECT');
}

const NOT_AUTHORISED = 5;

/** The broker has one word for several reasons; what it cannot tell, the way of connecting does. */
function errorOfRefusal(error: Error, detail: string, collector: CollectorAddress): AgentError {
  const url = new URL(collector.url);
  if (url.protocol === 'mqtts:') {
    const showsCertificate = collector.own !== undefined || collector.credentials !== undefined;
    const code = showsCertificate ? 'AGENT_CERTIFICATE_REFUSED' : 'AGENT_NOT_AUTHORISED';
    return new AgentError(code, detail, { cause: error });
  }
  // A collector answers to a wrong token with another code.
  const isTokenRight = (error as { code?: unknown }).code === NOT_AUTHORISED;
  const code =
    isTokenRight && !isLoopback(url.hostname) ? 'AGENT_TLS_NEEDED' : 'AGENT_NOT_AUTHORISED';
  return new AgentError(code, detail, { cause: error });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
}
