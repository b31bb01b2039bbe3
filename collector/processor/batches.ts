/**
 * A batch from a gateway: what of it is new goes to readings, what cannot go there to quarantine, and
 * every seq into the account of its epoch.
 */

import { decodeBatch, encodeBatch, frameCrcOk } from '../../proto/batch.ts';
import { decodeChunk } from '../../proto/decode.ts';
import { CHUNKS_PER_BATCH_MAX } from '../../proto/limits.ts';
import type { Batch, ChunkColumns, ChunkFrame, Epoch, Gap } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import { gatewayKey } from '../../proto/topics.ts';
import { annotationsOf, runsWithin, without } from './annotations.ts';
import { correctClock, cutFrames } from './columns.ts';
import type { EpochAccount } from './epoch.ts';
import type { GatewayBook } from './gateway.ts';
import { RECORD_CHUNK_BYTES_MAX, RECORD_PLAIN_BYTES_MAX, RECORD_READINGS_MAX } from './limits.ts';
import { EventKind } from './outputs/event.ts';
import { CollectorGapReason } from './outputs/ledger.ts';
import { QuarantineReason } from './outputs/quarantine.ts';
import type { Annotation } from './outputs/readings.ts';
import { encodeReadings } from './outputs/readings.ts';
import type { Interval } from './ranges.ts';
import type { Step } from './step.ts';
import type { Judgement } from './validation/judgement.ts';

const NO_HEAD = new Uint8Array(0);
const NOTHING_SAID: Pick<Judgement, 'annotations' | 'quarantined'> = {
  annotations: [],
  quarantined: [],
};

export function processBatch(book: GatewayBook, payload: Uint8Array, step: Step): void {
  const decoded = decodeBatch(payload);
  if (!decoded.ok) {
    const { code, message } = decoded.error;
    step.quarantine(book, { reason: code.toLowerCase(), detail: message, head: payload });
    return;
  }
  const batch = decoded.value;
  if (gatewayKey(batch) !== book.key) {
    const detail = `the batch names ${gatewayKey(batch)}`;
    step.quarantine(book, { reason: QuarantineReason.WRONG_IDENTITY, detail, head: payload });
    return;
  }
  book.remember(batch.corrections);
  let lowest = 0;
  if (batch.epoch !== NO_EPOCH) {
    lowest = new BatchIntake(book, batch, step).run(payload);
  } else if (batch.chunks.length > 0) {
    const detail = 'chunks without an epoch';
    step.quarantine(book, { reason: QuarantineReason.NO_EPOCH, detail, head: payload });
  }
  // After the chunks: a declaration that they contradict is not worth an event.
  declareGaps(book, batch.gaps, step);
  if (lowest > 0) recoverBelow(book, batch.epoch, lowest, step);
}

/** Labels what is missing. Gaps come with batches and with states, again and again until acknowledged. */
export function declareGaps(book: GatewayBook, gaps: readonly Gap[], step: Step): void {
  for (const gap of gaps) {
    if (gap.epoch === NO_EPOCH) continue;
    const account = book.account(gap.epoch, step.nowMs);
    const parts = account.declare(gap.firstSeq, gap.lastSeq, gap.reason);
    if (parts.length === 0) continue;
    reportGap(book, account, parts, gap.reason, step);
  }
}

/**
 * Gateways send what they have in the order of the seqs: what the log lost of an epoch and is missing
 * below the first seq that comes then was acknowledged, and will not come again.
 */
function recoverBelow(book: GatewayBook, epoch: Epoch, seq: number, step: Step): void {
  const account = book.account(epoch, step.nowMs);
  if (seq === 1) book.endRecovery();
  if (!account.recovering) return;
  account.recover(false);
  const reason = CollectorGapReason.LOST_WITH_LOG;
  if (seq > 1) reportGap(book, account, account.declare(1, seq - 1, reason), reason, step);
}

export function reportGap(
  book: GatewayBook,
  account: EpochAccount,
  parts: readonly Interval[],
  reason: string,
  step: Step,
): void {
  const [first] = parts;
  const last = parts.at(-1);
  if (first === undefined || last === undefined) return;
  let readings = 0;
  for (const part of parts) readings += part.to - part.from + 1;
  step.event(book, {
    kind: EventKind.GAP,
    severity: 'error',
    detail: {
      epoch: account.epoch,
      reason,
      readings,
      first_seq: first.from,
      last_seq: last.to,
    },
  });
}

class BatchIntake {
  readonly #book: GatewayBook;
  readonly #batch: Batch;
  readonly #step: Step;
  readonly #account: EpochAccount;
  readonly #kept: ChunkFrame[] = [];
  readonly #annotations: Annotation[] = [];
  /** Every frame goes on as it came: so may the payload. */
  #untouched = true;
  #intact = false;
  /** Lowest first seq of the intact chunks that brought anything new; 0: none. */
  #lowest = 0;
  #conflicts = 0;
  #repaired = 0;

  constructor(book: GatewayBook, batch: Batch, step: Step) {
    this.#book = book;
    this.#batch = batch;
    this.#step = step;
    const { nowMs } = step;
    if (batch.predecessorEpoch !== NO_EPOCH && batch.predecessorEpoch !== batch.epoch) {
      book.claim(batch.predecessorEpoch, batch.predecessorLastSeq, nowMs);
    }
    this.#account = book.account(batch.epoch, nowMs);
    book.rank(this.#account);
    this.#account.announce(batch.lastSeq);
  }

  /** Answers the lowest first seq of what was new; 0: nothing was. */
  run(payload: Uint8Array): number {
    for (const frame of this.#batch.chunks) this.#takeFrame(frame);
    if (this.#intact) this.#supersedeOlder();
    if (this.#kept.length > 0) this.#putReadings(payload);
    const { epoch } = this.#batch;
    if (this.#conflicts > 0) {
      const detail = { epoch, chunks: this.#conflicts, install_id: this.#batch.installId };
      this.#step.event(this.#book, { kind: EventKind.CHUNK_CONFLICT, severity: 'error', detail });
    }
    if (this.#repaired > 0) {
      const detail = { epoch, readings: this.#repaired };
      this.#step.event(this.#book, { kind: EventKind.DAMAGE_REPAIRED, severity: 'info', detail });
    }
    return this.#lowest;
  }

  #takeFrame(frame: ChunkFrame): void {
    const { firstSeq, count } = frame;
    const lastSeq = firstSeq + count - 1;
    const account = this.#account;
    const fresh = account.unseen(firstSeq, lastSeq);
    const remembered = account.rememberedCrc(firstSeq, count);
    if (fresh.length === 0 && (remembered === undefined || remembered === frame.crc32c)) {
      this.#untouched = false;
      this.#repeat(count);
      return;
    }
    if (!frameCrcOk(account.epoch, frame)) {
      this.#untouched = false;
      this.#damage(frame);
      return;
    }
    this.#intact = true;
    account.arrive(this.#step.nowMs);
    if (fresh.length === 0) {
      this.#untouched = false;
      this.#conflict(frame);
      return;
    }
    if (this.#lowest === 0 || firstSeq < this.#lowest) this.#lowest = firstSeq;
    let freshCount = 0;
    for (const part of fresh) freshCount += part.to - part.from + 1;
    if (freshCount < count) this.#repeat(count - freshCount);
    account.remember(frame);
    const decoded = decodeChunk(frame);
    if (decoded.ok) {
      this.#store(frame, decoded.value, fresh, freshCount === count);
    } else {
      this.#untouched = false;
      const { code, message } = decoded.error;
      for (const part of fresh) {
        this.#repaired += account.take(part, 0);
        this.#quarantine(frame, code.toLowerCase(), message, part);
      }
    }
  }

  #repeat(count: number): void {
    this.#account.repeat(count);
    this.#step.stats.duplicatesTotal += count;
  }

  #damage(frame: ChunkFrame): void {
    const lastSeq = frame.firstSeq + frame.count - 1;
    const parts = this.#account.damage(frame.firstSeq, lastSeq);
    const detail = `${frame.count} readings from seq ${frame.firstSeq}: the CRC does not match`;
    for (const part of parts) this.#quarantine(frame, 'wire_crc', detail, part);
    if (parts.length === 0) this.#quarantine(frame, 'wire_crc', detail, undefined);
  }

  #conflict(frame: ChunkFrame): void {
    this.#conflicts++;
    const detail = `${frame.count} readings from seq ${frame.firstSeq}, stored before from another chunk`;
    this.#quarantine(frame, QuarantineReason.IDENTITY_CONFLICT, detail, undefined);
  }

  #store(
    frame: ChunkFrame,
    columns: ChunkColumns,
    fresh: readonly Interval[],
    whole: boolean,
  ): void {
    const account = this.#account;
    const { firstSeq } = frame;
    const readings = columns.timesMs.length;
    const offsetMs = this.#book.offsetOf(columns.clock.boot);
    const corrected = offsetMs === undefined ? undefined : correctClock(columns, offsetMs);
    const timed = corrected ?? columns;
    const { annotations, quarantined } =
      readings > 0 ? this.#judge(timed, firstSeq, fresh) : NOTHING_SAID;
    for (const annotation of annotations) this.#annotations.push(annotation);
    const asItCame = whole && corrected === undefined && readings > 0 && quarantined.length === 0;
    if (asItCame) this.#kept.push(frame);
    else this.#untouched = false;
    for (const part of fresh) {
      // Indexes of the part; rejects are numbered after the readings.
      const from = part.from - firstSeq;
      const end = part.to - firstSeq + 1;
      const to = Math.min(end, readings);
      const ruled = quarantined.length === 0 ? [] : runsWithin(quarantined, part);
      this.#repaired += account.take(part, Math.max(to - from, 0), ruled);
      if (!asItCame && to > from) {
        for (const kept of without(ruled, part.from, firstSeq + to - 1)) {
          const [start, stop] = [kept.from - firstSeq, kept.to - firstSeq + 1];
          this.#kept.push(...cutFrames(account.epoch, timed, firstSeq, start, stop));
        }
      }
      for (let i = Math.max(from, readings); i < end; i++) {
        const reject = columns.rejects[i - readings]!;
        this.#book.soft.rejected(reject.device);
        this.#step.quarantine(this.#book, {
          device: reject.device,
          reason: reject.reason,
          detail: reject.detail,
          timeMs: reject.timeMs,
          epoch: account.epoch,
          seq: firstSeq + i,
          count: 1,
          head: reject.head,
        });
      }
    }
  }

  /** What the rules say; what they send to quarantine is put there. */
  #judge(columns: ChunkColumns, firstSeq: number, fresh: readonly Interval[]): Judgement {
    const step = this.#step;
    const { receivedMs, configuration } = step;
    const { order } = this.#account;
    const input = { columns, firstSeq, fresh, receivedMs, order, configuration };
    const judgement = this.#book.soft.judge(this.#book, input, step);
    for (const { seq, reason, detail, reading } of judgement.quarantined) {
      step.quarantine(this.#book, {
        device: reading.device,
        reason,
        detail,
        timeMs: reading.timeMs,
        epoch: this.#account.epoch,
        seq,
        count: 1,
        head: NO_HEAD,
        reading,
      });
    }
    for (const { device, channel, from, to } of judgement.typeChanges) {
      const detail = { channel, from, to };
      step.event(this.#book, {
        kind: EventKind.CHANNEL_TYPE,
        severity: 'warning',
        device,
        detail,
      });
    }
    return judgement;
  }

  #quarantine(frame: ChunkFrame, reason: string, detail: string, part: Interval | undefined): void {
    this.#step.quarantine(this.#book, {
      reason,
      detail,
      timeMs: frame.firstMs,
      epoch: this.#account.epoch,
      seq: part?.from ?? frame.firstSeq,
      count: part === undefined ? 0 : part.to - part.from + 1,
      head: frame.bytes,
    });
  }

  /** The gateway has gone on to this epoch: of older ones nothing more is to come. */
  #supersedeOlder(): void {
    for (const other of this.#book.open.values()) {
      if (this.#book.isOlder(other, this.#account)) other.supersede(this.#step.nowMs);
    }
  }

  #putReadings(payload: Uint8Array): void {
    const { receivedMs, stats } = this.#step;
    const count = countOf(this.#kept);
    stats.readingsTotal += count;
    const said = this.#annotations.sort((a, b) => a.firstSeq - b.firstSeq);
    const plain = chunkBytesOf(this.#kept) <= RECORD_PLAIN_BYTES_MAX;
    if (!plain && this.#untouched && count <= RECORD_READINGS_MAX) {
      this.#step.readings(this.#book, encodeReadings(payload, receivedMs, said));
      return;
    }
    const header = { ...this.#batch, gaps: [], corrections: [] };
    const groups = packs(this.#kept);
    for (const frames of groups) {
      const envelope = encodeBatch(header, frames, plain ? 'none' : 'zstd');
      const own = groups.length === 1 ? said : annotationsOf(frames, said);
      this.#step.readings(this.#book, encodeReadings(envelope, receivedMs, own));
    }
  }
}

/** Frames in groups that a record takes. */
function packs(frames: readonly ChunkFrame[]): ChunkFrame[][] {
  const groups: ChunkFrame[][] = [];
  let group: ChunkFrame[] = [];
  let bytes = 0;
  let readings = 0;
  for (const frame of frames) {
    const full =
      group.length >= CHUNKS_PER_BATCH_MAX ||
      bytes + frame.bytes.length > RECORD_CHUNK_BYTES_MAX ||
      readings + frame.count > RECORD_READINGS_MAX;
    if (full && group.length > 0) {
      groups.push(group);
      group = [];
      bytes = 0;
      readings = 0;
    }
    group.push(frame);
    bytes += frame.bytes.length;
    readings += frame.count;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function chunkBytesOf(frames: readonly ChunkFrame[]): number {
  return frames.reduce((sum, frame) => sum + frame.bytes.length, 0);
}

function countOf(frames: readonly ChunkFrame[]): number {
  return frames.reduce((sum, frame) => sum + frame.count, 0);
}
