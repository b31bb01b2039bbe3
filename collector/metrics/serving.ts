/** What /metrics says of what people are shown: live streams, open alerts and anomalies, the audit log. */

import { ALERT_SEVERITIES } from '../alert.ts';
import type { LiveAlerts } from '../api/live/alerts.ts';
import type { KnownHead } from '../api/live/audit.ts';
import type { StreamStats } from '../api/stream.ts';
import type { MetricRegistry } from './registry.ts';

export interface ServingSources {
  /** Undefined while that part is not there. */
  streams: () => StreamStats | undefined;
  /** Undefined in a process that does not follow them. */
  alerts: () => LiveAlerts | undefined;
  /** Undefined: no entry is known. */
  auditHead: () => KnownHead | undefined;
}

const OPEN_STATES = ['pending', 'firing', 'acknowledged'] as const;

export function servingMetrics(sources: ServingSources, registry: MetricRegistry): void {
  streamMetrics(sources, registry);
  alertMetrics(sources, registry);
  auditMetrics(sources, registry);
}

function streamMetrics({ streams }: ServingSources, { gauge, counter }: MetricRegistry): void {
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
}

function alertMetrics({ alerts }: ServingSources, { gauge }: MetricRegistry): void {
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

function auditMetrics({ auditHead }: ServingSources, { counter }: MetricRegistry): void {
  counter(
    'audit_entries_total',
    'Number of the newest entry of the audit log that the process knows; of all processes together the highest counts.',
    [],
    (set) => set(auditHead()?.number ?? 0),
  );
}
