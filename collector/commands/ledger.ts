/** `fms-collector ledger`: asks a running collector and prints the account of every gateway. */

import { CollectorError } from '../errors.ts';
import { deepCheck } from '../ledger/ask_deep.ts';
import type { Answer } from '../ledger/report.ts';
import { report } from '../ledger/report.ts';
import type { Output } from './check.ts';
import type { Api } from './client.ts';
import { ApiRefusal, apiOf, askApi } from './client.ts';

export interface LedgerOptions {
  config: string;
  url?: string | undefined;
  epochs?: boolean | undefined;
  deep?: boolean | undefined;
  site?: string | undefined;
  gateway?: string | undefined;
  json?: boolean | undefined;
}

const TIMEOUT_MS = 15_000;

/**
 * Prints and returns the exit code: 0 balances, 1 does not, 2 configuration, 3 no answer. With `deep` also
 * the comparison with the tables, which says how far it is on `output.error`; with `json` the answers,
 * one line each.
 */
export async function ledger(
  options: LedgerOptions,
  env: Record<string, string | undefined>,
  output: Output,
): Promise<number> {
  const base = apiOf(options, env, output);
  if (base === undefined) return 2;
  const { site, gateway, json = false } = options;
  const scope = new URLSearchParams();
  if (site !== undefined) scope.set('site', site);
  if (gateway !== undefined) scope.set('gateway', gateway);
  try {
    const answer = await readAll(base, scope);
    if (json) output.log(JSON.stringify(answer));
    else for (const line of report(answer, options.epochs === true)) output.log(line);
    const { balance, sums_off } = answer.totals;
    const balances = balance === 0 && sums_off === 0 && answer.complete;
    if (options.deep !== true) return balances ? 0 : 1;
    const isRight = await deepCheck(base, scope, json, output);
    return balances && isRight ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ApiRefusal || error instanceof CollectorError)) throw error;
    output.error(`${error.message}\n${error.hint}`);
    return 3;
  }
}

async function readAll(base: Api, scope: URLSearchParams): Promise<Answer> {
  let whole: Answer | undefined;
  let cursor = '';
  for (;;) {
    const parameters = new URLSearchParams(scope);
    parameters.set('limit', '1000');
    if (cursor !== '') parameters.set('cursor', cursor);
    const response = await askApi(base, `/api/v1/ledger?${parameters}`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const page = (await response.json()) as Answer;
    if (whole === undefined) whole = page;
    else whole.items.push(...page.items);
    if (page.next === null) return whole;
    cursor = page.next;
  }
}
