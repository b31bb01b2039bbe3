/** Dropouts of simulated devices, through the processor with its ticks: found when it says late or silent. */

import { decodeDevice } from '../../collector/processor/outputs/device.ts';
import { Processor } from '../../collector/processor/processor.ts';
import type { Configuration } from '../../collector/profile.ts';
import { OutputKind, RawKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import { Quality } from '../../proto/model.ts';
import { CLOCK, frameOf, headerOf } from '../support/wire.ts';
import type { Met, SimulatedDevice } from './detect_faults.ts';
import { INTERVAL_MS, rowsWith, START_MS, scheduleOf, valuesOf } from './detect_faults.ts';

const TICK_MS = 1_000;
/** From the reading until its batch is in the log. */
const RECEIVED_AFTER_MS = 200;
const KEY = 'bench/gw1';

export interface DropoutResult {
  faults: Met[];
  /** Late or silent outside of dropouts. */
  falseStates: number;
  hours: number;
}

interface Watched {
  device: SimulatedDevice;
  faults: Met[];
  rows: Generator<(number | boolean)[] | undefined>;
}

export function testDropouts(
  devices: readonly SimulatedDevice[],
  seed: number,
  rows: number,
  configuration: Configuration,
): DropoutResult {
  const watched: Watched[] = devices.map((device) => {
    const faults = scheduleOf(device, seed, { trained: 0, all: rows }, ['dropout']);
    return {
      device,
      faults: faults.map((fault) => ({ ...fault, delayRows: undefined })),
      rows: rowsWith(valuesOf(device, seed), faults, rows, device.name),
    };
  });
  const log = new RawLog();
  log.add(RawKind.CONFIGURATION, Buffer.from(JSON.stringify(configuration)), '', START_MS);
  const result: DropoutResult = {
    faults: watched.flatMap(({ faults }) => faults),
    falseStates: 0,
    hours: (rows * INTERVAL_MS) / 3_600_000,
  };
  for (let row = 0; row < rows; row++) {
    const rowMs = START_MS + row * INTERVAL_MS;
    const batch = batchOf(watched, rowMs, log.nextSeq);
    if (batch !== undefined) {
      log.nextSeq += batch.count;
      log.add(RawKind.BATCH, batch.value, KEY, rowMs + RECEIVED_AFTER_MS);
    }
    for (let ms = TICK_MS; ms <= INTERVAL_MS; ms += TICK_MS) {
      log.add(RawKind.TICK, new Uint8Array(0), '', rowMs + ms);
      for (const device of log.takeLate()) noteLate(result, watched, device, rowMs + ms);
    }
  }
  return result;
}

/** The processor at the end of an imaginary raw partition. */
class RawLog {
  readonly #processor = new Processor(new Map());
  #offset = 0;
  #late: string[] = [];
  nextSeq = 1;

  add(kind: string, value: Uint8Array, key: string, appendedAtMs: number): void {
    const offset = this.#offset++;
    const record = { topic: 'raw' as const, partition: 0, offset, appendedAtMs, key, kind, value };
    for (const { record: output } of this.#processor.process(record)) {
      if (output.kind !== OutputKind.DEVICE) continue;
      const { device, state } = decodeDevice(output.value);
      if (state !== 'online') this.#late.push(device);
    }
  }

  takeLate(): string[] {
    const late = this.#late;
    this.#late = [];
    return late;
  }
}

function noteLate(
  result: DropoutResult,
  watched: readonly Watched[],
  name: string,
  nowMs: number,
): void {
  const row = (nowMs - START_MS) / INTERVAL_MS;
  const faults = watched.find(({ device }) => device.name === name)?.faults ?? [];
  const fault = faults.find(({ from, to }) => row >= from && row < to + 1);
  if (fault === undefined) result.falseStates++;
  else fault.delayRows ??= Math.ceil(row - fault.from);
}

function batchOf(
  watched: readonly Watched[],
  timeMs: number,
  firstSeq: number,
): { value: Uint8Array; count: number } | undefined {
  const builder = new ChunkBuilder();
  for (const { device, rows } of watched) {
    const cells = rows.next().value as (number | boolean)[] | undefined;
    if (cells === undefined) continue;
    for (const [c, channel] of [...device.channels.keys()].entries()) {
      const value = cells[c] ?? null;
      builder.addReading({ device: device.name, channel, timeMs, value, quality: Quality.GOOD });
    }
  }
  if (builder.count === 0) return undefined;
  const { count } = builder;
  const frame = frameOf(builder.seal({ ...CLOCK, wallMs: timeMs }), firstSeq);
  const header = headerOf(firstSeq + count - 1, { site: 'bench', sentMs: timeMs });
  return { value: encodeBatch(header, [frame]), count };
}
