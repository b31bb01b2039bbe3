/**
 * Writers in a process of their own, to be killed and frozen: `node test/support/writer-child.ts JSON` with the
 * ClickHouse configuration and the log's identity; the log comes over IPC (remote-log.ts). Prints `ready` when
 * the writers run, `fenced` when another process has taken over from them.
 */

import type { ClickHouseConfig } from '../../collector/config.ts';
import { openClickHouseStore } from '../../collector/store/clickhouse.ts';
import { startWriters } from '../../collector/store/writer.ts';
import { remoteLog } from './remote-log.ts';

const { clickhouse, identity } = JSON.parse(process.argv[2] ?? '{}') as {
  clickhouse: ClickHouseConfig;
  identity: string;
};
const store = await openClickHouseStore({ clickhouse, retentionDays: 0 });
const say = (fields: object): void => {
  if ('code' in fields && fields.code === 'STORE_PASS_REPLACED') console.log('replaced');
};
const all = new Set([0]);
const log = remoteLog(identity, 1);
const writers = startWriters({
  log: {
    ...log,
    openConsumer: async (...args) => {
      const session = await log.openConsumer(...args);
      const tell = async <Result>(result: Promise<Result>): Promise<Result> => {
        try {
          return await result;
        } catch (error) {
          if (String(error).includes('LOG_FENCED')) console.log('fenced');
          throw error;
        }
      };
      return {
        ...session,
        declareIntent: (from, to) => tell(session.declareIntent(from, to)),
        commitPosition: (to) => tell(session.commitPosition(to)),
      };
    },
  },
  store,
  share: { exclusive: false, owned: () => all, onChange: () => () => undefined },
  logger: { info: say, warn: say, error: say },
  insertIntervalMs: 0,
  backoffMinMs: 10,
  // It does not come back.
  fencedWaitMs: 2 ** 31 - 1,
});
writers.failed.then((error) => {
  if (error !== undefined) throw error;
});
console.log('ready');
