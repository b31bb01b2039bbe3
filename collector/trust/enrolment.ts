/**
 * How gateways come to certificates: by a token, by an admin's word, by the certificate before. Each deed is in the
 * audit log, with the gateway as who, before it happens.
 */

import type {
  CertificateAnswer,
  EnrolAsk,
  RenewAsk,
  RequestAnswer,
  RequestAsk,
} from '../../proto/enrolment.ts';
import { commonNameOf, fingerprintOf } from '../../proto/enrolment.ts';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { Audit, AuditAction } from '../access/audit.ts';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';
import type { ProvenKey } from './asks.ts';
import { provenKey } from './asks.ts';
import type { Authority } from './authority.ts';
import type { Invitation, Invitations } from './invitations.ts';
import type { KnownPeer } from './peers.ts';
import { certificatesIn, gatewayKeyIn } from './pem.ts';
import type { CertificateEntry, Registry } from './registry.ts';
import { certificateEntry } from './registry.ts';
import type { Request, Requests } from './requests.ts';

export interface EnrolmentOptions {
  authority: Authority;
  /** PEM: all that gateways need to verify the collector, the one that issues first. */
  authoritiesPem: string;
  registry: Registry;
  invitations: Invitations;
  requests: Requests;
  audit: Audit;
  clock: Clock;
  gatewayDays: number;
  /** Of the broker: which install of a gateway is connected here. */
  connected: (gatewayKey: string) => { installId: string } | undefined;
  /** Two installs of one name: to be written down. */
  conflict: (gateway: GatewayId, installId: string, holder: string) => void;
}

export class Enrolment {
  readonly #options: EnrolmentOptions;
  /** Any of those that gateways were told of: a token or gateway may know the one before. */
  readonly #authorities: readonly string[];

  constructor(options: EnrolmentOptions) {
    this.#options = options;
    this.#authorities = certificatesIn(options.authoritiesPem).map(fingerprintOf);
  }

  /** Rejects with ENROL_TOKEN_…, ENROL_KEY_REFUSED, or as Audit.record and Control.put do; so do the others. */
  async enrol(ask: EnrolAsk, from: string): Promise<CertificateAnswer> {
    const { invitations, registry, clock } = this.#options;
    const token = invitations.bySecret(ask.secret);
    if (token === undefined) throw new CollectorError('ENROL_TOKEN_UNKNOWN', 'no such token');
    const key = provenKey(ask, 'enrol', ask.secret, this.#authorities);
    if (token.expiresMs <= clock.wallMs())
      throw new CollectorError('ENROL_TOKEN_EXPIRED', new Date(token.expiresMs).toISOString());
    if (token.usedBy !== undefined && token.usedBy !== key.fingerprint)
      throw await this.#replayed(token, key, from);
    const gateway = registry.get(token);
    if (gateway === undefined || gateway.round !== token.round || gateway.revoked !== null)
      throw new CollectorError('ENROL_TOKEN_UNKNOWN', 'it was replaced, or the name revoked');
    await this.#record('gateway.enrol', token, from, {
      key_fingerprint: key.fingerprint,
      version: ask.version,
    });
    if (!(await invitations.claim(token.hash, key.fingerprint)))
      throw await this.#replayed(token, key, from);
    await this.#issue(token, { round: token.round, enrolment: token.hash }, key, undefined);
    return this.#answer(token, key.fingerprint);
  }

  async request(ask: RequestAsk, from: string): Promise<RequestAnswer> {
    const { requests } = this.#options;
    const id = { site: ask.site, gateway: ask.gateway };
    const key = provenKey(ask, 'request', gatewayKey(id), this.#authorities);
    const known = requests.known(id, key.fingerprint);
    if (known !== undefined) return this.#requestAnswer(known);
    requests.checkRoom(from);
    const { version } = ask;
    await this.#record('gateway.request', id, from, { key_fingerprint: key.fingerprint, version });
    const made = { publicKeyPem: key.pem, keyFingerprint: key.fingerprint, from, version };
    return this.#requestAnswer(await requests.create({ ...id, ...made }));
  }

  /** Rejects with ENROL_NOT_FOUND. */
  requested(id: string): RequestAnswer {
    const request = this.#options.requests.get(id);
    if (request === undefined) throw new CollectorError('ENROL_NOT_FOUND', 'no such request');
    return this.#requestAnswer(request);
  }

  /** An admin has compared the key. Rejects with ENROL_NOT_FOUND, ENROL_KEY_REFUSED or GATEWAY_REFUSED. */
  async approve(id: string, keyFingerprint: string, by: string): Promise<void> {
    const { requests, registry } = this.#options;
    const request = requests.get(id);
    if (request === undefined || request.state === 'expired')
      throw new CollectorError('ENROL_NOT_FOUND', 'no such request waits');
    if (request.state !== 'pending')
      throw new CollectorError('GATEWAY_REFUSED', `the request is ${request.state} already`);
    const key = gatewayKeyIn(request.publicKeyPem);
    if (key === undefined || request.keyFingerprint !== keyFingerprint)
      throw new CollectorError('ENROL_KEY_REFUSED', 'its key has another fingerprint');
    const known = registry.get(request);
    if (known === undefined || known.revoked !== null) await registry.begin(request, by);
    const round = registry.get(request)?.round ?? '';
    const proven = { key, fingerprint: keyFingerprint, pem: request.publicKeyPem };
    await this.#issue(request, { round, enrolment: id }, proven, undefined);
    await requests.decide(id, 'approved');
  }

  /** Rejects with ENROL_CERTIFICATE_REFUSED when `peer` is nobody whose certificate was issued here. */
  async renew(
    ask: RenewAsk,
    peer: KnownPeer | string | undefined,
    from: string,
  ): Promise<CertificateAnswer> {
    if (typeof peer !== 'object' || peer.by !== 'certificate')
      throw new CollectorError('ENROL_CERTIFICATE_REFUSED', refusedBecause(peer));
    const { registry } = this.#options;
    const key = provenKey(ask, 'renew', peer.fingerprint, this.#authorities);
    const gateway = registry.get(peer.gateway);
    if (gateway === undefined)
      throw new CollectorError('ENROL_CERTIFICATE_REFUSED', 'the gateway is gone');
    await this.#refuseClone(peer.gateway, ask.install_id, gateway.installId, from);
    await this.#record('gateway.renew', peer.gateway, from, {
      key_fingerprint: key.fingerprint,
      install_id: ask.install_id,
      version: ask.version,
    });
    const { round, enrolment } = gateway;
    await this.#issue(peer.gateway, { round, enrolment }, key, peer.fingerprint);
    return this.#answer(peer.gateway, key.fingerprint);
  }

  /** The registered install is connected, and another one asks for what would push it out. */
  async #refuseClone(
    gateway: GatewayId,
    installId: string,
    registered: string | undefined,
    from: string,
  ): Promise<void> {
    const { connected, conflict } = this.#options;
    const holder = connected(gatewayKey(gateway))?.installId;
    if (registered === undefined || registered === installId || holder !== registered) return;
    conflict(gateway, installId, holder);
    await this.#record('gateway.clone_refused', gateway, from, { install_id: installId, holder });
    throw new CollectorError('ENROL_CLONE', `install ${holder} is connected`);
  }

  async #replayed(token: Invitation, key: ProvenKey, from: string): Promise<CollectorError> {
    await this.#record('gateway.token_replayed', token, from, {
      key_fingerprint: key.fingerprint,
      used_by: token.usedBy ?? this.#options.invitations.of(gatewayKey(token))?.usedBy,
    });
    return new CollectorError('ENROL_TOKEN_USED', `of ${gatewayKey(token)}, by another key`);
  }

  /**
   * Beside the new certificate counts the one that was shown, or those of the same enrolment that its lost answers
   * carried; a key that asks again gets the same one while nobody has used it.
   */
  #issue(
    id: GatewayId,
    of: { round: string; enrolment: string },
    key: ProvenKey,
    shown: string | undefined,
  ): Promise<void> {
    const { authority, registry, clock, gatewayDays } = this.#options;
    return registry.issue(id, of, async (now) => {
      if (again(now, key.fingerprint) !== undefined) return [...now];
      const name = commonNameOf(id) ?? '';
      const issued = await authority.issueGateway(name, key.key, gatewayDays);
      const beside = now.filter(({ fingerprint }) => shown === undefined || fingerprint === shown);
      return [certificateEntry(issued, key.fingerprint, clock.wallMs()), ...beside];
    });
  }

  #answer(id: GatewayId, keyFingerprint: string): CertificateAnswer {
    const { registry, authoritiesPem, clock } = this.#options;
    const entry = again(registry.get(id)?.certificates ?? [], keyFingerprint);
    if (entry?.pem == null) {
      // In this very moment.
      if (registry.get(id)?.revoked != null)
        throw new CollectorError('ENROL_CERTIFICATE_REFUSED', 'revoked');
      // Written, and not seen yet: whoever asks again gets it.
      throw new CollectorError('LOG_UNAVAILABLE', 'the certificate is not seen yet');
    }
    return {
      site: id.site,
      gateway: id.gateway,
      certificate: entry.pem,
      authorities: authoritiesPem,
      not_before_ms: entry.notBeforeMs,
      not_after_ms: entry.notAfterMs,
      now_ms: clock.wallMs(),
    };
  }

  #requestAnswer(request: Request): RequestAnswer {
    const { id, state, expiresMs } = request;
    const known = this.#options.registry.get(request)?.certificates ?? [];
    const isThere =
      state === 'approved' && again(known, request.keyFingerprint) !== undefined
        ? { certificate: this.#answer(request, request.keyFingerprint) }
        : {};
    return { id, state, expires_ms: expiresMs, ...isThere };
  }

  async #record(
    action: AuditAction,
    id: GatewayId,
    from: string,
    detail: Record<string, unknown>,
  ): Promise<void> {
    const target = gatewayKey(id);
    const who = { who: target, kind: 'gateway', from };
    const text = JSON.stringify(detail);
    await this.#options.audit.record({ ...who, action, site: id.site, target, detail: text });
  }
}

/** Issued to the key, and not used yet. */
function again(
  certificates: readonly CertificateEntry[],
  keyFingerprint: string,
): CertificateEntry | undefined {
  return certificates.find((one) => one.keyFingerprint === keyFingerprint && one.pem !== null);
}

function refusedBecause(peer: KnownPeer | string | undefined): string {
  if (peer === undefined) return 'none was shown';
  if (typeof peer === 'string') return peer;
  return 'it was issued by another authority: renew it there';
}
