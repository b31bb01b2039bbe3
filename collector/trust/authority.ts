/**
 * The authority that issues the certificates of gateways and servers: the plant's, or an own one that is made at the
 * first start. This is the only file that issues; whether a certificate counts is the registry's to say.
 */

import 'reflect-metadata';
import type { KeyObject, webcrypto } from 'node:crypto';
import { createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';
import { fingerprintOf } from '../../proto/enrolment.ts';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';
import type { AuthorityFiles } from './authority_files.ts';
import type { Pair } from './pem.ts';
import { pairOf, pemOf, spkiOf } from './pem.ts';

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** Clocks of several processes, and one that was set back a little, do not make a new one invalid. */
const BACKDATED_MS = HOUR_MS;
/** A plant runs for long without anybody who thinks of it. */
const OWN_DAYS = 20 * 365;
/** Of servers: what pages show is checked by browsers, and those take no longer ones. */
export const SERVER_DAYS = 397;
const SERIAL_BYTES = 16;
const COMMON_NAME_CHARS_MAX = 64;
const SHA_OF_CURVE: Record<string, string> = {
  prime256v1: 'SHA-256',
  secp384r1: 'SHA-384',
  secp521r1: 'SHA-512',
};
const NAME_OF_CURVE: Record<string, string> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};

export interface Issued {
  pem: string;
  /** See fingerprintOf. */
  fingerprint: string;
  /** Hex digits. */
  serial: string;
  notBeforeMs: number;
  notAfterMs: number;
}

export interface Authority {
  /** False: the plant's. */
  readonly own: boolean;
  /** That issues. */
  readonly certificate: X509Certificate;
  readonly fingerprint: string;
  readonly notAfterMs: number;
  /** PEM: that which issues, and behind it all others that gateways are to trust. */
  readonly authoritiesPem: string;
  /** Rejects with TRUST_AUTHORITY_INVALID when it is over itself. No certificate outlasts it. */
  issueGateway(commonName: string, publicKey: KeyObject, days: number): Promise<Issued>;
  /** `names`: host names and addresses; at least one. Rejects likewise. */
  issueServer(names: readonly string[], publicKey: KeyObject): Promise<Issued>;
}

export interface AuthorityOptions {
  /** PEM texts of the plant's; undefined: an own one in the files. */
  given: { cert: string; key: string } | undefined;
  files: AuthorityFiles;
  clock: Clock;
}

/** Rejects with TRUST_AUTHORITY_INVALID: nothing is made anew in place of what cannot be read. */
export async function openAuthority({ given, files, clock }: AuthorityOptions): Promise<Authority> {
  const pair = given === undefined ? await ownPair(files, clock) : asPair(given, 'ca.cert_file');
  return new Issuer(pair, given === undefined, clock);
}

async function ownPair(files: AuthorityFiles, clock: Clock): Promise<Pair> {
  const known = files.authority();
  if (known !== undefined) return asPair(known, files.folder);
  files.keepAuthority(await makeOwn(clock));
  // Another process may have been quicker: what lies there counts.
  const kept = files.authority();
  if (kept === undefined) throw new CollectorError('TRUST_AUTHORITY_INVALID', files.folder);
  return asPair(kept, files.folder);
}

function asPair({ cert, key }: { cert: string; key: string }, where: string): Pair {
  const pair = pairOf(cert, key);
  if (typeof pair === 'string')
    throw new CollectorError('TRUST_AUTHORITY_INVALID', `${where}: ${pair}`);
  if (!pair.certificate.ca)
    throw new CollectorError('TRUST_AUTHORITY_INVALID', `${where}: it may not issue (CA:FALSE)`);
  return pair;
}

/** A name of its own, so that two collectors' authorities are told apart where they are listed. */
async function makeOwn(clock: Clock): Promise<{ cert: string; key: string }> {
  const keys = await newKeys();
  const nowMs = clock.wallMs();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: [{ CN: [`FMS authority ${randomBytes(4).toString('hex')}`] }, { O: ['FMS'] }],
    keys,
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    notBefore: wholeSeconds(nowMs - BACKDATED_MS),
    notAfter: wholeSeconds(nowMs + OWN_DAYS * DAY_MS),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(key, 'PRIVATE KEY') };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ]) as Promise<webcrypto.CryptoKeyPair>;
}

class Issuer implements Authority {
  readonly own: boolean;
  readonly certificate: X509Certificate;
  readonly fingerprint: string;
  readonly notAfterMs: number;
  readonly authoritiesPem: string;
  readonly #clock: Clock;
  readonly #issuer: x509.X509Certificate;
  readonly #signing: { key: webcrypto.CryptoKey; algorithm: { name: string; hash?: string } };

  constructor({ certificate, key, others }: Pair, own: boolean, clock: Clock) {
    this.own = own;
    this.certificate = certificate;
    this.fingerprint = fingerprintOf(certificate);
    this.notAfterMs = certificate.validToDate.getTime();
    this.authoritiesPem = pemOf([certificate, ...others.filter(({ ca }) => ca)]);
    this.#clock = clock;
    this.#issuer = new x509.X509Certificate(certificate.raw);
    this.#signing = signingBy(key);
  }

  issueGateway(commonName: string, publicKey: KeyObject, days: number): Promise<Issued> {
    return this.#issue(publicKey, days, {
      subject: commonName,
      usage: x509.ExtendedKeyUsage.clientAuth,
    });
  }

  issueServer(names: readonly string[], publicKey: KeyObject): Promise<Issued> {
    const subject = names.find((name) => name.length <= COMMON_NAME_CHARS_MAX) ?? 'fms-collector';
    const alternative = new x509.SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isIP(value) === 0 ? 'dns' : 'ip', value })),
    );
    const usage = x509.ExtendedKeyUsage.serverAuth;
    return this.#issue(publicKey, SERVER_DAYS, { subject, usage, more: [alternative] });
  }

  async #issue(
    publicKey: KeyObject,
    days: number,
    of: { subject: string; usage: x509.ExtendedKeyUsageType; more?: x509.Extension[] },
  ): Promise<Issued> {
    const nowMs = this.#clock.wallMs();
    if (nowMs >= this.notAfterMs)
      throw new CollectorError(
        'TRUST_AUTHORITY_INVALID',
        `it is over since ${new Date(this.notAfterMs).toISOString()}`,
      );
    const notBefore = Math.max(nowMs - BACKDATED_MS, this.certificate.validFromDate.getTime());
    const key = new x509.PublicKey(spkiOf(publicKey));
    const serialNumber = newSerial();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber,
      subject: [{ CN: [of.subject] }],
      issuer: this.#issuer.subjectName,
      publicKey: key,
      signingKey: this.#signing.key,
      signingAlgorithm: this.#signing.algorithm,
      notBefore: wholeSeconds(notBefore),
      notAfter: wholeSeconds(Math.min(nowMs + days * DAY_MS, this.notAfterMs)),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([of.usage]),
        ...this.#authorityKey(),
        ...(of.more ?? []),
      ],
    });
    return issuedOf(new X509Certificate(Buffer.from(certificate.rawData)), serialNumber);
  }

  /** As the issuer's certificate names its key, whatever it made that of. */
  #authorityKey(): x509.Extension[] {
    const own = this.#issuer.getExtension(x509.SubjectKeyIdentifierExtension);
    return own === null ? [] : [new x509.AuthorityKeyIdentifierExtension(own.keyId)];
  }
}

function issuedOf(certificate: X509Certificate, serial: string): Issued {
  return {
    pem: certificate.toString(),
    fingerprint: fingerprintOf(certificate),
    serial,
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

function signingBy(key: KeyObject): {
  key: webcrypto.CryptoKey;
  algorithm: { name: string; hash?: string };
} {
  if (key.asymmetricKeyType === 'rsa') {
    const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    return { key: key.toCryptoKey(algorithm, false, ['sign']), algorithm };
  }
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  const imported = { name: 'ECDSA', namedCurve: NAME_OF_CURVE[curve] ?? '' };
  return {
    key: key.toCryptoKey(imported, false, ['sign']),
    algorithm: { name: 'ECDSA', hash: SHA_OF_CURVE[curve] ?? 'SHA-256' },
  };
}

/** Positive, and never with a zero at its start. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

/** Certificates know no parts of a second. */
function wholeSeconds(ms: number): Date {
  return new Date(Math.floor(ms / 1_000) * 1_000);
}

/** A key for a server, and the public part of it. */
export async function newServerKey(): Promise<{ keyPem: string; publicKey: KeyObject }> {
  const keys = await newKeys();
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  const keyPem = x509.PemConverter.encode(pkcs8, 'PRIVATE KEY');
  return { keyPem, publicKey: createPublicKey(keyPem) };
}
