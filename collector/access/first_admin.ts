/**
 * The first user of a log that has none. Processes that start at once agree on the one that makes it by the order
 * of topic `control`, which all of them see alike: each writes a claim, and the first claim of a round is the one
 * that counts, also for those whose own came later. Who dies with the round leaves it to the next one.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { jsonOf } from '../control.ts';
import type { Logger } from '../types.ts';
import type { AccessControl } from './entries.ts';
import { EVERY_SITE } from './principal.ts';
import type { Users } from './users.ts';
import { newId } from './users.ts';

export const FIRST_ADMIN = 'admin';
const CLAIM_KEY = 'first_admin';
/** How long the one that claimed has for two writes and one hash. */
const ROUND_MS = 15_000;
const RETRY_MS = 2_000;

interface Claim {
  round: number;
  by: string;
}

export interface FirstAdminOptions {
  control: AccessControl;
  users: Users;
  /** Once, in the one process that made the user. */
  say: (name: string, password: string) => void;
  logger: Logger;
  signal: AbortSignal;
  roundMs?: number;
}

/** Resolves when there is a user, or the process ends. `control` has been read whole before. Never rejects. */
export async function makeFirstAdmin(options: FirstAdminOptions): Promise<void> {
  const { users, signal, logger, roundMs = ROUND_MS } = options;
  const claims = new Claims(options);
  // A claim that was there before may be of one that is at it, or that died.
  if (claims.round > 0) await within(options, roundMs, () => !users.isEmpty);
  while (users.isEmpty && !signal.aborted) {
    try {
      if (await claims.claim(roundMs)) await make(options, claims);
      else await within(options, roundMs, () => !users.isEmpty);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn({ error: String(error), retry_ms: RETRY_MS }, 'the first user is not made yet');
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Whose turn it is, by the order of the log alone: all who follow it come to the same answers. */
class Claims {
  readonly #options: FirstAdminOptions;
  readonly #own = newId();
  #holds: Claim | undefined;
  /** There was no user when the claim that holds came. */
  #isForNone = true;
  /** Whose turn it was when the first user came; undefined: there is none yet. */
  #madeIn: Claim | undefined;

  /** Its listeners run after those of `users`. */
  constructor(options: FirstAdminOptions) {
    this.#options = options;
    const { control, users } = options;
    control.on(CLAIM_KEY, (_key, bytes) => {
      const claim = readClaim(jsonOf<Claim>(bytes));
      if (claim === undefined || claim.round <= this.round) return;
      this.#holds = claim;
      this.#isForNone = users.isEmpty;
    });
    control.on('user/', () => {
      if (!users.isEmpty) this.#madeIn ??= this.#holds;
    });
  }

  get round(): number {
    return this.#holds?.round ?? 0;
  }

  /** It is this process' turn, and no user was there before it. */
  get isOwn(): boolean {
    return this.#holds?.by === this.#own && this.#isForNone;
  }

  /** The user came in this process' turn: nobody else takes one for it. */
  get isMadeByOwn(): boolean {
    return this.#madeIn?.by === this.#own;
  }

  /** Claims the next round; true: it is this process'. Rejects as Control.put does. */
  async claim(roundMs: number): Promise<boolean> {
    const round = this.round + 1;
    const claim = Buffer.from(JSON.stringify({ round, by: this.#own } satisfies Claim));
    await this.#options.control.put(CLAIM_KEY, claim);
    await within(this.#options, roundMs, () => this.round >= round);
    return this.round === round && this.isOwn;
  }
}

/**
 * Said after it is durable: if the process dies between, `fms-collector user passwd admin` makes another password.
 * One whose turn was over before the user came says nothing: the next one, who claimed before that too, does.
 */
async function make({ users, say }: FirstAdminOptions, claims: Claims): Promise<void> {
  const grants = [{ site: EVERY_SITE, role: 'admin' as const }];
  const mayWrite = (): boolean => claims.isOwn;
  const password = users.isEmpty
    ? await users.create(FIRST_ADMIN, grants, undefined, mayWrite)
    : await users.setPassword(FIRST_ADMIN, undefined);
  if (claims.isMadeByOwn || claims.isOwn) say(FIRST_ADMIN, password ?? '');
}

async function within(
  { control, signal }: FirstAdminOptions,
  ms: number,
  isSo: () => boolean,
): Promise<void> {
  await control.until(isSo, AbortSignal.any([signal, AbortSignal.timeout(ms)]));
}

function readClaim(said: Partial<Claim> | undefined): Claim | undefined {
  const { round, by } = said ?? {};
  return typeof round === 'number' && typeof by === 'string' ? { round, by } : undefined;
}
