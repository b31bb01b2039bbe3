/**
 * A process that is killed: `node rollup-child.ts DIR ROUND` follows the log of the folder with writers and
 * roll-ups, and appends readings of now and of a month without pause. Says a line once it has begun.
 */

import type { Reading } from '../../proto/model.ts';
import { Quality } from '../../proto/model.ts';
import { appendReadings, startRollupPlant } from './rollup-plant.ts';

const MONTH_MS = 30 * 86_400_000;

function readings(round: number, index: number, fromMs: number, stepMs: number): Reading[] {
  return Array.from({ length: 60 }, (_, i) => ({
    device: `D${index % 5}`,
    channel: i % 2 === 0 ? 'a' : 'b',
    timeMs: fromMs + i * stepMs,
    value: round * 1_000 + index + i,
    quality: Quality.GOOD,
  }));
}

const [, , dir = '', round = '0'] = process.argv;
const plant = await startRollupPlant(dir);
process.stdout.write('begun\n');
const monthMs = Date.now() - MONTH_MS;
for (let index = 0; ; index++) {
  const nowMs = Date.now();
  const isLate = index % 4 === 0;
  const batch = isLate
    ? readings(Number(round), index, monthMs + index * 900_000, 60_000)
    : readings(Number(round), index, nowMs - 5_000, 50);
  await appendReadings(plant.log, batch, { receivedMs: nowMs, gateway: `gw${round}` });
}
