/**
 * Passwords: scrypt, with its cost in the hash's text, so that the cost may be raised while older texts still
 * count. One computation takes 128 MB and some tenths of a second: two at once, a few may wait, the rest is
 * told to come again.
 */

import { randomBytes, randomInt, scrypt, timingSafeEqual } from 'node:crypto';
import { CollectorError } from '../errors.ts';

export interface PasswordCost {
  /** log2 of scrypt's N. */
  ln: number;
  r: number;
  p: number;
}

/** As OWASP's Password Storage Cheat Sheet says for scrypt: N=2^17, r=8, p=1. */
export const PASSWORD_COST: PasswordCost = { ln: 17, r: 8, p: 1 };

export const PASSWORD_CHARS_MIN = 10;
/** A password is hashed whole: this bounds what a request can make of it. */
export const PASSWORD_CHARS_MAX = 256;

const AT_ONCE_MAX = 2;
const WAITING_MAX = 16;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** What a text may ask for: one that was tampered with must not take the machine's memory. */
const COST_MAX: PasswordCost = { ln: 20, r: 16, p: 16 };

export class Passwords {
  readonly #cost: PasswordCost;
  /** Stands for the hash of a user that there is not. */
  readonly #nobody: string;
  readonly #waiting: (() => void)[] = [];
  #computing = 0;

  constructor(cost: PasswordCost = PASSWORD_COST) {
    this.#cost = cost;
    this.#nobody = textOf(cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));
  }

  /** Rejects with API_TOO_MANY. */
  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    return textOf(this.#cost, salt, await this.#derive(password, salt, this.#cost));
  }

  /** Takes as long without a hash (no such user) as with one. Rejects with API_TOO_MANY. */
  async verify(password: string, hash: string | undefined): Promise<boolean> {
    const known = parse(hash ?? '');
    const { cost, salt, key } = known ?? (parse(this.#nobody) as Parsed);
    const derived = await this.#derive(password, salt, cost);
    return timingSafeEqual(derived, key) && known !== undefined;
  }

  async #derive(password: string, salt: Buffer, cost: PasswordCost): Promise<Buffer> {
    if (this.#computing >= AT_ONCE_MAX) {
      if (this.#waiting.length >= WAITING_MAX)
        throw new CollectorError('API_TOO_MANY', 'too many passwords are being looked at');
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#computing++;
    }
    try {
      return await derive(password, salt, cost);
    } finally {
      // The place goes to the one that waits longest.
      const next = this.#waiting.shift();
      if (next === undefined) this.#computing--;
      else next();
    }
  }
}

/** What is wrong with a password that somebody chose, for people; undefined: nothing. */
export function passwordProblem(password: string, name: string): string | undefined {
  const { length } = [...normal(password)];
  if (length < PASSWORD_CHARS_MIN)
    return `a password has at least ${PASSWORD_CHARS_MIN} characters`;
  if (length > PASSWORD_CHARS_MAX) return `a password has at most ${PASSWORD_CHARS_MAX} characters`;
  if (normal(password).toLowerCase().includes(name.toLowerCase()))
    return 'the password contains the name of the user';
  return new Set(normal(password)).size < 4 ? 'the password repeats a few characters' : undefined;
}

/** Without characters that are read as others. */
const LETTERS = 'abcdefghijkmnpqrstuvwxyz23456789';

/** 100 random bits, in groups that can be typed from a screen. */
export function randomPassword(): string {
  const group = (): string =>
    Array.from({ length: 5 }, () => LETTERS[randomInt(LETTERS.length)]).join('');
  return [group(), group(), group(), group()].join('-');
}

interface Parsed {
  cost: PasswordCost;
  salt: Buffer;
  key: Buffer;
}

/** The form of the PHC strings: $scrypt$ln=17,r=8,p=1$SALT$HASH. */
function textOf({ ln, r, p }: PasswordCost, salt: Buffer, key: Buffer): string {
  return `$scrypt$ln=${ln},r=${r},p=${p}$${salt.toString('base64url')}$${key.toString('base64url')}`;
}

function parse(text: string): Parsed | undefined {
  const form = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([\w-]{16,64})\$([\w-]{43})$/;
  const [, ln, r, p, salt = '', key = ''] = form.exec(text) ?? [];
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  for (const name of ['ln', 'r', 'p'] as const)
    if (!(cost[name] >= 1 && cost[name] <= COST_MAX[name])) return undefined;
  return { cost, salt: Buffer.from(salt, 'base64url'), key: Buffer.from(key, 'base64url') };
}

function derive(password: string, salt: Buffer, { ln, r, p }: PasswordCost): Promise<Buffer> {
  const N = 2 ** ln;
  return new Promise((resolve, reject) => {
    const options = { N, r, p, maxmem: 128 * N * r + 128 * r * p + 1024 * 1024 };
    scrypt(normal(password), salt, HASH_BYTES, options, (error, key) =>
      error === null ? resolve(key) : reject(error),
    );
  });
}

/** Keyboards differ in how they compose a letter: 한 is one character, or three. */
function normal(password: string): string {
  return password.normalize('NFKC');
}
