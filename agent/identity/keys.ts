/** A gateway's key: made on the gateway, and never sent anywhere. P-256, as PEM. */

import { createPrivateKey, createPublicKey, generateKeyPair, sign } from 'node:crypto';
import { promisify } from 'node:util';
import type { ProofPurpose } from '../../proto/enrolment.ts';
import { fingerprintOf, proofText } from '../../proto/enrolment.ts';

/** A new private key: PKCS #8, PEM. */
export async function makeKey(): Promise<string> {
  const { privateKey } = await promisify(generateKeyPair)('ec', { namedCurve: 'P-256' });
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }));
}

/** SubjectPublicKeyInfo, PEM. */
export function publicKeyOf(key: string): string {
  return String(createPublicKey(key).export({ type: 'spki', format: 'pem' }));
}

/** What an admin compares before approving; see fingerprintOf. */
export function keyFingerprint(key: string): string {
  return fingerprintOf({
    publicKeyDer: createPublicKey(key).export({ type: 'spki', format: 'der' }),
  });
}

/** Of the holder of the key; base64url. See proofText. */
export function prove(
  key: string,
  purpose: ProofPurpose,
  subject: string,
  caFingerprint: string,
): string {
  const text = Buffer.from(proofText(purpose, subject, caFingerprint));
  return sign('sha256', text, createPrivateKey(key)).toString('base64url');
}
