/** `fms-collector ledger --deep`: asks for the comparison with the tables and prints what it finds. */

import type { Output } from '../commands/check.ts';
import type { Api } from '../commands/client.ts';
import { ApiRefusal, askApi } from '../commands/client.ts';
import type { DeepProblem, DeepProgress, DeepResult } from './deep.ts';

type DeepLine =
  | ({ type: 'progress' } & DeepProgress)
  | ({ type: 'problem' } & DeepProblem)
  | ({ type: 'result' } & DeepResult)
  | { type?: undefined; error: { code: string; message: string; hint: string } };

const STEPS: Record<DeepProgress['step'], string> = {
  waiting: 'records wait to be written',
  reading: 'rows read',
  comparing: 'epochs compared',
};

/** A check that is quick says nothing on its way. */
const PROGRESS_EVERY_MS = 1_000;

/** True when the tables hold what the ledger says. Rejects as askApi does. */
export async function deepCheck(
  base: Api,
  scope: URLSearchParams,
  json: boolean,
  output: Output,
): Promise<boolean> {
  const response = await askApi(base, `/api/v1/ledger/deep?${scope}`);
  const problems: DeepProblem[] = [];
  let saidMs = performance.now();
  for await (const line of linesOf(response)) {
    if (line.type === undefined) {
      const { code, message, hint } = line.error;
      throw new ApiRefusal(code, message, hint);
    }
    if (line.type === 'progress') {
      if (performance.now() - saidMs < PROGRESS_EVERY_MS) continue;
      saidMs = performance.now();
      const { step, done, total } = line;
      output.error(`${format(done)} of ${format(total)} ${STEPS[step]}`);
    } else if (line.type === 'problem') {
      const { type: _, ...problem } = line;
      problems.push(problem);
      if (!json) output.log(problemText(line));
    } else {
      const { type: _, ...result } = line;
      if (json) output.log(JSON.stringify({ ...result, found: problems }));
      else for (const text of resultTexts(result, problems.length)) output.log(text);
      return result.ok;
    }
  }
  throw new ApiRefusal('API_INTERNAL', 'the answer ended early', 'Look into the collector’s log.');
}

async function* linesOf(response: Response): AsyncGenerator<DeepLine> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of response.body ?? []) {
    const lines = (rest + decoder.decode(piece as Uint8Array, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield JSON.parse(line) as DeepLine;
  }
}

function problemText({
  site,
  gateway,
  epoch,
  kind,
  from,
  to,
  readings,
  detail,
}: DeepProblem): string {
  const where = `${site}/${gateway} epoch ${epoch}`;
  if (to === 0) return `${where}: ${detail}`;
  const range = from === to ? `reading ${from}` : `readings ${from} to ${to}`;
  return `${where}: ${range} ${kind} (${format(readings)}): ${detail}`;
}

function resultTexts(result: DeepResult, told: number): string[] {
  const lines: string[] = [];
  const { ok, problems, readings, quarantined, expired, closed, counts_only } = result;
  if (problems > told) lines.push(`… and ${format(problems - told)} more problems.`);
  if (expired > 0) lines.push(`${format(expired)} were dropped by the retention since.`);
  if (closed > 0) lines.push(`${format(closed)} lie in gaps that were closed for want of room.`);
  if (counts_only > 0)
    lines.push(
      `Of ${format(counts_only)} epochs from an older version only the counts were compared.`,
    );
  const held = `${format(readings)} readings and ${format(quarantined)} in quarantine`;
  lines.push(
    ok
      ? `The tables hold what the ledger says: ${held}, each once.`
      : `THE TABLES DIFFER FROM THE LEDGER: ${held}, ${format(problems)} problems.`,
  );
  return lines;
}

function format(n: number): string {
  return n.toLocaleString('en');
}
