/**
 * What the agent measures, as Prometheus text. Written by hand: a metrics library would cost a fifth of
 * the agent's memory for what is a page of text.
 */

import type { AgentSnapshot } from './snapshot.ts';

type Labels = Readonly<Record<string, string>>;

interface Family {
  name: string;
  help: string;
  type: 'gauge' | 'counter';
  values: readonly (readonly [Labels, number | undefined])[];
}

const NONE: Labels = {};

/** Text format 0.0.4. Times are seconds since 1970, as Prometheus wants them. */
export function renderMetrics(snapshot: AgentSnapshot): string {
  const families = [
    ...programFamilies(snapshot),
    ...bufferFamilies(snapshot),
    ...forwarderFamilies(snapshot),
    ...clockFamilies(snapshot),
    ...certificateFamilies(snapshot),
    ...readerFamilies(snapshot),
  ];
  return `${families.map(renderFamily).filter(Boolean).join('\n')}\n`;
}

function gauge(name: string, help: string, value: number | undefined): Family {
  return { name, help, type: 'gauge', values: [[NONE, value]] };
}

function counter(name: string, help: string, value: number | undefined): Family {
  return { name: `${name}_total`, help, type: 'counter', values: [[NONE, value]] };
}

function programFamilies(snapshot: AgentSnapshot): Family[] {
  const { version, site, gateway, process } = snapshot;
  return [
    {
      name: 'info',
      help: 'Version and identity.',
      type: 'gauge',
      values: [[{ version, site, gateway }, 1]],
    },
    gauge('start_time_seconds', 'When the agent started.', snapshot.startedMs / 1000),
    gauge('resident_memory_bytes', 'Memory of the process.', process.rssBytes),
    counter('cpu_seconds', 'Processor time of the process.', process.cpuSeconds),
  ];
}

function bufferFamilies({ buffer, gapsPending }: AgentSnapshot): Family[] {
  const oldest = buffer.oldestMs === undefined ? undefined : buffer.oldestMs / 1000;
  return [
    gauge('buffer_chunks', 'Chunks that wait.', buffer.chunks),
    gauge('buffer_readings', 'Readings that wait.', buffer.readings),
    gauge('buffer_bytes', 'What the buffer takes on the disk.', buffer.bytes),
    gauge('buffer_max_bytes', 'What it may take.', buffer.maxBytes),
    gauge('buffer_oldest_time_seconds', 'Time of the oldest reading that waits.', oldest),
    gauge(
      'buffer_seconds_until_eviction',
      'At the present rate; -1: not filling.',
      buffer.secondsUntilEviction,
    ),
    gauge('gaps_pending', 'Declared losses that the collector does not have yet.', gapsPending),
    counter('readings', 'Readings and rejects taken.', buffer.appendedReadingsTotal),
    counter(
      'buffer_evicted_readings',
      'Lost to the bounds, declared.',
      buffer.evictedReadingsTotal,
    ),
    counter('buffer_corrupt_chunks', 'Chunks found damaged, declared.', buffer.corruptChunksTotal),
    counter('buffer_bytes_written', 'Written to the disk: flash wear.', buffer.bytesWrittenTotal),
    counter('buffer_commits', 'Commits to the disk.', buffer.commitsTotal),
    counter('buffer_write_errors', 'Commits that the disk refused.', buffer.writeErrorsTotal),
    gauge(
      'buffer_encrypted',
      '1: new chunks are encrypted on the disk.',
      buffer.encryption?.on === true ? 1 : 0,
    ),
    gauge(
      'buffer_older_chunks',
      'Chunks, at most, that need an older key or are not encrypted yet.',
      buffer.encryption?.oldChunks ?? 0,
    ),
  ];
}

function forwarderFamilies({ forwarder }: AgentSnapshot): Family[] {
  if (forwarder === undefined) return [gauge('online', 'Connected to the collector.', 0)];
  const lastAck = forwarder.lastAckMs === undefined ? undefined : forwarder.lastAckMs / 1000;
  return [
    gauge('online', 'Connected to the collector.', forwarder.connection === 'online' ? 1 : 0),
    gauge('last_acknowledgement_time_seconds', 'When a batch was acknowledged last.', lastAck),
    gauge('in_flight_batches', 'Batches sent and not acknowledged.', forwarder.inFlightBatches),
    gauge('in_flight_readings', 'Readings in them.', forwarder.inFlightReadings),
    gauge('in_flight_bytes', 'Their bytes.', forwarder.inFlightBytes),
    gauge(
      'waits_for_collector',
      "1: the broker has all batches in flight, and the collector's word is missing.",
      forwarder.waitsFor === 'collector' ? 1 : 0,
    ),
    gauge('window_ratio', 'Part of the window that the line carries.', forwarder.windowShare),
    gauge('held_seconds', 'Still to wait for the clock to be right.', forwarder.heldMs / 1000),
    counter('connections', 'Connections made.', forwarder.connectionsTotal),
    counter('connect_failures', 'Attempts that failed.', forwarder.connectFailuresTotal),
    counter('publish_timeouts', 'Connections dropped for silence.', forwarder.publishTimeoutsTotal),
    counter('sent_batches', 'Batches sent, repeats included.', forwarder.sentBatchesTotal),
    counter('sent_bytes', 'Their bytes.', forwarder.sentBytesTotal),
    counter('resent_batches', 'Sent again.', forwarder.resentBatchesTotal),
    counter(
      'timeout_resends',
      'Sent again because the collector had not acknowledged them.',
      forwarder.timeoutResendsTotal,
    ),
    counter('acknowledged_batches', 'Batches acknowledged.', forwarder.ackedBatchesTotal),
    counter('acknowledged_readings', 'Readings in them.', forwarder.ackedReadingsTotal),
  ];
}

/** Nothing for a gateway with a token. */
function certificateFamilies({ identity }: AgentSnapshot): Family[] {
  if (identity?.certificate === undefined) return [];
  return [
    gauge(
      'certificate_end_time_seconds',
      "When the gateway's certificate ends.",
      identity.certificate.notAfterMs / 1000,
    ),
    gauge(
      'certificate_renewal_failing',
      '1: it should be renewed by now, and the last attempt failed.',
      identity.lastError === undefined ? 0 : 1,
    ),
    counter('certificate_renewals', 'Renewals since the start.', identity.renewalsTotal),
  ];
}

function clockFamilies({ clock, clocks }: AgentSnapshot): Family[] {
  const aheadS = clocks.aheadMs === undefined ? undefined : clocks.aheadMs / 1000;
  return [
    gauge('clock_unsynced', '1: the clock is known to be wrong.', clock.unsynced ? 1 : 0),
    gauge('clock_last_step_seconds', 'Size of the last step.', clock.lastStepMs / 1000),
    counter('clock_steps', 'Steps of the clock seen.', clock.stepsTotal),
    gauge('clock_ahead_of_collector_seconds', "Of the machine's clock.", aheadS),
    gauge(
      'clock_overruled',
      "1: it is wrong, and readings are timed by the collector's.",
      clocks.isOverruled ? 1 : 0,
    ),
  ];
}

function readerFamilies({ readers }: AgentSnapshot): Family[] {
  const each = (
    name: string,
    type: Family['type'],
    help: string,
    value: (reader: AgentSnapshot['readers'][number]) => number | undefined,
  ): Family => ({
    name: `reader_${name}`,
    help,
    type,
    values: readers.map((reader) => [
      { device: reader.state.device, reader: reader.state.reader },
      value(reader),
    ]),
  });
  return [
    each('up', 'gauge', '1: the last answer was good.', ({ state }) =>
      state.status === 'ok' ? 1 : 0,
    ),
    each('last_good_time_seconds', 'gauge', 'When a good sample came last.', ({ state }) =>
      state.lastGoodMs === 0 ? undefined : state.lastGoodMs / 1000,
    ),
    each('errors_total', 'counter', 'Failures and rejects.', ({ state }) => state.errorsTotal),
    each('polls_total', 'counter', 'Questions asked.', ({ stats }) => stats.pollsTotal),
    each('retries_total', 'counter', 'Questions repeated.', ({ stats }) => stats.retriesTotal),
    each('failures_total', 'counter', 'Without an answer.', ({ stats }) => stats.failuresTotal),
    each('timeouts_total', 'counter', 'Of these, late.', ({ stats }) => stats.timeoutsTotal),
    each('skipped_total', 'counter', 'Intervals missed.', ({ stats }) => stats.skippedTotal),
    each('restarts_total', 'counter', 'Readers made anew.', ({ stats }) => stats.restartsTotal),
    each('values_total', 'counter', 'Values received.', ({ stats }) => stats.valuesTotal),
    each('rejects_total', 'counter', 'Answers not understood.', ({ stats }) => stats.rejectsTotal),
    each(
      'suppressed_values_total',
      'counter',
      'Values not reported: no change.',
      (reader) => reader.suppressedTotal,
    ),
  ];
}

function renderFamily({ name, help, type, values }: Family): string {
  const lines = values
    .filter((entry): entry is readonly [Labels, number] => entry[1] !== undefined)
    .map(([labels, value]) => `fms_agent_${name}${renderLabels(labels)} ${value}`);
  if (lines.length === 0) return '';
  return [`# HELP fms_agent_${name} ${help}`, `# TYPE fms_agent_${name} ${type}`, ...lines].join(
    '\n',
  );
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${escapeLabel(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
