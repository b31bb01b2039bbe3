/**
 * Counts the roll-ups of a store at rest anew: `node test/faults/support/recount.ts STORE_FOLDER [TIME_ZONE
 * DAY_START_MINUTES]` prints a JSON array with a line for each difference. The calendar is that of site
 * demo. A process of its own, because the engine opens one folder a process.
 */

import { openChdbStore } from '../../../collector/store/chdb.ts';
import { differences } from '../../support/rollup-recount.ts';

const [path, timeZone, dayStart] = process.argv.slice(2);
if (path === undefined) throw new Error('usage: recount.ts FOLDER [TIME_ZONE DAY_START]');
const store = await openChdbStore({ path });
const calendar =
  timeZone === undefined ? [] : [['demo', { timeZone, dayStart: dayStart ?? '00:00' }] as const];
console.log(JSON.stringify(await differences(store, new Map(calendar))));
await store.close();
