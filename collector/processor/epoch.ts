/**
 * The account of one epoch of a gateway: which of its seqs 1..lastSeq were seen, are damaged, are
 * declared lost, and which are still in flight. Invariants, whatever comes:
 * - seen, damaged and the labelled ranges never overlap
 * - |seen| = stored + quarantined for good + closed
 * - so stored + quarantined + gap readings + in flight = lastSeq
 *
 * A seq is *seen* when it was stored, was quarantined for good (a reject, an undecodable chunk, the word of
 * a rule), or lies in a gap that was closed for want of room. It is *damaged* when its only copy so far
 * failed its CRC: it counts as quarantined, but an intact copy is still stored, and then wins. It is
 * *releasable* when a rule sent it to quarantine and nobody has released it yet.
 */

import type { ChunkFrame, Epoch } from '../../proto/model.ts';
import { CollectorError } from '../errors.ts';
import type { EncodedLabels } from './labels.ts';
import { GapLabels } from './labels.ts';
import {
  DAMAGED_RANGES_MAX,
  LABELLED_RANGES_MAX,
  OPEN_GAPS_MAX,
  RELEASABLE_RANGES_MAX,
  REMEMBERED_CHUNKS_MAX,
} from './limits.ts';
import type { Interval } from './ranges.ts';
import { SeqRanges } from './ranges.ts';
import { sumOf, sumOfParts, sumOfRanges, wrapped } from './sums.ts';

/** An encoded account: format, open or settled, place (uint32, little-endian), then JSON. */
const FORMAT = 2;
/** Had no sums. */
const FORMAT_WITHOUT_SUMS = 1;
const OPEN = 0;
const SETTLED = 1;
const HEADER_BYTES = 6;

interface RememberedChunk {
  firstSeq: number;
  count: number;
  crc32c: number;
}

/** The encoded form, after the header. Absent: empty or 0. */
interface Encoded extends EncodedLabels {
  order: number;
  openedMs: number;
  lastSeq: number;
  seen: readonly number[];
  stored?: number;
  quarantined?: number;
  /** Decimal, modulo 2^64. */
  storedSum?: string;
  quarantinedSum?: string;
  closedSum?: string;
  duplicates?: number;
  damaged?: readonly number[];
  releasable?: readonly number[];
  /** firstSeq, count, crc32c, … */
  chunks?: number[];
  newerMs?: number;
  arrivedMs?: number;
  unreported?: 1;
  recovering?: 1;
}

export class EpochAccount {
  readonly epoch: Epoch;
  /** Place among the gateway's epochs by when the collector first heard of them. */
  readonly place: number;
  /** When that was, log time. */
  readonly openedMs: number;
  /** Place among the gateway's epochs by their first batch, from 1; 0: none came yet. */
  order = 0;
  /** Highest seq that the gateway was heard to have committed. */
  lastSeq = 0;
  stored = 0;
  /** For good; the damaged ones are counted on top. */
  #quarantined = 0;
  #storedSum = 0n;
  #quarantinedSum = 0n;
  duplicates = 0;
  /** When a chunk of a later epoch came, log time; 0: none. */
  newerMs = 0;
  /** When its own last chunk came, log time. */
  arrivedMs = 0;
  /** Its ledger row would differ from the one put out last. Part of the state. */
  unreported = false;
  /**
   * The log lost what had come last: seqs below the next that arrives, and what is still missing once it
   * is superseded, were lost with the log.
   */
  recovering = false;
  /** Differs from the state as committed. */
  changed = false;

  #seen = new SeqRanges();
  #damaged = new SeqRanges();
  #releasable = new SeqRanges();
  #labels = new GapLabels();
  /** Of seqs that are in `seen` only because their gap was closed. */
  #closedSum = 0n;
  #chunks: RememberedChunk[] = [];

  constructor(epoch: Epoch, place: number, openedMs: number) {
    this.epoch = epoch;
    this.place = place;
    this.openedMs = openedMs;
  }

  /** The gateway has committed up to `lastSeq`. */
  announce(lastSeq: number): void {
    if (lastSeq > this.lastSeq) {
      this.lastSeq = lastSeq;
      this.#touch();
    }
  }

  /** The parts of [from, to] that were not seen yet. */
  unseen(from: number, to: number): Interval[] {
    return this.#seen.missing(from, to);
  }

  /** The CRC of the chunk that came under exactly these seqs, if it is still remembered. */
  rememberedCrc(firstSeq: number, count: number): number | undefined {
    for (const chunk of this.#chunks) {
      if (chunk.firstSeq === firstSeq && chunk.count === count) return chunk.crc32c;
    }
    return undefined;
  }

  remember(frame: ChunkFrame): void {
    if (this.#chunks.length >= REMEMBERED_CHUNKS_MAX) this.#chunks.shift();
    const { firstSeq, count, crc32c } = frame;
    this.#chunks.push({ firstSeq, count, crc32c });
    this.changed = true;
  }

  /** A chunk of it came. */
  arrive(nowMs: number): void {
    this.arrivedMs = nowMs;
    this.changed = true;
  }

  /** A chunk of a later epoch came. */
  supersede(nowMs: number): void {
    if (this.newerMs > 0) return;
    this.newerMs = nowMs;
    this.changed = true;
  }

  /** Nothing of it is expected any more, and for so long nothing has come. */
  isQuiet(nowMs: number, forMs: number): boolean {
    return this.newerMs > 0 && nowMs - Math.max(this.newerMs, this.arrivedMs) >= forMs;
  }

  /**
   * Takes unseen seqs in: the first `readings` of them go to readings, except those that a rule sent to
   * quarantine (`ruled`, among these); the others go to quarantine for good. Answers how many
   * of them had been counted as damaged.
   */
  take(interval: Interval, readings: number, ruled: readonly Interval[] = []): number {
    const { from, to } = interval;
    const count = to - from + 1;
    this.announce(to);
    this.#seen.add(from, to);
    const repaired = this.#damaged.remove(from, to);
    this.#labels.remove(from, to);
    let stored = readings;
    let ruledSum = 0n;
    for (const part of ruled) {
      stored -= part.to - part.from + 1;
      ruledSum += sumOf(part.from, part.to);
      this.#releasable.add(part.from, part.to);
    }
    this.stored += stored;
    this.#quarantined += count - stored;
    this.#addSums(
      sumOf(from, from + readings - 1) - ruledSum,
      sumOf(from + readings, to) + ruledSum,
    );
    this.#touch();
    while (this.#releasable.pieces > RELEASABLE_RANGES_MAX) {
      const { from, to } = this.#releasable.smallest()!;
      this.#releasable.remove(from, to);
    }
    while (this.#seen.pieces > OPEN_GAPS_MAX) this.#close(this.#seen.smallestHole()!);
    return repaired;
  }

  /** A reading leaves quarantine; false when there is none that may. */
  release(seq: number): boolean {
    if (this.#releasable.remove(seq, seq) === 0) return false;
    this.stored += 1;
    this.#quarantined -= 1;
    this.#addSums(BigInt(seq), -BigInt(seq));
    this.#touch();
    return true;
  }

  recover(recovering: boolean): void {
    this.recovering = recovering;
    this.changed = true;
  }

  /** Counts readings that came again. */
  repeat(count: number): void {
    this.duplicates += count;
    this.#touch();
  }

  /**
   * The only copy of these seqs is damaged. Seqs beyond what was announced are left out: the header is
   * covered by the CRC, too, so it may lie. Answers the parts that count as quarantined by this.
   */
  damage(from: number, to: number): Interval[] {
    const last = Math.min(to, this.lastSeq);
    const parts: Interval[] = [];
    for (const unseen of this.#seen.missing(from, last)) {
      parts.push(...this.#damaged.missing(unseen.from, unseen.to));
    }
    for (const part of parts) {
      this.#damaged.add(part.from, part.to);
      this.#labels.remove(part.from, part.to);
    }
    if (parts.length > 0) this.#touch();
    while (this.#damaged.pieces > DAMAGED_RANGES_MAX) this.#close(this.#damaged.smallest()!);
    return parts;
  }

  /**
   * Labels what is missing of [from, to] with a reason. A first label stays, except that a gateway's own
   * word replaces the collector's guess. Answers the parts that were not labelled at all before.
   */
  declare(from: number, to: number, reason: string): Interval[] {
    this.announce(to);
    const fresh = this.inFlightWithin(from, to);
    if (this.#labels.add(fresh, from, to, reason)) this.#touch();
    while (this.#labels.pieces > LABELLED_RANGES_MAX) this.#close(this.#labels.smallest()!);
    return fresh;
  }

  /** What of [from, to] is neither seen nor damaged nor labelled. */
  inFlightWithin(from: number, to: number): Interval[] {
    let parts = this.#seen.missing(from, to);
    if (this.#damaged.size > 0)
      parts = parts.flatMap((part) => this.#damaged.missing(part.from, part.to));
    return this.#labels.missing(parts);
  }

  get inFlight(): number {
    let count = 0;
    for (const { from, to } of this.inFlightWithin(1, this.lastSeq)) count += to - from + 1;
    return count;
  }

  /** Readings that count as quarantined, the damaged ones included. */
  get quarantined(): number {
    return this.#quarantined + this.#damaged.size;
  }

  /** Sums modulo 2^64 of what `stored` and `quarantined` count. */
  get storedSum(): bigint {
    return this.#storedSum;
  }

  get quarantinedSum(): bigint {
    return wrapped(this.#quarantinedSum + sumOfRanges(this.#damaged));
  }

  /** Sum of all that is accounted for minus 1 + 2 + … + lastSeq, modulo 2^64: 0 is right. */
  get sumBalance(): bigint {
    let sum = this.#storedSum + this.quarantinedSum + this.#closedSum;
    sum += this.#labels.sum + sumOfParts(this.inFlightWithin(1, this.lastSeq));
    return wrapped(sum - sumOf(1, this.lastSeq));
  }

  /** Stored, quarantined for good or closed: from, to, from, to, … */
  get seen(): readonly number[] {
    return this.#seen.ends;
  }

  /** Seqs that are in `seen` only because their gap was closed. */
  get closed(): number {
    return this.#labels.closed;
  }

  /** Readings by gap reason, in the order of the reasons. */
  get gaps(): Record<string, number> {
    return this.#labels.counts();
  }

  /** Gives up what only late copies of chunks need. */
  settle(): void {
    this.#chunks = [];
  }

  encode(settled: boolean): Uint8Array {
    const body: Encoded = {
      order: this.order,
      openedMs: this.openedMs,
      lastSeq: this.lastSeq,
      seen: this.#seen.ends,
    };
    if (this.stored > 0) body.stored = this.stored;
    if (this.#quarantined > 0) body.quarantined = this.#quarantined;
    if (this.#storedSum > 0n) body.storedSum = String(this.#storedSum);
    if (this.#quarantinedSum > 0n) body.quarantinedSum = String(this.#quarantinedSum);
    if (this.#closedSum > 0n) body.closedSum = String(this.#closedSum);
    if (this.#releasable.size > 0) body.releasable = this.#releasable.ends;
    if (this.duplicates > 0) body.duplicates = this.duplicates;
    if (this.#damaged.size > 0) body.damaged = this.#damaged.ends;
    Object.assign(body, this.#labels.encode());
    if (this.#chunks.length > 0) {
      body.chunks = this.#chunks.flatMap((chunk) => [chunk.firstSeq, chunk.count, chunk.crc32c]);
    }
    if (this.newerMs > 0) body.newerMs = this.newerMs;
    if (this.arrivedMs > 0) body.arrivedMs = this.arrivedMs;
    if (this.unreported) body.unreported = 1;
    if (this.recovering) body.recovering = 1;
    const header = Buffer.from([FORMAT, settled ? SETTLED : OPEN, 0, 0, 0, 0]);
    header.writeUInt32LE(this.place, 2);
    return Buffer.concat([header, Buffer.from(JSON.stringify(body))]);
  }

  static decode(epoch: Epoch, bytes: Uint8Array): EpochAccount {
    if (bytes[0] !== FORMAT && bytes[0] !== FORMAT_WITHOUT_SUMS) {
      throw new CollectorError('PROCESSOR_STATE_VERSION', `epoch ${epoch}: format ${bytes[0]}`);
    }
    const body = JSON.parse(Buffer.from(bytes).toString('utf8', HEADER_BYTES)) as Encoded;
    const account = new EpochAccount(epoch, placeOf(bytes), body.openedMs);
    account.order = body.order;
    account.lastSeq = body.lastSeq;
    account.#seen = new SeqRanges(body.seen);
    account.stored = body.stored ?? 0;
    account.#quarantined = body.quarantined ?? 0;
    account.duplicates = body.duplicates ?? 0;
    account.#damaged = new SeqRanges(body.damaged);
    account.#releasable = new SeqRanges(body.releasable);
    if (bytes[0] === FORMAT_WITHOUT_SUMS) {
      // Which seqs were quarantined or closed is not known any more: all count into one sum.
      account.#storedSum = sumOfRanges(account.#seen);
    } else {
      account.#storedSum = BigInt(body.storedSum ?? 0);
      account.#quarantinedSum = BigInt(body.quarantinedSum ?? 0);
      account.#closedSum = BigInt(body.closedSum ?? 0);
    }
    account.#labels = new GapLabels(body);
    const chunks = body.chunks ?? [];
    for (let i = 0; i < chunks.length; i += 3) {
      account.#chunks.push({
        firstSeq: chunks[i]!,
        count: chunks[i + 1]!,
        crc32c: chunks[i + 2]!,
      });
    }
    account.newerMs = body.newerMs ?? 0;
    account.arrivedMs = body.arrivedMs ?? 0;
    account.unreported = body.unreported === 1;
    account.recovering = body.recovering === 1;
    return account;
  }

  #addSums(stored: bigint, quarantined: bigint): void {
    this.#storedSum = wrapped(this.#storedSum + stored);
    this.#quarantinedSum = wrapped(this.#quarantinedSum + quarantined);
  }

  #touch(): void {
    this.unreported = true;
    this.changed = true;
  }

  /**
   * Gives an unseen range up, so that it needs no interval of its own: its readings stay counted under
   * what they were, and a later arrival is a duplicate.
   */
  #close(range: Interval): void {
    const { from, to } = range;
    const damagedSum = sumOfParts(this.#damaged.covered(from, to));
    const damaged = this.#damaged.remove(from, to);
    this.#quarantined += damaged;
    this.#addSums(0n, damagedSum);
    this.#labels.close(from, to, to - from + 1 - damaged);
    this.#closedSum = wrapped(this.#closedSum + sumOf(from, to) - damagedSum);
    this.#seen.add(from, to);
  }
}

/** The place of an encoded account, without decoding it. */
export function placeOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(2, true);
}

/** Whether encoded bytes are those of a settled account. */
export function isSettled(bytes: Uint8Array): boolean {
  return (bytes[0] === FORMAT || bytes[0] === FORMAT_WITHOUT_SUMS) && bytes[1] === SETTLED;
}
