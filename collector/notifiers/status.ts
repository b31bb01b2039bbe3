/** How messages about alerts fare, for /metrics. */

export interface OutboxStatus {
  name: string;
  /** Messages by how it ended: sent, failed (to be tried again), refused; alerts that were given up. */
  outcomes: Record<'sent' | 'failed' | 'refused' | 'given_up', number>;
  /** Alerts with something to be told. */
  waiting: number;
  /** UTC ms; undefined: nothing waits. */
  oldestSinceMs: number | undefined;
  /** '' while all is well. */
  lastError: string;
}

export interface NotifyStatus {
  receivers: OutboxStatus[];
  /** Undefined: none is configured. */
  heartbeat: { sent: number; failed: number } | undefined;
}
