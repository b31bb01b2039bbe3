/** `fms-agent check`: reads each device once and says what it got. Nothing is buffered or sent. */

import type { Reading } from '../../proto/model.ts';
import { QualityReason, reasonOf, Severity, severityOf } from '../../proto/model.ts';
import type { DeviceConfig } from '../config/values.ts';
import type { ReaderDeps, ReaderType } from '../readers/spec.ts';
import type { PolledReader, PushedReader, ReaderOutput } from '../types.ts';

export interface DeviceReport {
  device: string;
  reader: string;
  durationMs: number;
  output: ReaderOutput;
  /** What went wrong; '' when something was received. */
  error: string;
}

const DEVICES_AT_ONCE = 16;
const EMPTY: ReaderOutput = { samples: [], rejects: [] };

/** In the order of the configuration. Each device has its own `timeout_ms`. Never rejects. */
export async function checkDevices(
  devices: readonly DeviceConfig[],
  readerTypes: Readonly<Record<string, ReaderType>>,
  deps: ReaderDeps,
): Promise<DeviceReport[]> {
  const reports: DeviceReport[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < devices.length; index = next++) {
      const config = devices[index]!;
      reports[index] = await checkDevice(config, readerTypes[config.reader]!, deps);
    }
  };
  await Promise.all(Array.from({ length: DEVICES_AT_ONCE }, work));
  return reports;
}

async function checkDevice(
  config: DeviceConfig,
  type: ReaderType,
  deps: ReaderDeps,
): Promise<DeviceReport> {
  const started = deps.clock.monoMs();
  let output = EMPTY;
  let error = '';
  try {
    const reader = type.create(config.spec, deps);
    output =
      reader.kind === 'polled'
        ? await pollOnce(reader, config.timeoutMs)
        : await listenOnce(reader, config.timeoutMs);
  } catch (failure) {
    error = failure instanceof Error ? failure.message : String(failure);
  }
  const durationMs = deps.clock.monoMs() - started;
  return { device: config.name, reader: config.reader, durationMs, output, error };
}

async function pollOnce(reader: PolledReader, timeoutMs: number): Promise<ReaderOutput> {
  const abort = new AbortController();
  const late = lateAfter(timeoutMs, abort);
  try {
    return await Promise.race([reader.poll(abort.signal), late.promise]);
  } finally {
    late.cancel();
    await reader.close().catch(() => {});
  }
}

/** The first output of a device that speaks by itself. */
async function listenOnce(reader: PushedReader, timeoutMs: number): Promise<ReaderOutput> {
  const abort = new AbortController();
  const late = lateAfter(timeoutMs, abort);
  let first: ReaderOutput | undefined;
  const running = reader.run(async (output) => {
    first ??= output;
    abort.abort();
  }, abort.signal);
  try {
    await Promise.race([running, late.promise]);
  } catch (error) {
    if (first === undefined) throw error;
  } finally {
    late.cancel();
    abort.abort();
  }
  if (first === undefined) throw new Error('it ended without a reading');
  return first;
}

/** Aborts after the time, and soon after that stops waiting for the reader to notice. */
function lateAfter(timeoutMs: number, abort: AbortController) {
  const { promise, reject } = Promise.withResolvers<never>();
  const message = `no answer within ${timeoutMs} ms`;
  let grace: NodeJS.Timeout | undefined;
  const timer = setTimeout(() => {
    abort.abort(new Error(message));
    grace = setTimeout(() => reject(new Error(message)), 1_000);
  }, timeoutMs);
  return {
    promise,
    cancel: (): void => {
      clearTimeout(timer);
      clearTimeout(grace);
    },
  };
}

/** At least one value that is not bad. */
export function isUsable(report: DeviceReport): boolean {
  return report.output.samples.some((sample) =>
    sample.values.some(({ quality }) => severityOf(quality) !== Severity.BAD),
  );
}

const COLUMNS = ['device', 'channel', 'value', 'quality', 'time', 'ms'] as const;

/** A table, one line a value, with what was rejected or went wrong in its place. */
export function renderReports(reports: readonly DeviceReport[]): string {
  const rows = reports.flatMap(rowsOf);
  const widths = COLUMNS.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return `${[line(COLUMNS), ...rows.map(line)].join('\n')}\n`;
}

function rowsOf({ device, output, error, durationMs }: DeviceReport): string[][] {
  const ms = durationMs.toFixed(0);
  if (error !== '') return [[device, '-', '-', `error: ${error}`, '-', ms]];
  const rows = output.samples.flatMap(({ sourceTimeMs, values }) =>
    values.map(({ channel, value, quality }) => [
      device,
      channel,
      value === null ? '-' : show(value),
      qualityText(quality),
      sourceTimeMs === undefined ? '(arrival)' : new Date(sourceTimeMs).toISOString(),
      ms,
    ]),
  );
  for (const reject of output.rejects) {
    rows.push([device, '-', '-', `rejected: ${reject.reason}, ${reject.detail}`, '-', ms]);
  }
  return rows.length > 0 ? rows : [[device, '-', '-', 'nothing', '-', ms]];
}

function show(value: NonNullable<Reading['value']>): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}

/** `good`, or severity and reason: `bad (wrong type)`. */
export function qualityText(quality: number): string {
  const severity = ['good', 'uncertain', 'bad', 'bad'][severityOf(quality)] ?? 'bad';
  const code = reasonOf(quality);
  const reason = Object.entries(QualityReason).find(([, value]) => value === code)?.[0];
  if (code === QualityReason.NONE) return severity;
  return `${severity} (${(reason ?? `reason ${code}`).toLowerCase().replaceAll('_', ' ')})`;
}
