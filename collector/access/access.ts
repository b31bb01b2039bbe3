/**
 * Users, sessions and tokens of a process, and what its configuration says of those who are none of them. Empty
 * until topic `control` has been read.
 */

import { CollectorError } from '../errors.ts';
import type { Clock, Logger } from '../types.ts';
import type { AccessControl } from './entries.ts';
import { makeFirstAdmin } from './first_admin.ts';
import { isSameSecret } from './local_token.ts';
import type { PasswordCost } from './passwords.ts';
import { Passwords } from './passwords.ts';
import type { Principal, Role } from './principal.ts';
import { EVERY_SITE } from './principal.ts';
import type { SessionLimits } from './sessions.ts';
import { Sessions } from './sessions.ts';
import { LoginThrottle } from './throttle.ts';
import { Tokens } from './tokens.ts';
import { Users } from './users.ts';

export interface AccessPolicy {
  /** Who asks from this machine without login, not through a proxy and not from a page of another origin. */
  thisMachine: Role | 'none';
  /** Everybody else without login. */
  anonymous: 'viewer' | 'none';
  /** token: /metrics needs role viewer, as an API token has it. */
  metrics: 'public' | 'token';
  session: SessionLimits;
}

export interface AccessOptions {
  policy: AccessPolicy;
  clock: Clock;
  /** For tests: what is secure takes long. */
  passwordCost?: PasswordCost;
}

export interface OpenAccess {
  users: Users;
  sessions: Sessions;
  tokens: Tokens;
}

export class Access {
  readonly policy: AccessPolicy;
  readonly throttle = new LoginThrottle();
  readonly #clock: Clock;
  readonly #passwords: Passwords;
  #opened: OpenAccess | undefined;
  #localToken: string | undefined;

  constructor({ policy, clock, passwordCost }: AccessOptions) {
    this.policy = policy;
    this.#clock = clock;
    this.#passwords = new Passwords(passwordCost);
  }

  /** `control` has been read whole. */
  open(control: AccessControl): OpenAccess {
    const users = new Users(control, this.#passwords, this.#clock);
    const sessions = new Sessions(control, users, this.policy.session, this.#clock);
    const tokens = new Tokens(control, users, this.#clock);
    this.#opened = { users, sessions, tokens };
    return this.#opened;
  }

  /** What ensureLocalToken() answered. */
  allowLocal(token: string): void {
    this.#localToken = token;
  }

  /** Throws API_NOT_READY. */
  get opened(): OpenAccess {
    if (this.#opened === undefined)
      throw new CollectorError('API_NOT_READY', 'users are not known yet');
    return this.#opened;
  }

  get isOpen(): boolean {
    return this.#opened !== undefined;
  }

  isLocalToken(token: string): boolean {
    return this.#localToken !== undefined && isSameSecret(token, this.#localToken);
  }
}

export const NOBODY: Principal = { kind: 'anonymous', name: 'anonymous', grants: [] };

export function everywhere(kind: 'local' | 'member' | 'anonymous', role: Role | 'none'): Principal {
  return { kind, name: kind, grants: role === 'none' ? [] : [{ site: EVERY_SITE, role }] };
}

/** Makes the first user when there is none, and says its password once, in the program's own log. Never rejects. */
export async function startUsers(
  { users }: OpenAccess,
  control: AccessControl,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  await makeFirstAdmin({
    control,
    users,
    logger,
    signal,
    // A secret in a log: it opens only the dialog that asks for another one.
    say: (user, password) =>
      logger.warn(
        { first_user: user, first_password: password },
        `first start: log in as ${user} with the password ${password}; you will be asked for another one, and this is not said again`,
      ),
  });
}
