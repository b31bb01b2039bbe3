/** Readers of the event stream beside the fastest load: what they cost the intake. */

import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import { closedLoop, GATEWAYS } from './closed_loop.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, Rig, round } from './rig.ts';

const READERS = 200;
const ROUNDS = 4;
const AHEAD = 400_000;
const SECONDS = 12;
const READER = fileURLToPath(new URL('web_readers.ts', import.meta.url));

/** Rounds without and with readers take turns; each pair gives one ratio, the median is the figure. */
export async function streamFigures({ log, dataDir, seconds }: BenchOptions): Promise<Figures> {
  log(
    `stream: ${READERS} readers, each of one device's readings and of all alerts, on this machine`,
  );
  const rig = new Rig({ name: 'web-stream', dataDir, fleet: GATEWAYS });
  try {
    await rig.start();
    const each = seconds ?? SECONDS;
    await paceOf(rig, each);
    const pairs: { without: number; with: number }[] = [];
    let bytes = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const without = await paceOf(rig, each);
      const readers = new Child([READER, rig.url, String(READERS)]);
      await readers.line(/reading/, 60_000);
      const beside = await paceOf(rig, each);
      readers.process.kill('SIGINT');
      bytes += Number((await readers.line(/(\d+) bytes/, 30_000))[1]);
      await readers.stop();
      pairs.push({ without, with: beside });
      log(`${Math.round(without)} readings/s without, ${Math.round(beside)} with readers`);
    }
    const slowdowns = pairs.map((pair) => 100 * (1 - pair.with / pair.without));
    return {
      stream_slowdown_percent: round(quantile(slowdowns, 0.5)),
      stream_readers: READERS,
      readings_per_s_without: Math.round(
        quantile(
          pairs.map((pair) => pair.without),
          0.5,
        ),
      ),
      readings_per_s_with: Math.round(
        quantile(
          pairs.map((pair) => pair.with),
          0.5,
        ),
      ),
      stream_bytes_per_reader: Math.round(bytes / ROUNDS / READERS),
    };
  } finally {
    await rig.close();
  }
}

/** Readings a second from publish until a query finds them. */
async function paceOf(rig: Rig, seconds: number): Promise<number> {
  let last = { atS: 0, queryable: 0 };
  const report = await closedLoop(rig, {
    seconds,
    ahead: AHEAD,
    onStarted: () => undefined,
    onAnswer: (atS, queryable) => {
      if (atS <= seconds || last.atS === 0) last = { atS, queryable };
    },
    progress: () => undefined,
  });
  if (report.ackedReadings === 0) throw new Error('nothing was acknowledged');
  await rig.settled(120_000);
  return last.queryable / last.atS;
}
