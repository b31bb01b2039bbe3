/**
 * The audit log of partition 0: numbers the entries and chains each to the one before by its hash. Head and
 * the newest ids are hard state, so a replay makes the same chain. Bounded.
 */

import { CollectorError } from '../errors.ts';
import type { AuditValue, RecoveryValue } from '../types.ts';
import { AUDIT_DETAIL_CHARS_MAX, AUDIT_TEXT_CHARS_MAX } from '../types.ts';
import { idOf } from './ids.ts';
import type { AuditHead, AuditRecord } from './outputs/audit.ts';
import { hashOf, NO_AUDIT } from './outputs/audit.ts';
import { parseJson } from './parse.ts';

/**
 * An entry whose append was repeated is recognised among so many newest ones. A repetition comes within
 * seconds and a process has at most 64 appends under way; one that comes later is an entry of its own.
 */
export const AUDIT_IDS_MAX = 512;
const ID_CHARS = 16;
const FORMAT = 1;
const ID = /^[0-9a-f]{16}$/;
const ACTION = /^[a-z_]{1,32}\.[a-z_]{1,32}$/;
const HASH = /^[0-9a-f]{64}$/;

interface Encoded extends AuditHead {
  format: number;
  /** One after the other, oldest first. */
  ids: string;
}

export class AuditChain {
  #head: AuditHead = NO_AUDIT;
  /** In the order in which they came. */
  #ids = new Set<string>();
  #changed = false;

  get head(): AuditHead {
    return this.#head;
  }

  /** Takes the value of an AUDIT record. 'repeated': the entry is in the chain already. */
  take(value: Uint8Array, nowMs: number): AuditRecord | 'repeated' | 'malformed' {
    const asked = askedOf(value);
    if (asked === undefined) return 'malformed';
    if (this.#ids.has(asked.id)) return 'repeated';
    return this.#append(asked, nowMs);
  }

  /**
   * The log is new, or was restored: the chain goes on from what the store has, if that is further, and an
   * entry says why. Undefined: nobody looked into the store, or it was said before.
   */
  recover({ reason, audit }: Partial<RecoveryValue>, nowMs: number): AuditRecord | undefined {
    const told = headOf(audit);
    if (told === undefined) return undefined;
    const { number, hash } = this.#head;
    // A new log is told once what the store has, and again after a kill; a log may be restored many times.
    const from = reason === 'log_replaced' ? told.hash : hash;
    const id = idOf('audit', String(reason), told.number, from);
    if (this.#ids.has(id)) return undefined;
    if (told.number > number) this.#head = told;
    const isBegun = this.#head.number === 0;
    const had = told.number > 0 ? { store_had: told.number } : {};
    const detail = { reason: String(reason), log_had: number, ...had };
    const entry = {
      ...{ id, atMs: nowMs, who: 'collector', kind: 'collector', from: '', site: '', target: '' },
      action: isBegun ? 'audit.chain_begun' : 'audit.chain_continued',
      detail: JSON.stringify(detail),
    };
    return this.#append(entry, nowMs);
  }

  /** Undefined: unchanged since it was taken last. */
  takeChanges(): Uint8Array | undefined {
    if (!this.#changed) return undefined;
    this.#changed = false;
    const body: Encoded = { format: FORMAT, ...this.#head, ids: [...this.#ids].join('') };
    return Buffer.from(JSON.stringify(body));
  }

  /** Throws PROCESSOR_STATE_VERSION. */
  restore(bytes: Uint8Array): void {
    const { format, number, hash, loggedMs, ids } = JSON.parse(
      Buffer.from(bytes).toString('utf8'),
    ) as Encoded;
    if (format !== FORMAT)
      throw new CollectorError('PROCESSOR_STATE_VERSION', `audit log: format ${format}`);
    this.#head = { number, hash, loggedMs };
    this.#ids = new Set();
    for (let at = 0; at < ids.length; at += ID_CHARS) this.#ids.add(ids.slice(at, at + ID_CHARS));
    this.#changed = false;
  }

  #append(value: AuditValue, nowMs: number): AuditRecord {
    const { number, hash: previousHash, loggedMs: previousMs } = this.#head;
    // What the store had may be of a log whose clock was ahead.
    const loggedMs = Math.max(Math.floor(nowMs), previousMs);
    const unsealed = { ...value, number: number + 1, loggedMs, previousHash, previousMs };
    const entry = { ...unsealed, hash: hashOf(unsealed) };
    this.#head = { number: entry.number, hash: entry.hash, loggedMs };
    this.#ids.add(value.id);
    for (const oldest of this.#ids) {
      if (this.#ids.size <= AUDIT_IDS_MAX) break;
      this.#ids.delete(oldest);
    }
    this.#changed = true;
    return entry;
  }
}

/** Undefined: not what collector/parts/audit.ts makes. Nothing is cut here: a cut entry would be another one. */
function askedOf(value: Uint8Array): AuditValue | undefined {
  const parsed = parseJson<AuditValue>(value);
  if (parsed === undefined) return undefined;
  const { id, atMs, who, kind, from, action, site, target, detail } = parsed;
  if (typeof id !== 'string' || !ID.test(id) || !isTime(atMs)) return undefined;
  if (typeof action !== 'string' || !ACTION.test(action)) return undefined;
  if (!isText(who) || !isText(kind) || !isText(from) || !isText(site)) return undefined;
  if (!isText(target) || !isText(detail, AUDIT_DETAIL_CHARS_MAX)) return undefined;
  if (who === '') return undefined;
  return { id, atMs, who, kind, from, action, site, target, detail };
}

/** Well-formed, because the hash is of UTF-8. */
function isText(text: unknown, max = AUDIT_TEXT_CHARS_MAX): text is string {
  return typeof text === 'string' && text.length <= max && text.isWellFormed();
}

function isTime(ms: unknown): ms is number {
  return Number.isSafeInteger(ms) && (ms as number) >= 0;
}

function headOf(told: unknown): AuditHead | undefined {
  if (typeof told !== 'object' || told === null) return undefined;
  const { number, hash, loggedMs } = told as Partial<AuditHead>;
  if (!isTime(number) || !isTime(loggedMs) || typeof hash !== 'string') return undefined;
  if (number === 0) return NO_AUDIT;
  return HASH.test(hash) ? { number, hash, loggedMs } : undefined;
}
