/** `fms-collector backtest`: what the rules and detectors would say of a recording, or of a device's history. */

import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { compare, WouldBeList } from '../backtest/compare.ts';
import type { Outcome, Row } from '../backtest/device_run.ts';
import { DeviceRun } from '../backtest/device_run.ts';
import { FileBacktest } from '../backtest/file_backtest.ts';
import type { HistoryRow, HistoryScope } from '../backtest/history.ts';
import { askAnomalies, askDevice, askRows } from '../backtest/history.ts';
import { Measures } from '../backtest/measures.ts';
import type { BacktestOptions, FileOptions, HistoryOptions } from '../backtest/options.ts';
import { optionsOf } from '../backtest/options.ts';
import { configurationOf, profileOf, trainRowsOf } from '../backtest/profile.ts';
import { rowsOf } from '../backtest/recording.ts';
import { comparisonLines, summaryLines } from '../backtest/report.ts';
import type { Look } from '../backtest/shown.ts';
import { alarmShown, defaultMark, HEADER, lineOf } from '../backtest/shown.ts';
import { readWindows } from '../backtest/windows.ts';
import { ConfigInvalid, loadConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import { ProfilesInvalid } from '../profiles/load.ts';
import type { Output } from './check.ts';
import { ApiRefusal, apiAt, apiOfConfig } from './client.ts';

/** The site of a recording: it has none. */
const RECORDED_SITE = 'backtest';
const ROWS_AT_ONCE = 256;
/** What a person has to mend before it can work. */
const MISTAKES = new Set([
  'BACKTEST_OPTIONS',
  'BACKTEST_RECORDING',
  'BACKTEST_PROFILE',
  'BACKTEST_HISTORY',
  'COLLECTOR_CONFIG_INVALID',
  'COLLECTOR_CONFIG_UNREADABLE',
  'PROFILES_INVALID',
]);

export interface BacktestStreams {
  /** For what can be read by programs: the rows. */
  stdout: NodeJS.WritableStream;
  /** For people. */
  output: Output;
  /** Ends it early. */
  signal?: AbortSignal;
  nowMs: number;
}

/**
 * Runs and returns the exit code: 0 done, 1 failed, 2 mistakes in options, recording or profile, 3 the
 * collector does not answer.
 */
export async function backtest(
  file: string | undefined,
  given: BacktestOptions,
  env: Record<string, string | undefined>,
  streams: BacktestStreams,
): Promise<number> {
  try {
    const options = optionsOf(file, given, streams.nowMs);
    if (options.kind === 'file') await ofFile(options, env, streams);
    else await ofHistory(options, env, streams);
    return 0;
  } catch (error) {
    return exitCodeOf(error, streams.output);
  }
}

async function ofFile(
  options: FileOptions,
  env: Record<string, string | undefined>,
  { stdout, output, signal }: BacktestStreams,
): Promise<void> {
  const profile = profileOf({ name: options.profile, config: options.config, env });
  const { file, zone, windows, label, channels, device, language } = options;
  const mark = options.mark ?? defaultMark(channels.length);
  const types = Object.entries(profile?.channels ?? {}).map(([name, { type }]) => [name, type]);
  const run = new FileBacktest({
    file,
    rows: rowsOf({
      file,
      timeColumn: options.time,
      channels,
      labelColumn: label,
      delimiter: options.delimiter,
      zone,
      types: Object.fromEntries(types),
    }),
    site: RECORDED_SITE,
    device,
    channels,
    configuration: configurationOf(profile, options),
    mark,
    trainRows: options.trainRows ?? trainRowsOf(profile),
    hasLabels: label !== undefined,
    windows:
      windows === undefined ? undefined : readWindows(windows.file, windows.name, file, zone),
  });
  const timed = timesOf(run.outcomes(), ({ tag }) => tag.time);
  const isWhole = await write(linesOf(timed, { mark, language }), options.out, stdout, signal);
  if (!isWhole) return;
  if (options.json) output.error(JSON.stringify(run.summary));
  else for (const line of summaryLines(run.summary)) output.error(line);
}

async function ofHistory(
  options: HistoryOptions,
  env: Record<string, string | undefined>,
  { stdout, output, signal }: BacktestStreams,
): Promise<void> {
  const base =
    options.url === undefined
      ? apiOfConfig(loadConfig(options.config, env), options, env)
      : apiAt(options.url, options, env);
  const { site, device, fromMs, toMs, warmUpMs } = options;
  const scope: HistoryScope = { base, site, device, fromMs: fromMs - warmUpMs, toMs, signal };
  const known = await askDevice(scope);
  const name = options.profile ?? (known.profile === '' ? undefined : known.profile);
  const profile = profileOf({ name, config: options.config, env });
  const channels = options.channels ?? known.channels;
  const mark = options.mark ?? defaultMark(channels.length);
  const wouldBe = new WouldBeList(fromMs);
  const run = new DeviceRun<string>({
    site,
    device,
    channels,
    configuration: configurationOf(profile, options),
    onChange: (change) => wouldBe.add(change),
  });
  const measures = new Measures({ trainRows: 0, hasLabels: false });
  const judged = judgedRows(run, askRows(scope, channels, profile));
  const counted = from(judged, fromMs, (outcome) => {
    const { timeMs, isOnset } = outcome;
    measures.add({ timeMs, alarm: alarmShown(outcome, mark), isOnset, event: -1 });
  });
  const timed = timesOf(counted, ({ tag }) => tag);
  if (options.out === undefined) for await (const _ of timed);
  else {
    const lines = linesOf(timed, { mark, language: options.language });
    if (!(await write(lines, options.out, stdout, signal))) return;
  }
  const summary = measures.summary();
  if (summary.rows === 0)
    throw new CollectorError('BACKTEST_HISTORY', `${site}/${device}: no readings in the range`);
  const past = await askAnomalies({ ...scope, fromMs });
  const comparison = compare(wouldBe, past);
  if (options.json) {
    output.error(JSON.stringify({ ...summary, comparison, anomalies_list: wouldBe.list }));
    return;
  }
  const lines = comparisonLines(wouldBe, past, comparison, options.language);
  for (const line of [...lines, ...summaryLines(summary)]) output.error(line);
}

async function* judgedRows(
  run: DeviceRun<string>,
  rows: AsyncIterable<HistoryRow>,
): AsyncGenerator<Outcome<string>> {
  let waiting: Row<string>[] = [];
  for await (const { timeMs, cells } of rows) {
    waiting.push({ timeMs, cells, tag: new Date(timeMs).toISOString() });
    if (waiting.length < ROWS_AT_ONCE) continue;
    yield* run.judge(waiting);
    waiting = [];
  }
  yield* run.judge(waiting);
  // What is still open is open: the device's history goes on.
  yield* run.end(false);
}

/** Those of the range asked for; what comes before only taught. */
async function* from(
  outcomes: AsyncIterable<Outcome<string>>,
  fromMs: number,
  seen: (outcome: Outcome<string>) => void,
): AsyncGenerator<Outcome<string>> {
  for await (const outcome of outcomes) {
    if (outcome.timeMs < fromMs) continue;
    seen(outcome);
    yield outcome;
  }
}

interface Timed {
  time: string;
  outcome: Outcome<unknown>;
}

async function* timesOf<Tag>(
  outcomes: AsyncIterable<Outcome<Tag>>,
  timeOf: (outcome: Outcome<Tag>) => string,
): AsyncGenerator<Timed> {
  for await (const outcome of outcomes) yield { time: timeOf(outcome), outcome };
}

async function* linesOf(rows: AsyncIterable<Timed>, look: Look): AsyncGenerator<string> {
  yield HEADER;
  for await (const { time, outcome } of rows) yield lineOf(time, outcome, look);
}

/**
 * `out` left out, or `-`: stdout, whose reader may go away at any time: then it answers false. Rejects with
 * BACKTEST_OUTPUT when the file cannot be written.
 */
async function write(
  lines: AsyncIterable<string>,
  out: string | undefined,
  stdout: NodeJS.WritableStream,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const isFile = out !== undefined && out !== '-';
  const from = Readable.from(blocksOf(lines), { objectMode: true });
  const to = isFile ? createWriteStream(out) : stdout;
  try {
    await pipeline(from, to, {
      end: isFile,
      ...(signal === undefined ? {} : { signal }),
    });
    return true;
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (code === 'EPIPE' && !isFile) return false;
    if (!isFile || syscall === undefined || error instanceof CollectorError) throw error;
    throw new CollectorError('BACKTEST_OUTPUT', (error as Error).message, { cause: error });
  }
}

const BLOCK_CHARACTERS = 64 * 1024;

async function* blocksOf(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let block = '';
  for await (const line of lines) {
    block += line;
    if (block.length < BLOCK_CHARACTERS) continue;
    yield block;
    block = '';
  }
  if (block !== '') yield block;
}

function exitCodeOf(error: unknown, output: Output): number {
  if (error instanceof ApiRefusal) {
    output.error(`${error.message}\n${error.hint}`);
    return 1;
  }
  if (!(error instanceof CollectorError)) throw error;
  if (error instanceof ConfigInvalid || error instanceof ProfilesInvalid) {
    for (const mistake of error.mistakes) output.error(mistake);
    output.error(`${error.mistakes.length} mistake(s)\n${error.code}: ${error.hint}`);
    return 2;
  }
  output.error(`${error.message}\n${error.hint}`);
  if (error.code === 'COLLECTOR_UNREACHABLE') return 3;
  return MISTAKES.has(error.code) ? 2 : 1;
}
