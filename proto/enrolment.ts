/**
 * How a gateway comes to its certificate: what it and the collector say to each other before and while they
 * trust each other. JSON over HTTPS on the collector's MQTT port with TLS: who asks for the protocol http/1.1
 * (ALPN) speaks HTTP there, everybody else MQTT, so that a gateway needs one port only.
 *
 * A gateway proves that it holds the key that it asks a certificate for by a signature (ECDSA P-256, SHA-256)
 * over `proofText`. Identity is the certificate's common name, `site/gateway`: a broker that takes it as the
 * user's name (Mosquitto's use_identity_as_username) finds the topics of the gateway behind it.
 */

import { createHash, X509Certificate } from 'node:crypto';
import type { GatewayId } from './topics.ts';
import { gatewayKey, isTopicName } from './topics.ts';

/** Paths of the endpoint. Bodies are JSON of at most ENROLMENT_BYTES_MAX; errors `{error: {code, message, hint}}`. */
export const ENROLMENT_PATHS = {
  /** GET → TimeAnswer. For everybody: what time it is is no secret. */
  time: '/fms/v1/time',
  /** POST EnrolAsk → 201 CertificateAnswer. */
  enrol: '/fms/v1/enrol',
  /** POST RequestAsk → 202 RequestAnswer; GET of `requests/ID` → 200 RequestAnswer. */
  requests: '/fms/v1/requests',
  /** POST RenewAsk, with the gateway's certificate of today → 201 CertificateAnswer. */
  renew: '/fms/v1/renew',
} as const;

export const ENROLMENT_BYTES_MAX = 16 * 1024;

/** X.520 allows a common name of 64 characters (ub-common-name); counted in bytes of UTF-8 here. */
export const COMMON_NAME_BYTES_MAX = 64;

export interface TimeAnswer {
  now_ms: number;
}

export interface EnrolAsk {
  /** The secret of the token. */
  secret: string;
  /** PEM, SubjectPublicKeyInfo, P-256. */
  public_key: string;
  /** base64url, of proofText('enrol', secret, CA fingerprint). */
  proof: string;
  /** Of the agent. */
  version: string;
}

/** Without a token: an admin compares the key's fingerprint, and approves. */
export interface RequestAsk {
  site: string;
  gateway: string;
  public_key: string;
  /** base64url, of proofText('request', 'site/gateway', CA fingerprint). */
  proof: string;
  version: string;
}

export interface RequestAnswer {
  id: string;
  state: 'pending' | 'approved' | 'rejected' | 'expired';
  expires_ms: number;
  /** Once it is approved. */
  certificate?: CertificateAnswer;
}

export interface RenewAsk {
  public_key: string;
  /** base64url, of proofText('renew', fingerprint of the certificate shown, CA fingerprint). */
  proof: string;
  /** Of the agent's install (its MQTT client id): a clone must not renew beside the original. */
  install_id: string;
  version: string;
}

export interface CertificateAnswer extends TimeAnswer {
  site: string;
  gateway: string;
  /** PEM of the gateway's certificate. */
  certificate: string;
  /** PEM of the authorities, the issuing one first; all that the gateway needs to verify the collector. */
  authorities: string;
  not_before_ms: number;
  not_after_ms: number;
}

export type ProofPurpose = 'enrol' | 'request' | 'renew';

/** What is signed. The purpose and the authority are in it, so that no signature serves for anything else. */
export function proofText(purpose: ProofPurpose, subject: string, caFingerprint: string): string {
  return `fms-proof-1\n${purpose}\n${subject}\n${caFingerprint}`;
}

/** Undefined: their names together are too long for a certificate. */
export function commonNameOf(id: GatewayId): string | undefined {
  const name = gatewayKey(id);
  return Buffer.byteLength(name) <= COMMON_NAME_BYTES_MAX ? name : undefined;
}

/** Undefined for any name that no gateway can have. */
export function gatewayOfCommonName(name: string): GatewayId | undefined {
  const [site, gateway, ...more] = name.split('/');
  if (site === undefined || gateway === undefined || more.length > 0) return undefined;
  if (!isTopicName(site) || !isTopicName(gateway)) return undefined;
  return commonNameOf({ site, gateway }) === undefined ? undefined : { site, gateway };
}

export interface EnrolmentToken {
  /** base64url of 16 random bytes. The collector keeps only its SHA-256. */
  secret: string;
  /** Of the authority's certificate, see fingerprintOf. */
  caFingerprint: string;
}

const TOKEN_PREFIX = 'fms-gw1';
const TOKEN = /^fms-gw1\.([\w-]{22})\.([\w-]{43})$/;

/** One line of 74 characters that a person can paste, of nothing that a shell would change. */
export function formatToken(token: EnrolmentToken): string {
  const fingerprint = Buffer.from(token.caFingerprint, 'hex').toString('base64url');
  return `${TOKEN_PREFIX}.${token.secret}.${fingerprint}`;
}

/** Undefined: not of that form. White space at the ends does not count. */
export function parseToken(text: string): EnrolmentToken | undefined {
  const [, secret, fingerprint] = TOKEN.exec(text.trim()) ?? [];
  if (secret === undefined || fingerprint === undefined) return undefined;
  return { secret, caFingerprint: Buffer.from(fingerprint, 'base64url').toString('hex') };
}

/**
 * SHA-256 as 64 lower-case hex digits: of a certificate over its DER, as `openssl x509 -fingerprint -sha256`
 * says it; of a public key (PEM) over its SubjectPublicKeyInfo in DER.
 */
export function fingerprintOf(of: X509Certificate | { publicKeyDer: Uint8Array }): string {
  const der = of instanceof X509Certificate ? of.raw : of.publicKeyDer;
  return createHash('sha256').update(der).digest('hex');
}

/** For people to compare: groups of four, capitals. */
export function formatFingerprint(fingerprint: string): string {
  return (fingerprint.toUpperCase().match(/.{1,4}/g) ?? []).join(' ');
}

/** As people type or paste it: spaces, colons, dashes and case do not count. Undefined: no fingerprint. */
export function parseFingerprint(text: string): string | undefined {
  const hex = text.replace(/[\s:-]/g, '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(hex) ? hex : undefined;
}
