/**
 * Gateways that ask without a token, until an admin has compared the fingerprint of their key. Bounded in all and by
 * address, so that nobody fills the log with them or hides one among thousands.
 */

import { createHash } from 'node:crypto';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { AccessControl } from '../access/entries.ts';
import { Entries } from '../access/entries.ts';
import { networkOf } from '../access/throttle.ts';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';

export const REQUESTS_MAX = 500;
export const REQUESTS_OF_ADDRESS_MAX = 50;
const VALID_MS = 24 * 3_600_000;

export type RequestState = 'pending' | 'approved' | 'rejected' | 'expired';

interface RequestEntry extends GatewayId {
  publicKeyPem: string;
  keyFingerprint: string;
  /** Address. */
  from: string;
  version: string;
  createdMs: number;
  expiresMs: number;
  state: 'pending' | 'approved' | 'rejected';
}

export interface Request extends Omit<RequestEntry, 'state'> {
  id: string;
  state: RequestState;
}

export class Requests {
  readonly #entries: Entries<RequestEntry>;
  readonly #clock: Clock;

  constructor(control: AccessControl, clock: Clock) {
    this.#clock = clock;
    this.#entries = new Entries(control, 'enrolment/request/', readRequest);
  }

  get(id: string): Request | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const isOver = entry.state !== 'approved' && entry.expiresMs <= this.#clock.wallMs();
    return { ...entry, id, state: isOver ? 'expired' : entry.state };
  }

  /** Those that wait, the oldest first. */
  pending(): Request[] {
    return this.#all()
      .filter(({ state }) => state === 'pending')
      .sort((a, b) => a.createdMs - b.createdMs);
  }

  /** That which the key and name made before, while it is not over. */
  known(id: GatewayId, keyFingerprint: string): Request | undefined {
    const known = this.get(requestId(id, keyFingerprint));
    return known?.state === 'expired' ? undefined : known;
  }

  /** Throws ENROL_TOO_MANY when one more may not wait. */
  checkRoom(from: string): void {
    const pending = this.pending();
    const network = networkOf(from);
    if (pending.length >= REQUESTS_MAX)
      throw new CollectorError('ENROL_TOO_MANY', `${REQUESTS_MAX} requests wait for an admin`);
    const same = pending.filter((one) => networkOf(one.from) === network);
    if (same.length >= REQUESTS_OF_ADDRESS_MAX)
      throw new CollectorError('ENROL_TOO_MANY', `${same.length} requests of ${network} wait`);
  }

  async create(
    asked: Pick<
      RequestEntry,
      'site' | 'gateway' | 'publicKeyPem' | 'keyFingerprint' | 'from' | 'version'
    >,
  ): Promise<Request> {
    const createdMs = this.#clock.wallMs();
    const expiresMs = createdMs + VALID_MS;
    const id = requestId(asked, asked.keyFingerprint);
    const entry: RequestEntry = { ...asked, createdMs, expiresMs, state: 'pending' };
    await this.#entries.put(id, entry);
    return { ...entry, id };
  }

  async decide(id: string, state: 'approved' | 'rejected'): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry !== undefined) await this.#entries.put(id, { ...entry, state });
  }

  /** Forgets those that are over, and approved ones once they had time to fetch what they asked for. */
  async sweep(): Promise<void> {
    const nowMs = this.#clock.wallMs();
    for (const [id, { expiresMs }] of [...this.#entries.all()])
      if (expiresMs + VALID_MS < nowMs) await this.#entries.put(id, null);
  }

  #all(): Request[] {
    return [...this.#entries.all()].flatMap(([id]) => this.get(id) ?? []);
  }
}

/** The same for the same key and name, so that asking again makes no second one. */
function requestId(id: GatewayId, keyFingerprint: string): string {
  const of = `${gatewayKey(id)} ${keyFingerprint}`;
  return createHash('sha256').update(of).digest('hex').slice(0, 16);
}

function readRequest(said: Partial<RequestEntry>): RequestEntry | undefined {
  const { site, gateway, publicKeyPem, keyFingerprint, from = '', version = '' } = said;
  const { createdMs = 0, expiresMs = 0, state } = said;
  if (typeof site !== 'string' || typeof gateway !== 'string') return undefined;
  if (typeof publicKeyPem !== 'string' || typeof keyFingerprint !== 'string') return undefined;
  if (state !== 'pending' && state !== 'approved' && state !== 'rejected') return undefined;
  const of = { site, gateway, publicKeyPem, keyFingerprint };
  return { ...of, from, version, createdMs, expiresMs, state };
}
