/** What the default set of detectors costs: CPU a reading, beside the rules alone, and memory a channel. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GatewayDetection } from '../../collector/processor/anomaly/detection.ts';
import type { CompiledConfiguration } from '../../collector/processor/validation/compile.ts';
import { GatewayValidation } from '../../collector/processor/validation/validation.ts';
import type { ChunkColumns, Series } from '../../proto/model.ts';
import { NO_EPOCH, Quality, SeriesKind } from '../../proto/model.ts';
import { INTERVAL_MS, rowsWith, START_MS, simulatedDevices, valuesOf } from './detect_faults.ts';

const SITE = 'bench';
const DEVICES = 20;
const SEED = 7;
/** Rows of each device before it is measured: training is over. */
const WARM_ROWS = 1_200;
const ROUNDS = 3;

export interface Cost {
  /** Chunks of one row of each device, as live gateways send them. */
  liveUs: number;
  /** Chunks of 60 rows of each, as a backlog has them. */
  backlogUs: number;
  /** The rules alone, live. */
  rulesUs: number;
}

/** Each figure is the median of three rounds, each with a state of its own. */
export function measureCost(configuration: CompiledConfiguration, rows: number): Cost {
  const live = chunksOf(WARM_ROWS + rows, 1);
  const backlog = chunksOf(WARM_ROWS + rows, 60);
  const sums: number[][] = [[], [], [], []];
  for (let round = -1; round < ROUNDS; round++) {
    const measured = [live, backlog].flatMap((chunks) =>
      [false, true].map((detect) => cpuUsOf(chunks, configuration, detect)),
    );
    // The first one compiles.
    if (round >= 0) measured.forEach((us, i) => void sums[i]!.push(us));
  }
  const [rules, all, rulesBacklog, allBacklog] = sums.map(median);
  return {
    liveUs: all! - rules!,
    backlogUs: allBacklog! - rulesBacklog!,
    rulesUs: rules!,
  };
}

/** CPU time (user and system) in us a reading, after the warm rows. */
function cpuUsOf(
  chunks: readonly ChunkColumns[],
  configuration: CompiledConfiguration,
  detect: boolean,
): number {
  const judge = judgeOf(configuration, detect);
  const warm = Math.floor((chunks.length * WARM_ROWS) / rowsOf(chunks));
  let readings = 0;
  let from = process.cpuUsage();
  for (const [i, columns] of chunks.entries()) {
    if (i === warm) from = process.cpuUsage();
    judge(columns);
    if (i >= warm) readings += columns.timesMs.length;
  }
  const { user, system } = process.cpuUsage(from);
  return (user + system) / readings;
}

function judgeOf(
  configuration: CompiledConfiguration,
  detect: boolean,
): (columns: ChunkColumns) => void {
  const validation = new GatewayValidation(SITE);
  const detection = new GatewayDetection(SITE);
  let firstSeq = 1;
  return (columns) => {
    const fresh = [{ from: firstSeq, to: firstSeq + columns.timesMs.length - 1 }];
    const input = { columns, firstSeq, fresh, configuration };
    const receivedMs = columns.clock.wallMs;
    const { sheet } = validation.judge({ ...input, receivedMs, order: 1 });
    if (detect) detection.judge({ ...input, sheet });
    firstSeq += columns.timesMs.length;
  };
}

export interface Memory {
  /** Heap and buffers, after training. */
  bytes: number;
  /** The most while it trains. */
  trainingBytes: number;
  /** In a snapshot, after training. */
  snapshotBytes: number;
}

/** Of one channel. Detectors alone: the rules are not in it. */
export function measureMemory(configuration: CompiledConfiguration, devices: number): Memory {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const chunks = chunksOf(WARM_ROWS, 10, devices);
  const validation = new GatewayValidation(SITE);
  const channels = chunks[0]!.series.length;
  let firstSeq = 1;
  const sheets = (columns: ChunkColumns) => {
    const fresh = [{ from: firstSeq, to: firstSeq + columns.timesMs.length - 1 }];
    const input = { columns, firstSeq, fresh, configuration };
    firstSeq += columns.timesMs.length;
    const { sheet } = validation.judge({ ...input, receivedMs: columns.clock.wallMs, order: 1 });
    return { ...input, sheet };
  };
  // A first one, so that code and what all gateways share is there.
  const first = new GatewayDetection(SITE);
  for (const columns of chunks) first.judge(sheets(columns));
  const used = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = used();
  const detection = new GatewayDetection(SITE);
  let most = 0;
  for (const [i, columns] of chunks.entries()) {
    detection.judge(sheets(columns));
    if (i % 20 === 19) most = Math.max(most, used() - before);
  }
  const bytes = used() - before;
  const snapshotBytes = detection.encode().length;
  // Both are alive until here: what is measured is the second alone.
  first.scoreOf('');
  return {
    bytes: bytes / channels,
    trainingBytes: Math.max(most, bytes) / channels,
    snapshotBytes: snapshotBytes / channels,
  };
}

function rowsOf(chunks: readonly ChunkColumns[]): number {
  return chunks.reduce((sum, { series }) => sum + series[0]!.count, 0);
}

/** Rows of simulated devices without faults, `rowsEach` of each device in a chunk. */
function chunksOf(rows: number, rowsEach: number, count = DEVICES): ChunkColumns[] {
  const devices = simulatedDevices(count).map((device) => ({
    name: device.name,
    channels: [...device.channels.keys()],
    rows: rowsWith(valuesOf(device, SEED), [], rows, device.name),
  }));
  const chunks: ChunkColumns[] = [];
  for (let row = 0; row < rows; row += rowsEach) {
    const take = Math.min(rowsEach, rows - row);
    const series: Series[] = [];
    const size = devices.reduce((sum, { channels }) => sum + channels.length * take, 0);
    const numbers = new Float64Array(size);
    const timesMs = new Float64Array(size);
    let start = 0;
    for (const { name, channels, rows: source } of devices) {
      const cells = Array.from({ length: take }, () => source.next().value!);
      for (const [c, channel] of channels.entries()) {
        const kind = typeof cells[0]![c] === 'boolean' ? SeriesKind.BOOLEAN : 2;
        series.push({ device: name, channel, kind, start, count: take });
        for (let r = 0; r < take; r++) {
          numbers[start + r] = Number(cells[r]![c]);
          timesMs[start + r] = START_MS + (row + r) * INTERVAL_MS;
        }
        start += take;
      }
    }
    const wallMs = START_MS + (row + take) * INTERVAL_MS;
    chunks.push({
      clock: { boot: NO_EPOCH, wallMs, monoMs: 0, unsynced: false },
      series,
      timesMs,
      numbers,
      texts: new Map(),
      qualities: new Uint8Array(size).fill(Quality.GOOD),
      rejects: [],
    });
  }
  return chunks;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
