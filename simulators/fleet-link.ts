/** The connection of one simulated gateway: plain TCP, or TLS with the gateway's certificate. */

import type { Socket } from 'node:net';
import { connect as connectTcp, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { GatewayId } from '../proto/topics.ts';
import { gatewayKey } from '../proto/topics.ts';
import type { FleetOptions } from './fleet-options.ts';

/** Begins to connect; what goes wrong is an error of the socket. */
export function openSocket(options: FleetOptions, gateway: GatewayId): Socket {
  const url = new URL(options.url);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol !== 'mqtts:')
    return connectTcp({ host, port: Number(url.port || 1883), noDelay: true });
  const { authorities: ca, gateways } = options.identities ?? { authorities: '', gateways: {} };
  const socket = connectTls({
    host,
    port: Number(url.port || 8883),
    minVersion: 'TLSv1.2',
    ca,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // As agents: a whole handshake at each connection.
    ...gateways[gatewayKey(gateway)],
  });
  socket.setNoDelay(true);
  return socket;
}
