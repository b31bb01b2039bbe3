/** Who asks over the ClickHouse interface: an API token, or a user's name and password. */

import { createHash, randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Access } from '../access/access.ts';
import type { Audit } from '../access/audit.ts';
import type { Principal } from '../access/principal.ts';
import { mayEverywhere } from '../access/principal.ts';
import { TOKEN_PREFIX } from '../access/tokens.ts';
import type { User } from '../access/users.ts';
import { principalOfUser } from '../access/users.ts';
import type { Clock } from '../types.ts';
import { ServerException } from './exception.ts';

/** Clients send the password with each request; to check it takes long on purpose. */
const KNOWN_MS = 300_000;
const KNOWN_MAX = 1_000;

export interface Credentials {
  name: string;
  /** A password, or an API token under any name. */
  secret: string;
}

interface Known {
  passwordId: string;
  untilMs: number;
}

export interface CallersParts {
  access: Access;
  audit: Audit;
  clock: Clock;
}

export class Callers {
  readonly #parts: CallersParts;
  /** By a hash of name and password. The one that was checked first comes first. */
  readonly #known = new Map<string, Known>();
  readonly #salt = randomBytes(16);

  constructor(parts: CallersParts) {
    this.#parts = parts;
  }

  /** Rejects with a ServerException: 194, 516 or 497; or as Access.opened and Audit.record do. */
  async authenticate({ name, secret }: Credentials, from: string): Promise<Principal> {
    const { tokens } = this.#parts.access.opened;
    const isToken = secret.startsWith(TOKEN_PREFIX);
    const principal = isToken ? tokens.principal(secret) : await this.#user(name, secret, from);
    if (principal === undefined) throw failed(name);
    if (isToken) tokens.use(secret);
    if (!mayEverywhere(principal, 'viewer'))
      throw new ServerException(
        497,
        `${principal.name}: Not enough privileges: SQL needs the role viewer at every site (ACCESS_DENIED)`,
      );
    return principal;
  }

  async #user(given: string, secret: string, from: string): Promise<Principal | undefined> {
    const { access, audit, clock } = this.#parts;
    const name = given.normalize('NFC');
    const key = this.#keyOf(name, secret);
    const user = this.#knownUser(name, key) ?? (await this.#verified(name, secret, from));
    const deed = { who: name, kind: 'user', from, site: '', detail: '{"via":"clickhouse_http"}' };
    if (user === undefined) {
      const entry = { ...deed, who: 'anonymous', kind: 'anonymous', target: name } as const;
      await audit.record({ ...entry, action: 'session.login_refused' });
      return undefined;
    }
    if (user.mustChange)
      throw new ServerException(
        516,
        `${name}: the password must be changed first: log in to the pages of the collector (AUTHENTICATION_FAILED)`,
      );
    if (!this.#known.has(key)) {
      await audit.record({ ...deed, action: 'session.login', target: name });
      this.#remember(key, { passwordId: user.passwordId, untilMs: clock.wallMs() + KNOWN_MS });
    }
    return access.opened.users.get(name) && principalOfUser(user);
  }

  async #verified(name: string, secret: string, from: string): Promise<User | undefined> {
    const { access, clock } = this.#parts;
    const waitMs = access.throttle.begin(name, from, clock.wallMs());
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1_000);
      throw new ServerException(
        516,
        `${name}: too many wrong passwords: wait ${seconds} s (AUTHENTICATION_FAILED)`,
        429,
        seconds,
      );
    }
    try {
      const user = await access.opened.users.verify(name, secret);
      if (user !== undefined) access.throttle.succeeded(name, from);
      return user;
    } catch (error) {
      access.throttle.undo(name, from);
      throw error;
    }
  }

  /** Still the same password, and not disabled meanwhile. */
  #knownUser(name: string, key: string): User | undefined {
    const known = this.#known.get(key);
    if (known === undefined) return undefined;
    const user = this.#parts.access.opened.users.get(name);
    const isGood =
      user !== undefined &&
      !user.disabled &&
      user.passwordId === known.passwordId &&
      this.#parts.clock.wallMs() < known.untilMs;
    if (isGood) return user;
    this.#known.delete(key);
    return undefined;
  }

  #remember(key: string, known: Known): void {
    this.#known.set(key, known);
    const [first] = this.#known.keys();
    if (this.#known.size > KNOWN_MAX && first !== undefined) this.#known.delete(first);
  }

  #keyOf(name: string, secret: string): string {
    const hash = createHash('sha256').update(this.#salt).update(name).update('\0').update(secret);
    return hash.digest('base64');
  }
}

/** From headers only: X-ClickHouse-User and -Key, Basic, or Bearer with an API token. */
export function credentialsOf({ headers }: IncomingMessage): Credentials {
  const key = headers['x-clickhouse-key'];
  const name = headers['x-clickhouse-user'];
  if (key !== undefined || name !== undefined)
    return required({ name: decoded(name), secret: decoded(key) });
  const [scheme = '', value = ''] = (headers.authorization ?? '').split(/ +/, 2);
  if (scheme.toLowerCase() === 'bearer') return required({ name: 'token', secret: value });
  if (scheme.toLowerCase() !== 'basic') return required({ name: '', secret: '' });
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 0) return required({ name: text, secret: '' });
  return required({ name: text.slice(0, colon), secret: text.slice(colon + 1) });
}

function required(credentials: Credentials): Credentials {
  if (credentials.secret !== '') return credentials;
  throw new ServerException(
    194,
    `${credentials.name === '' ? 'default' : credentials.name.slice(0, 64)}: Authentication failed: send name and password, or an API token as the password (REQUIRED_PASSWORD)`,
  );
}

/** Node reads headers as Latin-1; names and passwords are UTF-8. */
function decoded(header: string | string[] | undefined): string {
  return Buffer.from(header?.toString() ?? '', 'latin1').toString('utf8');
}

function failed(name: string): ServerException {
  return new ServerException(
    516,
    `${name.slice(0, 64)}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)`,
  );
}
