/**
 * Asks a store at rest: `node test/support/store-query.ts FOLDER SQL` prints the rows as JSON. A process
 * of its own, because the engine opens one folder a process.
 */

import { openChdbStore } from '../../collector/store/chdb.ts';

const LIMITS = { timeoutMs: 60_000, maxRows: 10_000, maxMemoryBytes: 2 * 1024 ** 3 };

const [path, sql] = process.argv.slice(2);
if (path === undefined || sql === undefined) throw new Error('usage: store-query.ts FOLDER SQL');
const store = await openChdbStore({ path });
console.log(JSON.stringify(await store.query(sql, {}, LIMITS)));
await store.close();
