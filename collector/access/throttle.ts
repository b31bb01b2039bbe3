/**
 * Slows down who guesses passwords, by name and by address. An attempt counts when it begins and is taken
 * back when it succeeds, so that many at once gain nothing. After a few the next must wait, twice as long each
 * time. Of this process only: with several, each allows as many.
 */

import { isIPv6 } from 'node:net';

export interface ThrottleBounds {
  /** Attempts without a wait. */
  free: number;
  waitMaxMs: number;
}

/** By name the wait is short: whoever guesses could otherwise keep the user out for long. */
const BY_NAME: ThrottleBounds = { free: 5, waitMaxMs: 60_000 };
/** People behind one address have more names. */
const BY_ADDRESS: ThrottleBounds = { free: 20, waitMaxMs: 900_000 };
const WAIT_MIN_MS = 1_000;
/** Without attempts for so long all is forgotten. */
const FORGOTTEN_MS = 3_600_000;
/** Of each kind; at the bound the one that was quiet for longest is forgotten. */
const ENTRIES_MAX = 10_000;

interface Entry {
  attempts: number;
  lastMs: number;
  /** From then on no attempt for so long. */
  waitMs: number;
}

export class LoginThrottle {
  readonly #names = new Counter(BY_NAME);
  readonly #addresses = new Counter(BY_ADDRESS);

  /** 0: go on, and the attempt is counted; otherwise milliseconds to wait, and nothing is. */
  begin(name: string, address: string, nowMs: number): number {
    const from = networkOf(address);
    const waitMs = Math.max(this.#names.waitMs(name, nowMs), this.#addresses.waitMs(from, nowMs));
    if (waitMs > 0) return waitMs;
    this.#names.count(name, nowMs);
    this.#addresses.count(from, nowMs);
    return 0;
  }

  /** The attempt was right: of the name nothing stays, of the address only the others' attempts. */
  succeeded(name: string, address: string): void {
    this.#names.forget(name);
    this.#addresses.takeBack(networkOf(address));
  }

  /** It came to no answer: nobody learnt anything by it. */
  undo(name: string, address: string): void {
    this.#names.takeBack(name);
    this.#addresses.takeBack(networkOf(address));
  }
}

class Counter {
  readonly #bounds: ThrottleBounds;
  /** The one that was quiet for longest comes first. */
  readonly #entries = new Map<string, Entry>();

  constructor(bounds: ThrottleBounds) {
    this.#bounds = bounds;
  }

  waitMs(key: string, nowMs: number): number {
    const entry = this.#entries.get(key);
    if (entry === undefined) return 0;
    // A clock that was set back keeps nobody out for longer than the wait.
    entry.lastMs = Math.min(entry.lastMs, nowMs);
    return Math.max(0, entry.lastMs + entry.waitMs - nowMs);
  }

  count(key: string, nowMs: number): void {
    const known = this.#entries.get(key);
    const isKnown = known !== undefined && nowMs - known.lastMs < FORGOTTEN_MS;
    const attempts = (isKnown ? known.attempts : 0) + 1;
    const { free, waitMaxMs } = this.#bounds;
    const waitMs =
      attempts < free ? 0 : Math.min(WAIT_MIN_MS * 2 ** Math.min(attempts - free, 30), waitMaxMs);
    this.#entries.delete(key);
    this.#entries.set(key, { attempts, lastMs: nowMs, waitMs });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > ENTRIES_MAX && oldest !== undefined) this.#entries.delete(oldest);
  }

  takeBack(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    entry.attempts--;
    entry.waitMs = 0;
    if (entry.attempts <= 0) this.#entries.delete(key);
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }
}

/** Who has one IPv6 address has 2^64 of them. */
export function networkOf(address: string): string {
  const plain = address.toLowerCase().replace(/^::ffff:(?=\d+\.)/, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail = ''] = plain.replace(/%.*$/, '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const zeros = plain.includes('::') ? new Array(8 - left.length - right.length).fill('0') : [];
  return [...left, ...zeros, ...right]
    .slice(0, 4)
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join(':');
}
