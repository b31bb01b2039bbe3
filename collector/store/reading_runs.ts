/** Runs of readings as columns that grow; see columns.ts. */

import type { ReadingRuns } from './columns.ts';

const RUNS_AT_FIRST = 256;

export class Runs implements ReadingRuns {
  length = 0;
  starts = new Uint32Array(RUNS_AT_FIRST);
  counts = new Uint32Array(RUNS_AT_FIRST);
  firstSeqs = new Float64Array(RUNS_AT_FIRST);
  places = new Uint32Array(RUNS_AT_FIRST);
  series = new Uint32Array(RUNS_AT_FIRST);
  texts = new Uint8Array(RUNS_AT_FIRST);

  push(
    start: number,
    count: number,
    firstSeq: number,
    place: number,
    series: number,
    isText: boolean,
  ): void {
    const at = this.length++;
    if (at === this.starts.length) this.#grow();
    this.starts[at] = start;
    this.counts[at] = count;
    this.firstSeqs[at] = firstSeq;
    this.places[at] = place;
    this.series[at] = series;
    this.texts[at] = isText ? 1 : 0;
  }

  #grow(): void {
    const capacity = this.starts.length * 2;
    this.starts = grown(this.starts, new Uint32Array(capacity));
    this.counts = grown(this.counts, new Uint32Array(capacity));
    this.firstSeqs = grown(this.firstSeqs, new Float64Array(capacity));
    this.places = grown(this.places, new Uint32Array(capacity));
    this.series = grown(this.series, new Uint32Array(capacity));
    this.texts = grown(this.texts, new Uint8Array(capacity));
  }
}

export function grown<T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
