/**
 * fms-collector that is told to reload while it starts: its profiles are read by then, its log is not open yet.
 * Before that profiles/a.yaml beside its configuration becomes what PROFILE says:
 * `PROFILE=… node test/support/reloaded-collector.ts run --config FILE`.
 */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../../collector/commands/run.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import { QUICK_PASSWORDS } from './quick-pace.ts';

const file = process.argv[process.argv.indexOf('--config') + 1];
const { PROFILE: profile, ...env } = process.env;
if (file === undefined || profile === undefined)
  throw new Error('usage: PROFILE=… run --config FILE');
await run(file, '0.0.0-test', env, {
  passwordCost: QUICK_PASSWORDS,
  openLog: async (options) => {
    writeFileSync(join(dirname(file), 'profiles/a.yaml'), profile);
    const heard = once(process, 'SIGHUP');
    process.kill(process.pid, 'SIGHUP');
    await heard;
    return await openSqliteLog(options);
  },
});
