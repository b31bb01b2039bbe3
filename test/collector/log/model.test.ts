import fc from 'fast-check';
import t from 'tap';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { settings } from '../../contracts/log.ts';
import { LogModel, PARTITIONS, steps } from '../../contracts/log-model.ts';
import { silentLogger } from '../../support/silent-logger.ts';

t.test('random histories end as the model says', async (t) => {
  const folder = t.testdir();
  let run = 0;
  await fc.assert(
    fc.asyncProperty(steps, async (history) => {
      run += 1;
      const open = () =>
        openSqliteLog({
          ...settings({ partitions: PARTITIONS, retentionMs: 0, retentionBytes: 0 }),
          path: `${folder}/${run}.sqlite`,
          log: silentLogger,
        });
      let log = await open();
      try {
        const model = new LogModel(log, async () => {
          await log.close();
          log = await open();
          return log;
        });
        await model.run(history);
      } finally {
        await log.close();
      }
    }),
    { numRuns: 60 },
  );
  t.ok(run >= 60, `${run} histories`);
});
