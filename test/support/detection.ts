/** Devices whose rows go through the rules and the detectors as in the processor. */

import type { AnomalyChange, RowScore } from '../../collector/processor/anomaly/change.ts';
import { GatewayDetection } from '../../collector/processor/anomaly/detection.ts';
import type { CompiledConfiguration } from '../../collector/processor/validation/compile.ts';
import { Sheet } from '../../collector/processor/validation/run.ts';
import { GatewayValidation } from '../../collector/processor/validation/validation.ts';
import type { DeviceProfile } from '../../collector/profile.ts';
import type { ChunkColumns, Series } from '../../proto/model.ts';
import { NO_EPOCH, Quality, SeriesKind } from '../../proto/model.ts';
import { Random } from '../../simulators/random.ts';
import { configuration, profile } from './validation.ts';

export const SITE = 'demo';
export const START_MS = Date.UTC(2026, 0, 5);
export const INTERVAL_MS = 10_000;

/** Null: no value; left out: not read at that time. */
export interface Row {
  timeMs: number;
  values: Record<string, number | boolean | null>;
}

/** One row an interval, from START_MS on. */
export function rowsOf(
  values: readonly Row['values'][],
  { startMs = START_MS, intervalMs = INTERVAL_MS } = {},
): Row[] {
  return values.map((of, i) => ({ timeMs: startMs + i * intervalMs, values: of }));
}

/** Series after series, as a gateway sends them. */
export function columnsOf(rows: readonly Row[], device = 'D01'): ChunkColumns {
  const names = [...new Set(rows.flatMap(({ values }) => Object.keys(values)))].sort();
  const series: Series[] = [];
  const times: number[] = [];
  const numbers: number[] = [];
  const qualities: number[] = [];
  for (const channel of names) {
    const start = times.length;
    let isBoolean = false;
    for (const { timeMs, values } of rows) {
      const value = values[channel];
      if (value === undefined) continue;
      isBoolean ||= typeof value === 'boolean';
      times.push(timeMs);
      numbers.push(value === null ? Number.NaN : Number(value));
      qualities.push(value === null ? Quality.NULL : Quality.GOOD);
    }
    const kind = isBoolean ? SeriesKind.BOOLEAN : SeriesKind.DOUBLE;
    series.push({ device, channel, kind, start, count: times.length - start });
  }
  return {
    clock: { boot: NO_EPOCH, wallMs: 0, monoMs: 0, unsynced: false },
    series,
    timesMs: Float64Array.from(times),
    numbers: Float64Array.from(numbers),
    texts: new Map(),
    qualities: Uint8Array.from(qualities),
    rejects: [],
  };
}

export class Watched {
  validation = new GatewayValidation(SITE);
  detection: GatewayDetection;
  configuration: CompiledConfiguration;
  readonly changes: AnomalyChange[] = [];
  readonly scores: RowScore[] = [];
  #nextSeq = 1;

  constructor(settings: Parameters<typeof profile> | undefined = undefined) {
    this.configuration = configuration(settings === undefined ? {} : { p: profile(...settings) }, {
      retentionMs: 0,
      aheadMaxMs: Number.MAX_SAFE_INTEGER,
    });
    this.detection = new GatewayDetection(SITE);
    this.#listen();
  }

  /** `seq`: of the first reading; left out: after those before. */
  feed(rows: readonly Row[], { chunkRows = 50, device = 'D01', seq = 0 } = {}): AnomalyChange[] {
    const before = this.changes.length;
    for (let i = 0; i < rows.length; i += chunkRows)
      this.feedColumns(columnsOf(rows.slice(i, i + chunkRows), device), seq);
    return this.changes.slice(before);
  }

  feedColumns(columns: ChunkColumns, seq = 0): void {
    const firstSeq = seq > 0 ? seq : this.#nextSeq;
    const count = columns.timesMs.length;
    if (seq === 0) this.#nextSeq += count;
    const fresh = [{ from: firstSeq, to: firstSeq + count - 1 }];
    const input = { columns, firstSeq, fresh, configuration: this.configuration };
    const { sheet } = this.validation.judge({ ...input, receivedMs: START_MS, order: 1 });
    this.changes.push(...this.detection.judge({ ...input, sheet }));
  }

  /** Past the rules, which refuse times that no date has. */
  feedUnjudged(columns: ChunkColumns): void {
    const count = columns.timesMs.length;
    const sheet = new Sheet();
    sheet.clear(count);
    const fresh = [{ from: 1, to: count }];
    const input = { columns, firstSeq: 1, fresh, sheet, configuration: this.configuration };
    this.changes.push(...this.detection.judge(input));
  }

  /** As after a restart: what was learnt goes through its bytes. */
  restart(): void {
    const detection = GatewayDetection.decode(SITE, this.detection.encode());
    const validation = GatewayValidation.decode(SITE, this.validation.encode());
    if (detection === undefined || validation === undefined) throw new Error('not decoded');
    this.detection = detection;
    this.validation = validation;
    this.#listen();
  }

  get onsets(): AnomalyChange[] {
    return this.changes.filter(({ phase }) => phase === 'onset');
  }

  #listen(): void {
    this.detection.onRow = (row) => this.scores.push(row);
  }
}

/** Normal(mean, deviation) values, each correlated with the one before. */
export function wandering(
  count: number,
  { mean = 50, deviation = 5, correlation = 0.9, decimals = 2, seed = 'a' } = {},
): number[] {
  const random = new Random(1, seed);
  let state = random.gaussian();
  const factor = 10 ** decimals;
  return Array.from({ length: count }, () => {
    state = correlation * state + Math.sqrt(1 - correlation ** 2) * random.gaussian();
    return Math.round((mean + deviation * state) * factor) / factor;
  });
}

/** Rows of channels a, b, c that wander. */
export function plainRows(count: number, seed = 'a'): Row['values'][] {
  const [a, b, c] = ['a', 'b', 'c'].map((name) => wandering(count, { seed: `${seed}${name}` }));
  return Array.from({ length: count }, (_, i) => ({ a: a![i]!, b: b![i]!, c: c![i]! }));
}

/** A profile in which only these detectors run. */
export function only(...names: readonly string[]): Partial<DeviceProfile> {
  const all = ['failure', 'limits', 'rate', 'stuck', 'novelty', 'drift', 'device'];
  return {
    intervalMs: INTERVAL_MS,
    detection: {
      enabled: true,
      off: all.filter((name) => !names.includes(name)),
      falseAlarmsPerDay: 0.1,
      trainRows: 400,
    },
  };
}
