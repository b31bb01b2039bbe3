/**
 * The wiring of fms-collector: the one place that knows all parts, and starts those of the components that
 * the process runs. First comes the HTTP server (so that a second collector with the same configuration
 * fails before it touches any data), then the log. Alone on its log: processors, the device profiles, the
 * broker, ticks; meanwhile the store, and after it the writers. With others on its log (parts/team.ts) each
 * part waits for what it needs, and nothing ends because something else is away. The store may be away in
 * any case: intake and log go on, and it is tried again.
 */

import { join } from 'node:path';
import { Access, startUsers } from './access/access.ts';
import { ensureLocalToken } from './access/local_token.ts';
import type { PasswordCost } from './access/passwords.ts';
import type { ReadinessCheck } from './api/context.ts';
import { LiveView } from './api/live/live.ts';
import { Backups } from './backup/backups.ts';
import type { Broker } from './broker.ts';
import type { CollectorConfig } from './config.ts';
import { ControlView } from './control.ts';
import type { DataVersions } from './data_versions.ts';
import { CollectorError } from './errors.ts';
import { Gate } from './gate.ts';
import type { Log } from './log/log.ts';
import { LOG_SCHEMA_VERSION } from './log/sqlite_file.ts';
import type { Metrics } from './metrics.ts';
import { createMetrics } from './metrics.ts';
import { apiContext } from './parts/api_context.ts';
import { LogAudit } from './parts/audit.ts';
import { AuditHeadKeeper } from './parts/audit_head.ts';
import { startClickHouseHttp } from './parts/clickhouse_http.ts';
import { startHttp } from './parts/http.ts';
import { probeFor, startIntake } from './parts/intake.ts';
import { JobsLease } from './parts/jobs_lease.ts';
import { firstOf, NotifyPart } from './parts/notify.ts';
import type { OpenLog } from './parts/open_log.ts';
import { openLog } from './parts/open_log.ts';
import { openStore } from './parts/open_store.ts';
import { watchOwnSpace } from './parts/own_space.ts';
import { ProcessPart } from './parts/process.ts';
import { ReportsEverywhere } from './parts/reports.ts';
import { Team } from './parts/team.ts';
import type { RunningTrust } from './parts/trust.ts';
import { serverNames, startTrust } from './parts/trust.ts';
import type { ConfigurationStatus } from './profiles/live.ts';
import { LiveProfiles } from './profiles/live.ts';
import { profilesSource } from './profiles/load.ts';
import { readinessOf } from './readiness.ts';
import { recover } from './recovery.ts';
import type { Share } from './shares.ts';
import { wholeShare } from './shares.ts';
import type { SpaceWatch } from './space.ts';
import { SCHEMA_VERSION } from './store/migrations/list.ts';
import type { RollupsOptions } from './store/rollups.ts';
import type { Store } from './store/store.ts';
import { Storing } from './storing.ts';
import type { Ticks } from './ticks.ts';
import type { Clock, Logger } from './types.ts';

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

export interface RunningCollector {
  /** Where it listens: of interest when the configuration says port 0. */
  readonly mqttPort: number;
  /** 0: not with TLS. */
  readonly mqttTlsPort: number;
  readonly httpPort: number;
  /** Undefined: it is off. */
  readonly clickhousePort: number | undefined;
  /** Resolves when a part ended that the collector cannot do without; with undefined after stop(). */
  readonly failed: Promise<CollectorError | undefined>;
  /** Clean end: nothing that was acknowledged is lost either way, but the next start is quicker. */
  stop(): Promise<void>;
  /** Reads the device profiles again; those with mistakes change nothing, and the log says so. */
  reload(): Promise<void>;
}

/**
 * Rejects with PROFILES_INVALID, COLLECTOR_PORT_TAKEN or the coded error of the log; nothing is left
 * running then. With log.kafka it resolves when the HTTP server listens, and the rest follows.
 */
export async function startCollector(
  config: CollectorConfig,
  deps: CollectorDeps,
): Promise<RunningCollector> {
  const collector = new Collector(config, deps);
  try {
    await collector.start();
  } catch (error) {
    await collector.stop();
    throw error;
  }
  return collector;
}

class Collector implements RunningCollector {
  readonly failed: Promise<CollectorError | undefined>;
  readonly #config: CollectorConfig;
  readonly #deps: CollectorDeps;
  readonly #startedMs: number;
  /** Undefined: another component's processes read them. */
  readonly #profiles: LiveProfiles | undefined;
  readonly #view: LiveView;
  readonly #metrics: Metrics;
  readonly #stop = new AbortController();
  /** What writes into the store passes it. */
  readonly #gate = new Gate();
  readonly #storing: Storing;
  readonly #backups: Backups;
  readonly #access: Access;
  readonly #resolveFailed: (error: CollectorError | undefined) => void;
  #api: Awaited<ReturnType<typeof startHttp>> | undefined;
  #clickhouseHttp: Awaited<ReturnType<typeof startClickHouseHttp>>;
  #log: Log | undefined;
  #logProblem = '';
  /** Undefined: no other process works on the log. */
  #team: Team | undefined;
  #trust: RunningTrust | undefined;
  #broker: Broker | undefined;
  #probe: Ticks | undefined;
  #process: ProcessPart | undefined;
  #notify: NotifyPart | undefined;
  #auditHead: AuditHeadKeeper | undefined;
  #space: SpaceWatch | undefined;
  /** What start() did not wait for. */
  readonly #starting: Promise<void>[] = [];
  #stopped: Promise<void> | undefined;
  /** Parts that ended for good while the others go on; by name. */
  readonly #dead = new Map<string, CollectorError>();

  constructor(config: CollectorConfig, deps: CollectorDeps) {
    this.#config = config;
    this.#deps = deps;
    this.#startedMs = deps.clock.wallMs();
    const { dataDir, components, sites } = config;
    const { clock, logger } = deps;
    if (components.has('serve'))
      this.#profiles = new LiveProfiles({
        source: profilesSource(config),
        keptFile: join(dataDir, 'configuration.json'),
        clock,
        logger,
      });
    this.#view = new LiveView(logger);
    this.#storing = new Storing({
      dataDir,
      components,
      openStore: deps.openStore ?? (() => openStore(config, logger)),
      sites,
      reportsDir: join(dataDir, 'reports'),
      versions: this.#versions(),
      configuration: () => this.#team?.configuration.current ?? this.#profiles?.current,
      fill: (store) => this.#view.fill(store),
      ...(config.log.kafka === undefined ? {} : { jobsBy: (start) => this.#jobsLease(start) }),
      onPart: (name, failed) => this.#watch(name, failed),
      gate: this.#gate,
      ...(deps.rollupPace === undefined ? {} : { rollupPace: deps.rollupPace }),
      clock,
      logger,
      signal: this.#stop.signal,
    });
    this.#backups = new Backups({
      dataDir,
      elsewhere: elsewhere(config),
      gate: this.#gate,
      clock,
      logger,
      log: () => this.#log,
      store: () => this.#storing.store,
      info: () => this.#versions(),
    });
    const { passwordCost } = deps;
    this.#access = new Access({
      policy: config.access,
      clock,
      ...(passwordCost === undefined ? {} : { passwordCost }),
    });
    const { promise, resolve } = Promise.withResolvers<CollectorError | undefined>();
    this.failed = promise;
    this.#resolveFailed = resolve;
    this.#metrics = createMetrics({
      clock,
      version: deps.version,
      startedMs: this.#startedMs,
      readiness: () => this.#readiness(),
      configuration: () => this.#configurationStatus(),
      team: () => this.#team,
      fleet: this.#view.fleet,
      devices: this.#view.devices,
      alerts: () => (this.#view.live === undefined ? undefined : this.#view.alerts),
      auditHead: () => this.#view.audit.head,
      log: () => this.#log?.stats(),
      store: () => this.#storing.store?.stats(),
      streams: () => this.#view.live?.hub.stats(),
      broker: () => this.#broker?.stats(),
      processing: () => this.#process?.status() ?? [],
      writers: () => this.#storing.writers?.status() ?? [],
      rollups: () => this.#storing.rollups?.status(),
      space: () => this.#space?.status(),
      notify: () => this.#notify?.status(),
      trust: () => this.#trust?.status(),
      operations: () => ({ paused: !this.#gate.open, backingUp: this.#backups.running }),
    });
  }

  get mqttPort(): number {
    return this.#broker?.port ?? this.#config.mqtt.port;
  }

  get mqttTlsPort(): number {
    return this.#broker?.tlsPort ?? this.#config.mqtt.tls?.port ?? 0;
  }

  get httpPort(): number {
    return this.#api?.port ?? this.#config.http.port;
  }

  get clickhousePort(): number | undefined {
    return this.#clickhouseHttp?.port;
  }

  async start(): Promise<void> {
    this.#trust = await this.#startTrust();
    await this.#startApi(this.#trust);
    if (this.#config.components.has('serve'))
      this.#access.allowLocal(ensureLocalToken(this.#config.dataDir));
    if (this.#config.log.kafka === undefined) await this.#startAlone();
    else this.#later(this.#startInTeam());
    const { dataDir, http, mqtt, components } = this.#config;
    this.#deps.logger.info(
      {
        mqtt:
          components.has('intake') && mqtt.plain
            ? `mqtt://${mqtt.host}:${this.mqttPort}`
            : 'not here',
        ...(components.has('intake') &&
          mqtt.tls && { mqtt_tls: `mqtts://${mqtt.tls.host}:${this.mqttTlsPort}` }),
        pages: `${http.tls === undefined ? 'http' : 'https'}://${http.host}:${this.httpPort}`,
        data_dir: dataDir,
        gateways: this.#config.gateways.length,
        version: this.#deps.version,
      },
      'collector is running',
    );
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  async reload(): Promise<void> {
    await this.#profiles?.reload();
  }

  async #stopAll(): Promise<void> {
    this.#stop.abort();
    this.#probe?.close();
    this.#backups.stop();
    await Promise.all([
      this.#profiles?.close(),
      this.#broker?.close(),
      this.#view.close(),
      this.#api?.close(),
      this.#clickhouseHttp?.close(),
      this.#process?.stop(),
      this.#notify?.stop(),
      this.#storing.stop(),
      this.#space?.stop(),
    ]);
    this.#trust?.close();
    await this.#auditHead?.stop();
    await this.#team?.leave();
    await this.#storing.store?.close();
    await this.#log?.close();
    this.#resolveFailed(undefined);
  }

  /** All components, and a log that is only this process'. */
  async #startAlone(): Promise<void> {
    const log = await this.#openLog();
    if (log === undefined) return;
    const control = new ControlView(log.control);
    await control.start(this.#stop.signal, this.#deps.logger);
    this.#openAccess(control);
    await this.#recover(log);
    await this.#watchSpace();
    // Before anything is processed, so that what comes now is neither missed nor taken twice.
    const unread = log.stats().consumerLagRecords.writer ?? Number.POSITIVE_INFINITY;
    await this.#view.follow(log, () => unread);
    this.#keepAuditHead(control);
    const share = wholeShare(log.partitionCount);
    const process = this.#startProcessors(log, share);
    // Before any reading of this start, so that none is judged without it.
    await this.#profiles?.start(log);
    await this.#startBroker(log);
    process.start();
    this.#storing.start(log, share);
    this.#startNotify(log, share);
  }

  /** Each part starts when what it needs is there, whatever the others do. */
  async #startInTeam(): Promise<void> {
    const { components } = this.#config;
    const { signal } = this.#stop;
    const log = await this.#openLog();
    if (log === undefined || signal.aborted) return;
    const team = this.#makeTeam(log);
    this.#team = team;
    await team.start();
    if (signal.aborted) return;
    this.#openAccess(team.control);
    await this.#watchSpace();
    if (components.has('serve')) {
      await this.#followTeam(log, team);
      this.#keepAuditHead(team.control);
      this.#later(team.configuration.start());
      this.#startNotify(log, firstOf(team, log.partitionCount), team);
    } else {
      await team.configuration.start();
    }
    if (signal.aborted) return;
    if (components.has('write') || components.has('serve'))
      this.#storing.start(log, team.share('write'));
    if (components.has('write')) {
      team.written.start(() => this.#storing.writers?.status() ?? []);
      this.#later(team.recover(() => this.#storing.untilOpen(async (opened) => opened)));
    }
    await team.recovered();
    if (components.has('process') && !signal.aborted)
      this.#startProcessors(log, team.share('process'), () => team.configuration.value).start();
    if (!components.has('intake')) return;
    await team.configured();
    if (!signal.aborted) await this.#startBroker(log);
  }

  /** Also where nothing is served: /metrics may need a token. */
  #openAccess(control: ControlView): void {
    const { logger } = this.#deps;
    const opened = this.#access.open(control);
    this.#trust?.trust.open(control);
    if (this.#config.components.has('serve'))
      this.#later(startUsers(opened, control, logger, this.#stop.signal));
  }

  #keepAuditHead(control: ControlView): void {
    const { audit: view } = this.#view;
    this.#auditHead = new AuditHeadKeeper({ view, control, logger: this.#deps.logger });
    this.#auditHead.start();
  }

  #makeTeam(log: Log): Team {
    return new Team({
      config: this.#config,
      log,
      startedMs: this.#startedMs,
      httpPort: this.httpPort,
      httpKeys: () => this.#api?.keys() ?? [],
      profiles: this.#profiles,
      onConfiguration: () => this.#process?.configurationChanged(),
      clock: this.#deps.clock,
      logger: this.#deps.logger,
      signal: this.#stop.signal,
    });
  }

  /** What the store does not have for sure is read from the log again. */
  async #followTeam(log: Log, team: Team): Promise<void> {
    await this.#view.follow(log, (topic, partition, next) => {
      const written = team.written.position(topic, partition);
      return written === undefined ? Number.POSITIVE_INFINITY : Math.max(0, next - written);
    });
  }

  /** Goes on beside start(). What it cannot get over ends the collector. */
  #later(starting: Promise<void>): void {
    const ended = starting.catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#resolveFailed(
        error instanceof CollectorError
          ? error
          : new CollectorError('COLLECTOR_CRASHED', String(error), { cause: error }),
      );
    });
    this.#starting.push(ended);
  }

  #startProcessors(
    log: Log,
    share: Share,
    configuration?: () => Uint8Array | undefined,
  ): ProcessPart {
    const { clock, logger, snapshotIntervalMs } = this.#deps;
    this.#process = new ProcessPart({
      log,
      share,
      configuration,
      onAppend: (succeeded) => this.#broker?.noteAppend(succeeded),
      ...(snapshotIntervalMs === undefined ? {} : { snapshotIntervalMs }),
      clock,
      logger,
      signal: this.#stop.signal,
    });
    this.#watch('processor', this.#process.failed);
    return this.#process;
  }

  async #startTrust(): Promise<RunningTrust> {
    const { clock, logger } = this.#deps;
    return await startTrust(this.#config, {
      audit: new LogAudit({ log: () => this.#log, clock }),
      clock,
      logger,
      connected: (key) => this.#broker?.connectionOf(key),
      conflict: (...between) => this.#broker?.noteConflict(...between),
    });
  }

  async #startApi({ trust, issued }: RunningTrust): Promise<void> {
    const context = apiContext({
      config: this.#config,
      clock: this.#deps.clock,
      version: this.#deps.version,
      startedMs: this.#startedMs,
      view: this.#view,
      storing: this.#storing,
      backups: this.#backups,
      access: this.#access,
      trust,
      gatewayAddress: () => ({ mqttPort: this.mqttTlsPort, names: serverNames(this.#config) }),
      transportOf: (key) => this.#broker?.connectionOf(key)?.transport,
      metrics: this.#metrics,
      readiness: () => this.#readiness(),
      profiles: this.#profiles,
      configurationStatus: () => this.#configurationStatus(),
      team: () => this.#team,
      log: () => this.#log,
      reports: new ReportsEverywhere(
        join(this.#config.dataDir, 'reports'),
        () => this.#team?.others() ?? [],
        this.#deps.logger,
      ),
    });
    this.#api = await startHttp(this.#config, context, this.#deps.logger, issued);
    this.#clickhouseHttp = await startClickHouseHttp(
      this.#config,
      context,
      this.#deps.logger,
      issued,
    );
  }

  async #openLog(): Promise<Log | undefined> {
    const { clock, logger, openLog: open } = this.#deps;
    const { signal } = this.#stop;
    const onProblem = (reason: string): void => {
      this.#logProblem = reason;
    };
    const log = await openLog({ config: this.#config, clock, logger, open, onProblem, signal });
    this.#log = log;
    return log;
  }

  /** A log that is new or was restored is told what the store has. */
  async #recover(log: Log): Promise<void> {
    const { clock, logger } = this.#deps;
    const { dataDir, store } = this.#config;
    await this.#backups.clean();
    await recover({
      dataDir,
      storeElsewhere: store.clickhouse !== undefined,
      log,
      store: () => this.#storing.untilOpen(async (opened) => opened),
      retentionDays: store.retentionDays,
      clock,
      logger,
      signal: this.#stop.signal,
    });
  }

  #versions(): DataVersions {
    const { version } = this.#deps;
    return { version, logSchema: LOG_SCHEMA_VERSION, storeSchema: SCHEMA_VERSION };
  }

  async #watchSpace(): Promise<void> {
    this.#space = await watchOwnSpace(this.#config, {
      gate: this.#gate,
      logger: this.#deps.logger,
      log: () => this.#log?.stats(),
      store: () => this.#storing.store,
    });
  }

  async #startBroker(log: Log): Promise<void> {
    const { clock, logger } = this.#deps;
    const metrics = this.#metrics.broker;
    const trust = this.#trust;
    if (trust === undefined) throw new Error('gateways are let in by nobody');
    this.#broker = await startIntake({ config: this.#config, log, trust, clock, metrics, logger });
    // The ticks of other processes say nothing of what this one can append.
    if (this.#team !== undefined) this.#probe = probeFor(this.#broker, log);
  }

  #startNotify(log: Log, share: Share, team?: Team): void {
    const { clock, logger } = this.#deps;
    if (this.#stop.signal.aborted) return;
    this.#notify = new NotifyPart({
      config: this.#config,
      log,
      control: team?.control,
      share,
      isWell: () =>
        this.#readiness().every(({ ready }) => ready) && (team?.absent() ?? []).length === 0,
      clock,
      logger,
    });
    this.#watch('notifiers', this.#notify.failed);
    this.#notify.start();
  }

  #jobsLease(startJobs: ConstructorParameters<typeof JobsLease>[0]['startJobs']): JobsLease {
    const team = this.#team;
    const log = this.#log;
    if (team === undefined || log === undefined) throw new Error('there is no log to hold a lease');
    return new JobsLease({
      log,
      isFirst: () => team.isFirst('serve'),
      onChange: (listener) => team.onChange(listener),
      startJobs,
      logger: this.#deps.logger,
    });
  }

  /** A part that ended for good does not take intake with it, unless another process has the data. */
  #watch(name: string, failed: Promise<CollectorError | undefined>): void {
    void failed.then((error) => {
      if (error === undefined || this.#stop.signal.aborted) return;
      this.#dead.set(name, error);
      if (error.code === 'LOG_FENCED') this.#resolveFailed(error);
      else
        this.#deps.logger.error(
          { code: error.code, hint: error.hint, part: name },
          `${name} stopped; intake goes on: ${error.message}`,
        );
    });
  }

  #configurationStatus(): ConfigurationStatus {
    const reloads = { changed: 0, unchanged: 0, refused: 0 };
    const none = { version: '', sinceMs: 0, profiles: 0, mistakes: [], pending: true, reloads };
    return this.#team?.configuration.status() ?? this.#profiles?.status() ?? none;
  }

  #readiness(): ReadinessCheck[] {
    const team = this.#team;
    const broker = this.#broker?.stats();
    return readinessOf({
      components: this.#config.components,
      log: this.#log?.stats(),
      logProblem: this.#logProblem,
      others: team && { joined: team.joined, absent: team.absent() },
      waitsFor: team?.waitsFor ?? '',
      accepting: broker?.accepting === true,
      intakeProblem: broker?.problem ?? '',
      processing: this.#process?.status(),
      store: this.#storing.store?.stats(),
      storeProblem: this.#storing.problem,
      writers: this.#storing.writers?.status(),
      filled: this.#view.filled,
      space: this.#space?.status(),
      dead: this.#dead,
    });
  }
}

/** Settings by which data lie on servers. */
function elsewhere({ log, store }: CollectorConfig): string[] {
  const settings: string[] = [];
  if (log.kafka !== undefined) settings.push('log.kafka');
  if (store.clickhouse !== undefined) settings.push('store.clickhouse');
  return settings;
}
