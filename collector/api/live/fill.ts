/** Reads the newest values, gateway states and accounts from the store, page by page. */

import type { DeviceEntry } from '../../processor/outputs/device.ts';
import type { GatewayEntry } from '../../processor/outputs/gateway.ts';
import type { LedgerEntry } from '../../processor/outputs/ledger.ts';
import type { Store } from '../../store/store.ts';
import { toAlert, toAnomaly, toMark, toSilence } from '../alert_rows.ts';
import type { LiveAlerts } from './alerts.ts';
import type { LiveDevices, StoredChannel } from './devices.ts';
import type { LiveFleet } from './fleet.ts';

const PAGE_ROWS = 20_000;
const LIMITS = {
  timeoutMs: 60_000,
  maxRows: PAGE_ROWS,
  maxMemoryBytes: 512 * 1024 * 1024,
};

interface Source {
  /** A table or a subquery. */
  from: string;
  columns: string;
  /** Sort key of the table: unique, text. */
  key: readonly string[];
}

const DEVICES: Source = {
  from: 'devices FINAL',
  columns:
    'site, device, gateway, channel, time_ms, if(isFinite(value), value, NULL) AS value, text, quality, received_ms',
  key: ['site', 'device', 'channel'],
};

const GATEWAYS: Source = { from: 'gateways FINAL', columns: '*', key: ['site', 'gateway'] };
const LEDGER: Source = { from: 'ledger FINAL', columns: '*', key: ['site', 'gateway', 'epoch'] };

/** Every change of a device is kept there: the newest of each gateway counts. */
const STATES: Source = {
  from: '(SELECT * FROM device_states ORDER BY updated_ms DESC LIMIT 1 BY site, device, gateway)',
  columns: '*',
  key: ['site', 'device', 'gateway'],
};

const OF_LOG = "({log_id:String} = '' OR log_id = {log_id:String})";

/** The inner query reads few columns of the whole history, the outer one all of the few rows that are open. */
const ALERTS: Source = {
  from: `(SELECT * FROM alerts FINAL WHERE (started_ms, site, id) IN (
  SELECT started_ms, site, id FROM alerts FINAL WHERE state != 'resolved' AND ${OF_LOG}))`,
  columns: '*',
  key: ['id'],
};
const ANOMALIES: Source = {
  from: `(SELECT * FROM anomalies FINAL WHERE (onset_ms, site, id) IN (
  SELECT onset_ms, site, id FROM anomalies FINAL WHERE state = 'open' AND ${OF_LOG}))`,
  columns: '*',
  key: ['id'],
};
/** As many as are kept: those that end last, and those that were said last. */
const SILENCES: Source = {
  from: '(SELECT * FROM silences FINAL ORDER BY until_ms DESC LIMIT 5000)',
  columns: '*',
  key: ['id'],
};
const MARKS: Source = {
  from: '(SELECT * FROM anomaly_marks FINAL ORDER BY marked_ms DESC LIMIT 5000)',
  columns: '*',
  key: ['anomaly'],
};

export interface Filled {
  devices: LiveDevices;
  fleet: LiveFleet;
  alerts: LiveAlerts;
  /** Log.identity: what is open of another log is over. '': whichever. */
  logId: string;
}

export async function fillFromStore(
  store: Pick<Store, 'query'>,
  { devices, fleet, alerts, logId }: Filled,
  signal: AbortSignal,
): Promise<void> {
  for await (const row of rowsOf(store, GATEWAYS, signal)) {
    const entry = toGateway(row);
    // What the log brought meanwhile is as new or newer.
    if (fleet.gateway(entry.site, entry.gateway) === undefined) fleet.putGateway(entry);
  }
  for await (const row of rowsOf(store, LEDGER, signal)) {
    const entry = toLedger(row);
    const known = fleet.ledgerOf(entry.site, entry.gateway);
    if (!known.some(({ epoch }) => epoch === entry.epoch)) fleet.putLedger(entry);
  }
  // Values first: a device that is listed then has them.
  for await (const row of rowsOf(store, DEVICES, signal)) devices.applyStored(toChannel(row));
  for await (const row of rowsOf(store, STATES, signal)) devices.applyEntry(toEntry(row));
  // A mark before its anomaly, so that it is there when somebody asks.
  for await (const row of rowsOf(store, MARKS, signal)) alerts.putMark(toMark(row));
  for await (const row of rowsOf(store, SILENCES, signal)) alerts.putSilence(toSilence(row));
  const params = { log_id: logId };
  for await (const row of rowsOf(store, ANOMALIES, signal, params))
    alerts.putAnomaly(toAnomaly(row));
  for await (const row of rowsOf(store, ALERTS, signal, params)) alerts.putAlert(toAlert(row));
  alerts.setFilled();
}

type Row = Record<string, unknown>;

async function* rowsOf(
  store: Pick<Store, 'query'>,
  { from, columns, key }: Source,
  signal: AbortSignal,
  more: Record<string, unknown> = {},
): AsyncGenerator<Row> {
  const order = key.join(', ');
  const placeholders = key.map((_, i) => `{k${i}:String}`).join(', ');
  let after: Row | undefined;
  while (!signal.aborted) {
    const params: Record<string, unknown> = { ...more, limit: PAGE_ROWS };
    if (after !== undefined) for (const [i, name] of key.entries()) params[`k${i}`] = after[name];
    const where = after === undefined ? '' : `WHERE (${order}) > (${placeholders})`;
    const rows: Row[] = await store.query<Row>(
      `SELECT ${columns} FROM ${from} ${where} ORDER BY ${order} LIMIT {limit:UInt32}`,
      params,
      LIMITS,
      signal,
    );
    yield* rows;
    if (rows.length < PAGE_ROWS) return;
    after = rows.at(-1);
  }
}

function toChannel(row: Row): StoredChannel {
  return {
    site: String(row.site),
    device: String(row.device),
    gateway: String(row.gateway),
    channel: String(row.channel),
    timeMs: Number(row.time_ms),
    value: typeof row.value === 'number' ? row.value : null,
    text: typeof row.text === 'string' ? row.text : null,
    quality: Number(row.quality),
    receivedMs: Number(row.received_ms),
  };
}

function toEntry(row: Row): DeviceEntry {
  const channels = parseJson<unknown[]>(row.channels, []);
  return {
    site: String(row.site),
    device: String(row.device),
    gateway: String(row.gateway),
    area: String(row.area),
    line: String(row.line),
    profile: String(row.profile),
    intervalMs: Number(row.interval_ms),
    channels: Array.isArray(channels) ? channels.map(String) : [],
    state: row.state as DeviceEntry['state'],
    firstReceivedMs: Number(row.first_received_ms),
    lastReceivedMs: Number(row.last_received_ms),
    lastMs: Number(row.last_ms),
    updatedMs: Number(row.updated_ms),
  };
}

function toGateway(row: Row): GatewayEntry {
  return {
    site: String(row.site),
    gateway: String(row.gateway),
    online: Number(row.online) === 1,
    version: String(row.version),
    installId: String(row.install_id),
    epoch: String(row.epoch),
    lastSeq: Number(row.last_seq),
    bufferReadings: Number(row.buffer_readings),
    bufferBytes: Number(row.buffer_bytes),
    bufferSecondsUntilEviction: Number(row.buffer_seconds_until_eviction),
    clockUnsynced: Number(row.clock_unsynced) === 1,
    clockStepMs: Number(row.clock_step_ms),
    readers: parseJson<GatewayEntry['readers']>(row.readers, []),
    stateMs: Number(row.state_ms),
    updatedMs: Number(row.updated_ms),
  };
}

function toLedger(row: Row): LedgerEntry {
  return {
    site: String(row.site),
    gateway: String(row.gateway),
    epoch: String(row.epoch),
    openedMs: Number(row.opened_ms),
    lastSeq: Number(row.last_seq),
    stored: Number(row.stored),
    quarantined: Number(row.quarantined),
    duplicates: Number(row.duplicates),
    gaps: parseJson<Record<string, number>>(row.gaps, {}),
    gapReadings: Number(row.gap_readings),
    inFlight: Number(row.in_flight),
    storedSum: String(row.stored_sum),
    quarantinedSum: String(row.quarantined_sum),
    sumBalance: String(row.sum_balance),
    seen: parseJson<number[]>(row.seen, []),
    closed: Number(row.closed),
    balance: Number(row.balance),
    updatedMs: Number(row.updated_ms),
  };
}

function parseJson<T extends object>(text: unknown, otherwise: T): T {
  try {
    const value: unknown = JSON.parse(String(text));
    return typeof value === 'object' && value !== null ? (value as T) : otherwise;
  } catch {
    return otherwise;
  }
}
