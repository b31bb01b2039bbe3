/**
 * What the processes of one log have in common: who runs what, the configuration that holds, and how far
 * log and store are. For a log of this process alone there is none.
 */

import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import type { Peer } from '../api/peers.ts';
import type { CollectorConfig, Component } from '../config.ts';
import { ControlView } from '../control.ts';
import type { Log } from '../log/log.ts';
import type { Member } from '../membership.ts';
import { Membership } from '../membership.ts';
import { AgreedConfiguration } from '../profiles/agreed.ts';
import type { LiveProfiles } from '../profiles/live.ts';
import { isRecovered, recoverShared } from '../recovery.ts';
import type { Trust } from '../secure_fetch.ts';
import type { Share } from '../shares.ts';
import type { Store } from '../store/store.ts';
import type { Clock, Logger } from '../types.ts';
import { RawKind } from '../types.ts';
import { WrittenPositions } from './written.ts';

/** In `control`: identity of the log each of whose partitions began with a configuration. */
const CONFIGURED_KEY = 'configured';
const RETRY_MS = 2_000;

export interface TeamOptions {
  config: CollectorConfig;
  log: Log;
  startedMs: number;
  httpPort: number;
  /** Of the certificate that the HTTP server shows now; empty without TLS. */
  httpKeys?: () => readonly string[];
  /** Undefined: this process reads none. */
  profiles: LiveProfiles | undefined;
  onConfiguration: () => void;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

export class Team {
  readonly configuration: AgreedConfiguration;
  readonly written: WrittenPositions;
  readonly #options: TeamOptions;
  readonly #control: ControlView;
  readonly #membership: Membership;

  constructor(options: TeamOptions) {
    this.#options = options;
    const { config, log, startedMs, httpPort, httpKeys, logger } = options;
    this.#control = new ControlView(log.control);
    this.#membership = new Membership({
      control: this.#control,
      components: config.components,
      startedMs,
      address: addressFor(config.http, httpPort),
      ...(httpKeys && { keys: httpKeys }),
      partitionCount: log.partitionCount,
      logger,
    });
    this.configuration = new AgreedConfiguration({
      control: this.#control,
      files: options.profiles,
      onChange: options.onConfiguration,
      logger,
    });
    this.written = new WrittenPositions(this.#control, log);
  }

  /** Topic `control`, followed from start() on. */
  get control(): ControlView {
    return this.#control;
  }

  /** Resolves when what the others say is known; this process says that it is there. */
  async start(): Promise<void> {
    const { signal, logger } = this.#options;
    await this.#control.start(signal, logger);
    if (!signal.aborted) this.#membership.start();
  }

  share(component: Component): Share {
    return this.#membership.share(component);
  }

  get joined(): boolean {
    return this.#membership.joined;
  }

  absent(): Component[] {
    return this.#membership.absent();
  }

  members(): readonly Member[] {
    return this.#membership.members();
  }

  /** Other processes with component serve; the first has the jobs unless this one does. */
  others(): readonly (Member & Peer)[] {
    return this.#membership
      .members('serve')
      .filter(({ id }) => id !== this.#membership.id)
      .map((member) => ({ ...member, trust: this.#trustIn(member) }));
  }

  /** What all know of each other counts, and the authority that all have: its servers are members. */
  #trustIn({ keys }: Member): Trust {
    const { given } = this.#options.config.authority;
    return { ca: given === undefined ? [] : [given.cert], keys, checkName: false };
  }

  /** This process is the first of those that run the component. */
  isFirst(component: Component): boolean {
    return this.#membership.members(component)[0]?.id === this.#membership.id;
  }

  onChange(listener: () => void): () => void {
    return this.#membership.onChange(listener);
  }

  /** What carries it comes from a process of this log. */
  isMember(secret: string): boolean {
    // Of 192 random bits nothing is learnt by how long a comparison takes.
    return secret !== '' && this.#membership.members().some((member) => member.secret === secret);
  }

  /** What intake and processing wait for, for people; '' for nothing. */
  get waitsFor(): string {
    if (!isRecovered(this.#control, this.#options.log))
      return 'the log is new: waits until a process with write, and the store, have said what the store has';
    if (this.configuration.value === undefined)
      return 'waits for the device profiles: no process with serve has read them yet';
    return '';
  }

  /** Tells a new log what the store has, if nobody else does. Never rejects. */
  async recover(store: () => Promise<Store | undefined>): Promise<void> {
    const { signal, config, log, clock, logger } = this.#options;
    const control = this.#control;
    while (!signal.aborted && !isRecovered(control, log)) {
      try {
        if (this.isFirst('write')) {
          const { retentionDays } = config.store;
          const waiting = { control, log, store, retentionDays, clock, logger, signal };
          await recoverShared(waiting);
        }
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ error: String(error), retry_ms: RETRY_MS }, 'the new log cannot be told yet');
      }
      const enough = AbortSignal.any([signal, AbortSignal.timeout(RETRY_MS)]);
      await control.until(() => isRecovered(control, log), enough);
    }
  }

  /** Resolves when the log was told what the store has, or the process ends. */
  async recovered(): Promise<void> {
    const { signal, log } = this.#options;
    await this.#control.until(() => isRecovered(this.#control, log), signal);
  }

  /**
   * Resolves when every partition of the log has a configuration, so that no reading is judged without one,
   * or when the process ends.
   */
  async configured(): Promise<void> {
    const { signal, log, logger } = this.#options;
    const known = this.#control.get(CONFIGURED_KEY);
    if (known !== undefined && Buffer.from(known).toString('utf8') === log.identity) return;
    await this.#control.until(() => this.configuration.value !== undefined, signal);
    while (!signal.aborted) {
      try {
        const value = this.configuration.value ?? new Uint8Array(0);
        for (let partition = 0; partition < log.partitionCount; partition++)
          await log.append('raw', partition, { key: '', kind: RawKind.CONFIGURATION, value });
        await this.#control.put(CONFIGURED_KEY, Buffer.from(log.identity));
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ error: String(error), retry_ms: RETRY_MS }, 'the log cannot be begun yet');
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** When all work has ended: the others take over at once. */
  async leave(): Promise<void> {
    this.written.stop();
    await this.#membership.leave();
  }
}

/** Where the other processes reach this one's HTTP server, which listens at `port`. */
export function addressFor(
  { host, advertisedHost, tls }: CollectorConfig['http'],
  port: number,
): string {
  const everywhere = host === '0.0.0.0' || host === '::';
  const name = advertisedHost ?? (everywhere ? hostname() : host);
  const scheme = tls === undefined ? 'http' : 'https';
  return `${scheme}://${name.includes(':') ? `[${name}]` : name}:${port}`;
}
