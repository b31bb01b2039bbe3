/**
 * API tokens: what programs show instead of a login. Only the SHA-256 of one is kept. A token may as much as it was
 * granted, and never more than its user may now.
 */

import { createHash, randomBytes } from 'node:crypto';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';
import type { AccessControl } from './entries.ts';
import { Entries } from './entries.ts';
import { areWithin, grantsWithin, readGrants } from './grants.ts';
import type { Grant, Principal } from './principal.ts';
import type { User, Users } from './users.ts';
import { newId } from './users.ts';

/** Scanners for secrets that were published know tokens by such a beginning. */
export const TOKEN_PREFIX = 'fms_';
export const TOKENS_MAX = 2_000;
export const TOKENS_OF_USER_MAX = 100;
/** A use is written down when the last one is so long ago. */
const WRITTEN_EVERY_MS = 3_600_000;

interface TokenEntry {
  name: string;
  user: string;
  userId: string;
  /** As it was granted; see grantsWithin for what it may now. */
  grants: readonly Grant[];
  hash: string;
  createdMs: number;
  /** Null: never. */
  expiresMs: number | null;
}

export interface Token extends TokenEntry {
  id: string;
  lastUsedMs: number | undefined;
}

export class Tokens {
  readonly #users: Users;
  readonly #clock: Clock;
  readonly #entries: Entries<TokenEntry>;
  readonly #used: Entries<{ atMs: number }>;
  readonly #idByHash = new Map<string, string>();
  readonly #writing = new Set<string>();

  constructor(control: AccessControl, users: Users, clock: Clock) {
    this.#users = users;
    this.#clock = clock;
    this.#entries = new Entries(control, 'token/', readToken, (id, entry, before) => {
      if (before !== undefined) this.#idByHash.delete(before.hash);
      if (entry !== undefined) this.#idByHash.set(entry.hash, id);
    });
    this.#used = new Entries(control, 'token_used/', ({ atMs }) =>
      typeof atMs === 'number' ? { atMs } : undefined,
    );
  }

  /** The newest first; undefined `user`: of all. Without those of users that are gone. */
  all(user?: string): Token[] {
    return [...this.#entries.all()]
      .filter(([, entry]) => user === undefined || entry.user === user)
      .filter(([, entry]) => this.#users.get(entry.user)?.id === entry.userId)
      .map(([id, entry]) => ({ id, ...entry, lastUsedMs: this.#used.get(id)?.atMs }))
      .sort((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1));
  }

  get(id: string): Token | undefined {
    return this.all().find((token) => token.id === id);
  }

  /** Rejects with API_FORBIDDEN when it would be more than the user may, API_TOKEN_REFUSED, or as Control.put does. */
  async create(
    user: User,
    asked: { name: string; grants: readonly Grant[]; expiresMs: number | null },
  ): Promise<{ id: string; token: string }> {
    if (!areWithin(asked.grants, user.grants))
      throw new CollectorError('API_FORBIDDEN', 'a token may not more than its user');
    if (asked.expiresMs !== null && asked.expiresMs <= this.#clock.wallMs())
      throw new CollectorError('API_PARAMETER_INVALID', 'expires_ms must be ahead of now');
    if (this.#entries.size >= TOKENS_MAX || this.all(user.name).length >= TOKENS_OF_USER_MAX)
      throw new CollectorError(
        'API_TOKEN_REFUSED',
        `there are ${TOKENS_OF_USER_MAX} tokens of ${user.name}, or ${TOKENS_MAX} in all`,
      );
    const id = newId();
    const token = TOKEN_PREFIX + randomBytes(32).toString('base64url');
    const createdMs = this.#clock.wallMs();
    const of = { user: user.name, userId: user.id, hash: hashOf(token), createdMs };
    await this.#entries.put(id, { ...asked, ...of });
    return { id, token };
  }

  async remove(id: string): Promise<void> {
    if (this.#entries.get(id) !== undefined) await this.#entries.put(id, null);
    if (this.#used.get(id) !== undefined) await this.#used.put(id, null);
  }

  /** Of a user that is to be removed. */
  async removeAllOf(name: string): Promise<void> {
    for (const [id, { user }] of [...this.#entries.all()]) if (user === name) await this.remove(id);
  }

  /** Undefined: none of ours, expired, or its user is disabled or gone. */
  principal(token: string): Principal | undefined {
    const entry = this.#entries.get(this.#idByHash.get(hashOf(token)) ?? '');
    if (entry === undefined) return undefined;
    if (entry.expiresMs !== null && entry.expiresMs <= this.#clock.wallMs()) return undefined;
    const user = this.#users.get(entry.user);
    if (user === undefined || user.id !== entry.userId || user.disabled) return undefined;
    const grants = grantsWithin(entry.grants, user.grants);
    return { kind: 'token', name: `${entry.user}/${entry.name}`, grants };
  }

  /** It was used now; written down now and then, beside the answer. */
  use(token: string): void {
    const id = this.#idByHash.get(hashOf(token));
    if (id === undefined || this.#writing.has(id)) return;
    const nowMs = this.#clock.wallMs();
    if (nowMs - (this.#used.get(id)?.atMs ?? 0) < WRITTEN_EVERY_MS) return;
    this.#writing.add(id);
    this.#used
      .put(id, { atMs: nowMs })
      .catch(() => undefined)
      .finally(() => this.#writing.delete(id));
  }
}

/** Of 256 random bits nothing is learnt by how long a look-up takes. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

function readToken(said: Partial<TokenEntry>): TokenEntry | undefined {
  const { name, user, userId, hash, createdMs = 0, expiresMs } = said;
  if (typeof name !== 'string' || typeof user !== 'string') return undefined;
  if (typeof userId !== 'string' || typeof hash !== 'string') return undefined;
  // What cannot be read for sure has expired.
  const until = expiresMs === null || typeof expiresMs === 'number' ? expiresMs : 0;
  return { name, user, userId, hash, createdMs, expiresMs: until, grants: readGrants(said.grants) };
}
