/**
 * The contract over HTTP: always before the front (test/support/clickhouse-front.ts), and on a real server when
 * CLICKHOUSE_URL names one (CLICKHOUSE_USER, CLICKHOUSE_PASSWORD), in a database of its own.
 */

import { randomUUID } from 'node:crypto';
import { createClient } from '@clickhouse/client';
import t from 'tap';
import type { ClickHouseConfig } from '../../../collector/config.ts';
import { openClickHouseStore } from '../../../collector/store/clickhouse.ts';
import type { StoreUnderTest } from '../../contracts/store.ts';
import { storeContract } from '../../contracts/store.ts';
import { startClickHouseFront } from '../../support/clickhouse-front.ts';

async function under(clickhouse: ClickHouseConfig): Promise<StoreUnderTest> {
  let store = await openClickHouseStore({ clickhouse, retentionDays: 365_000 });
  return {
    store,
    reopen: async () => {
      await store.close();
      store = await openClickHouseStore({ clickhouse, retentionDays: 0 });
      return store;
    },
  };
}

t.test('the contract before the front', async (t) => {
  const front = await startClickHouseFront(t);
  await storeContract(t, () => under(front.config()));
});

const url = process.env.CLICKHOUSE_URL;
t.test(
  'the contract on a real server',
  { skip: url === undefined && 'CLICKHOUSE_URL is not set' },
  async (t) => {
    const username = process.env.CLICKHOUSE_USER ?? 'default';
    const password = process.env.CLICKHOUSE_PASSWORD ?? '';
    const database = `fms_test_${randomUUID().replaceAll('-', '')}`;
    const clickhouse = { url: url ?? '', username, password, database, tls: undefined };
    t.teardown(async () => {
      const client = createClient({ url: url ?? '', username, password });
      await client.command({ query: `DROP DATABASE IF EXISTS ${database} SYNC` });
      await client.close();
    });
    await storeContract(t, () => under(clickhouse));
  },
);
