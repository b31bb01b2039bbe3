/**
 * The parts of a collector by name. Those that live from its first moment to its last are made here, and touch
 * nothing yet; the others wiring.ts puts in their places, in the order of collector.ts. A part that has to do with
 * one that starts after it looks here each time that it needs it, and finds undefined until then.
 */

import { join } from 'node:path';
import { Access } from '../access/access.ts';
import type { PasswordCost } from '../access/passwords.ts';
import { LiveView } from '../api/live/live.ts';
import { Backups } from '../backup/backups.ts';
import type { Broker } from '../broker.ts';
import type { CollectorConfig } from '../config.ts';
import type { DataVersions } from '../data_versions.ts';
import { Gate } from '../gate.ts';
import type { Log } from '../log/log.ts';
import { LOG_SCHEMA_VERSION } from '../log/sqlite_file.ts';
import type { Configuration } from '../profile.ts';
import { LiveProfiles } from '../profiles/live.ts';
import { profilesSource } from '../profiles/load.ts';
import type { SpaceWatch } from '../space.ts';
import { SCHEMA_VERSION } from '../store/migrations/list.ts';
import type { RollupsOptions } from '../store/rollups.ts';
import type { Store } from '../store/store.ts';
import type { StoringOptions } from '../storing.ts';
import { Storing } from '../storing.ts';
import type { Ticks } from '../ticks.ts';
import type { Clock, Logger } from '../types.ts';
import type { AuditHeadKeeper } from './audit_head.ts';
import type { startClickHouseHttp } from './clickhouse_http.ts';
import type { RunningHttp } from './http.ts';
import type { JobsLeaseOptions } from './jobs_lease.ts';
import { JobsLease } from './jobs_lease.ts';
import type { Lifetime } from './lifetime.ts';
import type { NotifyPart } from './notify.ts';
import type { OpenLog } from './open_log.ts';
import { openStore } from './open_store.ts';
import type { ProcessPart } from './process.ts';
import type { Team } from './team.ts';
import type { RunningTrust } from './trust.ts';

/** What a collector is given beside its configuration. */
export interface CollectorDeps {
  clock: Clock;
  logger: Logger;
  version: string;
  /** In place of what the configuration says; for tests: a log in between that fails, one that is shared. */
  openLog?: OpenLog;
  openStore?: () => Promise<Store>;
  /** For tests: what is secure takes long. */
  passwordCost?: PasswordCost;
  /** How often roll-ups are recomputed; for tests that wait for them. */
  rollupPace?: NonNullable<RollupsOptions['pace']>;
  /** How often soft state is kept; for tests that wait for it. */
  snapshotIntervalMs?: number;
}

export interface RunningPartsOptions {
  config: CollectorConfig;
  deps: CollectorDeps;
  lifetime: Lifetime;
}

export class RunningParts {
  /** Undefined: another component's processes read them. */
  readonly profiles: LiveProfiles | undefined;
  readonly view: LiveView;
  /** What writes into the store passes it. */
  readonly gate = new Gate();
  readonly storing: Storing;
  readonly backups: Backups;
  readonly access: Access;

  trust: RunningTrust | undefined;
  http: RunningHttp | undefined;
  /** Stays undefined where it is off. */
  clickhouseHttp: Awaited<ReturnType<typeof startClickHouseHttp>>;
  log: Log | undefined;
  /** Why it cannot be opened, '' for no reason yet. */
  logProblem = '';
  /** Stays undefined where no other process works on the log. */
  team: Team | undefined;
  space: SpaceWatch | undefined;
  auditHead: AuditHeadKeeper | undefined;
  process: ProcessPart | undefined;
  broker: Broker | undefined;
  /** Stays undefined where no other process works on the log. */
  probe: Ticks | undefined;
  notify: NotifyPart | undefined;

  readonly #config: CollectorConfig;

  /** Throws PROFILES_INVALID. */
  constructor(options: RunningPartsOptions) {
    const { config, deps } = options;
    const { clock, logger, passwordCost } = deps;
    this.#config = config;
    if (config.components.has('serve'))
      this.profiles = new LiveProfiles({
        source: profilesSource(config),
        keptFile: join(config.dataDir, 'configuration.json'),
        clock,
        logger,
      });
    this.view = new LiveView(logger);
    this.storing = this.#makeStoring(options);
    this.backups = new Backups({
      dataDir: config.dataDir,
      elsewhere: elsewhere(config),
      gate: this.gate,
      clock,
      logger,
      log: () => this.log,
      store: () => this.storing.store,
      info: () => versionsOf(deps),
    });
    this.access = new Access({
      policy: config.access,
      clock,
      ...(passwordCost === undefined ? {} : { passwordCost }),
    });
  }

  /** The device profiles that hold, as far as this process knows them. */
  get configuration(): Configuration | undefined {
    return this.team?.configuration.current ?? this.profiles?.current;
  }

  /** Where it listens; what is configured until it does. */
  get mqttPort(): number {
    return this.broker?.port ?? this.#config.mqtt.port;
  }

  /** 0: not with TLS. */
  get mqttTlsPort(): number {
    return this.broker?.tlsPort ?? this.#config.mqtt.tls?.port ?? 0;
  }

  get httpPort(): number {
    return this.http?.port ?? this.#config.http.port;
  }

  #makeStoring({ config, deps, lifetime }: RunningPartsOptions): Storing {
    const { clock, logger, rollupPace } = deps;
    const { dataDir, components, sites, log } = config;
    const jobsBy: StoringOptions['jobsBy'] = (startJobs) => this.#jobsLease(startJobs, logger);
    return new Storing({
      dataDir,
      components,
      openStore: deps.openStore ?? (() => openStore(config, logger)),
      sites,
      reportsDir: reportsDir(config),
      versions: versionsOf(deps),
      configuration: () => this.configuration,
      fill: (store) => this.view.fill(store),
      ...(log.kafka === undefined ? {} : { jobsBy }),
      onPart: (name, failed) => lifetime.watch(name, failed),
      gate: this.gate,
      ...(rollupPace === undefined ? {} : { rollupPace }),
      clock,
      logger,
      signal: lifetime.signal,
    });
  }

  #jobsLease(startJobs: JobsLeaseOptions['startJobs'], logger: Logger): JobsLease {
    const { team, log } = this;
    if (team === undefined || log === undefined) throw new Error('there is no log to hold a lease');
    return new JobsLease({ log, team, startJobs, logger });
  }
}

/** Where the report jobs put their files. */
export function reportsDir({ dataDir }: CollectorConfig): string {
  return join(dataDir, 'reports');
}

function versionsOf({ version }: CollectorDeps): DataVersions {
  return { version, logSchema: LOG_SCHEMA_VERSION, storeSchema: SCHEMA_VERSION };
}

/** Settings by which data lie on servers. */
function elsewhere({ log, store }: CollectorConfig): string[] {
  const settings: string[] = [];
  if (log.kafka !== undefined) settings.push('log.kafka');
  if (store.clickhouse !== undefined) settings.push('store.clickhouse');
  return settings;
}
