/**
 * Ten million readings wait in an agent's buffer: seconds until all of them are queryable. The buffer is
 * filled by the buffer's own code, agent and collector are real processes.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { BenchOptions, Figures } from './main.ts';
import { Rig, round } from './rig.ts';

const READINGS = 10_000_000;
const TIMEOUT_MS = 900_000;
const FILL = fileURLToPath(new URL('../faults/support/fill-buffer.ts', import.meta.url));

/** `--readings=N` takes another number than ten million. */
export async function run({ log, dataDir, args }: BenchOptions): Promise<Figures> {
  const readings = Number(args.find((arg) => /^--readings=\d+$/.test(arg))?.slice(11) ?? READINGS);
  log(
    `load: ${readings.toLocaleString('en')} readings of 20 devices x 7 channels in one agent's buffer,`,
  );
  log('as after 20 hours without a collector; the collector runs and is empty');
  log('counted: from the start of the agent until a query of the store finds all of them; default');
  log('settings, profile, rules, data quality, roll-ups');
  log('left out: filling the buffer; TLS; a network');
  const rig = new Rig({ name: 'backlog', dataDir });
  try {
    const bytes = await fill(rig.agentFolder, readings);
    log(`the buffer takes ${(bytes / 2 ** 20).toFixed(1)} MiB`);
    await rig.start();
    const cpuStartS = rig.collector.cpuSeconds();
    const beganMs = performance.now();
    const agent = await rig.startAgent({ devicesPort: 0, devices: 0, intervalMs: 1_000 });
    let nextMs = beganMs;
    let rssMb = 0;
    let agentRssMb = 0;
    const seconds = () => (performance.now() - beganMs) / 1_000;
    await rig.untilStored(readings, TIMEOUT_MS, ({ rows_in_store }) => {
      rssMb = Math.max(rssMb, rig.collector.rssMb());
      agentRssMb = Math.max(agentRssMb, agent.rssMb());
      if (performance.now() < nextMs) return;
      nextMs += 5_000;
      log(`${seconds().toFixed(0)} s: ${rows_in_store.toLocaleString('en')} queryable`);
    });
    const tookS = seconds();
    const cpuS = rig.collector.cpuSeconds() - cpuStartS;
    const totals = await rig.settled(TIMEOUT_MS);
    log('targets: seconds ≤ 90 for ten million');
    return {
      seconds: round(tookS),
      readings_per_s: Math.round(totals.rows_in_store / tookS),
      readings,
      cpu_us_per_reading: round((cpuS / readings) * 1e6),
      rss_mb_max: Math.round(rssMb),
      agent_rss_mb_max: Math.round(agentRssMb),
      buffer_bytes_per_reading: round(bytes / readings),
      not_stored_once: readings - totals.rows_in_store,
      quarantined: totals.quarantined,
      duplicates: totals.duplicates,
      balance: totals.balance,
      ...(await rig.deepCheck()),
    };
  } finally {
    await rig.close();
  }
}

/** Answers the bytes of the buffer. The process that fills it is killed, as by a power cut. */
async function fill(folder: string, readings: number): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, [FILL, folder, String(readings), '1'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  let output = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.endsWith('\n')) child.kill('SIGKILL');
  });
  await gone;
  return (JSON.parse(output) as { bytes: number }).bytes;
}
