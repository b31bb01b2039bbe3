/** An authority of a test's own: certificates of any names, times and purposes. */

import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { fingerprintOf } from '../../proto/enrolment.ts';

const DAY_MS = 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export interface Validity {
  fromMs: number;
  toMs: number;
}

export interface MadePair {
  cert: string;
  key: string;
}

/** A day each way. */
export function validNow(): Validity {
  return { fromMs: Date.now() - DAY_MS, toMs: Date.now() + DAY_MS };
}

export class SmallAuthority {
  readonly pem: string;
  readonly fingerprint: string;
  readonly #name: string;
  readonly #keys: webcrypto.CryptoKeyPair;

  constructor(pem: string, name: string, keys: webcrypto.CryptoKeyPair) {
    this.pem = pem;
    this.fingerprint = fingerprintOf(new X509Certificate(pem));
    this.#name = name;
    this.#keys = keys;
  }

  static async make(name = 'CN=test authority', validity = validNow()): Promise<SmallAuthority> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: newSerial(),
      name,
      keys,
      signingAlgorithm: ALGORITHM,
      ...dates(validity),
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
      ],
    });
    return new SmallAuthority(`${certificate.toString('pem')}\n`, name, keys);
  }

  /** An authority below this one: what a plant lets issue. Its `pem` is its own certificate alone. */
  async below(name: string): Promise<SmallAuthority> {
    const keys = await newKeys();
    const pem = await this.#issue(
      name,
      keys.publicKey,
      validNow(),
      [new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true)],
      true,
    );
    return new SmallAuthority(pem, name, keys);
  }

  /** For the names of a server; `usage` is what it may be used for. */
  async server(
    names: readonly string[],
    validity = validNow(),
    usage = x509.ExtendedKeyUsage.serverAuth as string,
  ): Promise<MadePair> {
    const keys = await newKeys();
    const alternative = new x509.SubjectAlternativeNameExtension(
      names.map((value) => ({
        type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
        value,
      })),
    );
    const cert = await this.#issue('CN=a server', keys.publicKey, validity, [
      new x509.ExtendedKeyUsageExtension([usage]),
      alternative,
    ]);
    const key = x509.PemConverter.encode(
      await crypto.subtle.exportKey('pkcs8', keys.privateKey),
      'PRIVATE KEY',
    );
    return { cert: `${cert}${this.pem}`, key };
  }

  /** For a gateway's public key (PEM). */
  gateway(commonName: string, publicKey: string, validity = validNow()): Promise<string> {
    const spki = createPublicKey(publicKey).export({ type: 'spki', format: 'der' });
    return this.#issue(`CN=${commonName}`, new x509.PublicKey(spki), validity, [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
    ]);
  }

  async #issue(
    subject: string,
    publicKey: x509.PublicKey | webcrypto.CryptoKey,
    validity: Validity,
    extensions: x509.Extension[],
    mayIssue = false,
  ): Promise<string> {
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject,
      issuer: this.#name,
      publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: ALGORITHM,
      ...dates(validity),
      extensions: [new x509.BasicConstraintsExtension(mayIssue, undefined, true), ...extensions],
    });
    return `${certificate.toString('pem')}\n`;
  }
}

function dates({ fromMs, toMs }: Validity): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(fromMs), notAfter: new Date(toMs) };
}

function newSerial(): string {
  return `0${randomBytes(8).toString('hex').slice(1)}`;
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, [
    'sign',
    'verify',
  ]) as Promise<webcrypto.CryptoKeyPair>;
}
