/** What the routes are given. Nothing here is global. */

import type { Access } from '../access/access.ts';
import type { Audit } from '../access/audit.ts';
import type { Backups } from '../backup/backups.ts';
import type { ChannelConfig, SiteConfig } from '../config.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { ReportForm, ReportId } from '../jobs/report/files.ts';
import type { Log } from '../log/log.ts';
import type { Configuration } from '../profile.ts';
import type { ProfileFiles } from '../profiles/editing/profile_files.ts';
import type { ConfigurationStatus } from '../profiles/live.ts';
import type { PeopleQueries } from '../query/people.ts';
import type { Store } from '../store/store.ts';
import type { WriterStatus } from '../store/writer.ts';
import type { GatewayAdmin } from '../trust/gateway_admin.ts';
import type { AcknowledgeValue, Clock, MarkValue, ReleaseValue, SilenceValue } from '../types.ts';
import type { LiveAlerts } from './live/alerts.ts';
import type { KnownHead } from './live/audit.ts';
import type { LiveDevices } from './live/devices.ts';
import type { LiveFleet } from './live/fleet.ts';
import type { LiveIngest } from './live/ingest.ts';
import type { Peers } from './peers.ts';
import type { Queries } from './queries.ts';
import type { StreamHub } from './stream.ts';

export interface ReadinessCheck {
  name: string;
  ready: boolean;
  /** For people; '' when all is well. One that is ready with a reason soon may not be. */
  reason: string;
}

export interface LogPlace {
  partition: number;
  offset: number;
}

/** Of a gateway and its devices. */
export interface GatewayName {
  site: string;
  gateway: string;
}

/** Each resolves when the decision is durable; it takes effect a moment later. Rejects with API_NOT_READY or as Log.append does. */
export interface Decisions {
  /** A reading leaves quarantine. */
  release(gateway: GatewayName, value: ReleaseValue): Promise<LogPlace>;
  acknowledge(gateway: GatewayName, value: AcknowledgeValue): Promise<LogPlace>;
  mark(gateway: GatewayName, value: MarkValue): Promise<LogPlace>;
  /**
   * Sets, changes or ends a silence in every partition. Rejects with API_BUSY, and like the others when not
   * all of them could be told in a while; if some were, the others are told as soon as they can be.
   */
  silence(value: SilenceValue): Promise<void>;
}

export interface ApiContext {
  clock: Clock;
  version: string;
  startedMs: number;
  sites: ReadonlyMap<string, SiteConfig>;
  /** How channels are shown, by name. */
  channels: ReadonlyMap<string, ChannelConfig>;
  /** Configured gateways. */
  gateways: readonly { site: string; gateway: string }[];
  devices: LiveDevices;
  fleet: LiveFleet;
  alerts: LiveAlerts;
  ingest: LiveIngest;
  queries: Queries;
  /** SQL of people. */
  people: PeopleQueries;
  readiness: () => ReadinessCheck[];
  /** What the processor judges by: device profiles and assignments. */
  configuration: () => Configuration;
  /** How its files are: mistakes that keep newer ones from holding. */
  configurationStatus: () => ConfigurationStatus;
  /** The same files, to be looked at and changed. */
  profileFiles: Pick<ProfileFiles, 'list' | 'check' | 'change' | 'versions' | 'version'>;
  /** Prometheus text. */
  metricsText: () => Promise<string>;
  /** Undefined while the log is not open. */
  live: () => { log: Pick<Log, 'identity' | 'read' | 'bounds'>; hub: StreamHub } | undefined;
  /** What people decide becomes durable here. */
  decisions: Decisions;
  access: Access;
  /** Gateways and their certificates. */
  enrolment: GatewayAdmin;
  /** How a gateway is connected to this process; undefined: it is not, or not to be known. */
  transportOf: (gatewayKey: string) => 'plain' | 'tls' | undefined;
  /** What people do is written down here, before it is done. */
  auditLog: Audit;
  /** The newest entry that the log is known to have made; undefined: none is known. */
  auditHead: () => KnownHead | undefined;
  backups: Pick<Backups, 'begin' | 'copied'>;
  /** Undefined while the store is not open, and in a process that does not run them. */
  jobs: () => Jobs | undefined;
  peers: Peers;
  reports: ReportFiles;
  /** What the deep check of the ledger asks; undefined while the store is not open. */
  audit: () =>
    | {
        store: Pick<Store, 'query' | 'retentionMs'>;
        writers: () => readonly Pick<WriterStatus, 'topic' | 'partition' | 'position'>[];
      }
    | undefined;
}

/** The files that the report jobs made; `isLocal`: only those of this process. */
export interface ReportFiles {
  /** Newest label first, then by site and kind. */
  list(site: string | undefined, isLocal: boolean): Promise<ReportId[]>;
  /** Undefined: there is none. */
  read(
    id: ReportId,
    form: ReportForm,
    isLocal: boolean,
  ): Promise<{ text: string; madeMs: number } | undefined>;
}
