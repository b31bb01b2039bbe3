/**
 * Sessions of users that logged in. The cookie's 256 random bits are kept as their SHA-256 alone. A session ends
 * by itself when it was not used for a while, and after its longest time in any case; and with the user or the
 * password that began it.
 */

import { createHash, randomBytes } from 'node:crypto';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';
import type { AccessControl } from './entries.ts';
import { Entries } from './entries.ts';
import type { User, Users } from './users.ts';

export interface SessionLimits {
  idleMs: number;
  longestMs: number;
}

export const SESSIONS_MAX = 10_000;
/** At the bound the oldest one of the user ends. */
export const SESSIONS_OF_USER_MAX = 50;
/** A use is written down only when the last one is so much of the idle limit ago: 1/10. */
const WRITTEN_EVERY = 10;
/** At each login so many that are over are removed. */
const SWEPT_MAX = 20;

interface SessionEntry {
  user: string;
  userId: string;
  passwordId: string;
  createdMs: number;
}

export interface Session {
  /** SHA-256 of the secret, as hex. */
  id: string;
  user: User;
  /** When it ends if nothing uses it. */
  expiresMs: number;
}

export class Sessions {
  readonly #users: Users;
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  readonly #entries: Entries<SessionEntry>;
  /** Beside the session, so that a use that is written down never brings back one that was ended meanwhile. */
  readonly #seen: Entries<{ atMs: number }>;
  /** Uses in this process that were not written down; of sessions that are there. */
  readonly #used = new Map<string, number>();
  readonly #writing = new Set<string>();

  constructor(control: AccessControl, users: Users, limits: SessionLimits, clock: Clock) {
    this.#users = users;
    this.#limits = limits;
    this.#clock = clock;
    this.#entries = new Entries(control, 'session/', readSession, (id, entry) => {
      if (entry === undefined) this.#used.delete(id);
    });
    this.#seen = new Entries(control, 'session_seen/', ({ atMs }) =>
      typeof atMs === 'number' ? { atMs } : undefined,
    );
  }

  /** Answers what the cookie carries. Rejects with API_TOO_MANY, or as Control.put does. */
  async begin({ name, id: userId, passwordId }: User): Promise<{ secret: string; id: string }> {
    await this.#sweep(name);
    if (this.#entries.size >= SESSIONS_MAX)
      throw new CollectorError('API_TOO_MANY', `there are ${SESSIONS_MAX} sessions`);
    const secret = randomBytes(32).toString('base64url');
    const createdMs = this.#clock.wallMs();
    const id = sessionId(secret);
    await this.#entries.put(id, { user: name, userId, passwordId, createdMs });
    return { secret, id };
  }

  /** Undefined: it is over, or never was. Does not count as a use. */
  find(id: string): Session | undefined {
    const entry = this.#entries.get(id);
    if (entry === undefined) return undefined;
    const user = this.#users.get(entry.user);
    if (user === undefined || user.disabled) return undefined;
    if (user.id !== entry.userId || user.passwordId !== entry.passwordId) return undefined;
    const nowMs = this.#clock.wallMs();
    const usedMs = Math.max(
      entry.createdMs,
      this.#seen.get(id)?.atMs ?? 0,
      this.#used.get(id) ?? 0,
    );
    const { idleMs, longestMs } = this.#limits;
    const expiresMs = Math.min(usedMs + idleMs, entry.createdMs + longestMs);
    return nowMs < expiresMs ? { id, user, expiresMs } : undefined;
  }

  /** It was used now. Written down now and then, beside the answer; failing that, the next use tries again. */
  use({ id }: Session): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    const nowMs = this.#clock.wallMs();
    this.#used.set(id, nowMs);
    const writtenMs = this.#seen.get(id)?.atMs ?? entry.createdMs;
    if (nowMs - writtenMs < this.#limits.idleMs / WRITTEN_EVERY || this.#writing.has(id)) return;
    this.#writing.add(id);
    this.#seen
      .put(id, { atMs: nowMs })
      .catch(() => undefined)
      .finally(() => this.#writing.delete(id));
  }

  /** Resolves when every process will know it. */
  async end(id: string): Promise<void> {
    if (this.#entries.get(id) !== undefined) await this.#entries.put(id, null);
    if (this.#seen.get(id) !== undefined) await this.#seen.put(id, null);
  }

  async endAllOf(name: string): Promise<void> {
    for (const [id, entry] of [...this.#entries.all()]) if (entry.user === name) await this.end(id);
  }

  /** Those that are not over, by user. */
  counts(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const [id, { user }] of this.#entries.all())
      if (this.find(id) !== undefined) counts.set(user, (counts.get(user) ?? 0) + 1);
    return counts;
  }

  /** Removes what is over, and of the user as many as are too many with one more. */
  async #sweep(name: string): Promise<void> {
    const over: string[] = [];
    const own: { id: string; createdMs: number }[] = [];
    for (const [id, entry] of this.#entries.all()) {
      if (this.find(id) === undefined) over.push(id);
      else if (entry.user === name) own.push({ id, createdMs: entry.createdMs });
    }
    own.sort((a, b) => a.createdMs - b.createdMs);
    const tooMany = own.slice(0, Math.max(0, own.length - SESSIONS_OF_USER_MAX + 1));
    for (const id of [...over.slice(0, SWEPT_MAX), ...tooMany.map((one) => one.id)])
      await this.end(id);
    const left = [...this.#seen.all()].filter(([id]) => this.#entries.get(id) === undefined);
    for (const [id] of left.slice(0, SWEPT_MAX)) await this.#seen.put(id, null);
  }
}

export function sessionId(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** What a page must send beside the cookie: who can read it got it from us, and has the session. */
export function csrfOf(secret: string): string {
  return createHash('sha256').update(`csrf ${secret}`).digest('base64url');
}

function readSession(said: Partial<SessionEntry>): SessionEntry | undefined {
  const { user, userId, passwordId, createdMs } = said;
  if (typeof user !== 'string' || typeof userId !== 'string') return undefined;
  if (typeof passwordId !== 'string' || typeof createdMs !== 'number') return undefined;
  return { user, userId, passwordId, createdMs };
}
