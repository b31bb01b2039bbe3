/**
 * The collector's side of trust, of one process: its authority, which certificates count, how they are come by. The
 * authority is there before anything listens; the rest once topic `control` has been read.
 */

import { fingerprintOf } from '../../proto/enrolment.ts';
import type { GatewayId } from '../../proto/topics.ts';
import type { Audit } from '../access/audit.ts';
import type { AccessControl } from '../access/entries.ts';
import { jsonOf } from '../control.ts';
import { CollectorError } from '../errors.ts';
import type { Clock, Logger } from '../types.ts';
import type { Authority } from './authority.ts';
import { Enrolment } from './enrolment.ts';
import { Invitations } from './invitations.ts';
import type { TrustStatus } from './metrics.ts';
import { Peers } from './peers.ts';
import { certificatesIn } from './pem.ts';
import { Registry } from './registry.ts';
import { Requests } from './requests.ts';
import type { ShownAuthority } from './shown_authority.ts';
import { validityOf } from './validity.ts';

const DAY_MS = 24 * 3_600_000;
const SWEEP_MS = 3_600_000;
const SAID_EVERY_MS = DAY_MS;
/** Long enough for every gateway to renew before, and for an admin to find the time. */
const AUTHORITY_WARNED_DAYS = 365;
const AUTHORITY_KEY = 'authority';

export interface TrustOptions {
  /** Undefined: there is none, and nobody enrols. */
  authority: Authority | undefined;
  /** Left out: gateways are shown a certificate that the authority issued. */
  shown?: ShownAuthority;
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
  readonly #saying: NodeJS.Timeout;
  #opened: OpenTrust | undefined;

  constructor(options: TrustOptions) {
    this.#options = options;
    this.graceMs = options.graceDays * DAY_MS;
    this.#sweeping = setInterval(() => void this.#sweep(), SWEEP_MS);
    this.#sweeping.unref();
    this.#saying = setInterval(() => this.#sayEnd(), SAID_EVERY_MS);
    this.#saying.unref();
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
    return this.#options.shown?.fingerprint ?? this.authority.fingerprint;
  }

  /** `control` has been read whole. */
  open(control: AccessControl): OpenTrust {
    const { authority, shown, trusted, clock, audit, gatewayDays, connected, conflict } =
      this.#options;
    const registry = new Registry(control, clock);
    const invitations = new Invitations(control, clock);
    const requests = new Requests(control, clock);
    const { graceMs } = this;
    const foreign = trusted.flatMap(certificatesIn);
    const authoritiesPem = shown?.authoritiesPem ?? authority?.authoritiesPem ?? '';
    const known = { registry, invitations, requests, audit, clock };
    this.#opened = {
      registry,
      invitations,
      requests,
      enrolment:
        authority &&
        new Enrolment({ ...known, authority, authoritiesPem, gatewayDays, connected, conflict }),
      peers: authority && new Peers({ registry, authority, trusted: foreign, graceMs, clock }),
    };
    this.#noteAuthority(control, registry);
    this.#sayEnd();
    return this.#opened;
  }

  close(): void {
    clearInterval(this.#sweeping);
    clearInterval(this.#saying);
  }

  status(serverNotAfterMs: number | undefined): TrustStatus {
    const { authority, clock } = this.#options;
    const status: TrustStatus = {
      authorityNotAfterMs: authority?.notAfterMs,
      serverNotAfterMs,
      certificates: { valid: 0, renew_soon: 0, grace: 0, expired: 0 },
      gateways: { invited: 0, enrolled: 0, revoked: 0 },
      requests: this.#opened?.requests.pending().length ?? 0,
    };
    const nowMs = clock.wallMs();
    for (const { revoked, certificates } of this.#opened?.registry.all() ?? []) {
      const [newest] = certificates;
      if (revoked !== null) status.gateways.revoked++;
      else if (newest === undefined) status.gateways.invited++;
      else {
        status.gateways.enrolled++;
        status.certificates[validityOf(newest, this.graceMs, nowMs)]++;
      }
    }
    return status;
  }

  /**
   * Gateways pin the authority. With another one than they know (a log that was restored without data_dir/ca) each of
   * them would have to enrol anew: each start says so.
   */
  #noteAuthority(control: AccessControl, registry: Registry): void {
    const { authority, logger } = this.#options;
    if (authority === undefined) return;
    const known = jsonOf<{ fingerprint: string }>(control.get(AUTHORITY_KEY))?.fingerprint;
    const names = certificatesIn(authority.authoritiesPem).map(fingerprintOf);
    const isOther = known !== undefined && !names.includes(known) && registry.size > 0;
    if (isOther)
      logger.error(
        { code: 'TRUST_AUTHORITY_CHANGED', known, now: authority.fingerprint },
        'gateways know another authority than this one, and will not speak to this collector: restore data_dir/ca (or ca.cert_file), or enrol them anew; see SECURITY',
      );
    // The gateways know that other one until the first of them has enrolled with this one.
    const isTaken = [...registry.all()].some(({ certificates: [newest] }) =>
      isIssuedAfter(newest, authority),
    );
    if (known === authority.fingerprint || (isOther && !isTaken)) return;
    const value = Buffer.from(JSON.stringify({ fingerprint: authority.fingerprint }));
    control.put(AUTHORITY_KEY, value).catch((error: unknown) => {
      logger.warn({ error: String(error) }, 'the authority is not written down yet');
    });
  }

  #sayEnd(): void {
    const { authority, clock, logger } = this.#options;
    if (authority === undefined) return;
    const { notAfterMs } = authority;
    const leftDays = Math.floor((notAfterMs - clock.wallMs()) / DAY_MS);
    if (leftDays > AUTHORITY_WARNED_DAYS) return;
    logger.warn(
      { until: new Date(notAfterMs).toISOString(), days: leftDays },
      'the authority ends soon: gateways must learn of the next one before; see SECURITY, "The authority"',
    );
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

function isIssuedAfter(
  certificate: { issuedMs: number } | undefined,
  { certificate: authority }: Authority,
): boolean {
  // Authorities are backdated by an hour.
  const madeMs = authority.validFromDate.getTime() + 3_600_000;
  return certificate !== undefined && certificate.issuedMs >= madeMs;
}
