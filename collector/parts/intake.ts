/** Where payloads of gateways come in: the collector's own broker, or one that it subscribes to. */

import { partitionOf } from '../../proto/partition.ts';
import type { BrokerMetrics } from '../broker/metrics.ts';
import type { Broker } from '../broker.ts';
import type { CollectorConfig } from '../config.ts';
import { gatewayDirectory } from '../gateways.ts';
import type { Log } from '../log/log.ts';
import type { Ticks } from '../ticks.ts';
import { startProbe } from '../ticks.ts';
import type { Clock, Logger } from '../types.ts';

export interface IntakeOptions {
  config: CollectorConfig;
  log: Log;
  clock: Clock;
  metrics: BrokerMetrics;
  logger: Logger;
}

/** Rejects with COLLECTOR_PORT_TAKEN, COLLECTOR_CANNOT_LISTEN or the errors of data_dir. */
export async function startIntake(options: IntakeOptions): Promise<Broker> {
  const { config, ...common } = options;
  const { mqtt, dataDir } = config;
  const gateways = gatewayDirectory(config.gateways);
  if (mqtt.outside !== undefined) {
    const { startOutsideBroker } = await import('../outside_broker.ts');
    const { outside } = mqtt;
    return await startOutsideBroker({ ...common, outside, dataDir, partitionOf, gateways });
  }
  const { startBroker } = await import('../broker.ts');
  const limits = { maxConnections: mqtt.maxConnections };
  const { host, port } = mqtt;
  return await startBroker({ ...common, host, port, partitionOf, gateways, limits });
}

/** Finds out that the log takes records again, for a broker that turns gateways away. */
export function probeFor(broker: Broker, log: Log): Ticks {
  return startProbe({
    log,
    isAccepting: () => {
      const { accepting, problem } = broker.stats();
      // An outside broker that is away says nothing of the log.
      return accepting || problem !== undefined;
    },
    onAppend: (succeeded) => broker.noteAppend(succeeded),
  });
}
