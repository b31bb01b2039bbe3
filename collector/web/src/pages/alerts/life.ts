/** The life of an alert as steps in time. Pure. */

import type { Alert, FmsEvent } from '../../api/types.ts';

export type StepKind = 'started' | 'fired' | 'acknowledged' | 'resolved';

export interface LifeStep {
  kind: StepKind;
  atMs: number;
  /** What the collector said then, of events that are still there; ''. */
  summary: string;
}

const EVENT_KINDS: Partial<Record<StepKind, string>> = {
  fired: 'alert_firing',
  acknowledged: 'alert_acknowledged',
  resolved: 'alert_resolved',
};

/** In the order of time; steps that did not happen are left out. */
export function lifeOf(alert: Alert, events: readonly FmsEvent[]): LifeStep[] {
  const times: [StepKind, number | null][] = [
    ['started', alert.started_ms],
    ['fired', alert.fired_ms],
    ['acknowledged', alert.acknowledged_ms],
    ['resolved', alert.resolved_ms],
  ];
  return times
    .filter((step): step is [StepKind, number] => step[1] !== null && step[1] > 0)
    .map(([kind, atMs]) => ({ kind, atMs, summary: summaryThen(alert.id, kind, events) }))
    .sort((a, b) => a.atMs - b.atMs);
}

/** Of several the first: an alert fires anew when it becomes more severe. */
function summaryThen(id: string, kind: StepKind, events: readonly FmsEvent[]): string {
  const told = events
    .filter((event) => event.kind === EVENT_KINDS[kind] && event.detail.id === id)
    .sort((a, b) => a.time_ms - b.time_ms)[0];
  const summary = told?.detail.summary;
  return typeof summary === 'string' ? summary : '';
}

/** Two hours around it for the device's charts, at most a day. */
export function chartSpan(alert: Alert, nowMs: number): { fromMs: number; toMs: number } {
  const aroundMs = 30 * 60_000;
  const dayMs = 86_400_000;
  const startMs = alert.started_ms > 0 ? alert.started_ms : (alert.fired_ms ?? nowMs);
  const endMs = Math.min(alert.resolved_ms ?? nowMs, startMs + dayMs);
  return { fromMs: startMs - aroundMs, toMs: Math.min(endMs + aroundMs, nowMs) };
}
