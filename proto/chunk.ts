/** Chunks: readings as columns. The builder makes them; encode.ts and decode.ts know the bytes. */

import type { EncodedChunk } from './encode.ts';
import { encodeColumns } from './encode.ts';
import { wireTimeMs } from './fields.ts';
import {
  CHUNK_BYTES_MAX,
  CHUNK_SPAN_MS_MAX,
  NAME_BYTES_MAX,
  READINGS_PER_CHUNK_MAX,
  REJECT_DETAIL_BYTES,
  REJECT_HEAD_BYTES,
  REJECTS_PER_CHUNK_MAX,
  SERIES_PER_CHUNK_MAX,
  TEXT_BYTES_MAX,
  WORD_BYTES_MAX,
} from './limits.ts';
import type {
  ChunkClock,
  ChunkColumns,
  Reading,
  Reject,
  RejectReason,
  Series,
  Value,
} from './model.ts';
import {
  hasValue,
  NO_VALUE_BIT,
  Quality,
  QualityReason,
  reasonOf,
  SeriesKind,
  Severity,
} from './model.ts';
import { cutUtf8, fitsUtf8, wireName } from './text.ts';

/** Reading i of a series (0 ≤ i < series.count). Convenient, not fast: hot code reads the columns. */
export function readingAt(columns: ChunkColumns, series: Series, i: number): Reading {
  const at = series.start + i;
  const quality = columns.qualities[at]!;
  return {
    device: series.device,
    channel: series.channel,
    timeMs: columns.timesMs[at]!,
    value: hasValue(quality) ? valueAt(columns, series.kind, at) : null,
    quality,
  };
}

function valueAt(columns: ChunkColumns, kind: number, at: number): Value {
  if (kind === SeriesKind.TEXT) return columns.texts.get(at) ?? '';
  const number = columns.numbers[at]!;
  return kind === SeriesKind.BOOLEAN ? number === 1 : number;
}

/** Worst-case bytes of a reading: time 5, quality run 4, and an integer of 5 or a double of 8. */
const READING_BYTES_BOUND = 17;
/** Indexes, kind, count and mark of a series. */
const SERIES_BYTES_BOUND = 9;
/** Clock, base time, keys and lengths of the fields. */
const CHUNK_BYTES_BOUND = 128;
/** What a number takes as a rule: a byte or two each for value and time. */
const NUMBER_BYTES_USUAL = 3;
const NONE = -1;

/** Where the readings of one (device, channel) go in the chunk being built. */
interface Slot {
  readonly device: string;
  readonly channel: string;
  /** The chunk that the indexes below belong to. */
  chunk: number;
  /** Series indexes by the type of their values; a series of nulls takes the first type that comes. */
  number: number;
  text: number;
  boolean: number;
  untyped: number;
  /** The series last added to: takes readings without a value. */
  latest: number;
  /** The slot that followed last time: readings come in the same order cycle after cycle. */
  next: Slot | undefined;
}

/**
 * Collects readings and rejects in append order and encodes them as a chunk. Reusable: seal() empties
 * it but keeps its memory (at most some 300 KB, and texts while they wait). No reading makes it throw:
 * - time: rounded to whole ms and kept within the wire's range (NaN: 0)
 * - names: too long ones get a head and a hash (wireName); lone surrogates become U+FFFD
 * - texts: cut to TEXT_BYTES_MAX, at least UNCERTAIN, and TRUNCATED unless another reason is given
 * - NaN, infinities: kept, BAD, and NOT_FINITE unless another reason is given
 * - null with a quality that claims a value: Quality.NULL if it was GOOD, else marked as without value
 * - a value with a quality that says there is none: the value is dropped, as model.ts has it
 * A channel whose values differ in type becomes several series, each in append order.
 */
export class ChunkBuilder {
  #times = new Float64Array(256);
  #numbers = new Float64Array(256);
  #qualities = new Uint8Array(256);
  #seriesOf = new Uint16Array(256);
  #texts = new Map<number, string>();
  #readings = 0;
  #series: Series[] = [];
  #rejects: Reject[] = [];
  #firstMs = Number.POSITIVE_INFINITY;
  #lastMs = Number.NEGATIVE_INFINITY;
  #bytesBound = CHUNK_BYTES_BOUND;
  #bytesEstimate = CHUNK_BYTES_BOUND;
  /** Slots outlive a chunk, so that the next one need not look its channels up again. */
  readonly #slots = new Map<string, Map<string, Slot>>();
  #slotCount = 0;
  #latestSlot: Slot | undefined;
  #chunk = 0;

  /** Readings plus rejects. */
  get count(): number {
    return this.#readings + this.#rejects.length;
  }

  /** About what seal() would answer; exact enough to decide when to seal. */
  get bytesEstimate(): number {
    return this.#bytesEstimate;
  }

  /**
   * False, with nothing changed: the chunk is full (readings, series, bytes, or the span of its times):
   * seal, then add again. An empty builder takes any reading.
   */
  addReading(reading: Reading): boolean {
    if (this.count >= READINGS_PER_CHUNK_MAX) return false;
    const timeMs = wireTimeMs(reading.timeMs);
    const firstMs = Math.min(this.#firstMs, timeMs);
    const lastMs = Math.max(this.#lastMs, timeMs);
    if (lastMs - firstMs > CHUNK_SPAN_MS_MAX) return false;

    let { value } = reading;
    let quality = wireQuality(reading.quality);
    if (value === null || !hasValue(quality)) {
      value = null;
      if (quality === Quality.GOOD) quality = Quality.NULL;
      else quality |= NO_VALUE_BIT;
    } else if (typeof value === 'number') {
      if (!Number.isFinite(value)) quality = worse(quality, Severity.BAD, QualityReason.NOT_FINITE);
    } else if (typeof value === 'string' && !fitsUtf8(value, TEXT_BYTES_MAX)) {
      const whole = value;
      value = cutUtf8(whole, TEXT_BYTES_MAX);
      quality = worse(quality, Severity.UNCERTAIN, QualityReason.TRUNCATED);
    }
    const textBytes = typeof value === 'string' ? Buffer.byteLength(value) + 3 : 0;
    const slot = this.#slotOf(reading.device, reading.channel);
    const series = this.#seriesFor(slot, value, READING_BYTES_BOUND + textBytes);
    if (series === NONE) return false;

    const at = this.#readings++;
    if (at === this.#times.length) this.#grow();
    this.#times[at] = timeMs;
    this.#qualities[at] = quality;
    this.#seriesOf[at] = series;
    if (typeof value === 'number') this.#numbers[at] = value;
    else if (typeof value === 'boolean') this.#numbers[at] = value ? 1 : 0;
    else this.#numbers[at] = Number.NaN;
    if (typeof value === 'string') this.#texts.set(at, value);
    this.#series[series]!.count++;
    this.#firstMs = firstMs;
    this.#lastMs = lastMs;
    this.#bytesBound += READING_BYTES_BOUND + textBytes;
    this.#bytesEstimate += NUMBER_BYTES_USUAL + textBytes;
    return true;
  }

  /** False, with nothing changed: the chunk is full. An empty builder takes any reject, cut to the limits. */
  addReject(reject: Reject): boolean {
    if (this.count >= READINGS_PER_CHUNK_MAX || this.#rejects.length >= REJECTS_PER_CHUNK_MAX) {
      return false;
    }
    const cut: Reject = {
      timeMs: wireTimeMs(reject.timeMs),
      device: wireName(reject.device),
      reason: cutUtf8(reject.reason, WORD_BYTES_MAX) as RejectReason,
      detail: cutUtf8(reject.detail, REJECT_DETAIL_BYTES),
      head: reject.head.slice(0, REJECT_HEAD_BYTES),
    };
    const bytes =
      32 +
      Buffer.byteLength(cut.device) +
      Buffer.byteLength(cut.reason) +
      Buffer.byteLength(cut.detail) +
      cut.head.length;
    if (this.#bytesBound + bytes > CHUNK_BYTES_MAX) return false;
    this.#rejects.push(cut);
    this.#bytesBound += bytes;
    this.#bytesEstimate += bytes;
    return true;
  }

  /**
   * Encodes what was added, sorted by series (in the order of their first readings), rejects last, and
   * empties the builder. Throws when it is empty.
   */
  seal(clock: ChunkClock): EncodedChunk {
    const [chunk] = encodeColumns(this.#sorted(clock), 0, this.count);
    this.#readings = 0;
    this.#texts = new Map();
    this.#series = [];
    this.#rejects = [];
    this.#firstMs = Number.POSITIVE_INFINITY;
    this.#lastMs = Number.NEGATIVE_INFINITY;
    this.#bytesBound = CHUNK_BYTES_BOUND;
    this.#bytesEstimate = CHUNK_BYTES_BOUND;
    this.#chunk++;
    if (this.#slotCount >= SERIES_PER_CHUNK_MAX) {
      this.#slots.clear();
      this.#slotCount = 0;
      this.#latestSlot = undefined;
    }
    return chunk!;
  }

  /** A counting sort by series; stable, so each series keeps its order. */
  #sorted(clock: ChunkClock): ChunkColumns {
    const n = this.#readings;
    const series = this.#series;
    const next = new Uint32Array(series.length);
    let start = 0;
    for (let s = 0; s < series.length; s++) {
      series[s]!.start = start;
      next[s] = start;
      start += series[s]!.count;
    }
    const timesMs = new Float64Array(n);
    const numbers = new Float64Array(n);
    const qualities = new Uint8Array(n);
    const to = new Uint32Array(this.#texts.size > 0 ? n : 0);
    for (let i = 0; i < n; i++) {
      const s = this.#seriesOf[i]!;
      const at = next[s]!;
      next[s] = at + 1;
      timesMs[at] = this.#times[i]!;
      numbers[at] = this.#numbers[i]!;
      qualities[at] = this.#qualities[i]!;
      if (to.length > 0) to[i] = at;
    }
    const texts = new Map<number, string>();
    for (const [i, text] of this.#texts) texts.set(to[i]!, text);
    return { clock, series, timesMs, numbers, texts, qualities, rejects: this.#rejects };
  }

  #slotOf(device: string, channel: string): Slot {
    const latest = this.#latestSlot;
    if (latest !== undefined) {
      const { next } = latest;
      if (next !== undefined && next.channel === channel && next.device === device) {
        this.#latestSlot = next;
        return next;
      }
    }
    const slot = this.#lookUp(shortName(device), shortName(channel));
    if (latest !== undefined) latest.next = slot;
    this.#latestSlot = slot;
    return slot;
  }

  #lookUp(device: string, channel: string): Slot {
    let channels = this.#slots.get(device);
    if (channels === undefined) {
      channels = new Map();
      this.#slots.set(device, channels);
    }
    let slot = channels.get(channel);
    if (slot === undefined) {
      const none = { number: NONE, text: NONE, boolean: NONE, untyped: NONE, latest: NONE };
      slot = { device, channel, chunk: NONE, ...none, next: undefined };
      channels.set(channel, slot);
      this.#slotCount++;
    }
    return slot;
  }

  /** The index of the series that takes the value, or NONE when series or bytes would exceed the chunk. */
  #seriesFor(slot: Slot, value: Value, bytes: number): number {
    if (slot.chunk !== this.#chunk) {
      slot.chunk = this.#chunk;
      slot.number = slot.text = slot.boolean = slot.untyped = slot.latest = NONE;
    }
    let series: number;
    if (value === null) series = slot.latest;
    else if (typeof value === 'number') series = slot.number;
    else if (typeof value === 'string') series = slot.text;
    else series = slot.boolean;
    const isNew = series === NONE && (slot.untyped === NONE || value === null);
    const nameBytes = isNew ? Buffer.byteLength(slot.device) + Buffer.byteLength(slot.channel) : 0;
    const seriesBytes = isNew ? SERIES_BYTES_BOUND + nameBytes + 6 : 0;
    if (this.#bytesBound + seriesBytes + bytes > CHUNK_BYTES_MAX) return NONE;
    if (isNew && this.#series.length >= SERIES_PER_CHUNK_MAX) return NONE;
    if (series === NONE) series = isNew ? this.#newSeries(slot) : slot.untyped;
    this.#bytesBound += seriesBytes;
    this.#bytesEstimate += seriesBytes;
    this.#settle(slot, value, series);
    return series;
  }

  #newSeries(slot: Slot): number {
    const { device, channel } = slot;
    return this.#series.push({ device, channel, kind: 0, start: 0, count: 0 }) - 1;
  }

  /** Notes that `series` now holds values of this type. */
  #settle(slot: Slot, value: Value, series: number): void {
    slot.latest = series;
    if (value === null) {
      if (slot.number === series || slot.text === series || slot.boolean === series) return;
      slot.untyped = series;
      return;
    }
    if (slot.untyped === series) slot.untyped = NONE;
    if (typeof value === 'number') {
      slot.number = series;
    } else if (typeof value === 'string') {
      slot.text = series;
      this.#series[series]!.kind = SeriesKind.TEXT;
    } else {
      slot.boolean = series;
      this.#series[series]!.kind = SeriesKind.BOOLEAN;
    }
  }

  #grow(): void {
    const capacity = Math.min(this.#times.length * 2, READINGS_PER_CHUNK_MAX);
    this.#times = grown(this.#times, new Float64Array(capacity));
    this.#numbers = grown(this.#numbers, new Float64Array(capacity));
    this.#qualities = grown(this.#qualities, new Uint8Array(capacity));
    this.#seriesOf = grown(this.#seriesOf, new Uint16Array(capacity));
  }
}

function grown<T extends Float64Array | Uint8Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** wireName, past the check for what is surely short enough. Ill-formed names go through it, too. */
function shortName(name: string): string {
  return name.length * 3 <= NAME_BYTES_MAX && name.isWellFormed() ? name : wireName(name);
}

/** An octet whose severity is one of OPC's three. */
function wireQuality(quality: number): number {
  const code = quality & 0xff;
  return (code & 3) === 3 ? (code & ~3) | Severity.BAD : code;
}

/** At least that severity; the reason only where none was given. */
function worse(quality: number, severity: number, reason: number): number {
  const kept = reasonOf(quality) === QualityReason.NONE ? reason : reasonOf(quality);
  return Math.max(quality & 3, severity) | (kept << 2);
}
