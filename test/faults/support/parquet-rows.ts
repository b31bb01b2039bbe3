/**
 * Prints the rows of Parquet files as JSON lines: `node test/faults/support/parquet-rows.ts FILE...`. A
 * process of its own with an engine of its own.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openChdbStore } from '../../../collector/store/chdb.ts';

const LIMITS = { timeoutMs: 60_000, maxRows: 100_000, maxMemoryBytes: 2 * 1024 ** 3 };

const folder = mkdtempSync(join(tmpdir(), 'fms-parquet-'));
const store = await openChdbStore({ path: folder });
for (const file of process.argv.slice(2)) {
  const sql = 'SELECT * FROM file({file:String}, Parquet)';
  for (const row of await store.query<object>(sql, { file }, LIMITS))
    console.log(JSON.stringify(row));
}
await store.close();
rmSync(folder, { recursive: true, force: true });
