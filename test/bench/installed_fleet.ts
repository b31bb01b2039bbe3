/**
 * Thousands of gateways with certificates of their own on one collector with TLS: enrolled with one-time tokens, then
 * sending, then all back after a restart of the collector, with nothing lost.
 */

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { enrolFleet } from '../../simulators/fleet-identities.ts';
import type { FleetCounts, FleetReport } from '../../simulators/fleet-options.ts';
import { TlsCollector } from './installed_collector.ts';
import type { FleetOrder } from './installed_fleet_child.ts';
import type { Figures } from './main.ts';
import { round } from './rig.ts';

const BATCH_INTERVAL_MS = 10_000;
const STATE_INTERVAL_MS = 10_000;
/** Before the restart. */
const STEADY_MS = 30_000;
const RECONNECT_TIMEOUT_MS = 300_000;
const CHILD = fileURLToPath(new URL('./installed_fleet_child.ts', import.meta.url));

export async function measureFleet(
  { count, folder }: { count: number; folder: string },
  log: (line: string) => void,
): Promise<Figures> {
  log(
    `fleet: ${count} gateways with certificates, 5 devices x 7 channels each, every 10 s a batch`,
  );
  log('and a state; a whole handshake at each connection; from SIGTERM to the old collector:');
  log('stop_s until it has ended, reconnect_s until every gateway is connected to the new one,');
  log('with the backoff of agents, restart_s until that one is ready, caught up; the');
  log('fleet is another process on the same machine, TCP over loopback; left out: nothing of TLS');
  mkdirSync(folder, { recursive: true });
  const collector = await TlsCollector.start(folder);
  try {
    const names = Array.from({ length: count }, (_, i) => ({
      site: 'demo',
      gateway: `fleet${i + 1}`,
    }));
    const tokens = await collector.tokens(names);
    const byName = new Map(names.map(({ gateway }, i) => [gateway, tokens[i] ?? '']));
    const enrolledMs = performance.now();
    const identities = await enrolFleet(
      collector.url,
      names,
      ({ gateway }) => byName.get(gateway) ?? '',
    );
    const enrolS = (performance.now() - enrolledMs) / 1_000;
    log(`enrolled in ${round(enrolS)} s`);
    const file = join(folder, 'fleet.json');
    const order: FleetOrder = {
      identities,
      url: collector.url,
      apiUrl: collector.base,
      gateways: count,
      batchIntervalMs: BATCH_INTERVAL_MS,
      stateIntervalMs: STATE_INTERVAL_MS,
    };
    writeFileSync(file, JSON.stringify(order), { mode: 0o600 });
    const measured = await withRestart(await FleetProcess.start(file, log), collector, count);
    return { enrol_s: round(enrolS), ...measured };
  } finally {
    await collector.stop();
  }
}

async function withRestart(
  fleet: FleetProcess,
  collector: TlsCollector,
  count: number,
): Promise<Figures> {
  try {
    const beganMs = performance.now();
    let rssMb = 0;
    while (performance.now() - beganMs < STEADY_MS) {
      await pause(500);
      rssMb = Math.max(rssMb, collector.child.rssMb());
    }
    const restartMs = performance.now();
    const sinceRestartS = (): number => (performance.now() - restartMs) / 1_000;
    await collector.stop();
    const stopS = sinceRestartS();
    while (fleet.connected > 0 && sinceRestartS() < RECONNECT_TIMEOUT_MS / 1_000) await pause(20);
    // Gateways come in before the processors have caught up, which is when it is ready.
    const ready = collector.start().then(sinceRestartS);
    ready.catch(() => {});
    while (fleet.connected < count && sinceRestartS() < RECONNECT_TIMEOUT_MS / 1_000)
      await pause(20);
    const backS = sinceRestartS();
    const downS = await ready;
    const missing = count - fleet.connected;
    const afterMb = collector.child.rssMb();
    const report = await fleet.end();
    return {
      fleet_rss_mb: Math.round(Math.max(rssMb, afterMb)),
      stop_s: round(stopS),
      restart_s: round(downS),
      reconnect_s: missing === 0 ? round(backS) : `${missing} not back`,
      p99_ms: round(report.p99Ms),
      resent_batches: report.resentBatches,
      unacked_batches: report.unackedBatches,
      skipped_batches: report.skippedBatches,
      unaccounted_readings: unaccounted(report),
      balance: report.ledger?.balance ?? 'not asked',
    };
  } finally {
    fleet.kill();
  }
}

function unaccounted({ ledger, ackedReadings }: FleetReport): number | string {
  return ledger === undefined ? 'not asked' : ackedReadings - ledger.stored - ledger.quarantined;
}

/** What the child says: counts, ten times a second, and the report at the end. */
export type FleetWord = { started: true } | { counts: FleetCounts } | { report: FleetReport };

class FleetProcess {
  connected = 0;
  readonly #child: ReturnType<typeof fork>;
  readonly #started = Promise.withResolvers<void>();
  readonly #reported = Promise.withResolvers<FleetReport>();

  /** Resolves when all are connected. */
  static async start(file: string, log: (line: string) => void): Promise<FleetProcess> {
    const fleet = new FleetProcess(file, log);
    await fleet.#started.promise;
    return fleet;
  }

  private constructor(file: string, log: (line: string) => void) {
    this.#child = fork(CHILD, [file], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
    this.#child.stdout?.on('data', (text: Buffer) => log(text.toString().trimEnd()));
    this.#child.on('message', (word: FleetWord) => {
      if ('counts' in word) this.connected = word.counts.connected;
      else if ('report' in word) this.#reported.resolve(word.report);
      else this.#started.resolve();
    });
    void once(this.#child, 'exit').then(([code]) => {
      const error = new Error(`the fleet ended with ${String(code)}`);
      this.#started.reject(error);
      this.#reported.reject(error);
    });
    this.#reported.promise.catch(() => undefined);
  }

  /** Sends no more, awaits what is under way and asks the ledger. */
  async end(): Promise<FleetReport> {
    this.#child.send('end');
    return await this.#reported.promise;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
