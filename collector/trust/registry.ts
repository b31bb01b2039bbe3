/**
 * Which gateways there are by name, and which certificates of them count. All of it is in topic `control`, so that
 * every process knows it. What is decided in different places has keys of its own, so that none of them undoes what
 * another one said at the same time (a renewal never a revocation): what admins decide (`gateway/`), what was issued
 * (`gateway_certificate/`), which install came first (`gateway_install/`).
 */

import { randomBytes } from 'node:crypto';
import type { GatewayId } from '../../proto/topics.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { AccessControl } from '../access/entries.ts';
import { Entries } from '../access/entries.ts';
import { CollectorError } from '../errors.ts';
import type { Clock } from '../types.ts';
import type { Issued } from './authority.ts';

/** All of them are in memory. */
export const GATEWAYS_MAX = 100_000;

export interface CertificateEntry {
  fingerprint: string;
  serial: string;
  notBeforeMs: number;
  notAfterMs: number;
  issuedMs: number;
  /** Of its key: whoever asks again with the same key lost the answer. */
  keyFingerprint: string;
  /** PEM, for such an answer; null once it was used. */
  pem: string | null;
}

/** What admins decide. */
interface NameEntry {
  /** Certificates and invitations of another round do not count: each revocation ends one. */
  round: string;
  revoked: { atMs: number; by: string; reason: string } | null;
  createdMs: number;
  changedMs: number;
  changedBy: string;
}

interface IssuedEntry {
  round: string;
  /** Of the token or request by which the hardware came in; a renewal keeps it. */
  enrolment: string;
  /** The newest first; at most two: the one before it counts until the newest is used. */
  certificates: CertificateEntry[];
}

interface InstallEntry {
  enrolment: string;
  installId: string;
}

export interface Gateway extends GatewayId {
  key: string;
  round: string;
  revoked: NameEntry['revoked'];
  /** '' without certificates. */
  enrolment: string;
  /** Those that count, the newest first. */
  certificates: readonly CertificateEntry[];
  /** The first one that came after the enrolment. */
  installId: string | undefined;
  changedMs: number;
  changedBy: string;
}

export class Registry {
  readonly #names: Entries<NameEntry>;
  readonly #issued: Entries<IssuedEntry>;
  readonly #installs: Entries<InstallEntry>;
  readonly #clock: Clock;
  readonly #keyByFingerprint = new Map<string, string>();
  readonly #listeners = new Set<(key: string) => void>();
  /** Changes of one gateway come one after the other. */
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(control: AccessControl, clock: Clock) {
    this.#clock = clock;
    this.#installs = new Entries(control, 'gateway_install/', readInstall);
    this.#issued = new Entries(control, 'gateway_certificate/', readIssued, (key, now, before) => {
      for (const { fingerprint } of before?.certificates ?? [])
        this.#keyByFingerprint.delete(fingerprint);
      for (const { fingerprint } of now?.certificates ?? [])
        this.#keyByFingerprint.set(fingerprint, key);
      this.#tell(key);
    });
    this.#names = new Entries(control, 'gateway/', readName, (key) => this.#tell(key));
  }

  get size(): number {
    return this.#names.size;
  }

  get(id: GatewayId): Gateway | undefined {
    return this.byKey(gatewayKey(id));
  }

  byKey(key: string): Gateway | undefined {
    const name = this.#names.get(key);
    if (name === undefined) return undefined;
    const [site = '', gateway = ''] = key.split('/');
    const issued = this.#issued.get(key);
    const counts = issued !== undefined && issued.round === name.round && name.revoked === null;
    const enrolment = counts ? issued.enrolment : '';
    const install = this.#installs.get(key);
    return {
      site,
      gateway,
      key,
      round: name.round,
      revoked: name.revoked,
      enrolment,
      certificates: counts ? issued.certificates : [],
      installId: counts && install?.enrolment === enrolment ? install.installId : undefined,
      changedMs: Math.max(name.changedMs, counts ? (issued.certificates[0]?.issuedMs ?? 0) : 0),
      changedBy: name.changedBy,
    };
  }

  /** In no order. */
  *all(): Generator<Gateway> {
    for (const [key] of this.#names.all()) {
      const gateway = this.byKey(key);
      if (gateway !== undefined) yield gateway;
    }
  }

  /** Whose certificate it is, as long as it counts. */
  byFingerprint(
    fingerprint: string,
  ): { gateway: Gateway; certificate: CertificateEntry } | undefined {
    const gateway = this.byKey(this.#keyByFingerprint.get(fingerprint) ?? '');
    const certificate = gateway?.certificates.find((one) => one.fingerprint === fingerprint);
    return gateway === undefined || certificate === undefined
      ? undefined
      : { gateway, certificate };
  }

  /** Whose it was or is, whether it counts or not; undefined: not known here. For what a refusal says. */
  ownerOf(fingerprint: string): Gateway | undefined {
    return this.byKey(this.#keyByFingerprint.get(fingerprint) ?? '');
  }

  /** Calls `listener` with the key of each gateway that changes, in every process. The answer ends the calls. */
  onChange(listener: (key: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins a name, or a new round of one that was revoked. All it had before counts no more. */
  begin(id: GatewayId, by: string): Promise<void> {
    return this.#change(id, async (key) => {
      const before = this.#names.get(key);
      if (before === undefined && this.size >= GATEWAYS_MAX)
        throw new CollectorError('GATEWAY_REFUSED', `there are ${GATEWAYS_MAX} gateways`);
      const nowMs = this.#clock.wallMs();
      await this.#names.put(key, {
        round: newRound(),
        revoked: null,
        createdMs: before?.createdMs ?? nowMs,
        changedMs: nowMs,
        changedBy: by,
      });
    });
  }

  /** Also of a name that is not known yet: one that a token or another authority lets in. */
  revoke(id: GatewayId, reason: string, by: string): Promise<void> {
    return this.#change(id, async (key) => {
      const before = this.#names.get(key);
      const atMs = this.#clock.wallMs();
      await this.#names.put(key, {
        round: before?.round ?? newRound(),
        revoked: before?.revoked ?? { atMs, by, reason },
        createdMs: before?.createdMs ?? atMs,
        changedMs: atMs,
        changedBy: by,
      });
    });
  }

  /** The name is forgotten; what it sent stays. Rejects with GATEWAY_REFUSED while certificates of it count. */
  remove(id: GatewayId): Promise<void> {
    return this.#change(id, async (key) => {
      const gateway = this.byKey(key);
      if (gateway === undefined) throw new CollectorError('API_NOT_FOUND', `no gateway ${key}`);
      if (gateway.certificates.length > 0)
        throw new CollectorError('GATEWAY_REFUSED', `${key} is enrolled: revoke it first`);
      await this.#names.put(key, null);
      await this.#issued.put(key, null);
      await this.#installs.put(key, null);
    });
  }

  /**
   * `make` is asked for the certificates that count from now on, the newest first, of those that do now. `enrolment`
   * another one than before: the others are over, and the next install that comes is the registered one. Rejects with
   * GATEWAY_REFUSED when the round is over.
   */
  async issue(
    id: GatewayId,
    { round, enrolment }: { round: string; enrolment: string },
    make: (now: readonly CertificateEntry[]) => Promise<CertificateEntry[]>,
  ): Promise<void> {
    await this.#change(id, async (key) => {
      const isOver = (): boolean => {
        const now = this.byKey(key);
        return now?.round !== round || now.revoked !== null;
      };
      const gateway = this.byKey(key);
      const known = gateway?.enrolment === enrolment ? gateway.certificates : [];
      if (isOver()) throw new CollectorError('GATEWAY_REFUSED', `${key} was revoked`);
      const certificates = await make(known);
      // A revocation that came meanwhile holds all the same: it has a key of its own.
      await this.#issued.put(key, { round, enrolment, certificates: certificates.slice(0, 2) });
    });
  }

  /**
   * A certificate was used: those before it are over, and the answer that brought it has come. `installId`: who used
   * it. Resolves when that is durable; nothing is written when it was so before.
   */
  async used(id: GatewayId, fingerprint: string, installId: string): Promise<void> {
    const known = this.get(id);
    const [newest, ...older] = known?.certificates ?? [];
    const isNews = newest?.fingerprint === fingerprint && (older.length > 0 || newest.pem !== null);
    if (known === undefined || (!isNews && known.installId !== undefined)) return;
    await this.#change(id, async (key) => {
      const now = this.byKey(key);
      const [first] = now?.certificates ?? [];
      if (now === undefined) return;
      if (isNews && first?.fingerprint === fingerprint) {
        const { round, enrolment } = now;
        await this.#issued.put(key, { round, enrolment, certificates: [{ ...first, pem: null }] });
      }
      if (now.installId === undefined)
        await this.#installs.put(key, { enrolment: now.enrolment, installId });
    });
  }

  async #change(id: GatewayId, change: (key: string) => Promise<void>): Promise<void> {
    const key = gatewayKey(id);
    const before = this.#underWay.get(key) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => change(key));
    this.#underWay.set(key, mine);
    try {
      await mine;
    } finally {
      if (this.#underWay.get(key) === mine) this.#underWay.delete(key);
    }
  }

  #tell(key: string): void {
    for (const listener of this.#listeners) listener(key);
  }
}

export function certificateEntry(
  issued: Issued,
  keyFingerprint: string,
  issuedMs: number,
): CertificateEntry {
  const { pem, fingerprint, serial, notBeforeMs, notAfterMs } = issued;
  return { fingerprint, serial, notBeforeMs, notAfterMs, issuedMs, keyFingerprint, pem };
}

function newRound(): string {
  return randomBytes(8).toString('hex');
}

function readName(said: Partial<NameEntry>): NameEntry | undefined {
  const { round, revoked, createdMs = 0, changedMs = 0, changedBy = '' } = said;
  if (typeof round !== 'string') return undefined;
  // What cannot be read for sure is revoked.
  const over = revoked === null ? null : { atMs: 0, by: '', reason: '', ...revoked };
  return { round, revoked: over, createdMs, changedMs, changedBy };
}

function readIssued(said: Partial<IssuedEntry>): IssuedEntry | undefined {
  const { round, enrolment, certificates } = said;
  if (typeof round !== 'string' || typeof enrolment !== 'string') return undefined;
  if (!Array.isArray(certificates)) return undefined;
  return { round, enrolment, certificates: certificates.flatMap(readCertificate) };
}

function readCertificate(said: Partial<CertificateEntry> | null): CertificateEntry[] {
  const { fingerprint, notBeforeMs, notAfterMs } = said ?? {};
  if (typeof fingerprint !== 'string') return [];
  if (typeof notBeforeMs !== 'number' || typeof notAfterMs !== 'number') return [];
  const { serial = '', issuedMs = 0, keyFingerprint = '', pem = null } = said ?? {};
  return [{ fingerprint, serial, notBeforeMs, notAfterMs, issuedMs, keyFingerprint, pem }];
}

function readInstall({ enrolment, installId }: Partial<InstallEntry>): InstallEntry | undefined {
  if (typeof enrolment !== 'string' || typeof installId !== 'string') return undefined;
  return { enrolment, installId };
}
