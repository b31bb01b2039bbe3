/** Measures what the default set costs, in a process that has done nothing else. Prints a line of JSON. */

import { configurationOf, profileOf } from '../../collector/backtest/profile.ts';
import { measureCost, measureMemory } from './detect_cost.ts';

const ROWS = 1_200;
const DEVICES = 100;

const profile = profileOf({ name: 'fms', config: '', env: {} });
const configuration = configurationOf(profile, { trainRows: undefined, intervalMs: undefined });
// Memory first: what the other leaves behind would be collected in between.
const memory = measureMemory(configuration, DEVICES);
const cost = measureCost(configuration, ROWS);
process.stdout.write(`${JSON.stringify({ cost, memory })}\n`);
