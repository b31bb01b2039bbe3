/** What the API is given of the parts. */

import type { ApiContext, ReadinessCheck } from '../api/context.ts';
import type { Peers } from '../api/peers.ts';
import { boundedQueries } from '../api/queries.ts';
import type { CollectorConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics.ts';
import type { Configuration } from '../profile.ts';
import { ProfileFiles } from '../profiles/editing/profile_files.ts';
import { profilesSource } from '../profiles/load.ts';
import { PeopleQueries } from '../query/people.ts';
import type { Store } from '../store/store.ts';
import { GatewayAdmin } from '../trust/gateway_admin.ts';
import type { Trust } from '../trust/trust.ts';
import type { Clock, Logger } from '../types.ts';
import { LogAudit } from './audit.ts';
import { LogDecisions } from './decisions.ts';
import { ReportsEverywhere } from './reports.ts';
import type { RunningParts } from './running.ts';
import { reportsDir } from './running.ts';
import { configurationStatus } from './status.ts';
import { serverNames } from './trust.ts';

export interface ApiContextOptions {
  config: CollectorConfig;
  clock: Clock;
  logger: Logger;
  version: string;
  startedMs: number;
  parts: RunningParts;
  trust: Trust;
  metrics: Pick<Metrics, 'text'>;
  readiness: () => ReadinessCheck[];
}

export function apiContext(options: ApiContextOptions): ApiContext {
  const { config, clock, logger, parts } = options;
  const { view, storing } = parts;
  const log = (): Log | undefined => parts.log;
  const store = (): Store => {
    const { store: open, problem } = storing;
    if (open === undefined) throw new CollectorError('STORE_UNAVAILABLE', problem);
    return open;
  };
  const query: Store['query'] = async (...asked) => store().query(...asked);
  const auditLog = new LogAudit({ log, clock });
  const exportTo: Store['exportTo'] = async (...asked) => store().exportTo(...asked);
  return {
    clock,
    version: options.version,
    startedMs: options.startedMs,
    sites: config.sites,
    channels: config.channels,
    gateways: config.gateways.map(({ site, gateway }) => ({ site, gateway })),
    devices: view.devices,
    fleet: view.fleet,
    alerts: view.alerts,
    ingest: view.ingest,
    queries: boundedQueries({ query, exportTo }),
    people: new PeopleQueries({ asking: () => store().asking, audit: auditLog, clock }),
    readiness: options.readiness,
    configuration: () => configurationOf(parts),
    configurationStatus: () => configurationStatus(parts),
    profileFiles: new ProfileFiles({
      source: profilesSource(config),
      clock,
      reload: async () => (await parts.profiles?.reload()) ?? 'unchanged',
      configuration: () => configurationOf(parts),
      devices: () => view.devices.sorted(),
    }),
    metricsText: () => options.metrics.text(),
    live: () => view.live,
    backups: parts.backups,
    decisions: new LogDecisions({ log, clock }),
    access: parts.access,
    enrolment: new GatewayAdmin({
      trust: options.trust,
      configured: config.gateways,
      address: () => ({ mqttPort: parts.mqttTlsPort, names: serverNames(config) }),
      clock,
    }),
    transportOf: (key) => parts.broker?.connectionOf(key)?.transport,
    auditLog,
    auditHead: () => view.audit.head,
    jobs: () => storing.jobs,
    peers: peersOf(parts),
    reports: new ReportsEverywhere(reportsDir(config), () => parts.team?.others() ?? [], logger),
    audit: () => auditOf(config, parts),
  };
}

/** Those with component serve have files, and answer what holds everywhere as soon as they know it. */
function configurationOf({ configuration }: RunningParts): Configuration {
  if (configuration === undefined)
    throw new CollectorError('API_NOT_READY', 'no device profiles are known yet');
  return configuration;
}

function auditOf(
  { log }: CollectorConfig,
  { storing, view, team }: RunningParts,
): ReturnType<ApiContext['audit']> {
  const { store, writers } = storing;
  if (store === undefined || !view.filled) return undefined;
  if (team !== undefined)
    return { store, writers: () => team.written.all(writers?.status() ?? []) };
  if (writers === undefined || log.kafka !== undefined) return undefined;
  return { store, writers: () => writers.status() };
}

function peersOf(parts: RunningParts): Peers {
  return {
    leader: () => {
      const { team } = parts;
      return team === undefined || team.isFirst('serve') ? undefined : team.others()[0];
    },
    others: () => parts.team?.others() ?? [],
    isMember: (secret) => parts.team?.isMember(secret) === true,
  };
}
