/** Gathers readings as columns; see columns.ts. */

import type { ChunkColumns } from '../../proto/model.ts';
import { hasValue, SeriesKind } from '../../proto/model.ts';
import { Treatment } from '../findings.ts';
import type { Annotation } from '../processor/outputs/readings.ts';
import type {
  CleanedColumns,
  ReadingColumns,
  ReadingPlace,
  ReadingRuns,
  ReadingSeries,
} from './columns.ts';
import { bucketOf, orderOf } from './reading_order.ts';
import { grown, Runs } from './reading_runs.ts';
import type { ReadingRow } from './store.ts';

const READINGS_AT_FIRST = 1_024;

export class ReadingBlock implements ReadingColumns {
  /** Readings in the columns. */
  #length = 0;
  #count = 0;
  #receivedMs = Number.POSITIVE_INFINITY;
  #times = new Float64Array(READINGS_AT_FIRST);
  #numbers = new Float64Array(READINGS_AT_FIRST);
  #qualities = new Uint8Array(READINGS_AT_FIRST);
  #texts = new Map<number, string>();
  #said: { findings: Uint32Array; treatments: Uint8Array } | undefined;
  #cleaned: CleanedColumns | undefined;
  #runs = new Runs();
  #places: ReadingPlace[] = [];
  #series: ReadingSeries[] = [];
  readonly #seriesIndex = new Map<string, Map<string, Map<string, number>>>();

  static ofRows(rows: readonly ReadingRow[]): ReadingBlock {
    const block = new ReadingBlock();
    for (const row of rows) block.#addRow(row);
    return block;
  }

  get count(): number {
    return this.#count;
  }

  /** When the first of them was received. */
  get receivedMs(): number {
    return this.#receivedMs;
  }

  get timesMs(): Float64Array {
    return this.#times;
  }

  get numbers(): Float64Array {
    return this.#numbers;
  }

  get qualities(): Uint8Array {
    return this.#qualities;
  }

  get texts(): ReadonlyMap<number, string> {
    return this.#texts;
  }

  get said(): ReadingColumns['said'] {
    return this.#said;
  }

  get cleaned(): ReadingColumns['cleaned'] {
    return this.#cleaned;
  }

  get runs(): ReadingRuns {
    return this.#runs;
  }

  get places(): readonly ReadingPlace[] {
    return this.#places;
  }

  get series(): readonly ReadingSeries[] {
    return this.#series;
  }

  /** The readings of a chunk; the annotations are those of its record, ascending. */
  add(
    place: ReadingPlace,
    columns: ChunkColumns,
    firstSeq: number,
    annotations: readonly Annotation[],
  ): void {
    const n = columns.qualities.length;
    const from = this.#reserve(n);
    this.#times.set(columns.timesMs, from);
    this.#numbers.set(columns.numbers, from);
    this.#qualities.set(columns.qualities, from);
    for (const [i, text] of columns.texts) this.#texts.set(from + i, text);
    const placeIndex = this.#placeOf(place);
    for (const { device, channel, kind, start, count } of columns.series) {
      if (count === 0) continue;
      const series = this.#seriesOf(place.site, device, channel);
      const isText = kind === SeriesKind.TEXT;
      let at = start;
      while (at < start + count) {
        const end = this.#endOfBucket(from + at, from + start + count) - from;
        this.#addRun(from + at, end - at, firstSeq + at, placeIndex, series, isText);
        at = end;
      }
    }
    if (annotations.length > 0) this.#annotate(from, n, firstSeq, annotations);
  }

  order(): Uint32Array {
    return orderOf(this, this.#seriesIndex);
  }

  /** Those received at `receivedMs` or later whose seqs are not among `present` (by epoch). */
  without(
    present: ReadonlyMap<string, ReadonlySet<number>>,
    receivedMs = Number.NEGATIVE_INFINITY,
  ): ReadingBlock {
    const rest = new ReadingBlock();
    rest.#length = this.#length;
    rest.#times = this.#times;
    rest.#numbers = this.#numbers;
    rest.#qualities = this.#qualities;
    rest.#texts = this.#texts;
    rest.#said = this.#said;
    rest.#cleaned = this.#cleaned;
    rest.#series = this.#series;
    rest.#places = this.#places;
    for (const [site, devices] of this.#seriesIndex) rest.#seriesIndex.set(site, devices);
    const { runs } = this;
    for (let r = 0; r < runs.length; r++) {
      const place = this.#places[runs.places[r]!]!;
      if (place.receivedMs < receivedMs) continue;
      const seqs = present.get(place.epoch);
      const firstSeq = runs.firstSeqs[r]!;
      const count = runs.counts[r]!;
      let from = -1;
      for (let i = 0; i <= count; i++) {
        const isMissing = i < count && !seqs?.has(firstSeq + i);
        if (isMissing && from < 0) from = i;
        if (isMissing || from < 0) continue;
        const start = runs.starts[r]! + from;
        const isText = runs.texts[r] === 1;
        rest.#addRun(start, i - from, firstSeq + from, runs.places[r]!, runs.series[r]!, isText);
        from = -1;
      }
    }
    return rest;
  }

  /** Where the step of the sort key in which the reading at `from` lies ends, before `to`. */
  #endOfBucket(from: number, to: number): number {
    const bucket = bucketOf(this.#times[from]!);
    if (bucketOf(this.#times[to - 1]!) === bucket) return to;
    let at = from + 1;
    while (bucketOf(this.#times[at]!) === bucket) at++;
    return at;
  }

  /** Room for `count` more; answers where they begin. */
  #reserve(count: number): number {
    const from = this.#length;
    this.#length += count;
    if (this.#length > this.#times.length) {
      const capacity = Math.max(this.#length, this.#times.length * 2);
      this.#times = grown(this.#times, new Float64Array(capacity));
      this.#numbers = grown(this.#numbers, new Float64Array(capacity));
      this.#qualities = grown(this.#qualities, new Uint8Array(capacity));
      if (this.#said !== undefined) {
        const { findings, treatments } = this.#said;
        this.#said = {
          findings: grown(findings, new Uint32Array(capacity)),
          treatments: grown(treatments, new Uint8Array(capacity)),
        };
      }
      if (this.#cleaned !== undefined) {
        const { isChanged, values, isNull, rawIsNull } = this.#cleaned;
        this.#cleaned = {
          isChanged: grown(isChanged, new Uint8Array(capacity)),
          values: grown(values, new Float64Array(capacity)),
          isNull: grown(isNull, new Uint8Array(capacity)),
          rawIsNull: grown(rawIsNull, new Uint8Array(capacity)),
        };
      }
    }
    return from;
  }

  #placeOf(place: ReadingPlace): number {
    if (this.#places.at(-1) === place) return this.#places.length - 1;
    this.#receivedMs = Math.min(this.#receivedMs, place.receivedMs);
    return this.#places.push(place) - 1;
  }

  #seriesOf(site: string, device: string, channel: string): number {
    let devices = this.#seriesIndex.get(site);
    if (devices === undefined) {
      devices = new Map();
      this.#seriesIndex.set(site, devices);
    }
    let channels = devices.get(device);
    if (channels === undefined) {
      channels = new Map();
      devices.set(device, channels);
    }
    let series = channels.get(channel);
    if (series === undefined) {
      series = this.#series.push({ site, device, channel }) - 1;
      channels.set(channel, series);
    }
    return series;
  }

  #addRun(
    start: number,
    count: number,
    firstSeq: number,
    place: number,
    series: number,
    isText: boolean,
  ): void {
    this.#runs.push(start, count, firstSeq, place, series, isText);
    this.#count += count;
  }

  /** What was said of the `n` readings from index `from` on. */
  #annotate(from: number, n: number, firstSeq: number, annotations: readonly Annotation[]): void {
    for (let k = firstEndingAfter(annotations, firstSeq); k < annotations.length; k++) {
      const { firstSeq: first, count, findings, treatment, values } = annotations[k]!;
      const start = Math.max(first - firstSeq, 0);
      const end = Math.min(first + count - firstSeq, n);
      if (start >= n) break;
      const said = this.#saidColumns();
      said.findings.fill(findings, from + start, from + end);
      said.treatments.fill(treatment, from + start, from + end);
      if (treatment === Treatment.KEPT || treatment === Treatment.FLAGGED) continue;
      const cleaned = this.#cleanedColumns();
      for (let i = from + start; i < from + end; i++) {
        const value = values?.[firstSeq + i - from - first];
        cleaned.isChanged[i] = 1;
        cleaned.isNull[i] = value === undefined ? 1 : 0;
        cleaned.values[i] = value ?? 0;
        cleaned.rawIsNull[i] = hasValue(this.#qualities[i]!) && !this.#texts.has(i) ? 0 : 1;
      }
    }
  }

  #saidColumns(): NonNullable<ReadingColumns['said']> {
    const capacity = this.#times.length;
    this.#said ??= { findings: new Uint32Array(capacity), treatments: new Uint8Array(capacity) };
    return this.#said;
  }

  #cleanedColumns(): CleanedColumns {
    const capacity = this.#times.length;
    this.#cleaned ??= {
      isChanged: new Uint8Array(capacity),
      values: new Float64Array(capacity),
      isNull: new Uint8Array(capacity),
      rawIsNull: new Uint8Array(capacity),
    };
    return this.#cleaned;
  }

  #addRow(row: ReadingRow): void {
    const at = this.#reserve(1);
    this.#times[at] = row.timeMs;
    this.#numbers[at] = row.rawValue ?? row.value ?? Number.NaN;
    this.#qualities[at] = row.quality;
    if (row.text !== null) this.#texts.set(at, row.text);
    const said = this.#saidColumns();
    said.findings[at] = row.findings;
    said.treatments[at] = row.treatment;
    const cleaned = this.#cleanedColumns();
    cleaned.isChanged[at] = 1;
    cleaned.values[at] = row.value ?? 0;
    cleaned.isNull[at] = row.value === null ? 1 : 0;
    cleaned.rawIsNull[at] = row.rawValue === null ? 1 : 0;
    const { site, gateway, epoch, receivedMs, logPartition, logOffset } = row;
    const place = this.#placeOf({ site, gateway, epoch, receivedMs, logPartition, logOffset });
    const series = this.#seriesOf(site, row.device, row.channel);
    this.#addRun(at, 1, row.seq, place, series, row.text !== null);
  }
}

function firstEndingAfter(annotations: readonly Annotation[], seq: number): number {
  let low = 0;
  let high = annotations.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { firstSeq, count } = annotations[middle]!;
    if (firstSeq + count <= seq) low = middle + 1;
    else high = middle;
  }
  return low;
}
