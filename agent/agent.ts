/** Wires the stages together and leads them through start, reload and end. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { GAPS_PER_BATCH_MAX } from '../proto/limits.ts';
import type { GatewayState } from '../proto/model.ts';
import { NO_EPOCH } from '../proto/model.ts';
import type { SqliteBuffer } from './buffer/buffer.ts';
import { openBuffer } from './buffer/buffer.ts';
import { readBufferKeys } from './buffer/keys.ts';
import { bootId, ClockMonitor } from './clock.ts';
import type { Environment } from './config/env.ts';
import type { AgentConfig } from './config/values.ts';
import { Devices } from './devices.ts';
import { AgentError } from './errors.ts';
import type { Forwarder } from './forwarder/contract.ts';
import type { CertificateFacts } from './identity/certificate.ts';
import type { IdentityKeeper, IdentityStatus, KeeperOptions } from './identity/keeper.ts';
import { installId, machineFingerprint } from './install.ts';
import type { Log } from './log.ts';
import { errorFields } from './log.ts';
import type { ReaderType } from './readers/spec.ts';
import type { Scheduler } from './scheduler.ts';
import { BufferSink } from './sink.ts';
import { StatusPage } from './status/page.ts';
import type { AgentSnapshot } from './status/snapshot.ts';
import type { Clock, ReaderOutput, Sink } from './types.ts';

export interface AgentDeps {
  version: string;
  readerTypes: Readonly<Record<string, ReaderType>>;
  env: Environment;
  clock: Clock;
  scheduler: Scheduler;
  /** In [0, 1). */
  random: () => number;
  log: Log;
  /** Milliseconds since the process began. */
  uptimeMs: () => number;
  /** For tests. */
  keeper?: Pick<KeeperOptions, 'pace' | 'isClockKept'>;
}

/** The buffer's file, in data_dir. */
export const BUFFER_FILE = 'buffer.sqlite';

/**
 * How long the start gives its all to the first reading. The forwarder and the status page, whose
 * modules are large, come after that.
 */
const HEAD_START_MS = 300;
const SECOND_MS = 1_000;
/** SIGTERM has five seconds for everything. */
const FORWARDER_GRACE_MS = 1_800;
const RELOAD_GRACE_MS = 1_000;
const FLUSH_EVERY_MS = 50;

/** A running agent. Contract: start() once, then reload() any number of times, stop() once. */
export class Agent {
  readonly #deps: AgentDeps;
  /** By the clock of then; the collector knows this run of the program by it. */
  readonly #startedMs: number;
  readonly #startedMonoMs: number;
  readonly #buffer: SqliteBuffer;
  readonly #clockMonitor: ClockMonitor;
  readonly #installId: string;
  readonly #devices: Devices;
  #config: AgentConfig;
  #forwarder: Forwarder | undefined;
  /** Of an enrolled gateway. */
  #keeper: IdentityKeeper | undefined;
  /** Of a gateway whose certificate comes from elsewhere. */
  #certificate: CertificateFacts | undefined;
  readonly #status: StatusPage;
  readonly #secondTimer: NodeJS.Timeout;
  /** The disk refuses: since the last look commits failed and none was made. */
  #diskRefuses = false;
  #diskBefore = { commits: 0, errors: 0 };
  #starting: Promise<void> = Promise.resolve();
  #changing: Promise<void> = Promise.resolve();
  #stopping = false;
  readonly #firstReading = Promise.withResolvers<void>();
  #hasReading = false;

  /** Opens the buffer. Throws a coded error when that cannot be. */
  constructor(config: AgentConfig, deps: AgentDeps) {
    const { log } = deps;
    // What the readings are timed by; the judgement that makes it right is kept in the buffer.
    const clock: Clock = {
      wallMs: () => this.#clockMonitor?.wallMs() ?? deps.clock.wallMs(),
      monoMs: () => deps.clock.monoMs(),
    };
    this.#config = config;
    this.#deps = deps;
    this.#startedMs = clock.wallMs();
    this.#startedMonoMs = clock.monoMs();
    makeFolder(config.dataDir);
    const keys = readBufferKeys({
      ...config.buffer,
      credentialsDir: deps.env.CREDENTIALS_DIRECTORY,
    });
    this.#buffer = openBuffer({
      path: join(config.dataDir, BUFFER_FILE),
      ...config.buffer,
      keys,
      clock,
      clockState: () => this.#clockMonitor.state(),
      log,
    });
    const buffer = this.#buffer;
    this.#clockMonitor = new ClockMonitor({
      clock: deps.clock,
      awaitsCollector: config.collector.isEnrolled === true,
      boot: bootId(),
      load: () => buffer.meta('clock'),
      save: (state) => buffer.setMeta('clock', state),
    });
    this.#secondTimer = setInterval(() => this.#everySecond(), SECOND_MS);
    const meta = {
      get: (key: string) => buffer.meta(key),
      set: (key: string, value: string) => buffer.setMeta(key, value),
    };
    this.#installId = installId(meta, machineFingerprint(deps.env));
    const sink = new BufferSink({
      buffer,
      clock,
      clockState: () => this.#clockMonitor.state(),
      filterOf: (device) => this.#devices.filterOf(device),
    });
    this.#devices = new Devices({ ...deps, clock, sink: this.#announceFirst(sink) });
    this.#status = new StatusPage({
      dataDir: config.dataDir,
      snapshot: () => this.snapshot(),
      log,
    });
  }

  /** Starts the readers, then the rest. Resolves when the readers run. */
  async start(): Promise<void> {
    const { log, version } = this.#deps;
    const { site, gateway, devices, dataDir } = this.#config;
    log.info('fms-agent starts', {
      version,
      site,
      gateway,
      devices: devices.length,
      data: dataDir,
    });
    if (devices.length === 0) log.warn('no devices are configured');
    await this.#devices.apply(devices);
    this.#starting = this.#startRest();
  }

  /** Resolves when everything runs that start() began. */
  started(): Promise<void> {
    return this.#starting;
  }

  snapshot(): AgentSnapshot {
    const { version } = this.#deps;
    const clock = this.#clockMonitor;
    const { site, gateway, collector } = this.#config;
    const { user, system } = process.cpuUsage();
    const buffer = this.#buffer.stats();
    return {
      version,
      site,
      gateway,
      installId: this.#installId,
      collectorUrl: collector.url,
      pid: process.pid,
      nowMs: clock.wallMs(),
      startedMs: clock.wallMs() - (clock.monoMs() - this.#startedMonoMs),
      buffer,
      epoch: this.#buffer.currentEpoch(),
      gapsPending: buffer.gaps,
      diskRefuses: this.#diskRefuses,
      forwarder: this.#forwarder?.status(),
      clock: this.#clockMonitor.state(),
      clocks: this.#clockMonitor.compare(),
      identity: this.#identityStatus(),
      readers: this.#devices.statuses(),
      process: { rssBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 },
    };
  }

  /** Takes over what changed; calls are served one after another. Never rejects. */
  reload(config: AgentConfig): Promise<void> {
    this.#changing = this.#changing
      .then(() => this.#reload(config))
      .catch((error: unknown) => {
        this.#deps.log.error('the new configuration was not taken over whole', errorFields(error));
      });
    return this.#changing;
  }

  /** Ends within five seconds. What the readers had received is committed; the rest stays buffered. */
  async stop(): Promise<void> {
    const { log } = this.#deps;
    log.info('fms-agent ends');
    this.#stopping = true;
    clearInterval(this.#secondTimer);
    this.#status.giveUp();
    this.#keeper?.stop();
    await this.#flushWhile(this.#devices.stop());
    await this.#starting;
    await this.#changing;
    await this.#forwarder?.close({ graceMs: FORWARDER_GRACE_MS, lastState: true });
    await this.#status.close();
    const { readings } = this.#buffer.stats();
    await this.#buffer.close();
    log.info('fms-agent has ended', { readings_waiting: readings });
  }

  /** Readers that wait for their commit must not wait for the whole commit interval. */
  async #flushWhile(work: Promise<unknown>): Promise<void> {
    const flushing = setInterval(() => void this.#buffer.flush(), FLUSH_EVERY_MS);
    try {
      await this.#buffer.flush();
      await work;
      await this.#buffer.flush();
    } finally {
      clearInterval(flushing);
    }
  }

  /** Commits the first reading at once, and says so: from then on the agent does its work. */
  #announceFirst(sink: Sink): Sink {
    return {
      accept: async (device: string, output: ReaderOutput) => {
        const accepted = sink.accept(device, output);
        if (this.#hasReading || output.samples.length === 0) return accepted;
        this.#hasReading = true;
        await this.#buffer.flush();
        await accepted;
        const uptimeMs = Math.round(this.#deps.uptimeMs());
        this.#deps.log.info('first reading in the buffer', { device, uptime_ms: uptimeMs });
        this.#firstReading.resolve();
      },
    };
  }

  async #startRest(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, HEAD_START_MS);
    await Promise.race([this.#firstReading.promise, promise]);
    clearTimeout(timer);
    if (this.#stopping) return;
    await this.#startForwarder();
    await this.#status.open(this.#config.status);
  }

  async #startForwarder(): Promise<void> {
    const { startForwarder } = await import('./forwarder/forwarder.ts');
    await this.#startKeeper();
    if (this.#stopping) return;
    const { log, random } = this.#deps;
    const clock = this.#clockMonitor;
    const keeper = this.#keeper;
    const { site, gateway, collector, forwarder, mqtt } = this.#config;
    this.#forwarder = startForwarder({
      identity: { site, gateway, installId: this.#installId },
      collector:
        keeper === undefined
          ? collector
          : { ...collector, credentials: () => keeper.credentials() },
      onWrongTime: keeper && ((detail) => keeper.noteWrongTime(detail)),
      explainRefusal: async () => keeper?.explainRefusal(),
      settings: { ...forwarder, ...mqtt, holdMs: this.#config.clock.holdMs },
      buffer: this.#buffer,
      clock,
      clockState: () => this.#clockMonitor.state(),
      gatewayState: () => this.#gatewayState(),
      log,
      random,
    });
  }

  #identityStatus(): IdentityStatus | undefined {
    const certificate = this.#certificate;
    if (certificate === undefined) return this.#keeper?.status();
    return { certificate, renewalDueMs: undefined, renewalsTotal: 0, lastError: undefined };
  }

  /** Only an enrolled gateway loads what keeps its identity. */
  async #startKeeper(): Promise<void> {
    this.#keeper?.stop();
    this.#keeper = undefined;
    this.#certificate = undefined;
    const { site, gateway, collector, dataDir } = this.#config;
    if (collector.own !== undefined) {
      const { factsOf } = await import('./identity/certificate.ts');
      this.#certificate = factsOf(collector.own.cert);
    }
    if (collector.isEnrolled !== true) return;
    const { IdentityKeeper } = await import('./identity/keeper.ts');
    if (this.#stopping) return;
    const { log, random, version } = this.#deps;
    this.#keeper = new IdentityKeeper({
      ...this.#deps.keeper,
      dataDir,
      site,
      gateway,
      url: collector.url,
      installId: this.#installId,
      version,
      clock: this.#clockMonitor,
      random,
      log,
      onChange: () => void this.#forwarder?.reconnect(RELOAD_GRACE_MS),
      isOnline: () => this.#forwarder?.status().connection === 'online',
    });
  }

  #everySecond(): void {
    this.#clockMonitor.state();
    this.#keeper?.tick();
    const { commitsTotal: commits, writeErrorsTotal: errors } = this.#buffer.stats();
    if (commits > this.#diskBefore.commits) this.#diskRefuses = false;
    else if (errors > this.#diskBefore.errors) this.#diskRefuses = true;
    this.#diskBefore = { commits, errors };
  }

  #gatewayState(): GatewayState {
    const { version } = this.#deps;
    const clock = this.#clockMonitor;
    const { site, gateway } = this.#config;
    const stats = this.#buffer.stats();
    const epoch = this.#buffer.currentEpoch();
    const { unsynced, lastStepMs } = this.#clockMonitor.state();
    return {
      site,
      gateway,
      installId: this.#installId,
      online: true,
      cleanEnd: false,
      version,
      epoch: epoch?.epoch ?? NO_EPOCH,
      lastSeq: epoch?.lastSeq ?? 0,
      sentMs: Math.round(clock.wallMs()),
      startedMs: Math.round(this.#startedMs),
      bufferReadings: stats.readings,
      bufferBytes: stats.bytes,
      bufferSecondsUntilEviction: stats.secondsUntilEviction,
      clockUnsynced: unsynced,
      clockStepMs: lastStepMs,
      certificateEndMs: this.#identityStatus()?.certificate?.notAfterMs ?? 0,
      readers: this.#devices.statuses().map(({ state }) => state),
      gaps: this.#buffer.gaps(GAPS_PER_BATCH_MAX).map(({ id: _, ...gap }) => gap),
    };
  }

  async #reload(next: AgentConfig): Promise<void> {
    const { log } = this.#deps;
    const before = this.#config;
    await this.#starting;
    if (this.#stopping) return;
    const kept: AgentConfig = {
      ...next,
      site: before.site,
      gateway: before.gateway,
      dataDir: before.dataDir,
      buffer: before.buffer,
    };
    for (const key of ['site', 'gateway', 'dataDir', 'buffer'] as const) {
      if (!isSame(before[key], next[key])) {
        log.warn('this change needs a restart of the agent', { section: key });
      }
    }
    this.#config = kept;
    const { started, stopped } = await this.#devices.apply(kept.devices);
    const hasNewLink = !(['collector', 'forwarder', 'mqtt', 'clock'] as const).every((key) =>
      isSame(before[key], kept[key]),
    );
    if (hasNewLink) {
      await this.#forwarder?.close({ graceMs: RELOAD_GRACE_MS, lastState: false });
      await this.#startForwarder();
    }
    if (!isSame(before.status, kept.status) || !this.#status.isOpen) {
      await this.#status.open(kept.status);
    }
    log.info('configuration taken over', {
      devices_started: started,
      devices_stopped: stopped,
      forwarder_restarted: hasNewLink,
    });
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o750 });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new AgentError('AGENT_DATA_DIR', `${path}: ${detail}`, { cause });
  }
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
