/**
 * TLS before the broker: sockets that the listeners accepted are handed to a TLS server that listens nowhere itself.
 * What comes out speaks MQTT, or HTTP when it asked for that (ALPN). A client that is slow or silent in its handshake
 * costs a place for a while, and holds up nobody: at the bound the oldest handshake gives way to the newest.
 */

import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import { createServer } from 'node:tls';
import type { HandshakeFailure } from './metrics.ts';

export const HTTP_PROTOCOL = 'http/1.1';
const PROTOCOLS = ['mqtt', HTTP_PROTOCOL];

export interface TlsIdentity {
  readonly current: { certPem: string; keyPem: string };
  onChange(listener: () => void): () => void;
}

export interface TlsFrontOptions {
  identity: TlsIdentity;
  /** PEM of the authorities whose certificates clients may show. Whether one counts is decided later. */
  clientAuthoritiesPem: string;
  /** Handshakes under way. */
  maxHandshakes: number;
  /** From the TCP connection to the end of the handshake. */
  handshakeTimeoutMs: number;
  onMqtt: (socket: TLSSocket) => void;
  onHttp: (socket: TLSSocket) => void;
  failed: (why: HandshakeFailure) => void;
}

export class TlsFront {
  readonly #options: TlsFrontOptions;
  readonly #server: Server;
  /** Under way, oldest first, by their addresses and ports. */
  readonly #handshakes = new Map<string, Socket>();
  readonly #endRenewal: () => void;

  constructor(options: TlsFrontOptions) {
    this.#options = options;
    const { identity } = options;
    this.#server = createServer({
      ...this.#context(),
      minVersion: 'TLSv1.2',
      requestCert: true,
      // Who enrols has no certificate yet. Who shows one is judged after the handshake, when it says what it wants.
      rejectUnauthorized: false,
      ALPNProtocols: PROTOCOLS,
      handshakeTimeout: options.handshakeTimeoutMs,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    });
    this.#server.on('secureConnection', (socket) => this.#secured(socket));
    this.#server.on('tlsClientError', (error, socket) => {
      // Nobody else ends it: after its time only this event comes.
      socket.destroy();
      options.failed(failureOf(error));
    });
    this.#endRenewal = identity.onChange(() => this.#server.setSecureContext(this.#context()));
  }

  get handshakes(): number {
    return this.#handshakes.size;
  }

  accept(socket: Socket): void {
    const name = nameOf(socket);
    // Reset before it was looked at.
    if (name === undefined) {
      socket.destroy();
      return;
    }
    if (this.#handshakes.size >= this.#options.maxHandshakes) this.#giveUpOldest();
    this.#handshakes.set(name, socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.#handshakes.get(name) === socket) this.#handshakes.delete(name);
    });
    this.#server.emit('connection', socket);
  }

  /** Ends the handshakes under way. Connections that came out of it are others' to end. */
  close(): void {
    this.#endRenewal();
    for (const socket of this.#handshakes.values()) socket.destroy();
    this.#handshakes.clear();
  }

  #giveUpOldest(): void {
    const [oldest] = this.#handshakes;
    if (oldest === undefined) return;
    const [name, socket] = oldest;
    this.#handshakes.delete(name);
    socket.destroy();
    this.#options.failed('too_many');
  }

  #secured(socket: TLSSocket): void {
    this.#handshakes.delete(nameOf(socket) ?? '');
    if (socket.alpnProtocol === HTTP_PROTOCOL) this.#options.onHttp(socket);
    else this.#options.onMqtt(socket);
  }

  #context(): { cert: string; key: string; ca: string } {
    const { certPem: cert, keyPem: key } = this.#options.identity.current;
    return { cert, key, ca: this.#options.clientAuthoritiesPem };
  }
}

/** No two open sockets have the same. */
function nameOf({ remoteAddress, remotePort, localAddress }: Socket): string | undefined {
  if (remoteAddress === undefined || remotePort === undefined) return undefined;
  return `${localAddress} ${remoteAddress} ${remotePort}`;
}

function failureOf({ code }: Error & { code?: string }): HandshakeFailure {
  if (code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'timeout';
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_HTTP_REQUEST') return 'not_tls';
  if (code === 'ERR_SSL_UNSUPPORTED_PROTOCOL') return 'version';
  if (code?.startsWith('ERR_SSL_')) return 'protocol';
  return 'closed';
}
