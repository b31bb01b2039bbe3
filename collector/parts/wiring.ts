/**
 * What each part of a collector is given: of the configuration, and of the parts beside it. Each method makes a part
 * and puts it in its place; when that is done, and after what, collector.ts says.
 */

import { startUsers } from '../access/access.ts';
import type { ReadinessCheck } from '../api/context.ts';
import type { CollectorConfig } from '../config.ts';
import type { ControlView } from '../control.ts';
import type { Log } from '../log/log.ts';
import type { Metrics } from '../metrics.ts';
import { createMetrics } from '../metrics.ts';
import { recover } from '../recovery.ts';
import type { Share } from '../shares.ts';
import { apiContext } from './api_context.ts';
import { LogAudit } from './audit.ts';
import { AuditHeadKeeper } from './audit_head.ts';
import { startClickHouseHttp } from './clickhouse_http.ts';
import { startHttp } from './http.ts';
import { probeFor, startIntake } from './intake.ts';
import type { Lifetime } from './lifetime.ts';
import { NotifyPart } from './notify.ts';
import { openLog } from './open_log.ts';
import { watchOwnSpace } from './own_space.ts';
import { ProcessPart } from './process.ts';
import type { CollectorDeps, RunningParts, RunningPartsOptions } from './running.ts';
import { metricSourcesOf, readinessNow } from './status.ts';
import { Team } from './team.ts';
import type { RunningTrust } from './trust.ts';
import { startTrust } from './trust.ts';

export interface WiringOptions extends RunningPartsOptions {
  parts: RunningParts;
}

export class Wiring {
  readonly #config: CollectorConfig;
  readonly #deps: CollectorDeps;
  readonly #lifetime: Lifetime;
  readonly #parts: RunningParts;
  readonly #metrics: Metrics;

  constructor({ config, deps, lifetime, parts }: WiringOptions) {
    this.#config = config;
    this.#deps = deps;
    this.#lifetime = lifetime;
    this.#parts = parts;
    this.#metrics = createMetrics({
      ...metricSourcesOf(parts),
      clock: deps.clock,
      version: deps.version,
      startedMs: lifetime.startedMs,
      readiness: () => this.#readiness(),
    });
  }

  /** Before all others: what it issues is shown by all that listen. Rejects with TRUST_AUTHORITY_INVALID. */
  async startTrust(): Promise<RunningTrust> {
    const { clock, logger } = this.#deps;
    const parts = this.#parts;
    parts.trust = await startTrust(this.#config, {
      audit: new LogAudit({ log: () => parts.log, clock }),
      clock,
      logger,
      connected: (key) => parts.broker?.connectionOf(key),
      conflict: (...between) => parts.broker?.noteConflict(...between),
    });
    return parts.trust;
  }

  /** What people and programs ask: pages, API and metrics, and the ClickHouse interface. Rejects as startHttp does. */
  async startApi({ trust, issued }: RunningTrust): Promise<void> {
    const { clock, logger, version } = this.#deps;
    const context = apiContext({
      config: this.#config,
      clock,
      logger,
      version,
      startedMs: this.#lifetime.startedMs,
      parts: this.#parts,
      trust,
      metrics: this.#metrics,
      readiness: () => this.#readiness(),
    });
    this.#parts.http = await startHttp(this.#config, context, logger, issued);
    this.#parts.clickhouseHttp = await startClickHouseHttp(this.#config, context, logger, issued);
  }

  /** Rejects as openLog does; undefined: the collector ends. */
  async openLog(): Promise<Log | undefined> {
    const { clock, logger, openLog: open } = this.#deps;
    const { signal } = this.#lifetime;
    const onProblem = (reason: string): void => {
      this.#parts.logProblem = reason;
    };
    const log = await openLog({ config: this.#config, clock, logger, open, onProblem, signal });
    this.#parts.log = log;
    return log;
  }

  /** With others on its log; it is started with Team.start(). */
  makeTeam(log: Log): Team {
    const { clock, logger } = this.#deps;
    const parts = this.#parts;
    parts.team = new Team({
      config: this.#config,
      log,
      startedMs: this.#lifetime.startedMs,
      httpPort: parts.httpPort,
      httpKeys: () => parts.http?.keys() ?? [],
      profiles: parts.profiles,
      onConfiguration: () => parts.process?.configurationChanged(),
      clock,
      logger,
      signal: this.#lifetime.signal,
    });
    return parts.team;
  }

  /** Also where nothing is served: /metrics may need a token. */
  openAccess(control: ControlView): void {
    const { access, trust } = this.#parts;
    const opened = access.open(control);
    trust?.trust.open(control);
    if (!this.#config.components.has('serve')) return;
    const { signal } = this.#lifetime;
    this.#lifetime.later(startUsers(opened, control, this.#deps.logger, signal));
  }

  /** Alone on its log: one that is new or was restored is told what the store has. */
  async recover(log: Log): Promise<void> {
    const { clock, logger } = this.#deps;
    const { dataDir, store } = this.#config;
    const { backups, storing } = this.#parts;
    await backups.clean();
    await recover({
      dataDir,
      storeElsewhere: store.clickhouse !== undefined,
      log,
      store: () => storing.untilOpen(async (opened) => opened),
      retentionDays: store.retentionDays,
      clock,
      logger,
      signal: this.#lifetime.signal,
    });
  }

  async watchSpace(): Promise<void> {
    const parts = this.#parts;
    parts.space = await watchOwnSpace(this.#config, {
      gate: parts.gate,
      logger: this.#deps.logger,
      log: () => parts.log?.stats(),
      store: () => parts.storing.store,
    });
  }

  keepAuditHead(control: ControlView): void {
    const { audit: view } = this.#parts.view;
    this.#parts.auditHead = new AuditHeadKeeper({ view, control, logger: this.#deps.logger });
    this.#parts.auditHead.start();
  }

  /** Processors run from here on; ticks and trimming with ProcessPart.start(). */
  startProcessors(log: Log, share: Share): ProcessPart {
    const { clock, logger, snapshotIntervalMs } = this.#deps;
    const parts = this.#parts;
    const { team } = parts;
    parts.process = new ProcessPart({
      log,
      share,
      configuration: team && (() => team.configuration.value),
      onAppend: (succeeded) => parts.broker?.noteAppend(succeeded),
      ...(snapshotIntervalMs === undefined ? {} : { snapshotIntervalMs }),
      clock,
      logger,
      signal: this.#lifetime.signal,
    });
    this.#lifetime.watch('processor', parts.process.failed);
    return parts.process;
  }

  /** After openAccess(): who may connect is known there. Rejects as startIntake does. */
  async startBroker(log: Log): Promise<void> {
    const { clock, logger } = this.#deps;
    const metrics = this.#metrics.broker;
    const { trust, team } = this.#parts;
    if (trust === undefined) throw new Error('gateways are let in by nobody');
    const broker = await startIntake({ config: this.#config, log, trust, clock, metrics, logger });
    this.#parts.broker = broker;
    // The ticks of other processes say nothing of what this one can append.
    if (team !== undefined) this.#parts.probe = probeFor(broker, log);
  }

  startNotify(log: Log, share: Share): void {
    const { clock, logger } = this.#deps;
    const { team } = this.#parts;
    if (this.#lifetime.signal.aborted) return;
    const notify = new NotifyPart({
      config: this.#config,
      log,
      control: team?.control,
      share,
      isWell: () =>
        this.#readiness().every(({ ready }) => ready) && (team?.absent() ?? []).length === 0,
      clock,
      logger,
    });
    this.#parts.notify = notify;
    this.#lifetime.watch('notifiers', notify.failed);
    notify.start();
  }

  #readiness(): ReadinessCheck[] {
    return readinessNow(this.#config, this.#parts, this.#lifetime);
  }
}
