/** What the API is given of the parts. */

import type { Access } from '../access/access.ts';
import type { ApiContext, ReadinessCheck } from '../api/context.ts';
import type { LiveView } from '../api/live/live.ts';
import type { Peers } from '../api/peers.ts';
import { boundedQueries } from '../api/queries.ts';
import type { Backups } from '../backup/backups.ts';
import type { CollectorConfig } from '../config.ts';
import { CollectorError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics.ts';
import type { Configuration } from '../profile.ts';
import { ProfileFiles } from '../profiles/editing/profile_files.ts';
import type { ConfigurationStatus, LiveProfiles } from '../profiles/live.ts';
import { profilesSource } from '../profiles/load.ts';
import { PeopleQueries } from '../query/people.ts';
import type { Store } from '../store/store.ts';
import type { Storing } from '../storing.ts';
import { GatewayAdmin } from '../trust/gateway_admin.ts';
import type { Trust } from '../trust/trust.ts';
import type { Clock } from '../types.ts';
import { LogAudit } from './audit.ts';
import { LogDecisions } from './decisions.ts';
import type { Team } from './team.ts';

export interface ApiParts {
  config: CollectorConfig;
  clock: Clock;
  version: string;
  startedMs: number;
  view: LiveView;
  storing: Storing;
  backups: Backups;
  access: Access;
  metrics: Metrics;
  readiness: () => ReadinessCheck[];
  profiles: LiveProfiles | undefined;
  configurationStatus: () => ConfigurationStatus;
  /** Undefined: no other process works on the log, or the log is not open yet. */
  team: () => Team | undefined;
  /** Undefined while it is not open. */
  log: () => Log | undefined;
  reports: ApiContext['reports'];
  trust: Trust;
  /** What gateways connect to with TLS. */
  gatewayAddress: () => { mqttPort: number; names: readonly string[] };
  transportOf: ApiContext['transportOf'];
}

export function apiContext(parts: ApiParts): ApiContext {
  const { config, view, storing, team } = parts;
  const store = (): Store => {
    const { store: open, problem } = storing;
    if (open === undefined) throw new CollectorError('STORE_UNAVAILABLE', problem);
    return open;
  };
  const query: Store['query'] = async (...asked) => store().query(...asked);
  const auditLog = new LogAudit({ log: parts.log, clock: parts.clock });
  const exportTo: Store['exportTo'] = async (...asked) => store().exportTo(...asked);
  return {
    clock: parts.clock,
    version: parts.version,
    startedMs: parts.startedMs,
    sites: config.sites,
    channels: config.channels,
    gateways: config.gateways.map(({ site, gateway }) => ({ site, gateway })),
    devices: view.devices,
    fleet: view.fleet,
    alerts: view.alerts,
    ingest: view.ingest,
    queries: boundedQueries({ query, exportTo }),
    people: new PeopleQueries({
      asking: () => store().asking,
      audit: auditLog,
      clock: parts.clock,
    }),
    readiness: parts.readiness,
    configuration: () => configurationOf(parts),
    configurationStatus: parts.configurationStatus,
    profileFiles: new ProfileFiles({
      source: profilesSource(config),
      clock: parts.clock,
      reload: async () => (await parts.profiles?.reload()) ?? 'unchanged',
      configuration: () => configurationOf(parts),
      devices: () => view.devices.sorted(),
    }),
    metricsText: () => parts.metrics.text(),
    live: () => view.live,
    backups: parts.backups,
    decisions: new LogDecisions({ log: parts.log, clock: parts.clock }),
    access: parts.access,
    enrolment: new GatewayAdmin({
      trust: parts.trust,
      configured: config.gateways,
      address: parts.gatewayAddress,
      clock: parts.clock,
    }),
    transportOf: parts.transportOf,
    auditLog,
    auditHead: () => view.audit.head,
    jobs: () => storing.jobs,
    peers: peersOf(team),
    reports: parts.reports,
    audit: () => auditOf(parts),
  };
}

/** Those with component serve have files, and answer what holds everywhere as soon as they know it. */
function configurationOf({ team, profiles }: ApiParts): Configuration {
  const configuration = team()?.configuration.current ?? profiles?.current;
  if (configuration === undefined)
    throw new CollectorError('API_NOT_READY', 'no device profiles are known yet');
  return configuration;
}

function auditOf({ storing, view, team, config }: ApiParts): ReturnType<ApiContext['audit']> {
  const { store, writers } = storing;
  if (store === undefined || !view.filled) return undefined;
  const members = team();
  if (members !== undefined)
    return { store, writers: () => members.written.all(writers?.status() ?? []) };
  if (writers === undefined || config.log.kafka !== undefined) return undefined;
  return { store, writers: () => writers.status() };
}

function peersOf(team: () => Team | undefined): Peers {
  return {
    leader: () => {
      const members = team();
      return members === undefined || members.isFirst('serve') ? undefined : members.others()[0];
    },
    others: () => team()?.others() ?? [],
    isMember: (secret) => team()?.isMember(secret) === true,
  };
}
