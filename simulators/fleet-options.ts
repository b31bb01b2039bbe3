/** What `fms-sim fleet` is told, and what it reports. */

import type { GatewayId } from '../proto/topics.ts';
import { SimError } from './errors.ts';
import type { FleetIdentities } from './fleet-identities.ts';
import type { FleetMode } from './fleet-source.ts';
import type { TruthSink } from './truth.ts';
import { noTruth } from './truth.ts';

export interface FleetOptions {
  /** mqtt://host:port, or mqtts:// with `identities`. */
  url: string;
  site: string;
  /** How many; their names are the prefix and 1, 2, 3 … */
  gateways: number;
  gatewayPrefix: string;
  /** Devices of a gateway, channels of a device. */
  devices: number;
  channels: number;
  /** Rows a second of each device. */
  rowsPerS: number;
  /** Each gateway publishes a batch so often: rowsPerS * batchIntervalMs / 1000 rows a device. */
  batchIntervalMs: number;
  /** How long batches fall due; undefined: until the signal. */
  seconds: number | undefined;
  /** The token of a gateway. */
  tokenOf: (gateway: GatewayId) => string;
  /** Their certificates; undefined: tokens. */
  identities: FleetIdentities | undefined;
  mode: FleetMode;
  /** Batches of a gateway sent and not acknowledged; more wait. */
  window: number;
  /** Connections opened a second at the start. */
  connectPerS: number;
  /** How often a gateway publishes its state; 0: only when it connects. */
  stateIntervalMs: number;
  seed: number | string;
  /** How long the last acknowledgements are awaited. */
  drainMs: number;
  /** Address of the collector's API, to ask its ledger what was stored; undefined: not asked. */
  apiUrl: string | undefined;
  truth: TruthSink;
}

export const fleetDefaults: Omit<FleetOptions, 'url' | 'tokenOf'> = {
  site: 'demo',
  gateways: 10,
  gatewayPrefix: 'fleet',
  devices: 5,
  channels: 7,
  rowsPerS: 1,
  batchIntervalMs: 1_000,
  seconds: undefined,
  mode: 'live',
  window: 8,
  connectPerS: 500,
  stateIntervalMs: 0,
  seed: 1,
  drainMs: 30_000,
  identities: undefined,
  apiUrl: undefined,
  truth: noTruth,
};

export interface FleetHooks {
  /** One line a second. */
  progress: (line: string, counts: Readonly<FleetCounts>) => void;
  /** Ends the sending; what is under way is still awaited. */
  signal: AbortSignal;
  /** All gateways are connected for the first time, and batches begin to fall due. `counts` live on. */
  onStarted?: (counts: Readonly<FleetCounts>) => void;
  /** While it answers true nothing falls due: a closed loop. The schedule goes on from there later. */
  hold?: () => boolean;
}

export interface FleetCounts {
  connected: number;
  connectionsTotal: number;
  connectFailuresTotal: number;
  connectionsLostTotal: number;
  dueBatches: number;
  sentBatches: number;
  sentReadings: number;
  sentBytes: number;
  ackedBatches: number;
  ackedReadings: number;
  /** Sent again after a connection was lost. */
  resentBatches: number;
  /** Fell due while too many waited, and were never made. */
  skippedBatches: number;
  statesSent: number;
  lastError: string;
}

export interface FleetReport extends FleetCounts {
  /** From the first due batch to the last acknowledgement. */
  seconds: number;
  ackedReadingsPerS: number;
  /** Of batches; publish to PUBACK, the first publish when it was sent again. */
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  maxMs: number;
  /** Due to PUBACK: what an open loop makes of a collector that falls behind. */
  dueP99Ms: number;
  /** Due to publish: how late this generator was. */
  latenessP99Ms: number;
  unackedBatches: number;
  /** What the ledger says of these epochs; undefined when it was not asked or did not answer. */
  ledger: FleetLedger | undefined;
}

export interface FleetLedger {
  stored: number;
  quarantined: number;
  duplicates: number;
  gapReadings: number;
  inFlight: number;
  /** Sum of the sizes: 0 when every epoch balances. */
  balance: number;
}

/** A function that knows every gateway's token: a common one, or a JSON object `site/gateway` → token. */
export function tokens(common: string | undefined, byGateway: unknown): FleetOptions['tokenOf'] {
  const known = byGateway === undefined ? {} : byGateway;
  if (typeof known !== 'object' || known === null || Array.isArray(known)) {
    throw new SimError('SIM_OPTION_INVALID', '--tokens: not a JSON object of site/gateway → token');
  }
  const table = new Map(Object.entries(known));
  return ({ site, gateway }) => {
    const token: unknown = table.get(`${site}/${gateway}`) ?? common;
    if (typeof token === 'string') return token;
    throw new SimError('SIM_OPTION_INVALID', `no token for ${site}/${gateway}`);
  };
}
