/** A certificate and its key in files, taken anew when they change: who renews them tells nobody. */

import { X509Certificate } from 'node:crypto';
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ServerCertificate, ServerIdentity } from '../trust/server_identity.ts';
import { HeldServerIdentity } from '../trust/server_identity.ts';
import type { Logger } from '../types.ts';

const LOOK_MS = 10_000;

export interface FilePair {
  /** Absolute. PEM: the certificate, and behind it those of its authorities. */
  certFile: string;
  /** Absolute. PEM. */
  keyFile: string;
}

export interface IdentityFiles {
  identity: ServerIdentity;
  close(): void;
}

/** Throws as readPair does. `lookMs`: how often the files are looked at; for tests. */
export function identityFiles(
  files: FilePair,
  logger: Logger,
  lookMs: number = LOOK_MS,
): IdentityFiles {
  const held = new HeldServerIdentity(readPair(files));
  const look = (): void => {
    const before = held.current;
    let now: ServerCertificate;
    try {
      now = readPair(files);
    } catch (error) {
      // Between the two files: the next change brings both.
      logger.warn(
        { file: files.certFile, error: String(error) },
        'certificate and key in files do not fit (yet): the old ones are shown on',
      );
      return;
    }
    if (now.certPem === before.certPem && now.keyPem === before.keyPem) return;
    logger.info({ file: files.certFile }, 'a new certificate is shown');
    held.set(now);
  };
  const names = [files.certFile, files.keyFile];
  // Not fs.watch: a link to another folder (certbot, Kubernetes' secrets) changes without an event.
  for (const name of names) watchFile(name, { interval: lookMs, persistent: false }, look);
  return {
    identity: held,
    close: () => {
      for (const name of names) unwatchFile(name, look);
    },
  };
}

/** Throws as readFileSync does, and for what is no certificate, no key, or not the key of the certificate. */
export function readPair({ certFile, keyFile }: FilePair): ServerCertificate {
  const certPem = readFileSync(certFile, 'utf8');
  const keyPem = readFileSync(keyFile, 'utf8');
  createSecureContext({ cert: certPem, key: keyPem });
  return { certPem, keyPem, notAfterMs: new X509Certificate(certPem).validToDate.getTime() };
}
