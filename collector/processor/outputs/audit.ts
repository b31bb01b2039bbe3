/** AUDIT, in topic events: an entry of the audit log, and the form that its hash is taken of. */

import { createHash } from 'node:crypto';
import type { AuditValue } from '../../types.ts';
import { decodeJson, encodeJson } from './json.ts';

/** Where the chain stands: its newest entry. */
export interface AuditHead {
  /** 0: there is none. */
  number: number;
  /** 64 hex digits. */
  hash: string;
  /** AuditRecord.loggedMs. */
  loggedMs: number;
}

/** What stands before entry 1. */
export const NO_AUDIT: AuditHead = { number: 0, hash: '0'.repeat(64), loggedMs: 0 };

/** An entry without its hash. */
export interface UnsealedAudit extends AuditValue {
  /** 1, 2, 3, … without gaps. */
  number: number;
  /** Log time at which the entry became durable; never before that of the entry before. */
  loggedMs: number;
  /** hash and loggedMs of the entry before; those of NO_AUDIT for the first. */
  previousHash: string;
  previousMs: number;
}

export interface AuditRecord extends UnsealedAudit {
  /** See hashOf. */
  hash: string;
}

/**
 * SHA-256, in 64 lower-case hex digits, of the UTF-8 bytes of the entry's canonical form: one JSON array, as
 * RFC 8785 (JCS) writes it: no white space, whole numbers, texts with the shortest escapes. Its parts are in
 * docs/decisions/0028-audit-log.md, for those who check it with other tools: they never change.
 */
export function hashOf(entry: UnsealedAudit): string {
  return createHash('sha256').update(canonical(entry)).digest('hex');
}

/** Texts must be well-formed Unicode, numbers safe integers. */
export function canonical(entry: UnsealedAudit): string {
  return JSON.stringify([
    entry.previousHash,
    entry.previousMs,
    entry.number,
    entry.id,
    entry.loggedMs,
    entry.atMs,
    entry.who,
    entry.kind,
    entry.from,
    entry.action,
    entry.site,
    entry.target,
    entry.detail,
  ]);
}

export function encodeAudit(entry: AuditRecord): Uint8Array {
  return encodeJson(entry);
}

export function decodeAudit(value: Uint8Array): AuditRecord {
  return decodeJson(value) as AuditRecord;
}
