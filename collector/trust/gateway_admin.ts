/** What admins do with gateways and their certificates. Who may, and the audit log, are the API's. */

import { formatToken, parseFingerprint } from '../../proto/enrolment.ts';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';
import { checkName } from './asks.ts';
import type { CertificateEntry, Gateway } from './registry.ts';
import type { Request } from './requests.ts';
import type { Trust } from './trust.ts';
import type { GatewayState, Validity } from './validity.ts';
import { validityOf } from './validity.ts';

const HOUR_MS = 3_600_000;
/** Writes to the log that are under way at once. */
const WRITES = 32;

export interface GatewayAdminOptions {
  trust: Trust;
  /** Of the configuration. */
  configured: readonly (GatewayId & { withoutTls: boolean })[];
  /** What gateways are told to connect to. */
  address: () => { mqttPort: number; names: readonly string[] };
  clock: Clock;
}

export interface GatewayStanding extends GatewayId {
  state: GatewayState;
  certificate: CertificateEntry | undefined;
  invitation: { expiresMs: number } | undefined;
  withoutTls: boolean;
  installId: string | undefined;
  changedMs: number | undefined;
  changedBy: string | undefined;
}

export interface Invited extends GatewayId {
  token: string;
  expiresMs: number;
}

export class GatewayAdmin {
  readonly #options: GatewayAdminOptions;
  readonly #configured: ReadonlyMap<string, GatewayId & { withoutTls: boolean }>;

  constructor(options: GatewayAdminOptions) {
    this.#options = options;
    this.#configured = new Map(options.configured.map((one) => [gatewayKey(one), one]));
  }

  /** Throws TRUST_OFF; so do all that need an authority. */
  get authority(): Trust['authority'] {
    return this.#options.trust.authority;
  }

  /** What tokens name, and gateways show: not that of `authority` where the server's certificate is another one's. */
  get shownFingerprint(): string {
    return this.#options.trust.shownFingerprint;
  }

  get address(): { mqttPort: number; names: readonly string[] } {
    return this.#options.address();
  }

  /** Configured ones and those that are known, by site and name. Throws API_NOT_READY, as all here may. */
  list(): GatewayStanding[] {
    const { registry } = this.#options.trust.opened;
    const keys = new Set(this.#configured.keys());
    for (const { key } of registry.all()) keys.add(key);
    return [...keys].sort().flatMap((key) => this.standing(key) ?? []);
  }

  /** Those that are not only configured; none before topic `control` has been read. */
  known(): { site: string; gateway: string; state: GatewayState }[] {
    const { trust } = this.#options;
    if (!trust.isOpen) return [];
    return [...trust.opened.registry.all()].map((one) => ({
      site: one.site,
      gateway: one.gateway,
      state: stateOf(one),
    }));
  }

  certificateOf(key: string): CertificateEntry | undefined {
    const { trust } = this.#options;
    return trust.isOpen ? trust.opened.registry.byKey(key)?.certificates[0] : undefined;
  }

  validity(certificate: CertificateEntry, nowMs: number): Validity {
    return validityOf(certificate, this.#options.trust.graceMs, nowMs);
  }

  standing(key: string): GatewayStanding | undefined {
    const { registry, invitations } = this.#options.trust.opened;
    const known = registry.byKey(key);
    const configured = this.#configured.get(key);
    const id = known ?? configured;
    if (id === undefined) return undefined;
    const invitation = invitations.open(key);
    return {
      site: id.site,
      gateway: id.gateway,
      state: known === undefined ? 'configured' : stateOf(known),
      certificate: known?.certificates[0],
      invitation: invitation && { expiresMs: invitation.expiresMs },
      withoutTls: configured?.withoutTls === true,
      installId: known?.installId,
      changedMs: known?.changedMs,
      changedBy: known?.changedBy,
    };
  }

  /** Throws GATEWAY_NAME_INVALID, GATEWAY_REFUSED for a name that there is, TRUST_OFF. */
  checkNew(ids: readonly GatewayId[]): void {
    const { registry } = this.#options.trust.opened;
    void this.authority;
    const seen = new Set<string>();
    for (const id of ids) {
      checkName(id.site, id.gateway);
      const key = gatewayKey(id);
      if (seen.has(key)) throw new CollectorError('GATEWAY_REFUSED', `${key} is named twice`);
      seen.add(key);
      if (registry.byKey(key) !== undefined)
        throw new CollectorError('GATEWAY_REFUSED', `there is a gateway ${key} already`);
    }
  }

  /** After checkNew. All or none: those that were begun are forgotten when one cannot be written. */
  async add(ids: readonly GatewayId[], validHours: number, by: string): Promise<Invited[]> {
    this.checkNew(ids);
    const begun: GatewayId[] = [];
    try {
      return await inParts(ids, async (id) => {
        begun.push(id);
        return await this.#invite(id, { validHours, isNew: true, by });
      });
    } catch (error) {
      for (const id of begun) await this.remove(id).catch(() => undefined);
      throw error;
    }
  }

  /** Rejects with API_NOT_FOUND, TRUST_OFF. `now`: what it had does not count from here on. */
  async token(
    id: GatewayId,
    { validHours, now, by }: { validHours: number; now: boolean; by: string },
  ): Promise<Invited> {
    void this.authority;
    checkName(id.site, id.gateway);
    this.requireKnown(id);
    const gateway = this.#options.trust.opened.registry.get(id);
    const isNew = now || gateway === undefined || gateway.revoked !== null;
    return await this.#invite(id, { validHours, isNew, by });
  }

  async revoke(id: GatewayId, reason: string, by: string): Promise<void> {
    const { registry, invitations } = this.#options.trust.opened;
    this.requireKnown(id);
    await registry.revoke(id, reason, by);
    await invitations.withdraw(gatewayKey(id));
  }

  /** Rejects with API_NOT_FOUND, or GATEWAY_REFUSED while it is enrolled. */
  async remove(id: GatewayId): Promise<void> {
    const { registry, invitations } = this.#options.trust.opened;
    await registry.remove(id);
    await invitations.withdraw(gatewayKey(id));
  }

  requests(): (Request & { known: boolean })[] {
    const { requests, registry } = this.#options.trust.opened;
    return requests.pending().map((request) => ({
      ...request,
      known: registry.get(request) !== undefined || this.#configured.has(gatewayKey(request)),
    }));
  }

  /** Throws API_NOT_FOUND for what does not wait. */
  request(id: string): Request {
    const request = this.#options.trust.opened.requests.get(id);
    if (request?.state !== 'pending')
      throw new CollectorError('API_NOT_FOUND', `no request ${id} waits`);
    return request;
  }

  /** `keyFingerprint` as people type it. Rejects with ENROL_KEY_REFUSED when it is another. */
  async approve(id: string, keyFingerprint: string, by: string): Promise<void> {
    this.request(id);
    const { enrolment } = this.#options.trust.opened;
    if (enrolment === undefined) throw new CollectorError('TRUST_OFF', 'nobody can enrol here');
    await enrolment.approve(id, parseFingerprint(keyFingerprint) ?? '', by);
  }

  async reject(id: string): Promise<void> {
    this.request(id);
    await this.#options.trust.opened.requests.decide(id, 'rejected');
  }

  async #invite(
    id: GatewayId,
    { validHours, isNew, by }: { validHours: number; isNew: boolean; by: string },
  ): Promise<Invited> {
    const { registry, invitations } = this.#options.trust.opened;
    if (isNew) await registry.begin(id, by);
    const round = registry.get(id)?.round ?? '';
    const expiresMs = this.#options.clock.wallMs() + validHours * HOUR_MS;
    const secret = await invitations.create(id, { round, by, expiresMs });
    const caFingerprint = this.#options.trust.shownFingerprint;
    const token = formatToken({ secret, caFingerprint });
    return { site: id.site, gateway: id.gateway, token, expiresMs };
  }

  /** Throws API_NOT_FOUND. Who comes by another authority is not known before it is revoked. */
  requireKnown(id: GatewayId): void {
    if (this.#options.trust.trustsOthers) return;
    if (this.standing(gatewayKey(id)) === undefined)
      throw new CollectorError('API_NOT_FOUND', `no gateway ${gatewayKey(id)}`);
  }
}

function stateOf({ revoked, certificates }: Gateway): GatewayState {
  if (revoked !== null) return 'revoked';
  return certificates.length > 0 ? 'enrolled' : 'invited';
}

async function inParts<In, Out>(
  all: readonly In[],
  make: (one: In) => Promise<Out>,
): Promise<Out[]> {
  const made: Out[] = [];
  for (let from = 0; from < all.length; from += WRITES)
    made.push(...(await Promise.all(all.slice(from, from + WRITES).map(make))));
  return made;
}
