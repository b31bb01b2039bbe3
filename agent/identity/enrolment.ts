/**
 * How a gateway gets its first certificate: with a token, or by asking and waiting for an admin's word.
 * The collector proves who it is before anything is told to it. What was begun can be begun again: the key
 * is kept until a certificate for it is here.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { EnrolAsk, EnrolmentToken, RequestAnswer, RequestAsk } from '../../proto/enrolment.ts';
import { ENROLMENT_PATHS } from '../../proto/enrolment.ts';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import { AgentError } from '../errors.ts';
import type { Answer, Question } from './ask.ts';
import { addressOf, ask, refusalOf } from './ask.ts';
import { identityOf } from './certificate.ts';
import type { Identity, StepHook } from './files.ts';
import { readAskingKey, writeAskingKey } from './files.ts';
import { makeKey, prove, publicKeyOf } from './keys.ts';

export interface EnrolmentOptions {
  dataDir: string;
  /** mqtts://host:port, see toEnrolmentUrl. */
  url: string;
  /** Of the collector's authority: from the token, or confirmed by a person. */
  caFingerprint: string;
  version: string;
  /** For one question and its answer. */
  timeoutMs: number;
  monoMs: () => number;
  wallMs: () => number;
  step?: StepHook;
}

export interface Enrolled {
  identity: Identity;
  /** This machine's clock minus the collector's; undefined: it did not say. */
  aheadMs: number | undefined;
}

/** While an admin has not decided. */
const POLL_MS = 3_000;
/** A collector that cannot be reached for so many questions, ten minutes, will not say it today. */
const UNREACHABLE_MAX = 200;

/** As people write it: mqtts:// or https:// (or nothing), the port left out or not. Undefined: no URL. */
export function toEnrolmentUrl(text: string): string | undefined {
  const [, scheme = 'mqtts', rest = ''] = /^(?:([a-z]+):\/\/)?(.+)$/i.exec(text.trim()) ?? [];
  const lower = scheme.toLowerCase();
  if (lower !== 'mqtts' && lower !== 'https') return undefined;
  const canonical = `mqtts://${rest.replace(/\/$/, '')}`;
  if (!URL.canParse(canonical)) return undefined;
  const { hostname, username, password, pathname, search, hash } = new URL(canonical);
  if (hostname === '' || username + password + search + hash !== '') return undefined;
  if (pathname !== '' && pathname !== '/') return undefined;
  const { port } = addressOf(canonical);
  return `mqtts://${hostname}:${port}`;
}

/** The key that a certificate is asked for: the one of an attempt before, or a new one. */
export async function askingKey(dataDir: string, step?: StepHook): Promise<string> {
  const kept = readAskingKey(dataDir);
  if (kept !== undefined) return kept;
  const key = await makeKey();
  writeAskingKey(dataDir, key, step);
  return key;
}

/** Rejects with a coded error; the token then still counts for this key, unless it was refused. */
export async function enrolByToken(
  options: EnrolmentOptions,
  key: string,
  token: EnrolmentToken,
): Promise<Enrolled> {
  const { caFingerprint, version } = options;
  const body: EnrolAsk = {
    secret: token.secret,
    public_key: publicKeyOf(key),
    proof: prove(key, 'enrol', token.secret, caFingerprint),
    version,
  };
  const answer = await put(options, { method: 'POST', path: ENROLMENT_PATHS.enrol, body });
  if (answer.status !== 201) throw errorOf(answer);
  return enrolledBy(answer.body, key, options);
}

/**
 * Asks, calls `pending` once, and waits until an admin has decided or the request has expired: at most
 * until then. A collector that cannot be reached for a while is asked again.
 */
export async function enrolByRequest(
  options: EnrolmentOptions,
  key: string,
  gateway: GatewayId,
  pending: (request: { id: string; expiresMs: number }) => void,
): Promise<Enrolled> {
  const { caFingerprint, version } = options;
  const body: RequestAsk = {
    ...gateway,
    public_key: publicKeyOf(key),
    proof: prove(key, 'request', gatewayKey(gateway), caFingerprint),
    version,
  };
  const asked = await put(options, { method: 'POST', path: ENROLMENT_PATHS.requests, body });
  if (asked.status !== 202 && asked.status !== 200) throw errorOf(asked);
  let request = toRequest(asked.body);
  let unreachable = 0;
  if (request.state === 'pending') pending({ id: request.id, expiresMs: request.expires_ms });
  while (request.state === 'pending') {
    await delay(POLL_MS);
    const path = `${ENROLMENT_PATHS.requests}/${encodeURIComponent(request.id)}`;
    const answer = await put(options, { method: 'GET', path }).catch((error: unknown) => {
      const isAway = (error as { code?: unknown }).code === 'AGENT_COLLECTOR_UNREACHABLE';
      if (!isAway || ++unreachable >= UNREACHABLE_MAX) throw error;
      return undefined;
    });
    if (answer === undefined || answer.status >= 500 || answer.status === 429) continue;
    unreachable = 0;
    if (answer.status === 404) {
      throw new AgentError('AGENT_ENROL_UNANSWERED', 'the collector does not know it any more');
    }
    if (answer.status !== 200) throw errorOf(answer);
    request = toRequest(answer.body);
  }
  if (request.state === 'rejected') {
    throw new AgentError('AGENT_ENROL_REJECTED', `request ${request.id}`);
  }
  if (request.state === 'expired' || request.certificate === undefined) {
    throw new AgentError('AGENT_ENROL_UNANSWERED', `request ${request.id}`);
  }
  const { site, gateway: name } = request.certificate;
  if (gatewayKey({ site, gateway: name }) !== gatewayKey(gateway)) {
    throw new AgentError('AGENT_ENROL_ANSWER', 'the certificate is for another gateway');
  }
  return enrolledBy({ ...request.certificate }, key, options);
}

function put(options: EnrolmentOptions, question: Omit<Question, 'timeoutMs'>): Promise<Answer> {
  const { url, caFingerprint, timeoutMs, monoMs } = options;
  const endpoint = { ...addressOf(url), trust: { fingerprint: caFingerprint } };
  return ask(endpoint, { ...question, timeoutMs }, monoMs);
}

function enrolledBy(
  answer: Record<string, unknown>,
  key: string,
  { url, caFingerprint, wallMs }: EnrolmentOptions,
): Enrolled {
  const { now_ms: nowMs } = answer;
  const identity = identityOf(answer, { key, url, fingerprint: caFingerprint });
  const aheadMs = typeof nowMs === 'number' ? Math.round(wallMs() - nowMs) : undefined;
  return { identity, aheadMs };
}

function toRequest(body: Record<string, unknown>): RequestAnswer {
  const { id, state, expires_ms: expiresMs, certificate } = body;
  const isState = ['pending', 'approved', 'rejected', 'expired'].includes(String(state));
  if (typeof id !== 'string' || !isState || typeof expiresMs !== 'number') {
    throw new AgentError('AGENT_ENROL_ANSWER', 'this is no answer to a request');
  }
  return {
    id,
    state: state as RequestAnswer['state'],
    expires_ms: expiresMs,
    // identityOf() looks into it.
    ...(typeof certificate === 'object' && certificate !== null
      ? { certificate: certificate as NonNullable<RequestAnswer['certificate']> }
      : {}),
  };
}

function errorOf(answer: Answer): AgentError {
  const { code, message, hint } = refusalOf(answer);
  const detail = [code === '' ? message : `${code}: ${message}`, hint].filter(Boolean).join('. ');
  const isForNow = answer.status >= 500 || answer.status === 429;
  return new AgentError(isForNow ? 'AGENT_COLLECTOR_UNAVAILABLE' : 'AGENT_ENROL_REFUSED', detail);
}
