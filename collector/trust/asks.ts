/** What gateways send to the endpoint, checked field by field: nothing of it is believed before. */

import type { KeyObject } from 'node:crypto';
import { verify } from 'node:crypto';
import type { EnrolAsk, ProofPurpose, RenewAsk, RequestAsk } from '../../proto/enrolment.ts';
import { commonNameOf, fingerprintOf, proofText } from '../../proto/enrolment.ts';
import { isTopicName } from '../../proto/topics.ts';
import { CollectorError } from '../errors.ts';
import { gatewayKeyIn, spkiOf } from './pem.ts';

const PUBLIC_KEY_CHARS_MAX = 1_000;
const PROOF = /^[\w-]{40,200}$/;
const SECRET = /^[\w-]{22}$/;
const VERSION_CHARS_MAX = 100;
const INSTALL_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Throws ENROL_INVALID, as all here do. */
export function enrolAskOf(body: unknown): EnrolAsk {
  const said = fieldsOf(body);
  return { secret: textOf(said, 'secret', SECRET), ...commonOf(said) };
}

export function requestAskOf(body: unknown): RequestAsk {
  const said = fieldsOf(body);
  const site = textOf(said, 'site');
  const gateway = textOf(said, 'gateway');
  checkName(site, gateway);
  return { site, gateway, ...commonOf(said) };
}

export function renewAskOf(body: unknown): RenewAsk {
  const said = fieldsOf(body);
  return { install_id: textOf(said, 'install_id', INSTALL_ID), ...commonOf(said) };
}

/** Throws GATEWAY_NAME_INVALID for what no certificate or topic can carry. */
export function checkName(site: string, gateway: string): void {
  if (!isTopicName(site) || !isTopicName(gateway))
    throw new CollectorError('GATEWAY_NAME_INVALID', `${site}/${gateway}`);
  if (commonNameOf({ site, gateway }) === undefined)
    throw new CollectorError('GATEWAY_NAME_INVALID', `${site}/${gateway} is too long`);
}

export interface ProvenKey {
  key: KeyObject;
  fingerprint: string;
  /** As it is kept. */
  pem: string;
}

/**
 * The key, once it is one that may be certified and the sender has shown to hold it. `authorities`: fingerprints of
 * those that the gateway may have been told of. Throws ENROL_KEY_REFUSED.
 */
export function provenKey(
  ask: { public_key: string; proof: string },
  purpose: ProofPurpose,
  subject: string,
  authorities: readonly string[],
): ProvenKey {
  const key = gatewayKeyIn(ask.public_key);
  if (key === undefined)
    throw new CollectorError('ENROL_KEY_REFUSED', 'public_key is not a P-256 key (PEM)');
  const signature = Buffer.from(ask.proof, 'base64url');
  const isProven = authorities.some((authority) =>
    verify('sha256', Buffer.from(proofText(purpose, subject, authority)), key, signature),
  );
  if (!isProven)
    throw new CollectorError('ENROL_KEY_REFUSED', 'proof is not a signature of this key over this');
  const pem = key.export({ type: 'spki', format: 'pem' }).toString();
  return { key, fingerprint: fingerprintOf({ publicKeyDer: spkiOf(key) }), pem };
}

function commonOf(said: Record<string, unknown>): {
  public_key: string;
  proof: string;
  version: string;
} {
  const public_key = textOf(said, 'public_key');
  const version = textOf(said, 'version');
  if (public_key.length > PUBLIC_KEY_CHARS_MAX) throw invalid('public_key is too long');
  if (version.length > VERSION_CHARS_MAX) throw invalid('version is too long');
  return { public_key, proof: textOf(said, 'proof', PROOF), version };
}

function fieldsOf(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('the body is no JSON object');
  return body as Record<string, unknown>;
}

function textOf(said: Record<string, unknown>, name: string, form?: RegExp): string {
  const value = Object.hasOwn(said, name) ? said[name] : undefined;
  if (typeof value !== 'string' || value === '') throw invalid(`${name} is no text, or empty`);
  if (form !== undefined && !form.test(value)) throw invalid(`${name} is not of its form`);
  return value;
}

function invalid(detail: string): CollectorError {
  return new CollectorError('ENROL_INVALID', detail);
}
