/** Lets gateways in: by the certificate that they showed, or by the token of their configuration. */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { Admission, Door, Refusal } from '../broker/door.ts';
import type { BrokerRefusal } from '../broker/metrics.ts';
import type { GatewayDirectory } from '../gateways.ts';
import type { Clock, Logger } from '../types.ts';
import type { Peers } from './peers.ts';
import type { Registry } from './registry.ts';

export interface GatewayDoorOptions {
  tokens: Pick<GatewayDirectory, 'authenticate' | 'mayGoWithoutTls'>;
  registry: Registry;
  /** Undefined: there is no TLS. */
  peers: Peers | undefined;
  graceMs: number;
  clock: Clock;
  logger: Logger;
}

/** Uses that are written down at once; the others wait. At most one a gateway. */
const WRITES_MAX = 16;
const GRACE_SAID_EVERY_MS = 3_600_000;
const NOT_AUTHORIZED = 5;

export class GatewayDoor implements Door {
  readonly #options: GatewayDoorOptions;
  readonly #toWrite = new Map<string, { admission: Admission; installId: string }>();
  #writes = 0;
  readonly #graceSaidMs = new Map<string, number>();

  constructor(options: GatewayDoorOptions) {
    this.#options = options;
  }

  identify(socket: Socket, username: string, password: string): Admission | Refusal {
    const isTls = socket instanceof TLSSocket;
    const peer = isTls ? this.#options.peers?.of(socket) : undefined;
    if (typeof peer === 'string') return { reason: peer, returnCode: NOT_AUTHORIZED };
    // Who shows a certificate is judged by it, whatever else it says.
    if (peer !== undefined) return { ...peer, transport: 'tls' };
    const gateway = this.#options.tokens.authenticate(username, password);
    if (gateway === undefined) return { reason: 'credentials', returnCode: 4 };
    // Only who has the right token learns more.
    const reason =
      this.#reasonAgainstToken(gateway) ??
      (isTls || this.#mayGoPlain(socket, gateway) ? undefined : 'needs_tls');
    if (reason !== undefined) return { reason, returnCode: NOT_AUTHORIZED };
    const transport = isTls ? 'tls' : 'plain';
    return { gateway, by: 'token', transport, fingerprint: '', notAfterMs: 0 };
  }

  installOf(gateway: GatewayId): string | undefined {
    return this.#options.registry.get(gateway)?.installId;
  }

  entered(admission: Admission, installId: string): void {
    if (admission.by !== 'certificate') return;
    this.#sayGrace(admission);
    this.#toWrite.set(gatewayKey(admission.gateway), { admission, installId });
    this.#write();
  }

  reasonToCut({ gateway, by, fingerprint, notAfterMs }: Admission): BrokerRefusal | undefined {
    const { registry, graceMs, clock } = this.#options;
    if (by === 'token') return this.#reasonAgainstToken(gateway);
    if (registry.get(gateway)?.revoked != null) return 'revoked';
    if (by === 'certificate' && registry.byFingerprint(fingerprint) === undefined)
      return 'certificate_unknown';
    const untilMs = notAfterMs + (by === 'certificate' ? graceMs : 0);
    return clock.wallMs() >= untilMs ? 'certificate_expired' : undefined;
  }

  onChange(listener: (key: string) => void): () => void {
    return this.#options.registry.onChange(listener);
  }

  /** Once it has a certificate a token lets it in no more, with or without TLS: whoever shows one has stolen it. */
  #reasonAgainstToken(gateway: GatewayId): BrokerRefusal | undefined {
    const known = this.#options.registry.get(gateway);
    if (known === undefined) return undefined;
    if (known.revoked !== null) return 'revoked';
    return known.certificates.length > 0 ? 'enrolled' : undefined;
  }

  #mayGoPlain(socket: Socket, gateway: GatewayId): boolean {
    return isLoopback(socket.remoteAddress) || this.#options.tokens.mayGoWithoutTls(gateway);
  }

  /** Written beside: a log that is away keeps no gateway out, and the next use is written instead. */
  #write(): void {
    const { registry, logger } = this.#options;
    while (this.#writes < WRITES_MAX) {
      const [next] = this.#toWrite;
      if (next === undefined) return;
      const [key, { admission, installId }] = next;
      this.#toWrite.delete(key);
      this.#writes++;
      registry
        .used(admission.gateway, admission.fingerprint, installId)
        .catch((error: unknown) => {
          logger.warn(
            { gateway: key, error: String(error) },
            'the use of a certificate is not kept',
          );
        })
        .finally(() => {
          this.#writes--;
          this.#write();
        });
    }
  }

  #sayGrace({ gateway, notAfterMs }: Admission): void {
    const { clock, graceMs, logger } = this.#options;
    const key = gatewayKey(gateway);
    const nowMs = clock.wallMs();
    if (nowMs < notAfterMs) {
      this.#graceSaidMs.delete(key);
      return;
    }
    if (nowMs - (this.#graceSaidMs.get(key) ?? 0) < GRACE_SAID_EVERY_MS) return;
    this.#graceSaidMs.set(key, nowMs);
    const until = new Date(notAfterMs + graceMs).toISOString();
    logger.warn(
      { gateway: key, until },
      'the certificate of a gateway is over; it is let in for a while yet, and has to be renewed',
    );
  }
}

export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  return address === '::1' || /^(::ffff:)?127\./i.test(address);
}
