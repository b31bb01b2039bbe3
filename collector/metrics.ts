/** /metrics: every figure is read when it is asked for, so parts only keep counters of their own. */

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { ALERT_SEVERITIES } from './alert.ts';
import type { ReadinessCheck } from './api/context.ts';
import { ledgerSums } from './api/ledger.ts';
import type { LiveAlerts } from './api/live/alerts.ts';
import type { KnownHead } from './api/live/audit.ts';
import type { LiveDevices } from './api/live/devices.ts';
import type { LiveFleet } from './api/live/fleet.ts';
import type { StreamStats } from './api/stream.ts';
import type { BrokerMetrics } from './broker/metrics.ts';
import { ACK_LATENCY_BUCKETS_SECONDS } from './broker/metrics.ts';
import { COMPONENTS } from './config.ts';
import type { LogStats } from './log/log.ts';
import { notifyMetrics } from './notifiers/metrics.ts';
import type { NotifyStatus } from './notifiers/status.ts';
import type { Team } from './parts/team.ts';
import type { PartitionStatus } from './processing.ts';
import type { ConfigurationStatus } from './profiles/live.ts';
import type { SpaceStatus } from './space.ts';
import type { RollupStatus } from './store/rollups.ts';
import type { Store } from './store/store.ts';
import type { WriterStatus } from './store/writer.ts';
import type { TrustStatus } from './trust/metrics.ts';
import { trustMetrics } from './trust/metrics.ts';
import type { Clock } from './types.ts';

export interface MetricSources {
  clock: Clock;
  version: string;
  startedMs: number;
  readiness: () => ReadinessCheck[];
  configuration: () => ConfigurationStatus;
  /** Undefined: no other process works on the log. */
  team: () => Pick<Team, 'members' | 'share'> | undefined;
  fleet: LiveFleet;
  devices: LiveDevices;
  /** Undefined in a process that does not follow them. */
  alerts: () => LiveAlerts | undefined;
  /** Undefined: no entry is known. */
  auditHead: () => KnownHead | undefined;
  /** Undefined while that part is not there. */
  log: () => LogStats | undefined;
  store: () => ReturnType<Store['stats']> | undefined;
  streams: () => StreamStats | undefined;
  broker: () => { accepting: boolean; bytesInFlight: number } | undefined;
  processing: () => PartitionStatus[];
  writers: () => WriterStatus[];
  rollups: () => RollupStatus | undefined;
  space: () => SpaceStatus | undefined;
  notify: () => NotifyStatus | undefined;
  trust: () => TrustStatus | undefined;
  operations: () => { paused: boolean; backingUp: boolean };
}

export interface Metrics {
  /** Prometheus text. */
  text(): Promise<string>;
  /** Given to the broker, which tells rather than keeps. */
  broker: BrokerMetrics;
}

const PREFIX = 'fms_collector_';

type Set = (value: number, labels?: Record<string, string>) => void;

/** A registry of its own: nothing is global. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = new Registry();
  // Process memory and CPU, event-loop lag, garbage collection.
  collectDefaultMetrics({ register: registry, prefix: PREFIX });
  const gauge = (name: string, help: string, labelNames: string[], read: (set: Set) => void) => {
    new Gauge({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        read((value, labels = {}) => this.set(labels, value));
      },
    });
  };
  const counter = (name: string, help: string, labelNames: string[], read: (set: Set) => void) => {
    new Counter({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        read((value, labels = {}) => this.inc(labels, value));
      },
    });
  };
  programMetrics(sources, gauge);
  teamMetrics(sources, gauge);
  configurationMetrics(sources, gauge, counter);
  logMetrics(sources, gauge, counter);
  processingMetrics(sources, gauge, counter);
  storeMetrics(sources, gauge, counter);
  rollupMetrics(sources, gauge, counter);
  spaceMetrics(sources, gauge);
  notifyMetrics(sources, gauge, counter);
  trustMetrics(sources, gauge);
  streamMetrics(sources, gauge, counter);
  gatewayMetrics(sources, gauge);
  alertMetrics(sources, gauge);
  auditMetrics(sources, counter);
  return { text: () => registry.metrics(), broker: brokerMetrics(registry, sources, gauge) };
}

type AddMetric = (name: string, help: string, labels: string[], read: (set: Set) => void) => void;

function programMetrics({ version, startedMs, readiness }: MetricSources, gauge: AddMetric): void {
  gauge('info', 'Version of the collector; always 1.', ['version'], (set) => set(1, { version }));
  gauge('start_time_seconds', 'When the collector started, Unix time.', [], (set) =>
    set(startedMs / 1_000),
  );
  gauge('ready', 'Whether a part works (see /readyz).', ['check'], (set) => {
    for (const check of readiness()) set(check.ready ? 1 : 0, { check: check.name });
  });
}

function teamMetrics({ team }: MetricSources, gauge: AddMetric): void {
  gauge(
    'members',
    'Processes that run a component, as far as this one knows; none when it is alone on its log.',
    ['component'],
    (set) => {
      const members = team()?.members() ?? [];
      if (team() === undefined) return;
      for (const component of COMPONENTS)
        set(members.filter((one) => one.components.has(component)).length, { component });
    },
  );
  gauge(
    'owned_partitions',
    'Partitions that are this process’ to process or to write.',
    ['component'],
    (set) => {
      for (const component of ['process', 'write'] as const) {
        const owned = team()?.share(component).owned();
        if (owned !== undefined) set(owned.size, { component });
      }
    },
  );
}

function configurationMetrics(
  { configuration }: MetricSources,
  gauge: AddMetric,
  counter: AddMetric,
): void {
  gauge('configuration_info', 'Version of the device profiles; always 1.', ['version'], (set) =>
    set(1, { version: configuration().version }),
  );
  gauge('configuration_loaded_time_seconds', 'When it was read, Unix time.', [], (set) =>
    set(configuration().sinceMs / 1_000),
  );
  gauge('configuration_profiles', 'Device profiles.', [], (set) => set(configuration().profiles));
  gauge(
    'configuration_mistakes',
    'Mistakes in the files of device profiles; above 0 an older configuration holds.',
    [],
    (set) => set(configuration().mistakes.length),
  );
  gauge('configuration_pending', '1 while the log does not have it yet.', [], (set) =>
    set(configuration().pending ? 1 : 0),
  );
  counter(
    'configuration_reloads_total',
    'Times that the device profiles were read again, by result: changed, unchanged, refused.',
    ['result'],
    (set) => {
      for (const [result, count] of Object.entries(configuration().reloads)) set(count, { result });
    },
  );
}

function logMetrics({ log }: MetricSources, gauge: AddMetric, counter: AddMetric): void {
  gauge('log_appendable', '1 while the log takes records.', [], (set) =>
    set(log()?.appendable ? 1 : 0),
  );
  gauge('log_bytes', 'What the log takes up on disk.', [], (set) => set(log()?.bytes ?? 0));
  gauge('log_max_bytes', 'The cap at which intake stops.', [], (set) => set(log()?.maxBytes ?? 0));
  gauge('log_processor_lag_records', 'Raw records not yet processed.', [], (set) =>
    set(log()?.processorLagRecords ?? 0),
  );
  gauge(
    'log_consumer_lag_records',
    'Output records not yet consumed, by consumer.',
    ['consumer'],
    (set) => {
      for (const [consumer, records] of Object.entries(log()?.consumerLagRecords ?? {}))
        set(records, { consumer });
    },
  );
  counter('log_appended_records_total', 'Records that became durable.', [], (set) =>
    set(log()?.appendedTotal ?? 0),
  );
  counter('log_append_errors_total', 'Appends that failed.', [], (set) =>
    set(log()?.appendErrorsTotal ?? 0),
  );
  counter('log_commits_total', 'Commits; one holds many records.', [], (set) =>
    set(log()?.commitsTotal ?? 0),
  );
}

function processingMetrics(
  { processing, writers }: MetricSources,
  gauge: AddMetric,
  counter: AddMetric,
): void {
  const totals = [
    ['processed_records_total', 'Raw records processed.', 'recordsTotal'],
    ['processed_readings_total', 'Readings passed on to the store.', 'readingsTotal'],
    ['duplicate_readings_total', 'Readings that came again and were removed.', 'duplicatesTotal'],
    ['quarantined_readings_total', 'Readings put into quarantine.', 'quarantinedTotal'],
    ['events_total', 'Events: what happened.', 'eventsTotal'],
  ] as const;
  for (const [name, help, key] of totals)
    counter(name, `${help} Since the start.`, ['partition'], (set) => {
      for (const one of processing()) set(one.stats[key], { partition: String(one.partition) });
    });
  gauge('processor_time_seconds', 'Log time of the processor.', ['partition'], (set) => {
    for (const one of processing()) set(one.timeMs / 1_000, { partition: String(one.partition) });
  });
  counter(
    'processor_cold_starts_total',
    'Times that rules and device states began anew, because no snapshot could be used.',
    ['partition'],
    (set) => {
      for (const one of processing())
        set(one.coldStartsTotal, { partition: String(one.partition) });
    },
  );
  const written = [
    ['writer_rows_total', 'Rows written.', 'rowsTotal'],
    ['writer_inserts_total', 'Inserts done.', 'insertsTotal'],
    ['writer_doubts_total', 'Times that rows had to be read back.', 'doubtsTotal'],
    ['writer_healed_rows_total', 'Rows that the store had lost, written again.', 'healedRowsTotal'],
  ] as const;
  for (const [name, help, key] of written)
    counter(name, help, ['topic', 'partition'], (set) => {
      for (const one of writers())
        set(one[key], { topic: one.topic, partition: String(one.partition) });
    });
  gauge(
    'writer_healing',
    '1 while the store, which lost rows, is compared with the log.',
    ['topic', 'partition'],
    (set) => {
      for (const { topic, partition, healing } of writers())
        set(healing ? 1 : 0, { topic, partition: String(partition) });
    },
  );
  gauge(
    'writer_waiting',
    '1 while a writer waits out an error, by its code.',
    ['topic', 'partition', 'code'],
    (set) => {
      for (const { topic, partition, lastCode: code } of writers())
        if (code !== undefined) set(1, { topic, partition: String(partition), code });
    },
  );
  gauge('writer_insert_age_seconds', 'How long the insert under way runs.', ['topic'], (set) => {
    for (const { topic, insertingSinceMs } of writers())
      set(insertingSinceMs === undefined ? 0 : (performance.now() - insertingSinceMs) / 1_000, {
        topic,
      });
  });
}

function brokerMetrics(
  registry: Registry,
  { broker }: MetricSources,
  gauge: AddMetric,
): BrokerMetrics {
  let connections = { open: 0, admitted: 0, admittedTls: 0 };
  gauge('mqtt_accepting', '1 while gateways may connect.', [], (set) =>
    set(broker()?.accepting ? 1 : 0),
  );
  gauge('mqtt_in_flight_bytes', 'Payloads that wait for the log.', [], (set) =>
    set(broker()?.bytesInFlight ?? 0),
  );
  gauge(
    'mqtt_connections',
    'Open connections; those with TLS once they are encrypted.',
    [],
    (set) => set(connections.open),
  );
  gauge('mqtt_gateways', 'Gateways connected.', [], (set) => set(connections.admitted));
  gauge('mqtt_tls_gateways', 'Of those, with TLS.', [], (set) => set(connections.admittedTls));
  const own = <L extends string>(name: string, help: string, labelNames: L[]): Counter<L> =>
    new Counter({ name: PREFIX + name, help, labelNames, registers: [registry] });
  const refused = own('mqtt_refused_total', 'Connections and packets refused.', ['reason']);
  const handshakes = own('mqtt_tls_handshakes_failed_total', 'TLS handshakes that failed.', [
    'why',
  ]);
  const takenOver = own('mqtt_taken_over_total', 'Connections replaced by a newer one.', []);
  const records = own('mqtt_records_total', 'Records taken into the log.', ['kind']);
  const bytes = own('mqtt_payload_bytes_total', 'Payloads taken into the log.', ['kind']);
  const latency = new Histogram({
    name: `${PREFIX}mqtt_ack_latency_seconds`,
    help: 'From the arrival of a publish to its PUBACK.',
    buckets: [...ACK_LATENCY_BUCKETS_SECONDS],
    registers: [registry],
  });
  return {
    connections: (open, admitted, admittedTls) => {
      connections = { open, admitted, admittedTls };
    },
    handshakeFailed: (why) => handshakes.inc({ why }),
    refused: (reason) => refused.inc({ reason }),
    takenOver: () => takenOver.inc(),
    appended: (kind, size) => {
      records.inc({ kind });
      bytes.inc({ kind }, size);
    },
    acknowledged: (latencyMs) => latency.observe(latencyMs / 1_000),
  };
}

function storeMetrics({ store }: MetricSources, gauge: AddMetric, counter: AddMetric): void {
  gauge('store_ready', '1 while the store answers.', [], (set) => set(store()?.ready ? 1 : 0));
  counter('store_inserted_rows_total', 'Rows inserted.', [], (set) =>
    set(store()?.insertedRowsTotal ?? 0),
  );
  counter('store_insert_errors_total', 'Inserts that failed.', [], (set) =>
    set(store()?.insertErrorsTotal ?? 0),
  );
}

function rollupMetrics({ rollups }: MetricSources, gauge: AddMetric, counter: AddMetric): void {
  gauge('rollup_pending_ranges', 'Ranges of minutes that wait to be recomputed.', [], (set) =>
    set(rollups()?.pendingRanges ?? 0),
  );
  gauge('rollup_pending_seconds', 'How long the roll-ups have not been complete.', [], (set) => {
    const sinceMs = rollups()?.waitingSinceMs;
    set(sinceMs === undefined ? 0 : (performance.now() - sinceMs) / 1_000);
  });
  gauge('rollup_rebuilding', '1 while the store is gone through for roll-ups.', [], (set) =>
    set(rollups()?.rebuilding ? 1 : 0),
  );
  gauge('rollup_settled', '1 while the roll-ups are those of all that was written.', [], (set) =>
    set(rollups()?.settled ? 1 : 0),
  );
  counter('rollup_statements_total', 'Statements that recompute roll-ups.', [], (set) =>
    set(rollups()?.statementsTotal ?? 0),
  );
  counter('rollup_busy_seconds_total', 'Time that they took.', [], (set) =>
    set((rollups()?.busyMsTotal ?? 0) / 1_000),
  );
  counter('rollup_failed_total', 'Roll-ups that were given up.', [], (set) =>
    set(rollups()?.failedTotal ?? 0),
  );
}

function spaceMetrics({ space, operations }: MetricSources, gauge: AddMetric): void {
  gauge(
    'space_alarm',
    '0 there is room, 1 soon full, 2 at its bound; part is log, store or disk.',
    ['part'],
    (set) => {
      const numbers = { ok: 0, alarm: 1, full: 2 };
      for (const [part, level] of Object.entries(space()?.levels ?? {}))
        set(numbers[level], { part });
    },
  );
  gauge('store_bytes', 'What the store takes up on disk.', [], (set) =>
    set(space()?.storeBytes ?? 0),
  );
  gauge('disk_free_bytes', 'Free on the disk of data_dir.', [], (set) =>
    set(space()?.diskFreeBytes ?? 0),
  );
  gauge('disk_floor_bytes', 'With less than this free the writers pause.', [], (set) =>
    set(space()?.diskFloorBytes ?? 0),
  );
  gauge('writers_paused', '1 while nothing is written: no room, or a backup begins.', [], (set) =>
    set(operations().paused ? 1 : 0),
  );
  gauge('backup_running', '1 while a backup is being copied.', [], (set) =>
    set(operations().backingUp ? 1 : 0),
  );
}

function streamMetrics(
  { streams, devices }: MetricSources,
  gauge: AddMetric,
  counter: AddMetric,
): void {
  gauge('stream_clients', 'Open event streams.', [], (set) => set(streams()?.clients ?? 0));
  counter('stream_events_total', 'Events sent to streams.', [], (set) =>
    set(streams()?.eventsTotal ?? 0),
  );
  counter('stream_lost_events_total', 'Events that slow streams did not get.', [], (set) =>
    set(streams()?.lostTotal ?? 0),
  );
  counter('stream_cut_off_total', 'Streams closed because they took nothing.', [], (set) =>
    set(streams()?.cutOffTotal ?? 0),
  );
  gauge('devices', 'Devices seen.', [], (set) => set(devices.deviceCount));
  counter(
    'live_readings_left_out_total',
    'Readings beyond the bound of the live view; they are in the store.',
    [],
    (set) => set(devices.leftOutTotal),
  );
}

const OPEN_STATES = ['pending', 'firing', 'acknowledged'] as const;

function alertMetrics({ alerts }: MetricSources, gauge: AddMetric): void {
  gauge(
    'alerts',
    'Alerts that are open, by severity and state; none in a process without component serve.',
    ['severity', 'state'],
    (set) => {
      const open = alerts()?.open();
      if (open === undefined) return;
      for (const severity of ALERT_SEVERITIES)
        for (const state of OPEN_STATES)
          set(open.filter((one) => one.severity === severity && one.state === state).length, {
            severity,
            state,
          });
    },
  );
  gauge('anomalies_open', 'Anomalies that have not ended; likewise.', [], (set) => {
    const live = alerts();
    if (live !== undefined) set(live.openAnomalyCount);
  });
}

function auditMetrics({ auditHead }: MetricSources, counter: AddMetric): void {
  counter(
    'audit_entries_total',
    'Number of the newest entry of the audit log that the process knows; of all processes together the highest counts.',
    [],
    (set) => set(auditHead()?.number ?? 0),
  );
}

function gatewayMetrics({ fleet, clock }: MetricSources, gauge: AddMetric): void {
  const labels = ['site', 'gateway'];
  const each = (
    name: string,
    help: string,
    read: (row: NonNullable<ReturnType<LiveFleet['gateway']>>) => number,
  ): void =>
    gauge(name, help, labels, (set) => {
      for (const row of fleet.gateways()) set(read(row), { site: row.site, gateway: row.gateway });
    });
  each('gateway_online', '1 while the gateway is connected.', (row) => (row.online ? 1 : 0));
  each(
    'gateway_state_age_seconds',
    'Since the gateway last said how it is.',
    (row) => Math.max(0, clock.wallMs() - row.updatedMs) / 1_000,
  );
  each('gateway_buffer_readings', 'Readings in the gateway’s buffer.', (row) => row.bufferReadings);
  each(
    'gateway_buffer_bytes',
    'What the gateway’s buffer takes up on disk.',
    (row) => row.bufferBytes,
  );
  each(
    'gateway_buffer_seconds_until_eviction',
    'At the present rate; +Inf while the buffer is not filling.',
    (row) =>
      row.bufferSecondsUntilEviction < 0
        ? Number.POSITIVE_INFINITY
        : row.bufferSecondsUntilEviction,
  );
  each('gateway_clock_unsynced', '1 while its clock is not right.', (row) =>
    row.clockUnsynced ? 1 : 0,
  );
  each(
    'gateway_clock_step_seconds',
    'The last step of its wall clock.',
    (row) => row.clockStepMs / 1_000,
  );
  gauge(
    'ledger_readings',
    'Readings by what became of them; state is sent, stored, quarantined, duplicate, gap or in_flight.',
    [...labels, 'state'],
    (set) => {
      for (const [site, gateway, sums] of ledgerByGateway(fleet)) {
        set(sums.sent, { site, gateway, state: 'sent' });
        set(sums.stored, { site, gateway, state: 'stored' });
        set(sums.quarantined, { site, gateway, state: 'quarantined' });
        set(sums.duplicates, { site, gateway, state: 'duplicate' });
        set(sums.gap_readings, { site, gateway, state: 'gap' });
        set(sums.in_flight, { site, gateway, state: 'in_flight' });
      }
    },
  );
  gauge(
    'ledger_balance_readings',
    'Readings that the ledger cannot account for: 0 is right.',
    labels,
    (set) => {
      for (const [site, gateway, sums] of ledgerByGateway(fleet))
        set(sums.balance, { site, gateway });
    },
  );
}

function* ledgerByGateway(
  fleet: LiveFleet,
): Generator<[string, string, ReturnType<typeof ledgerSums>]> {
  for (const { site, gateway } of fleet.ledgerGateways())
    yield [site, gateway, ledgerSums(fleet.ledgerOf(site, gateway))];
}
