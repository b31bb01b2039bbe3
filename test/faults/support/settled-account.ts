/** The end of a test of losses: the account of account.ts, and the roll-ups against a recount. */

import { join } from 'node:path';
import type { Plant } from '../../support/plant.ts';
import { run, until } from '../../support/plant.ts';
import type { Excuse } from '../../support/truth-comparison.ts';
import type { Account } from './account.ts';
import { account } from './account.ts';

export interface SettledAccount extends Account {
  /** By reason: readings. */
  gaps: Record<string, number>;
}

/** Stops every part of the plant, in order. */
export async function settledAccount(
  plant: Plant,
  excuses: readonly Excuse[] = [],
): Promise<SettledAccount> {
  await plant.stopAgent();
  // Waits for the writers, too.
  await plant.deepCheck();
  await until('the roll-ups to be complete', 300_000, async () => {
    return (await plant.metric('collector', 'fms_collector_rollup_settled')) === 1;
  });
  const ledger = await plant.settleCollector(300_000);
  const result = await account(plant, ledger, { excuses });
  const store = join(plant.collectorDataFolder, 'store');
  const wrong = JSON.parse(await run(['test/faults/support/recount.ts', store])) as string[];
  result.problems.push(...wrong.map((line) => `roll-ups: ${line}`));
  const gaps: Record<string, number> = {};
  for (const item of ledger)
    for (const [reason, readings] of Object.entries(item.gaps))
      gaps[reason] = (gaps[reason] ?? 0) + readings;
  return { ...result, gaps };
}
