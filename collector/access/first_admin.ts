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
  const { control, users, signal, logger, roundMs = ROUND_MS } = options;
  const own = newId();
  let holds: Claim | undefined;
  control.on(CLAIM_KEY, (_key, bytes) => {
    const claim = readClaim(jsonOf<Claim>(bytes));
    if (claim !== undefined && claim.round > (holds?.round ?? 0)) holds = claim;
  });
  let isFirstLook = true;
  while (users.isEmpty && !signal.aborted) {
    try {
      // A claim that was there before may be of one that is at it, or that died.
      if (holds !== undefined && isFirstLook) await within(options, roundMs, () => !users.isEmpty);
      isFirstLook = false;
      if (!users.isEmpty || signal.aborted) return;
      const round = (holds?.round ?? 0) + 1;
      const claim = Buffer.from(JSON.stringify({ round, by: own } satisfies Claim));
      await control.put(CLAIM_KEY, claim);
      await within(options, roundMs, () => (holds?.round ?? 0) >= round);
      if (holds?.round === round && holds.by === own) await make(options);
      else await within(options, roundMs, () => !users.isEmpty);
    } catch (error) {
      if (signal.aborted) return;
      logger.warn(
        { error: String(error), retry_ms: RETRY_MS },
        'the first user cannot be made yet',
      );
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

async function make({ users, say, signal }: FirstAdminOptions): Promise<void> {
  if (!users.isEmpty || signal.aborted) return;
  const grants = [{ site: EVERY_SITE, role: 'admin' as const }];
  // Said after it is durable: if the process dies between, `fms-collector user passwd admin` makes another one.
  const password = await users.create(FIRST_ADMIN, grants, undefined);
  say(FIRST_ADMIN, password ?? '');
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
