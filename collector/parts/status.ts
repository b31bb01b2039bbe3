/** How the parts of a process stand, for /readyz and /metrics. Read when somebody asks, kept nowhere. */

import type { ReadinessCheck } from '../api/context.ts';
import type { CollectorConfig } from '../config.ts';
import type { MetricSources } from '../metrics.ts';
import type { ConfigurationStatus } from '../profiles/live.ts';
import { readinessOf } from '../readiness.ts';
import type { Lifetime } from './lifetime.ts';
import type { RunningParts } from './running.ts';

export function readinessNow(
  { components }: Pick<CollectorConfig, 'components'>,
  parts: RunningParts,
  { dead }: Pick<Lifetime, 'dead'>,
): ReadinessCheck[] {
  const { team, storing } = parts;
  const broker = parts.broker?.stats();
  return readinessOf({
    components,
    log: parts.log?.stats(),
    logProblem: parts.logProblem,
    others: team && { joined: team.joined, absent: team.absent() },
    waitsFor: team?.waitsFor ?? '',
    accepting: broker?.accepting === true,
    intakeProblem: broker?.problem ?? '',
    processing: parts.process?.status(),
    store: storing.store?.stats(),
    storeProblem: storing.problem,
    writers: storing.writers?.status(),
    filled: parts.view.filled,
    space: parts.space?.status(),
    dead,
  });
}

/** Of the device profiles: what all processes agreed on, or what this one alone has read. */
export function configurationStatus({ team, profiles }: RunningParts): ConfigurationStatus {
  const reloads = { changed: 0, unchanged: 0, refused: 0 };
  const none = { version: '', sinceMs: 0, profiles: 0, mistakes: [], pending: true, reloads };
  return team?.configuration.status() ?? profiles?.status() ?? none;
}

/** What the parts give to the metrics; of the program itself the others are told. */
export function metricSourcesOf(
  parts: RunningParts,
): Omit<MetricSources, 'clock' | 'version' | 'startedMs' | 'readiness'> {
  const { view, storing, gate, backups } = parts;
  return {
    configuration: () => configurationStatus(parts),
    team: () => parts.team,
    fleet: view.fleet,
    devices: view.devices,
    alerts: () => (view.live === undefined ? undefined : view.alerts),
    auditHead: () => view.audit.head,
    log: () => parts.log?.stats(),
    store: () => storing.store?.stats(),
    streams: () => view.live?.hub.stats(),
    broker: () => parts.broker?.stats(),
    processing: () => parts.process?.status() ?? [],
    writers: () => storing.writers?.status() ?? [],
    rollups: () => storing.rollups?.status(),
    space: () => parts.space?.status(),
    notify: () => parts.notify?.status(),
    trust: () => parts.trust?.status(),
    operations: () => ({ paused: !gate.open, backingUp: backups.running }),
  };
}
