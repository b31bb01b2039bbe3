/** `fms-collector job list|run`: jobs of the running collector. */

import { CollectorError } from '../errors.ts';
import type { Output } from './check.ts';
import type { Api } from './client.ts';
import { ApiRefusal, apiOf, askApi } from './client.ts';

export interface JobOptions {
  config: string;
  url: string | undefined;
}

export interface JobRunOptions extends JobOptions {
  from?: string;
  to?: string;
  site?: string;
  all?: boolean;
}

interface Line {
  done?: number;
  total?: number;
  site?: string;
  label?: string;
  revised?: boolean;
  units?: number;
  error?: { code: string; message: string; hint: string };
}

interface JobItem {
  name: string;
  period: string;
  title: { en: string };
  running: boolean;
  last_ended_ms: number | null;
  last_units: number;
  last_error: string;
}

/** Prints and returns the exit code: 0 done, 1 failed, 2 mistakes, 3 nobody answers. */
export function listJobs(
  options: JobOptions,
  env: Record<string, string | undefined>,
  output: Output,
): Promise<number> {
  return withApi(options, env, output, async (base) => {
    const { items } = (await (await askApi(base, '/api/v1/jobs')).json()) as { items: JobItem[] };
    for (const job of items) {
      const last =
        job.last_ended_ms === null
          ? 'not since the start'
          : `${new Date(job.last_ended_ms).toISOString()}, ${job.last_units} made`;
      const state = job.running ? 'running' : job.last_error === '' ? last : job.last_error;
      output.log(`${job.name.padEnd(24)} ${job.title.en.padEnd(24)} ${state}`);
    }
    return 0;
  });
}

/** The same. `from`, `to`: anything that Date.parse takes; a date alone is midnight UTC. */
export async function runJob(
  name: string,
  options: JobRunOptions,
  env: Record<string, string | undefined>,
  output: Output,
): Promise<number> {
  const from = timeOf(options.from);
  const to = timeOf(options.to);
  if (Number.isNaN(from) || Number.isNaN(to)) {
    output.error('--from and --to want a time such as 2026-11-01 or 2026-11-01T08:00:00+09:00');
    return 2;
  }
  return withApi(options, env, output, async (base) => {
    const body = { from, to, site: options.site, all: options.all };
    const path = `/api/v1/jobs/${encodeURIComponent(name)}/run`;
    const response = await askApi(base, path, { body });
    let made: number | undefined;
    for await (const line of linesOf(response)) {
      if (line.error !== undefined) {
        output.error(`${line.error.code}: ${line.error.message}\n${line.error.hint}`);
        return 1;
      }
      if (line.units !== undefined) made = line.units;
      else if (line.done !== undefined && line.done > 0) output.log(progress(line));
    }
    if (made === undefined) {
      output.error('The collector ended in the middle of the run; what was made stays.');
      return 1;
    }
    output.log(made === 0 ? 'Nothing was due.' : `${made} made.`);
    return 0;
  });
}

async function withApi(
  options: JobOptions,
  env: Record<string, string | undefined>,
  output: Output,
  ask: (base: Api) => Promise<number>,
): Promise<number> {
  const base = apiOf(options, env, output);
  if (base === undefined) return 2;
  try {
    return await ask(base);
  } catch (error) {
    if (!(error instanceof ApiRefusal || error instanceof CollectorError)) throw error;
    output.error(`${error.message}\n${error.hint}`);
    return error instanceof CollectorError ? 3 : 1;
  }
}

function timeOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Date.parse(text);
}

function progress({ done, total, site, label, revised }: Line): string {
  return `${done}/${total}  ${site}  ${label}${revised === true ? '  revised' : ''}`;
}

async function* linesOf(response: Response): AsyncGenerator<Line> {
  let rest = '';
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body ?? []) {
      rest += decoder.decode(piece, { stream: true });
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line) as Line;
    }
  } catch (error) {
    // The connection broke: the caller sees that no end came.
    if (error instanceof SyntaxError) throw error;
  }
}
