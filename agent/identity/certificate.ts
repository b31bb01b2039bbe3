/** What a certificate that the collector issued has to be before it is taken, and what of it is shown. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { fingerprintOf, gatewayOfCommonName } from '../../proto/enrolment.ts';
import { gatewayKey } from '../../proto/topics.ts';
import { AgentError } from '../errors.ts';
import type { Identity } from './files.ts';
import { certificatesOf, pathTo } from './verify.ts';

export interface CertificateFacts {
  /** UTC milliseconds. */
  notBeforeMs: number;
  notAfterMs: number;
  fingerprint: string;
}

/** Throws what node:crypto throws for a text that is no certificate. */
export function factsOf(pem: string): CertificateFacts {
  const certificate = new X509Certificate(pem);
  return {
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
    fingerprint: fingerprintOf(certificate),
  };
}

/**
 * The identity that a CertificateAnswer makes with the key that it was asked for. Throws
 * AGENT_ENROL_ANSWER unless it is whole: for this key, for the gateway that it names, and by one of the
 * authorities beside it; with `fingerprint` that authority has to be among them.
 */
export function identityOf(
  answer: Record<string, unknown>,
  made: { key: string; url: string; fingerprint?: string },
): Identity {
  const fail = (detail: string): AgentError => new AgentError('AGENT_ENROL_ANSWER', detail);
  const { site, gateway, certificate: pem, authorities } = answer;
  if (typeof site !== 'string' || typeof gateway !== 'string') throw fail('it names no gateway');
  if (typeof pem !== 'string' || typeof authorities !== 'string')
    throw fail('no certificate in it');
  let certificate: X509Certificate;
  let anchors: X509Certificate[];
  try {
    certificate = new X509Certificate(pem);
    anchors = certificatesOf(authorities);
  } catch {
    throw fail('a certificate in it cannot be read');
  }
  if (!certificate.checkPrivateKey(createPrivateKey(made.key))) {
    throw fail('the certificate is for another key');
  }
  const named = gatewayOfCommonName(commonNameIn(certificate));
  if (named === undefined || gatewayKey(named) !== gatewayKey({ site, gateway })) {
    throw fail('the certificate is for another gateway');
  }
  if (pathTo(anchors, [certificate]) === undefined) {
    throw fail('the certificate does not come from the authorities beside it');
  }
  const { fingerprint } = made;
  if (fingerprint !== undefined && !anchors.some((one) => fingerprintOf(one) === fingerprint)) {
    throw fail('the authority of the token is not among those in it');
  }
  const enrolment = { url: made.url, site, gateway };
  return { enrolment, ca: authorities, certificate: pem, key: made.key };
}

function commonNameIn(certificate: X509Certificate): string {
  const { CN: name } = certificate.toLegacyObject().subject as { CN?: unknown };
  return typeof name === 'string' ? name : '';
}
