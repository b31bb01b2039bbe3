/**
 * Runs the fault tests in their long forms: `npm run test:faults [-- NAME…] [--seed N] [--jobs N] [--list]`.
 * They are the files of this folder, and those elsewhere in test/ that have a long form. A NAME picks those
 * whose path contains it. One line says what begins, with its seed, and one how it ended; what a test
 * prints goes to a file, and its failures are shown. At the end all are summed up; exit code 1 when one failed.
 */

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, globSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { finished } from 'node:stream/promises';
import { FORM_TIMEOUT_MS, LONG_FORM_VARIABLE } from '../support/form.ts';

const repository = join(import.meta.dirname, '../..');
/** Of one file, on top of what its tests allow themselves. */
const FILE_TIMEOUT_MS = FORM_TIMEOUT_MS + 600_000;
/** What is shown of a failure. */
const LINES_SHOWN = 60;
const USAGE = 'npm run test:faults [-- NAME…] [--seed N] [--jobs N] [--list]';

interface Arguments {
  names: string[];
  seed: number | undefined;
  jobs: number;
  isList: boolean;
}

interface Result {
  file: string;
  seed: number;
  isOk: boolean;
  seconds: number;
  output: string;
}

function parse(argv: readonly string[]): Arguments {
  const parsed: Arguments = { names: [], seed: undefined, jobs: 1, isList: false };
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!;
    if (arg === '--list') parsed.isList = true;
    else if (arg === '--seed') parsed.seed = wholeNumber(arg, argv[++i]);
    else if (arg === '--jobs') parsed.jobs = Math.max(1, wholeNumber(arg, argv[++i]));
    else if (arg.startsWith('-')) throw new Error(`${arg} is not known. ${USAGE}`);
    else parsed.names.push(arg);
  }
  return parsed;
}

function wholeNumber(option: string, text: string | undefined): number {
  if (text === undefined || !/^\d{1,10}$/.test(text))
    throw new Error(`${option} wants a number, not ${text}. ${USAGE}`);
  return Number(text);
}

/** Relative to the repository. */
function longTests(): string[] {
  const hasLongForm = (file: string): boolean =>
    file.startsWith(join('test', 'faults') + sep) ||
    readFileSync(join(repository, file), 'utf8').includes('support/form.ts');
  return globSync('test/**/*.test.ts', { cwd: repository }).filter(hasLongForm).toSorted();
}

async function runFile(file: string, seed: number, folder: string): Promise<Result> {
  const output = join(folder, `${file.replaceAll(sep, '-')}.tap`);
  const beganMs = performance.now();
  const child = spawn(process.execPath, [file, '--seed', String(seed)], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      [LONG_FORM_VARIABLE]: '1',
      FMS_TEST_SEED: String(seed),
      // Of files that say none of their own; a process of tests alone would have 30 s.
      TAP_TIMEOUT: String(FORM_TIMEOUT_MS / 1_000),
    },
  });
  const written = createWriteStream(output);
  child.stdout.pipe(written, { end: false });
  child.stderr.pipe(written, { end: false });
  const timer = setTimeout(() => child.kill('SIGKILL'), FILE_TIMEOUT_MS);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  written.end();
  await finished(written);
  const seconds = Math.round((performance.now() - beganMs) / 1_000);
  return { file, seed, isOk: code === 0, seconds, output };
}

/** What failed, and the test's own remarks before it. */
function failureOf({ output }: Result): string {
  const lines = readFileSync(output, 'utf8').trimEnd().split('\n');
  const first = lines.findIndex((line) => /^\s*not ok /.test(line));
  const from = first < 0 ? Math.max(0, lines.length - LINES_SHOWN) : first;
  return lines.slice(from, from + LINES_SHOWN).join('\n');
}

async function main(): Promise<number> {
  const { names, seed, jobs, isList } = parse(process.argv.slice(2));
  const files = longTests().filter(
    (file) => names.length === 0 || names.some((name) => file.includes(name)),
  );
  if (isList || files.length === 0) {
    console.log(files.length > 0 ? files.join('\n') : `no test has such a name. ${USAGE}`);
    return files.length > 0 ? 0 : 2;
  }
  const folder = mkdtempSync(join(tmpdir(), 'fms-faults-'));
  console.log(`${files.length} files in their long forms, ${jobs} at a time; output in ${folder}`);
  const beganMs = performance.now();
  const results: Result[] = [];
  const waiting = files.entries();
  const work = async (): Promise<void> => {
    for (const [index, file] of waiting) {
      const chosen = seed ?? randomBytes(4).readUInt32LE();
      console.log(`[${index + 1}/${files.length}] ${file} --seed ${chosen}`);
      const result = await runFile(file, chosen, folder);
      results.push(result);
      console.log(`${result.isOk ? 'ok' : 'FAILED'} ${file} ${result.seconds} s`);
      if (!result.isOk) console.log(`${failureOf(result)}\nall of it: ${result.output}`);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const failed = results.filter(({ isOk }) => !isOk);
  const minutes = ((performance.now() - beganMs) / 60_000).toFixed(1);
  console.log(`\n${results.length - failed.length} of ${results.length} passed in ${minutes} min`);
  for (const { file, seed: of } of failed)
    console.log(`FAILED: ${LONG_FORM_VARIABLE}=1 node ${file} --seed ${of}`);
  return failed.length === 0 ? 0 : 1;
}

process.exitCode = await main();
