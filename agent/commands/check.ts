/** `fms-agent check`: reads each device once and says what it got. Nothing is buffered or sent. */

import type { Reading } from '../../proto/model.ts';
import { QualityReason, reasonOf, Severity, severityOf } from '../../proto/model.ts';
import type { DeviceConfig } from '../config/values.ts';
import type { ReaderDeps, ReaderType } from '../readers/spec.ts';
import type { PolledReader, PushedReader, ReaderOutput } from '../types.ts';
import type { Speaker } from '../words/say.ts';
import { english } from '../words/say.ts';
import { padTo, widthOf } from '../words/text.ts';

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
export function renderReports(
  reports: readonly DeviceReport[],
  speaker: Speaker = english,
): string {
  const titles = COLUMNS.map((title) => (title === 'ms' ? title : speaker.say(title)));
  const lines = [titles, ...reports.flatMap((report) => rowsOf(report, speaker))];
  const widths = COLUMNS.map((_, column) =>
    Math.max(...lines.map((cells) => widthOf(cells[column] ?? ''))),
  );
  return lines
    .map((cells) => cells.map((cell, column) => padTo(cell, widths[column] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

function rowsOf({ device, output, error, durationMs }: DeviceReport, speaker: Speaker): string[][] {
  const { say, retell } = speaker;
  const ms = durationMs.toFixed(0);
  if (error !== '') {
    return [[device, '-', '-', say('error: {message}', { message: retell(error) }), '-', ms]];
  }
  const rows = output.samples.flatMap(({ sourceTimeMs, values }) =>
    values.map(({ channel, value, quality }) => [
      device,
      channel,
      value === null ? '-' : show(value),
      qualityText(quality, speaker),
      sourceTimeMs === undefined ? say('(arrival)') : new Date(sourceTimeMs).toISOString(),
      ms,
    ]),
  );
  for (const reject of output.rejects) {
    const said = { reason: say(reject.reason), detail: retell(reject.detail) };
    rows.push([device, '-', '-', say('rejected: {reason}, {detail}', said), '-', ms]);
  }
  return rows.length > 0 ? rows : [[device, '-', '-', say('nothing'), '-', ms]];
}

function show(value: NonNullable<Reading['value']>): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 40 ? `${text.slice(0, 37)}…` : text;
}

const SEVERITIES = ['good', 'uncertain', 'bad', 'bad'] as const;

type ReasonName = keyof typeof QualityReason;

/** `WRONG_TYPE` as `wrong type`. */
type Spaced<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Lowercase<Head>} ${Spaced<Tail>}`
  : Lowercase<Name>;

/** `good`, or severity and reason: `bad (wrong type)`. */
export function qualityText(quality: number, { say }: Speaker = english): string {
  const severity = say(SEVERITIES[severityOf(quality)] ?? 'bad');
  const code = reasonOf(quality);
  if (code === QualityReason.NONE) return severity;
  const name = Object.entries(QualityReason).find(([, value]) => value === code)?.[0];
  const reason =
    name === undefined
      ? say('reason {code}', { code })
      : say(name.toLowerCase().replaceAll('_', ' ') as Spaced<Exclude<ReasonName, 'NONE'>>);
  return `${severity} (${reason})`;
}
