/** What /metrics says of messages about alerts. */

import type { MetricRegistry } from '../metrics/registry.ts';
import type { Clock } from '../types.ts';
import type { NotifyStatus } from './status.ts';

export interface NotifySources {
  clock: Clock;
  /** Undefined while that part is not there. */
  notify: () => NotifyStatus | undefined;
}

export function notifyMetrics(
  { notify, clock }: NotifySources,
  { gauge, counter }: MetricRegistry,
): void {
  counter(
    'notifications_total',
    'Messages to receivers of alerts; outcome is sent, failed (tried again), refused, or given_up (alerts).',
    ['receiver', 'outcome'],
    (set) => {
      const { receivers = [], heartbeat } = notify() ?? {};
      for (const { name, outcomes } of receivers)
        for (const [outcome, count] of Object.entries(outcomes))
          set(count, { receiver: name, outcome });
      for (const [outcome, count] of Object.entries(heartbeat ?? {}))
        set(count, { receiver: 'heartbeat', outcome });
    },
  );
  gauge('notify_waiting', 'Alerts that a receiver has yet to be told of.', ['receiver'], (set) => {
    for (const { name, waiting } of notify()?.receivers ?? []) set(waiting, { receiver: name });
  });
  gauge('notify_lag_seconds', 'How long the oldest of them waits.', ['receiver'], (set) => {
    for (const { name, oldestSinceMs } of notify()?.receivers ?? [])
      set(oldestSinceMs === undefined ? 0 : Math.max(0, clock.wallMs() - oldestSinceMs) / 1_000, {
        receiver: name,
      });
  });
}
