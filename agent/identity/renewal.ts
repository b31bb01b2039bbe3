/** One renewal: a new key, and a certificate for it in exchange for the one of today. */

import { X509Certificate } from 'node:crypto';
import type { RenewAsk } from '../../proto/enrolment.ts';
import { ENROLMENT_PATHS, fingerprintOf } from '../../proto/enrolment.ts';
import { gatewayKey } from '../../proto/topics.ts';
import { AgentError } from '../errors.ts';
import type { Endpoint, Refused } from './ask.ts';
import { addressOf, ask, refusalOf } from './ask.ts';
import { identityOf } from './certificate.ts';
import type { Identity, StepHook } from './files.ts';
import { readAskingKey, readEnrolment, writeAskingKey, writeIdentity } from './files.ts';
import { keyFingerprint, makeKey, prove, publicKeyOf } from './keys.ts';
import { certificatesOf } from './verify.ts';

export interface RenewalOptions {
  dataDir: string;
  /** Where the collector is; the configuration may know better than the enrolment. */
  url: string;
  installId: string;
  version: string;
  timeoutMs: number;
  signal: AbortSignal;
  monoMs: () => number;
  step?: StepHook;
}

/**
 * Answers the new identity, which is on the disk then. Rejects with a coded error, and the identity of
 * today goes on: AGENT_CERTIFICATE_REVOKED, AGENT_CERTIFICATE_EXPIRED, AGENT_CERTIFICATE_REFUSED, or why
 * there was no answer.
 */
export async function renew(current: Identity, options: RenewalOptions): Promise<Identity> {
  const { dataDir, step } = options;
  const key = await keyFor(current, dataDir, step);
  const [authority] = certificatesOf(current.ca);
  if (authority === undefined) throw new AgentError('AGENT_IDENTITY_UNUSABLE', 'ca.pem is empty');
  const shown = fingerprintOf(new X509Certificate(current.certificate));
  const body: RenewAsk = {
    public_key: publicKeyOf(key),
    proof: prove(key, 'renew', shown, fingerprintOf(authority)),
    install_id: options.installId,
    version: options.version,
  };
  const answer = await ask(
    endpointOf(current, options.url),
    {
      method: 'POST',
      path: ENROLMENT_PATHS.renew,
      body,
      timeoutMs: options.timeoutMs,
      signal: options.signal,
    },
    options.monoMs,
  );
  if (answer.status !== 201) throw errorOfRenewal(refusalOf(answer), answer.status);
  const renewed = identityOf(answer.body, { key, url: current.enrolment.url });
  if (gatewayKey(renewed.enrolment) !== gatewayKey(current.enrolment)) {
    throw new AgentError('AGENT_ENROL_ANSWER', 'the certificate is for another gateway');
  }
  const now = readEnrolment(dataDir);
  if (now === undefined || gatewayKey(now) !== gatewayKey(current.enrolment)) {
    throw new AgentError('AGENT_IDENTITY_UNUSABLE', 'enrolled anew meanwhile');
  }
  writeIdentity(dataDir, renewed, step);
  return renewed;
}

/**
 * Why the collector refuses the certificate; undefined: it does not, or does not say. Asks for a renewal
 * that cannot be granted: the certificate is judged before what is asked for. Rejects as ask() does.
 */
export async function explain(
  current: Identity,
  options: Omit<RenewalOptions, 'dataDir' | 'step'>,
): Promise<AgentError | undefined> {
  const { url, installId, version, timeoutMs, signal, monoMs } = options;
  const nothing = 'A'.repeat(86);
  const body: RenewAsk = { public_key: '-', proof: nothing, install_id: installId, version };
  const question = { method: 'POST', path: ENROLMENT_PATHS.renew, body } as const;
  try {
    const answer = await ask(endpointOf(current, url), { ...question, timeoutMs, signal }, monoMs);
    const isOfCertificate = answer.status === 401 || answer.status === 403;
    return isOfCertificate ? errorOfRenewal(refusalOf(answer), answer.status) : undefined;
  } catch (error) {
    if (error instanceof AgentError && error.code.startsWith('AGENT_CERTIFICATE_')) return error;
    throw error;
  }
}

/** With the certificate shown; the collector's own is judged by the authorities of the identity. */
export function endpointOf(identity: Identity, url: string): Endpoint {
  return {
    ...addressOf(url),
    trust: { ca: identity.ca },
    own: { cert: identity.certificate, key: identity.key },
  };
}

/** The same for all attempts until one is answered; never the one in use. */
async function keyFor(current: Identity, dataDir: string, step?: StepHook): Promise<string> {
  const kept = readAskingKey(dataDir);
  if (kept !== undefined && keyFingerprint(kept) !== keyFingerprint(current.key)) return kept;
  const key = await makeKey();
  writeAskingKey(dataDir, key, step);
  return key;
}

/** What the collector's answer to a certificate means. */
function errorOfRenewal({ code, message }: Refused, status: number): AgentError {
  const detail = code === '' ? message : `${code}: ${message}`;
  if (status >= 500 || status === 429) return new AgentError('AGENT_COLLECTOR_UNAVAILABLE', detail);
  if (message.includes('revoked')) return new AgentError('AGENT_CERTIFICATE_REVOKED', detail);
  if (message.includes('expired')) return new AgentError('AGENT_CERTIFICATE_EXPIRED', detail);
  return new AgentError('AGENT_CERTIFICATE_REFUSED', detail);
}
