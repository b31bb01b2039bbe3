/**
 * Whether certificates are what they should be, whatever the time: what the agent checks itself where
 * TLS has nothing but "expired" to say, because the gateway's clock may be wrong. No I/O.
 */

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** Longer chains than this are nobody's. */
const CHAIN_MAX = 8;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** All certificates of a PEM text. Throws what node:crypto throws for one that is none. */
export function certificatesOf(pem: string): X509Certificate[] {
  return (pem.match(PEM_CERTIFICATE) ?? []).map((text) => new X509Certificate(text));
}

/**
 * The way from the first certificate of `presented` to one of `anchors`, both included; undefined: there
 * is none. Each is signed by the next, which may issue. Times do not count here, and neither do lengths of
 * paths and constraints of names, which node:crypto does not tell: TLS itself checks those while the clock
 * is right.
 */
export function pathTo(
  anchors: readonly X509Certificate[],
  presented: readonly X509Certificate[],
): X509Certificate[] | undefined {
  const [leaf, ...others] = presented;
  if (leaf === undefined) return undefined;
  const path = [leaf];
  for (let current = leaf; path.length <= CHAIN_MAX; ) {
    if (anchors.some((anchor) => anchor.raw.equals(current.raw))) return path;
    const issuer =
      anchors.find((anchor) => isIssuedBy(current, anchor)) ??
      others.find((other) => !path.includes(other) && isIssuedBy(current, other));
    if (issuer === undefined) return undefined;
    path.push(issuer);
    current = issuer;
  }
  return undefined;
}

/**
 * The authorities that signed the first certificate of `presented`, each the one before it, nearest first: as far
 * as they are presented. Any of them that is known vouches for it. Times do not count, as in pathTo.
 */
export function signersIn(presented: readonly X509Certificate[]): X509Certificate[] {
  const [leaf, ...others] = presented;
  const signers: X509Certificate[] = [];
  for (let current = leaf; current !== undefined && signers.length < CHAIN_MAX; ) {
    const signed = current;
    current = others.find((other) => !signers.includes(other) && isIssuedBy(signed, other));
    if (current !== undefined) signers.push(current);
  }
  return signers;
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** A certificate that a server may show: no authority's, and made for servers. */
export function isForServers(certificate: X509Certificate): boolean {
  return !certificate.ca && (certificate.keyUsage ?? []).includes(SERVER_AUTH);
}

/** The subject does not count, as in browsers: only the names made for this. */
export function hasName(certificate: X509Certificate, host: string): boolean {
  if (isIP(host) !== 0) return certificate.checkIP(host) !== undefined;
  return certificate.checkHost(host, { subject: 'never' }) !== undefined;
}

/** For messages: `DNS:collector.plant, IP Address:192.0.2.10`. */
export function namesOf(certificate: X509Certificate): string {
  return certificate.subjectAltName ?? 'no name at all';
}
