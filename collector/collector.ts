/**
 * The order in which the parts of fms-collector start and end; what each is given of the others is in
 * parts/wiring.ts. First comes the HTTP server (so that a second collector with the same configuration
 * fails before it touches any data), then the log. Alone on its log: processors, the device profiles, the
 * broker, ticks; meanwhile the store, and after it the writers. With others on its log (parts/team.ts) each
 * part waits for what it needs, and nothing ends because something else is away. The store may be away in
 * any case: intake and log go on, and it is tried again.
 */

import { ensureLocalToken } from './access/local_token.ts';
import type { CollectorConfig } from './config.ts';
import { ControlView } from './control.ts';
import type { CollectorError } from './errors.ts';
import { Lifetime } from './parts/lifetime.ts';
import { firstOf } from './parts/notify.ts';
import type { CollectorDeps } from './parts/running.ts';
import { RunningParts } from './parts/running.ts';
import { Wiring } from './parts/wiring.ts';
import { wholeShare } from './shares.ts';

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
  readonly #config: CollectorConfig;
  readonly #deps: CollectorDeps;
  readonly #lifetime: Lifetime;
  readonly #parts: RunningParts;
  readonly #wiring: Wiring;
  #stopped: Promise<void> | undefined;

  constructor(config: CollectorConfig, deps: CollectorDeps) {
    this.#config = config;
    this.#deps = deps;
    const lifetime = new Lifetime(deps);
    this.#lifetime = lifetime;
    this.#parts = new RunningParts({ config, deps, lifetime });
    this.#wiring = new Wiring({ config, deps, lifetime, parts: this.#parts });
  }

  get failed(): Promise<CollectorError | undefined> {
    return this.#lifetime.failed;
  }

  get mqttPort(): number {
    return this.#parts.mqttPort;
  }

  get mqttTlsPort(): number {
    return this.#parts.mqttTlsPort;
  }

  get httpPort(): number {
    return this.#parts.httpPort;
  }

  get clickhousePort(): number | undefined {
    return this.#parts.clickhouseHttp?.port;
  }

  async start(): Promise<void> {
    const { components, dataDir, log } = this.#config;
    const trust = await this.#wiring.startTrust();
    await this.#wiring.startApi(trust);
    if (components.has('serve')) this.#parts.access.allowLocal(ensureLocalToken(dataDir));
    if (log.kafka === undefined) await this.#startAlone();
    else this.#lifetime.later(this.#startInTeam());
    this.#sayRunning();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stopAll();
    return this.#stopped;
  }

  async reload(): Promise<void> {
    await this.#parts.profiles?.reload();
  }

  /** All components, and a log that is only this process'. */
  async #startAlone(): Promise<void> {
    const { view, profiles, storing } = this.#parts;
    const wiring = this.#wiring;
    const log = await wiring.openLog();
    if (log === undefined) return;
    const control = new ControlView(log.control);
    await control.start(this.#lifetime.signal, this.#deps.logger);
    wiring.openAccess(control);
    await wiring.recover(log);
    await wiring.watchSpace();
    // Before anything is processed, so that what comes now is neither missed nor taken twice.
    const unread = log.stats().consumerLagRecords.writer ?? Number.POSITIVE_INFINITY;
    await view.follow(log, () => unread);
    wiring.keepAuditHead(control);
    const share = wholeShare(log.partitionCount);
    const process = wiring.startProcessors(log, share);
    // Before any reading of this start, so that none is judged without it.
    await profiles?.start(log);
    await wiring.startBroker(log);
    process.start();
    storing.start(log, share);
    wiring.startNotify(log, share);
  }

  /** Each part starts when what it needs is there, whatever the others do. */
  async #startInTeam(): Promise<void> {
    const { components } = this.#config;
    const { view, storing } = this.#parts;
    const wiring = this.#wiring;
    const lifetime = this.#lifetime;
    const { signal } = lifetime;
    const log = await wiring.openLog();
    if (log === undefined || signal.aborted) return;
    const team = wiring.makeTeam(log);
    await team.start();
    if (signal.aborted) return;
    wiring.openAccess(team.control);
    await wiring.watchSpace();
    if (components.has('serve')) {
      // What the store does not have for sure is read from the log again.
      await view.follow(log, (...end) => team.written.unread(...end));
      wiring.keepAuditHead(team.control);
      lifetime.later(team.configuration.start());
      wiring.startNotify(log, firstOf(team, log.partitionCount));
    } else {
      await team.configuration.start();
    }
    if (signal.aborted) return;
    if (components.has('write') || components.has('serve')) storing.start(log, team.share('write'));
    if (components.has('write')) {
      team.written.start(() => storing.writers?.status() ?? []);
      lifetime.later(team.recover(() => storing.untilOpen(async (opened) => opened)));
    }
    await team.recovered();
    if (components.has('process') && !signal.aborted)
      wiring.startProcessors(log, team.share('process')).start();
    if (!components.has('intake')) return;
    await team.configured();
    if (!signal.aborted) await wiring.startBroker(log);
  }

  /** Whatever has started by now; a start under way ends by the signal. */
  async #stopAll(): Promise<void> {
    const parts = this.#parts;
    this.#lifetime.end();
    parts.probe?.close();
    parts.backups.stop();
    await Promise.all([
      parts.profiles?.close(),
      parts.broker?.close(),
      parts.view.close(),
      parts.http?.close(),
      parts.clickhouseHttp?.close(),
      parts.process?.stop(),
      parts.notify?.stop(),
      parts.storing.stop(),
      parts.space?.stop(),
    ]);
    parts.trust?.close();
    await parts.auditHead?.stop();
    await parts.team?.leave();
    await parts.storing.store?.close();
    await parts.log?.close();
    this.#lifetime.ended();
  }

  #sayRunning(): void {
    const { dataDir, http, mqtt, components, gateways } = this.#config;
    const { mqttPort, mqttTlsPort, httpPort } = this.#parts;
    const hasIntake = components.has('intake');
    this.#deps.logger.info(
      {
        mqtt: hasIntake && mqtt.plain ? `mqtt://${mqtt.host}:${mqttPort}` : 'not here',
        ...(hasIntake && mqtt.tls && { mqtt_tls: `mqtts://${mqtt.tls.host}:${mqttTlsPort}` }),
        pages: `${http.tls === undefined ? 'http' : 'https'}://${http.host}:${httpPort}`,
        data_dir: dataDir,
        gateways: gateways.length,
        version: this.#deps.version,
      },
      'collector is running',
    );
  }
}
