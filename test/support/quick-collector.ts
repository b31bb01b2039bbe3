/**
 * fms-collector with roll-ups that rest little: for tests that wait until those are complete, which else takes
 * up to half a minute of doing nothing: `node test/support/quick-collector.ts run --config FILE`.
 */

import { run } from '../../collector/commands/run.ts';
import { QUICK_PACE, QUICK_PASSWORDS } from './quick-pace.ts';

const file = process.argv[process.argv.indexOf('--config') + 1];
if (file === undefined) throw new Error('usage: run --config FILE');
await run(file, '0.0.0-test', process.env, {
  rollupPace: QUICK_PACE,
  passwordCost: QUICK_PASSWORDS,
});
