/** Certificates of a broker for tests, and of a client that logs in with one. */

import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  /** PEM files for the broker. */
  keyStore: string;
  trustStore: string;
  /** PEM texts for clients. */
  ca: string;
  clientCert: string;
  clientKey: string;
}

/** Makes them in the folder with openssl. Each signs itself; both trust both. */
export function makeCertificates(folder: string): Certificates {
  const server = make(folder, 'server', 'subjectAltName=IP:127.0.0.1,DNS:localhost');
  const client = make(folder, 'client', 'subjectAltName=DNS:fms-collector');
  const keyStore = join(folder, 'key-store.pem');
  const trustStore = join(folder, 'trust-store.pem');
  writeFileSync(keyStore, server.key + server.cert);
  writeFileSync(trustStore, client.cert);
  return {
    keyStore,
    trustStore,
    ca: server.cert,
    clientCert: client.cert,
    clientKey: client.key,
  };
}

function make(folder: string, name: string, extension: string): { key: string; cert: string } {
  const key = join(folder, `${name}-key.pem`);
  const cert = join(folder, `${name}-cert.pem`);
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const args = ['req', ...kind, '-keyout', key, '-out', cert, '-days', '30'];
  execFileSync('openssl', [...args, '-subj', `/CN=fms-test-${name}`, '-addext', extension], {
    stdio: 'pipe',
  });
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
}
