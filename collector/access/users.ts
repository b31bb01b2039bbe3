/** Who there is: names, grants, passwords. All of it in topic `control`, so that every process knows it. */

import { randomBytes } from 'node:crypto';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';
import type { AccessControl } from './entries.ts';
import { Entries } from './entries.ts';
import { readGrants } from './grants.ts';
import type { Passwords } from './passwords.ts';
import { passwordProblem, randomPassword } from './passwords.ts';
import type { Grant, Principal } from './principal.ts';
import { mayEverywhere } from './principal.ts';

/** All of them are in memory, and in one answer. */
export const USERS_MAX = 1_000;
/** Without `/`, so that `user/token` is no user; without what changes the direction of text. */
export const USER_NAME = '^[\\p{L}\\p{N}][\\p{L}\\p{N}\\p{M}._@-]{0,63}$';
/** Names of those that are no user: see PrincipalKind. */
const RESERVED = ['local', 'anonymous', 'member'];

export type Language = 'en' | 'ko';

/** What administrators decide. */
interface UserEntry {
  /** Of this user; one that is made again under the name has another. */
  id: string;
  grants: readonly Grant[];
  disabled: boolean;
  createdMs: number;
  changedMs: number;
}

interface PasswordEntry {
  /** Of this password: what was made by another one is over when it differs. */
  id: string;
  hash: string;
  mustChange: boolean;
}

export interface User extends UserEntry {
  name: string;
  passwordId: string;
  mustChange: boolean;
  language: Language | undefined;
  lastLoginMs: number | undefined;
}

export class Users {
  readonly #entries: Entries<UserEntry>;
  readonly #passwords: Entries<PasswordEntry>;
  readonly #languages: Entries<{ language: Language }>;
  readonly #logins: Entries<{ atMs: number }>;
  readonly #hasher: Passwords;
  readonly #clock: Clock;

  constructor(control: AccessControl, hasher: Passwords, clock: Clock) {
    this.#hasher = hasher;
    this.#clock = clock;
    this.#entries = new Entries(control, 'user/', readUser);
    this.#passwords = new Entries(control, 'user_password/', readPassword);
    this.#languages = new Entries(control, 'user_language/', ({ language }) =>
      language === 'en' || language === 'ko' ? { language } : undefined,
    );
    this.#logins = new Entries(control, 'user_login/', ({ atMs }) =>
      typeof atMs === 'number' ? { atMs } : undefined,
    );
  }

  /** Undefined: there is none, also not one that is disabled. */
  get(name: string): User | undefined {
    const entry = this.#entries.get(name);
    if (entry === undefined) return undefined;
    const password = this.#passwords.get(name);
    return {
      ...entry,
      name,
      passwordId: password?.id ?? '',
      mustChange: password?.mustChange ?? true,
      language: this.#languages.get(name)?.language,
      lastLoginMs: this.#logins.get(name)?.atMs,
    };
  }

  /** By name. */
  all(): User[] {
    const names = [...this.#entries.all()].map(([name]) => name).sort();
    return names.flatMap((name) => this.get(name) ?? []);
  }

  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /**
   * Without a password one is made up, to be changed at the first login, and answered. `mayWrite` is asked when all
   * that takes long is done. Rejects with API_USER_REFUSED, API_PASSWORD_REFUSED, API_TOO_MANY, or as Control.put does.
   */
  async create(
    name: string,
    grants: readonly Grant[],
    chosen: string | undefined,
    mayWrite: () => boolean = () => true,
  ): Promise<string | undefined> {
    const problem = this.#problemOf(name);
    if (problem !== undefined) throw new CollectorError('API_USER_REFUSED', problem);
    const made = await this.#setPassword(name, chosen, mayWrite);
    const nowMs = this.#clock.wallMs();
    // What a user of that name before chose is not this one's.
    await this.#languages.put(name, null);
    await this.#logins.put(name, null);
    // Last: a user is there when all of it is.
    const times = { createdMs: nowMs, changedMs: nowMs };
    await this.#entries.put(name, { id: newId(), grants, disabled: false, ...times });
    return made;
  }

  /** Rejects with API_USER_REFUSED when no enabled admin of every site would be left, or as Control.put does. */
  async change(
    name: string,
    { grants, disabled }: { grants?: readonly Grant[]; disabled?: boolean },
  ): Promise<void> {
    const { id, createdMs, ...user } = this.#known(name);
    const next = { grants: grants ?? user.grants, disabled: disabled ?? user.disabled };
    if (next.disabled || !mayEverywhere(next, 'admin')) this.#refuseIfLast(name);
    const changedMs = this.#clock.wallMs();
    await this.#entries.put(name, { id, createdMs, changedMs, ...next });
  }

  /** Likewise. What belonged to the user counts no more from here on. */
  async remove(name: string): Promise<void> {
    this.#known(name);
    this.#refuseIfLast(name);
    await this.#entries.put(name, null);
    await this.#passwords.put(name, null);
    await this.#languages.put(name, null);
    await this.#logins.put(name, null);
  }

  /** All that the old password opened is over. Without `chosen` as create(). Rejects likewise. */
  async setPassword(name: string, chosen: string | undefined): Promise<string | undefined> {
    this.#known(name);
    return await this.#setPassword(name, chosen);
  }

  async setLanguage(name: string, language: Language | null): Promise<void> {
    this.#known(name);
    await this.#languages.put(name, language === null ? null : { language });
  }

  /** Undefined: wrong, in whatever way; all ways take as long. Rejects with API_TOO_MANY. */
  async verify(name: string, password: string): Promise<User | undefined> {
    const user = this.get(name);
    const isRight = await this.#hasher.verify(password, this.#passwords.get(name)?.hash);
    if (!isRight || user === undefined || user.disabled) return undefined;
    // Deleted, disabled or given another password meanwhile.
    const now = this.get(name);
    return now?.passwordId === user.passwordId && !now.disabled ? now : undefined;
  }

  async noteLogin(name: string): Promise<void> {
    await this.#logins.put(name, { atMs: this.#clock.wallMs() });
  }

  async #setPassword(
    name: string,
    chosen: string | undefined,
    mayWrite: () => boolean = () => true,
  ): Promise<string | undefined> {
    const problem = chosen === undefined ? undefined : passwordProblem(chosen, name);
    if (problem !== undefined) throw new CollectorError('API_PASSWORD_REFUSED', problem);
    const made = chosen === undefined ? randomPassword() : undefined;
    const hash = await this.#hasher.hash(chosen ?? made ?? '');
    if (!mayWrite()) throw new CollectorError('API_USER_REFUSED', 'another process makes it');
    await this.#passwords.put(name, { id: newId(), hash, mustChange: made !== undefined });
    return made;
  }

  #known(name: string): User {
    const user = this.get(name);
    if (user === undefined) throw new CollectorError('API_NOT_FOUND', `no user ${name}`);
    return user;
  }

  #problemOf(name: string): string | undefined {
    if (name !== name.normalize('NFC') || !new RegExp(USER_NAME, 'u').test(name))
      return 'a name is of letters, digits and . _ @ -, and begins with a letter or digit';
    const plain = name.toLowerCase();
    if (RESERVED.includes(plain)) return `the name ${name} stands for somebody else`;
    for (const [other] of this.#entries.all())
      if (other.toLowerCase() === plain) return `there is a user ${other}`;
    return this.#entries.size >= USERS_MAX ? `there are ${USERS_MAX} users` : undefined;
  }

  #refuseIfLast(name: string): void {
    const isLeft = [...this.#entries.all()].some(
      ([other, user]) => other !== name && !user.disabled && mayEverywhere(user, 'admin'),
    );
    const isOne = mayEverywhere(this.#known(name), 'admin') && !this.#known(name).disabled;
    if (isOne && !isLeft)
      throw new CollectorError('API_USER_REFUSED', `${name} is the last admin of every site`);
  }
}

export function principalOfUser({ name, grants }: Pick<User, 'name' | 'grants'>): Principal {
  return { kind: 'user', name, grants };
}

function readUser(said: Partial<UserEntry>): UserEntry | undefined {
  const { id, createdMs = 0, changedMs = 0 } = said;
  if (typeof id !== 'string') return undefined;
  // What cannot be read for sure is disabled.
  return {
    id,
    grants: readGrants(said.grants),
    disabled: said.disabled !== false,
    createdMs,
    changedMs,
  };
}

function readPassword({ id, hash, mustChange }: Partial<PasswordEntry>): PasswordEntry | undefined {
  if (typeof id !== 'string' || typeof hash !== 'string') return undefined;
  return { id, hash, mustChange: mustChange !== false };
}

export function newId(): string {
  return randomBytes(8).toString('hex');
}
