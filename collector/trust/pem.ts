/** Certificates and keys as texts: reading them, and what may be wrong with them. Nothing here issues any. */

import type { KeyObject } from 'node:crypto';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const PUBLIC_KEY = /^\s*-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----\s*$/;
/** A file with more is no list of authorities. */
const CERTIFICATES_MAX = 100;
const RSA_BITS_MIN = 2_048;
const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

/** Of a PEM text, in its order; everything around them does not count. Throws when one cannot be read. */
export function certificatesIn(pem: string): X509Certificate[] {
  const texts = pem.match(CERTIFICATE) ?? [];
  if (texts.length > CERTIFICATES_MAX)
    throw new Error(`there are more than ${CERTIFICATES_MAX} certificates`);
  return texts.map((text) => new X509Certificate(text));
}

export interface Pair {
  /** That of the key. */
  certificate: X509Certificate;
  key: KeyObject;
  /** The others of the text, in its order. */
  others: X509Certificate[];
}

/** Answers with a text for people when they are no pair that can be used. */
export function pairOf(certPem: string, keyPem: string): Pair | string {
  let certificates: X509Certificate[];
  try {
    certificates = certificatesIn(certPem);
  } catch (error) {
    return `a certificate cannot be read: ${(error as Error).message}`;
  }
  if (certificates.length === 0) return 'there is no certificate (PEM) in the file';
  const key = privateKeyOf(keyPem);
  if (typeof key === 'string') return key;
  const certificate = certificates.find((one) => one.checkPrivateKey(key));
  if (certificate === undefined) return 'the key belongs to none of the certificates';
  return { certificate, key, others: certificates.filter((one) => one !== certificate) };
}

function privateKeyOf(pem: string): KeyObject | string {
  let key: KeyObject;
  try {
    key = createPrivateKey(pem);
  } catch (error) {
    if (/ENCRYPTED/.test(pem)) return 'the key has a passphrase: store it without';
    return `the key cannot be read: ${(error as Error).message}`;
  }
  return strongProblem(key) ?? key;
}

function strongProblem({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): string | undefined {
  if (type === 'ec' && CURVES.has(details?.namedCurve)) return undefined;
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= RSA_BITS_MIN) return undefined;
  return `keys are ECDSA (P-256, P-384, P-521) or RSA of ${RSA_BITS_MIN} bits or more`;
}

/** A gateway's: P-256 only. Undefined: it is none, whatever else it is (a private key would tell one, too). */
export function gatewayKeyIn(pem: string): KeyObject | undefined {
  if (!PUBLIC_KEY.test(pem)) return undefined;
  try {
    const key = createPublicKey(pem);
    const isP256 =
      key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
    return isP256 ? key : undefined;
  } catch {
    return undefined;
  }
}

/** SubjectPublicKeyInfo. */
export function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}

/** One after the other, each once. */
export function pemOf(certificates: readonly X509Certificate[]): string {
  const texts = new Set(certificates.map((certificate) => certificate.toString().trim()));
  return `${[...texts].join('\n')}\n`;
}
