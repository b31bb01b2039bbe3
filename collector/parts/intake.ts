/** Where payloads of gateways come in: the collector's own broker, or one that it subscribes to. */

import { partitionOf } from '../../proto/partition.ts';
import type { BrokerMetrics } from '../broker/metrics.ts';
import type { Broker, TlsOptions } from '../broker.ts';
import type { CollectorConfig } from '../config.ts';
import { gatewayDirectory } from '../gateways.ts';
import type { Log } from '../log/log.ts';
import type { Ticks } from '../ticks.ts';
import { startProbe } from '../ticks.ts';
import { AttemptThrottle } from '../trust/attempts.ts';
import { EnrolmentEndpoint } from '../trust/endpoint.ts';
import { GatewayDoor, isLoopback } from '../trust/gateway_door.ts';
import type { Clock, Logger } from '../types.ts';
import type { RunningTrust } from './trust.ts';

export interface IntakeOptions {
  config: CollectorConfig;
  log: Log;
  trust: RunningTrust;
  clock: Clock;
  metrics: BrokerMetrics;
  logger: Logger;
}

/** Rejects with COLLECTOR_PORT_TAKEN, COLLECTOR_CANNOT_LISTEN or the errors of data_dir. */
export async function startIntake(options: IntakeOptions): Promise<Broker> {
  const { config, trust, ...common } = options;
  const { mqtt, dataDir } = config;
  const gateways = gatewayDirectory(config.gateways);
  if (mqtt.outside !== undefined) {
    const { startOutsideBroker } = await import('../outside_broker.ts');
    const { outside } = mqtt;
    return await startOutsideBroker({ ...common, outside, dataDir, partitionOf, gateways });
  }
  const { startBroker } = await import('../broker.ts');
  const { registry, peers } = trust.trust.opened;
  const { graceMs } = trust.trust;
  const { clock, logger } = common;
  sayRefusedTokens(config, logger);
  return await startBroker({
    ...common,
    plain: mqtt.plain ? { host: mqtt.host, port: mqtt.port } : undefined,
    tls: tlsOf(options),
    partitionOf,
    door: new GatewayDoor({ tokens: gateways, registry, peers, graceMs, clock, logger }),
    limits: { maxConnections: mqtt.maxConnections },
  });
}

/** Said at the start and not only to the gateways that are turned away. */
function sayRefusedTokens({ mqtt, gateways }: CollectorConfig, logger: Logger): void {
  if (!mqtt.plain || isLoopback(mqtt.host) || mqtt.host === 'localhost') return;
  const count = gateways.filter(({ withoutTls }) => !withoutTls).length;
  if (count === 0) return;
  logger.warn(
    { gateways: count, host: mqtt.host },
    'tokens of gateways on other machines are taken with TLS only (mqtt.tls), or where gateways[].without_tls says so',
  );
}

function tlsOf({ config, trust, clock, logger }: IntakeOptions): TlsOptions | undefined {
  const { tls } = config.mqtt;
  const { enrolment, peers } = trust.trust.opened;
  const identity = trust.gateways;
  if (tls === undefined || identity === undefined) return undefined;
  if (enrolment === undefined || peers === undefined) return undefined;
  const attempts = new AttemptThrottle(clock);
  const endpoint = new EnrolmentEndpoint({ enrolment, peers, attempts, clock, logger });
  return {
    host: tls.host,
    port: tls.port,
    identity,
    clientAuthoritiesPem: trust.trust.clientAuthoritiesPem,
    http: endpoint,
  };
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
