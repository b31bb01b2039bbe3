/** What /metrics says of the log. */

import type { LogStats } from '../log/log.ts';
import type { MetricRegistry } from './registry.ts';

export interface LogSources {
  /** Undefined while that part is not there. */
  log: () => LogStats | undefined;
}

export function logMetrics({ log }: LogSources, { gauge, counter }: MetricRegistry): void {
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
