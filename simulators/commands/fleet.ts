/** `fms-sim fleet`. */

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { messageOf } from '../config.ts';
import { SimError } from '../errors.ts';
import { runFleet } from '../fleet.ts';
import type { FleetIdentities } from '../fleet-identities.ts';
import { enrolFleet, toIdentities } from '../fleet-identities.ts';
import type { FleetOptions, FleetReport } from '../fleet-options.ts';
import { fleetDefaults, tokens } from '../fleet-options.ts';
import type { FleetMode } from '../fleet-source.ts';
import { endSignal, openTruth } from './serve.ts';

export interface FleetCommandOptions {
  url: string;
  site: string;
  prefix: string;
  gateways: number;
  devices: number;
  channels: number;
  rate: number;
  batchMs: number;
  seconds?: number;
  token?: string;
  tokens?: string;
  identities?: string;
  mode: FleetMode;
  window: number;
  seed: string;
  api?: string;
  truth?: string;
  json?: boolean;
}

/** Returns the exit code: 1 when something sent was not acknowledged. */
export async function runFleetCommand(options: FleetCommandOptions): Promise<number> {
  for (const name of ['gateways', 'devices', 'channels', 'rate', 'batchMs', 'window'] as const) {
    if (!(options[name] > 0)) throw new SimError('SIM_OPTION_INVALID', `${name}: more than 0`);
  }
  const ending = new AbortController();
  void endSignal().then(() => ending.abort());
  const identities = await identitiesOf(options);
  const truth = openTruth(options.truth, 0);
  try {
    const report = await runFleet(
      {
        ...fleetDefaults,
        url: options.url,
        site: options.site,
        gatewayPrefix: options.prefix,
        gateways: options.gateways,
        devices: options.devices,
        channels: options.channels,
        rowsPerS: options.rate,
        batchIntervalMs: options.batchMs,
        seconds: options.seconds,
        tokenOf: tokenOf(options),
        identities,
        mode: options.mode,
        window: options.window,
        seed: options.seed,
        apiUrl: options.api,
        truth,
      },
      { progress: (line) => process.stderr.write(`${line}\n`), signal: ending.signal },
    );
    process.stdout.write(`${options.json === true ? JSON.stringify(report) : textOf(report)}\n`);
    return report.unackedBatches === 0 ? 0 : 1;
  } finally {
    truth.close();
  }
}

function tokenOf({ token, tokens: file }: FleetCommandOptions): FleetOptions['tokenOf'] {
  return tokens(token ?? process.env.FMS_SIM_TOKEN, readJson(file));
}

/** Of the file; without one they are come by with the one-time tokens, and kept there. */
async function identitiesOf(options: FleetCommandOptions): Promise<FleetIdentities | undefined> {
  const { identities: file, url, site, prefix, gateways } = options;
  const isTls = new URL(url).protocol === 'mqtts:';
  if (isTls !== (file !== undefined))
    throw new SimError('SIM_OPTION_INVALID', 'mqtts:// and --identities belong together');
  if (file === undefined) return undefined;
  if (existsSync(file)) return toIdentities(readJson(file), file);
  const ids = Array.from({ length: gateways }, (_, i) => ({ site, gateway: `${prefix}${i + 1}` }));
  const identities = await enrolFleet(url, ids, tokenOf(options));
  try {
    writeFileSync(file, JSON.stringify(identities), { mode: 0o600 });
  } catch (error) {
    throw new SimError('SIM_FILE_UNREADABLE', `${file}: ${messageOf(error)}`, { cause: error });
  }
  return identities;
}

function readJson(file: string | undefined): unknown {
  if (file === undefined) return undefined;
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as unknown;
  } catch (error) {
    throw new SimError('SIM_FILE_UNREADABLE', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

function textOf(report: FleetReport): string {
  const count = (value: number): string => Math.round(value).toLocaleString('en-US');
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const { ledger } = report;
  const stored =
    ledger === undefined
      ? 'not asked (--api)'
      : `${count(ledger.stored)} (quarantined ${count(ledger.quarantined)}, duplicates ${count(ledger.duplicates)}, in flight ${count(ledger.inFlight)}, balance ${ledger.balance})`;
  return [
    `sent          ${count(report.sentReadings)} readings in ${count(report.sentBatches)} batches, ${count(report.sentBytes)} bytes`,
    `acknowledged  ${count(report.ackedReadings)} readings, ${count(report.ackedReadingsPerS)} a second over ${report.seconds.toFixed(1)} s`,
    `stored        ${stored}`,
    `latency       p50 ${ms(report.p50Ms)}, p95 ${ms(report.p95Ms)}, p99 ${ms(report.p99Ms)}, max ${ms(report.maxMs)} (publish to PUBACK); from due p99 ${ms(report.dueP99Ms)}`,
    `trouble       ${count(report.connectionsLostTotal)} connections lost, ${count(report.resentBatches)} batches resent, ${count(report.skippedBatches)} skipped, ${count(report.unackedBatches)} unacknowledged`,
  ].join('\n');
}
