/**
 * Readings a second from the gateway's publish until a query of the store finds them, through a whole
 * collector with rules, data quality and roll-ups, at the fastest pace that it keeps up.
 */

import { CHANNELS, closedLoop, DEVICES, GATEWAYS } from './closed_loop.ts';
import type { BenchOptions, Figures } from './main.ts';
import { quantile, Rig, round } from './rig.ts';

/** Sent and not yet queryable: at so many the generator waits. Two or three seconds of work. */
const AHEAD_MAX = 400_000;
const DRAIN_MS = 120_000;
/** What comes before counts as warming up, for memory. */
const SETTLED_S = 20;

interface Sample {
  atS: number;
  queryable: number;
  rssMb: number;
}

/** `--ahead=N` readings may be under way instead of 400,000. */
export async function run({ log, seconds = 60, dataDir, args }: BenchOptions): Promise<Figures> {
  const ahead = Number(args.find((arg) => /^--ahead=\d+$/.test(arg))?.slice(8) ?? AHEAD_MAX);
  log(
    `load: ${GATEWAYS} gateways x ${DEVICES} devices x ${CHANNELS} channels, a batch of each gateway a second;`,
  );
  log(
    `closed loop: at most ${ahead.toLocaleString('en')} readings sent and not yet found by a query`,
  );
  log(
    'counted: rows that a query finds within the time, from the first publish on; user and system',
  );
  log('CPU of the collector over all readings, drain included; RSS from /proc');
  log('included: the generator (values drawn, encoded, compressed), on the same machine; default');
  log(
    'profile, rules, data quality, roll-ups. Left out: agents and devices, TLS, real disks’ sync',
  );
  const rig = new Rig({ name: 'pipeline', dataDir, fleet: GATEWAYS });
  try {
    await rig.start();
    return await measure(rig, seconds, ahead, log);
  } finally {
    await rig.close();
  }
}

async function measure(
  rig: Rig,
  seconds: number,
  ahead: number,
  log: (line: string) => void,
): Promise<Figures> {
  const samples: Sample[] = [];
  const rssStartMb = rig.collector.rssMb();
  let startedMs = 0;
  let cpuStartS = 0;
  const ownStart = process.cpuUsage();
  const report = await closedLoop(rig, {
    seconds,
    ahead,
    onStarted: () => {
      cpuStartS = rig.collector.cpuSeconds();
      startedMs = performance.now();
    },
    onAnswer: (atS, queryable) => samples.push({ atS, queryable, rssMb: rig.collector.rssMb() }),
    progress: (sent, queryable) => {
      const { atS, rssMb } = samples.at(-1) ?? { atS: 0, rssMb: rssStartMb };
      log(
        `${atS.toFixed(0)} s: ${sent.toLocaleString('en')} sent, ${queryable.toLocaleString('en')} queryable, RSS ${rssMb.toFixed(0)} MB`,
      );
    },
  });
  await rig.untilStored(report.ackedReadings, DRAIN_MS);
  const allS = (performance.now() - startedMs) / 1_000;
  const cpuS = rig.collector.cpuSeconds() - cpuStartS;
  const own = process.cpuUsage(ownStart);
  const totals = await rig.settled(DRAIN_MS);
  log('targets: readings_per_s ≥ 120,000; cpu_us_per_reading ≤ 8; rss_growth_mb about 0');
  const within = samples.filter(({ atS }) => atS <= seconds);
  const last = within.at(-1);
  if (last === undefined) throw new Error('too short to measure');
  const settledS = Math.min(SETTLED_S, seconds / 3);
  const rss = (fromS: number, toS: number) =>
    quantile(
      within.filter(({ atS }) => atS >= fromS && atS <= toS).map(({ rssMb }) => rssMb),
      0.5,
    );
  const rssSettledMb = rss(settledS, settledS * 1.5);
  const rssEndMb = rss(seconds - settledS / 2, seconds);
  return {
    readings_per_s: Math.round(last.queryable / last.atS),
    cpu_us_per_reading: round((cpuS / totals.rows_in_store) * 1e6),
    rss_mb_start: Math.round(rssStartMb),
    rss_mb_settled: Math.round(rssSettledMb),
    rss_mb_end: Math.round(rssEndMb),
    rss_growth_mb: Math.round(rssEndMb - rssSettledMb),
    readings: totals.rows_in_store,
    readings_per_s_with_drain: Math.round(totals.rows_in_store / allS),
    generator_cpu_us_per_reading: round((own.user + own.system) / report.sentReadings),
    puback_p99_ms: round(report.p99Ms),
    not_stored_once: report.ackedReadings - totals.rows_in_store,
    quarantined: totals.quarantined,
    duplicates: totals.duplicates,
    balance: totals.balance,
    ...(await rig.deepCheck()),
  };
}
