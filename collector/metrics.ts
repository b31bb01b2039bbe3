/**
 * /metrics: every figure is read when it is asked for, so parts only keep counters of their own. What is said of
 * each part stands in metrics/, and beside the part in notifiers/ and trust/.
 */

import type { BrokerMetrics } from './broker/metrics.ts';
import type { BrokerSources } from './metrics/broker.ts';
import { brokerMetrics } from './metrics/broker.ts';
import type { FleetSources } from './metrics/fleet.ts';
import { fleetMetrics } from './metrics/fleet.ts';
import type { LogSources } from './metrics/log.ts';
import { logMetrics } from './metrics/log.ts';
import type { ProcessingSources } from './metrics/processing.ts';
import { processingMetrics } from './metrics/processing.ts';
import type { ProgramSources } from './metrics/program.ts';
import { programMetrics } from './metrics/program.ts';
import { createRegistry } from './metrics/registry.ts';
import type { ServingSources } from './metrics/serving.ts';
import { servingMetrics } from './metrics/serving.ts';
import type { StoringSources } from './metrics/storing.ts';
import { storingMetrics } from './metrics/storing.ts';
import type { NotifySources } from './notifiers/metrics.ts';
import { notifyMetrics } from './notifiers/metrics.ts';
import type { TrustSources } from './trust/metrics.ts';
import { trustMetrics } from './trust/metrics.ts';

/** What each part is asked for; parts come and go while the program runs. */
export interface MetricSources
  extends ProgramSources,
    LogSources,
    ProcessingSources,
    StoringSources,
    NotifySources,
    TrustSources,
    ServingSources,
    FleetSources,
    BrokerSources {}

export interface Metrics {
  /** Prometheus text. */
  text(): Promise<string>;
  /** Given to the broker, which tells rather than keeps. */
  broker: BrokerMetrics;
}

/** A registry of its own: nothing is global. */
export function createMetrics(sources: MetricSources): Metrics {
  const registry = createRegistry();
  programMetrics(sources, registry);
  logMetrics(sources, registry);
  processingMetrics(sources, registry);
  storingMetrics(sources, registry);
  notifyMetrics(sources, registry);
  trustMetrics(sources, registry);
  servingMetrics(sources, registry);
  fleetMetrics(sources, registry);
  return { text: () => registry.text(), broker: brokerMetrics(sources, registry) };
}
