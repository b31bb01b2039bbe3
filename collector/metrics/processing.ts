/** What /metrics says of the processors of the partitions that are this process'. */

import type { PartitionStatus } from '../processing.ts';
import type { MetricRegistry } from './registry.ts';

export interface ProcessingSources {
  processing: () => PartitionStatus[];
}

export function processingMetrics(
  { processing }: ProcessingSources,
  { gauge, counter }: MetricRegistry,
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
}
