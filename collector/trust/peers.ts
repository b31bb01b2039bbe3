/** Who a TLS client is, by the certificate whose key it has just proved to hold. */

import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { fingerprintOf, gatewayOfCommonName } from '../../proto/enrolment.ts';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { Clock } from '../types.ts';
import type { Authority } from './authority.ts';
import type { Gateway, Registry } from './registry.ts';

export interface KnownPeer {
  gateway: GatewayId;
  /** foreign: issued by an authority that is trusted, not here. */
  by: 'certificate' | 'foreign';
  fingerprint: string;
  notAfterMs: number;
  /** It is over, and counts for a while yet. */
  inGrace: boolean;
}

export type CertificateRefusal =
  | 'revoked'
  | 'certificate_unknown'
  | 'certificate_expired'
  | 'certificate_not_yet_valid'
  | 'certificate_purpose';

export interface PeersOptions {
  registry: Registry;
  authority: Pick<Authority, 'certificate' | 'fingerprint'>;
  /** Authorities elsewhere whose certificates count. */
  trusted: readonly X509Certificate[];
  graceMs: number;
  clock: Clock;
}

const REFUSAL_OF_ERROR: Record<string, CertificateRefusal> = {
  CERT_HAS_EXPIRED: 'certificate_expired',
  CERT_NOT_YET_VALID: 'certificate_not_yet_valid',
  INVALID_PURPOSE: 'certificate_purpose',
};

export class Peers {
  readonly #options: PeersOptions;
  readonly #trustsOwn: boolean;

  constructor(options: PeersOptions) {
    this.#options = options;
    const { authority, trusted } = options;
    this.#trustsOwn = trusted.some((one) => fingerprintOf(one) === authority.fingerprint);
  }

  /** Undefined: it showed none. */
  of(socket: TLSSocket): KnownPeer | CertificateRefusal | undefined {
    const certificate = socket.getPeerX509Certificate();
    if (certificate === undefined) return undefined;
    const fingerprint = fingerprintOf(certificate);
    const { registry } = this.#options;
    // One that was issued here counts by being known, bit for bit: nothing of it needs to be verified again.
    const known = registry.byFingerprint(fingerprint);
    if (known !== undefined) return this.#own(known.gateway, fingerprint, known.certificate);
    const owner = registry.ownerOf(fingerprint);
    if (owner !== undefined) return owner.revoked === null ? 'certificate_unknown' : 'revoked';
    return this.#foreign(socket, certificate, fingerprint);
  }

  #own(
    { site, gateway }: Gateway,
    fingerprint: string,
    { notBeforeMs, notAfterMs }: { notBeforeMs: number; notAfterMs: number },
  ): KnownPeer | CertificateRefusal {
    const nowMs = this.#options.clock.wallMs();
    if (nowMs < notBeforeMs) return 'certificate_not_yet_valid';
    if (nowMs >= notAfterMs + this.#options.graceMs) return 'certificate_expired';
    const inGrace = nowMs >= notAfterMs;
    return { gateway: { site, gateway }, by: 'certificate', fingerprint, notAfterMs, inGrace };
  }

  /** The TLS server has verified its chain up to one that is trusted, its time, and that it is for clients. */
  #foreign(
    socket: TLSSocket,
    certificate: X509Certificate,
    fingerprint: string,
  ): KnownPeer | CertificateRefusal {
    const { trusted, registry } = this.#options;
    if (trusted.length === 0 || (!this.#trustsOwn && this.#isOfOwn(certificate)))
      return 'certificate_unknown';
    if (!socket.authorized)
      return REFUSAL_OF_ERROR[String(socket.authorizationError)] ?? 'certificate_unknown';
    const gateway = gatewayOfCommonName(commonNameIn(certificate) ?? '');
    if (gateway === undefined) return 'certificate_unknown';
    if (registry.byKey(gatewayKey(gateway))?.revoked != null) return 'revoked';
    const notAfterMs = certificate.validToDate.getTime();
    return { gateway, by: 'foreign', fingerprint, notAfterMs, inGrace: false };
  }

  /** Replaced or removed here: an authority above both must not bring it back. */
  #isOfOwn(certificate: X509Certificate): boolean {
    const { certificate: issuer } = this.#options.authority;
    return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
  }
}

/** Undefined: it has none, or several. */
function commonNameIn(certificate: X509Certificate): string | undefined {
  const { CN } = certificate.toLegacyObject().subject as { CN?: string | string[] };
  return typeof CN === 'string' ? CN : undefined;
}
