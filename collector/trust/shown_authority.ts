/**
 * Of a server's certificate that was not issued here: which authority gateways are told to expect, and what the
 * server has to send along so that they find it.
 */

import { fingerprintOf } from '../../proto/enrolment.ts';
import { CollectorError } from '../errors.ts';
import type { Authority } from './authority.ts';
import { certificatesIn, pemOf } from './pem.ts';
import type { ServerCertificate } from './server_identity.ts';

export interface ShownAuthority {
  /** What tokens name. */
  fingerprint: string;
  /** PEM: all that gateways need, that which issues theirs first. */
  authoritiesPem: string;
}

/** Throws TRUST_AUTHORITY_INVALID when the files of the server's certificate do not say who issued it. */
export function shownAuthority(
  authority: Authority,
  { certPem }: ServerCertificate,
): ShownAuthority {
  const { fingerprint, authoritiesPem } = authority;
  if (isIssuedBy(authority, certPem)) return { fingerprint, authoritiesPem };
  const others = certificatesIn(certPem).filter(({ ca }) => ca);
  const top = others.at(-1);
  if (top === undefined)
    throw new CollectorError(
      'TRUST_AUTHORITY_INVALID',
      'mqtt.tls.cert_file: behind the certificate must stand those of its authorities, up to the root',
    );
  const all = [...certificatesIn(authoritiesPem), ...others];
  return { fingerprint: fingerprintOf(top), authoritiesPem: pemOf(all) };
}

/** With the authorities behind it, if they are not there and it was issued here. */
export function withAuthorities(authority: Authority, shown: ServerCertificate): ServerCertificate {
  if (!isIssuedBy(authority, shown.certPem)) return shown;
  const chain = [...certificatesIn(shown.certPem), ...certificatesIn(authority.authoritiesPem)];
  return { ...shown, certPem: pemOf(chain) };
}

function isIssuedBy({ certificate }: Authority, certPem: string): boolean {
  const [leaf] = certificatesIn(certPem);
  return leaf?.checkIssued(certificate) === true && leaf.verify(certificate.publicKey);
}
