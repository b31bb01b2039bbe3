/** The certificate that the authority issues for this process' servers: kept on disk, renewed while it runs. */

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { isServerName } from '../config_trust.ts';
import type { Clock, Logger } from '../types.ts';
import type { Authority } from './authority.ts';
import { newServerKey } from './authority.ts';
import type { AuthorityFiles } from './authority_files.ts';
import { pairOf } from './pem.ts';
import type { ServerCertificate, ServerIdentity } from './server_identity.ts';
import { HeldServerIdentity } from './server_identity.ts';

const LOOK_MS = 3_600_000;
/** With so much of its validity left it is replaced. */
const RENEWED_AT_SHARE = 1 / 3;
const NAMES_MAX = 100;

export interface IssuedIdentityOptions {
  authority: Authority;
  files: AuthorityFiles;
  /** Undefined: those of this machine, looked at again and again. */
  names: readonly string[] | undefined;
  clock: Clock;
  logger: Logger;
}

export class IssuedIdentity {
  readonly identity: ServerIdentity;
  readonly #held: HeldServerIdentity;
  readonly #options: IssuedIdentityOptions;
  readonly #timer: NodeJS.Timeout;

  private constructor(options: IssuedIdentityOptions, current: ServerCertificate) {
    this.#options = options;
    this.#held = new HeldServerIdentity(current);
    this.identity = this.#held;
    this.#timer = setInterval(() => void this.renew(), LOOK_MS);
    this.#timer.unref();
  }

  /** Rejects with TRUST_AUTHORITY_INVALID. */
  static async open(options: IssuedIdentityOptions): Promise<IssuedIdentity> {
    return new IssuedIdentity(options, kept(options) ?? (await issue(options)));
  }

  /** Issues another one when it is time, or the names are others. Never rejects: the old one is shown on. */
  async renew(): Promise<void> {
    const { logger } = this.#options;
    if (isGood(new X509Certificate(this.#held.current.certPem), this.#options)) return;
    try {
      this.#held.set(await issue(this.#options));
      logger.info({}, "the server's certificate was issued anew");
    } catch (error) {
      logger.error({ error: String(error) }, "the server's certificate cannot be issued anew");
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }
}

function kept(options: IssuedIdentityOptions): ServerCertificate | undefined {
  const text = options.files.server();
  const pair = text && pairOf(text.cert, text.key);
  if (text === undefined || pair === undefined || typeof pair === 'string') return undefined;
  if (!isGood(pair.certificate, options)) return undefined;
  const keyPem = pair.key.export({ type: 'pkcs8', format: 'pem' }).toString();
  return shown(pair.certificate.toString(), keyPem, options.authority);
}

async function issue(options: IssuedIdentityOptions): Promise<ServerCertificate> {
  const { authority, files } = options;
  const { keyPem, publicKey } = await newServerKey();
  const { pem } = await authority.issueServer(namesFor(options), publicKey);
  files.keepServer({ cert: pem, key: keyPem });
  return shown(pem, keyPem, authority);
}

/** The authorities go with it: who enrols knows one of them by its fingerprint only. */
function shown(pem: string, keyPem: string, { authoritiesPem }: Authority): ServerCertificate {
  const notAfterMs = new X509Certificate(pem).validToDate.getTime();
  return { certPem: `${pem.trim()}\n${authoritiesPem}`, keyPem, notAfterMs };
}

function isGood(certificate: X509Certificate, options: IssuedIdentityOptions): boolean {
  const { authority, clock } = options;
  const issuer = authority.certificate;
  if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) return false;
  const fromMs = certificate.validFromDate.getTime();
  const toMs = certificate.validToDate.getTime();
  const nowMs = clock.wallMs();
  if (nowMs < fromMs) return false;
  // One that ends with its authority cannot be made any longer.
  const isTime = nowMs > toMs - (toMs - fromMs) * RENEWED_AT_SHARE;
  if (isTime && (toMs < authority.notAfterMs || nowMs >= toMs)) return false;
  return namesFor(options).every((name) => hasName(certificate, name));
}

function hasName(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  const asked = name.startsWith('*.') ? `x${name.slice(1)}` : name;
  return certificate.checkHost(asked, { subject: 'never' }) !== undefined;
}

function namesFor({ names }: IssuedIdentityOptions): readonly string[] {
  return names ?? ownNames();
}

/** The name first, and without addresses that hold on one cable only. */
export function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ scopeid }) => scopeid === undefined || scopeid === 0)
    .map(({ address }) => address);
  const names = new Set([hostname(), ...addresses, 'localhost', '127.0.0.1', '::1']);
  return [...names].filter(isServerName).slice(0, NAMES_MAX);
}
