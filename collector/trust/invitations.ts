/**
 * One-time tokens. Only the SHA-256 of a secret is kept. A token belongs to the first key that shows it: each use
 * writes a claim, and the first claim in the order of topic `control` holds, for every process alike.
 */

import { createHash, randomBytes } from 'node:crypto';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { AccessControl } from '../access/entries.ts';
import { Entries } from '../access/entries.ts';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';

const SECRET_BYTES = 16;
/** So long after its end a token that is shown is still known, so that its misuse is said as what it is. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;

interface TokenEntry extends GatewayId {
  round: string;
  createdMs: number;
  createdBy: string;
  expiresMs: number;
}

export interface Invitation extends TokenEntry {
  /** SHA-256 of the secret, hex digits. */
  hash: string;
  /** Of the key that used it; undefined: nobody did. */
  usedBy: string | undefined;
}

export class Invitations {
  readonly #tokens: Entries<TokenEntry>;
  readonly #claims: Entries<{ atMs: number }>;
  readonly #clock: Clock;
  readonly #hashByGateway = new Map<string, string>();
  /** The first one that was seen of a token. */
  readonly #keyByHash = new Map<string, string>();

  constructor(control: AccessControl, clock: Clock) {
    this.#clock = clock;
    this.#claims = new Entries(control, 'enrolment/claim/', readClaim, (name, claim) => {
      const [hash = '', key = ''] = name.split('.');
      if (claim !== undefined && !this.#keyByHash.has(hash)) this.#keyByHash.set(hash, key);
      if (claim === undefined && this.#keyByHash.get(hash) === key) this.#keyByHash.delete(hash);
    });
    this.#tokens = new Entries(control, 'enrolment/token/', readToken, (hash, now, before) => {
      if (before !== undefined && this.#hashByGateway.get(gatewayKey(before)) === hash)
        this.#hashByGateway.delete(gatewayKey(before));
      if (now !== undefined) this.#hashByGateway.set(gatewayKey(now), hash);
    });
  }

  /** By a secret that was shown. */
  bySecret(secret: string): Invitation | undefined {
    return this.#get(hashOf(secret));
  }

  /** The newest one of a gateway, used or not. */
  of(gateway: string): Invitation | undefined {
    return this.#get(this.#hashByGateway.get(gateway) ?? '');
  }

  /** It waits to be used. */
  open(gateway: string): Invitation | undefined {
    const invitation = this.of(gateway);
    if (invitation === undefined || invitation.usedBy !== undefined) return undefined;
    return invitation.expiresMs > this.#clock.wallMs() ? invitation : undefined;
  }

  /** Answers with the secret, which is not kept. Another one that the gateway had is over. */
  async create(
    { site, gateway }: GatewayId,
    of: { round: string; by: string; expiresMs: number },
  ): Promise<string> {
    await this.withdraw(gatewayKey({ site, gateway }));
    const secret = randomBytes(SECRET_BYTES).toString('base64url');
    const { round, by: createdBy, expiresMs } = of;
    const createdMs = this.#clock.wallMs();
    const entry = { site, gateway, round, createdMs, createdBy, expiresMs };
    await this.#tokens.put(hashOf(secret), entry);
    return secret;
  }

  async withdraw(gateway: string): Promise<void> {
    const known = this.of(gateway);
    if (known !== undefined) await this.#forget(known.hash);
  }

  /** True: the token is this key's, now and before. Durable when it resolves. Rejects as Control.put does. */
  async claim(hash: string, keyFingerprint: string): Promise<boolean> {
    const usedBy = this.#keyByHash.get(hash);
    if (usedBy === undefined)
      await this.#claims.put(`${hash}.${keyFingerprint}`, { atMs: this.#clock.wallMs() });
    const holds = this.#keyByHash.get(hash);
    if (holds === undefined)
      throw new CollectorError('LOG_UNAVAILABLE', 'the use of the token is not seen yet');
    return holds === keyFingerprint;
  }

  /** Forgets what is long over. */
  async sweep(): Promise<void> {
    const untilMs = this.#clock.wallMs() - REMEMBERED_MS;
    for (const [hash, { expiresMs }] of [...this.#tokens.all()])
      if (expiresMs < untilMs) await this.#forget(hash);
  }

  async #forget(hash: string): Promise<void> {
    await this.#tokens.put(hash, null);
    for (const [name] of [...this.#claims.all()])
      if (name.startsWith(`${hash}.`)) await this.#claims.put(name, null);
  }

  #get(hash: string): Invitation | undefined {
    const entry = this.#tokens.get(hash);
    return entry && { ...entry, hash, usedBy: this.#keyByHash.get(hash) };
  }
}

/** Of 128 random bits nothing is learnt by how long a look-up takes. */
function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function readToken(said: Partial<TokenEntry>): TokenEntry | undefined {
  const { site, gateway, round, createdMs = 0, createdBy = '', expiresMs } = said;
  if (typeof site !== 'string' || typeof gateway !== 'string') return undefined;
  if (typeof round !== 'string' || typeof expiresMs !== 'number') return undefined;
  return { site, gateway, round, createdMs, createdBy, expiresMs };
}

function readClaim({ atMs }: { atMs?: number }): { atMs: number } | undefined {
  return typeof atMs === 'number' ? { atMs } : undefined;
}
