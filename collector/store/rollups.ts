/**
 * Keeps the roll-ups equal to what `readings` holds: follows the records that the writer has written, notes
 * which minutes of which devices they touch, and recomputes those; then their hours, then their days. Every
 * statement may be repeated, so a kill at any moment costs nothing but some work done twice.
 *
 * Several processes may recompute the same bucket, each for the partitions that are its own: versions are such
 * that a row computed from fewer readings never holds (docs/decisions/0022).
 *
 * What comes in now is recomputed as often as a twentieth of the time allows; late data (a month at once)
 * in bounded slices beside it. The log is never held back for it: positions in the log are committed as
 * records are read, and `rollup_positions` in the store says how far the roll-ups are complete.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { CollectorErrorCode } from '../errors.ts';
import { CollectorError } from '../errors.ts';
import type { Gate } from '../gate.ts';
import type { Log } from '../log/log.ts';
import type { Share } from '../shares.ts';
import type { SiteCalendar } from '../site_time.ts';
import type { Clock, Logger } from '../types.ts';
import type { Lane, Level, Pace } from './rollup/lanes.ts';
import {
  adapt,
  daysOf,
  LEVELS,
  lanesOf,
  PACE,
  RANGES_MAX,
  rest,
  shrink,
  widened,
} from './rollup/lanes.ts';
import type { LogReader, Written } from './rollup/log_reader.ts';
import type { Position } from './rollup/positions.ts';
import { highestVersion, ROLLUP_TABLES, savePosition } from './rollup/positions.ts';
import { Readers } from './rollup/readers.ts';
import { Rebuild } from './rollup/rebuild.ts';
import type { Touch } from './rollup/records.ts';
import type { Statement } from './rollup/statements.ts';
import { dayStatements, hourStatements, minuteStatement } from './rollup/statements.ts';
import type { Slice } from './rollup/touched.ts';
import { Versions } from './rollup/versions.ts';
import type { Store } from './store.ts';

const ASKER = 'rollups';
const EXECUTE_LIMITS = { timeoutMs: 60_000, maxMemoryBytes: 1024 * 1024 * 1024 };
const BACKOFF_MIN_MS = 500;
const BACKOFF_MAX_MS = 30_000;
const HOUR_MINUTES = 60;
const MINUTE_MS = 60_000;
/** What comes in now is worked off at once, unless that takes longer. */
const RUN_MAX_MS = 5_000;

/** How often it is asked whether parts of roll-ups were lost. */
const DAMAGE_INTERVAL_MS = 60_000;

const PASSING: readonly CollectorErrorCode[] = [
  'LOG_UNAVAILABLE',
  'LOG_FULL',
  'STORE_UNAVAILABLE',
  'STORE_BUSY',
  'STORE_READ_ONLY',
  'STORE_REFUSED',
  'STORE_PART_DAMAGED',
];

export interface RollupsOptions {
  log: Log;
  /** Migrated. */
  store: Store;
  /** Partitions of topic readings that are this process' to roll up. */
  share: Share;
  sites: ReadonlyMap<string, SiteCalendar>;
  /** Undefined: nothing is known yet. */
  written: (partition: number) => Written | undefined;
  clock: Clock;
  logger: Logger;
  /** Each statement runs inside it. */
  gate?: Gate;
  /** For tests. */
  pace?: Pace;
}

export interface RollupStatus {
  /** Next record to look at, of each partition that is this process'. */
  positions: number[];
  /** Nothing waits that was written so far. */
  settled: boolean;
  /** Ranges of minutes, over all devices and levels, that wait. */
  pendingRanges: number;
  /** The store is gone through because the log does not tell what is missing. */
  rebuilding: boolean;
  /** Since when something waits, on performance.now(); undefined: nothing does. */
  waitingSinceMs: number | undefined;
  statementsTotal: number;
  /** Time that statements took. */
  busyMsTotal: number;
  /** Slices that were given up: they stay as they were until new readings touch them. */
  failedTotal: number;
  /** '' while it runs well. */
  lastError: string;
}

export interface Rollups {
  /** Resolves with the first error that stopped it for good; with undefined after stop(). */
  readonly failed: Promise<CollectorError | undefined>;
  status(): RollupStatus;
  /** Ends the statement under way. */
  stop(): Promise<void>;
}

/** Waits for nothing. */
export function startRollups(options: RollupsOptions): Rollups {
  const controller = new AbortController();
  const worker = new RollupWorker(options, controller.signal);
  const failed = worker.run();
  return {
    failed,
    status: () => worker.status(),
    stop: async () => {
      controller.abort();
      await failed;
    },
  };
}

/** What will be complete once everything that waits now is done. */
interface Checkpoint {
  positions: Map<LogReader, Position>;
  /** Of LEVELS: how many of them were empty since. */
  done: number;
}

class RollupWorker {
  readonly #options: RollupsOptions;
  readonly #signal: AbortSignal;
  readonly #pace: Pace;
  readonly #lanes: Lane[];
  readonly #readers: Readers;
  readonly #versions: Versions;
  #isOpen = false;
  /** Aborts the rest between two turns. */
  #wake = new AbortController();
  #checkpoint: Checkpoint | undefined;
  /** Of the roll-ups: all is recomputed for them. */
  #damagedParts: string[] = [];
  /** On performance.now(); 0: it was not looked for yet. */
  #damageDueMs = 0;
  readonly #rebuild: Rebuild;
  #isRunning = false;
  #waitingSinceMs: number | undefined;
  #statementsTotal = 0;
  #busyMsTotal = 0;
  #failedTotal = 0;
  #lastError = '';

  constructor(options: RollupsOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#pace = options.pace ?? PACE;
    this.#lanes = lanesOf(options.sites);
    this.#rebuild = new Rebuild(options.store, signal);
    this.#readers = new Readers(options, (receivedMs) => this.#rebuild.since(receivedMs));
    this.#versions = new Versions(options, signal);
  }

  status(): RollupStatus {
    const pendingRanges = this.#lanes.reduce((sum, { touched }) => sum + touched.ranges, 0);
    const isLevel = this.#damageDueMs > 0 && this.#readers.areLevel;
    return {
      positions: this.#readers.all.map(({ position }) => position.position),
      settled: isLevel && pendingRanges === 0 && !this.#rebuild.active && !this.#isRunning,
      pendingRanges,
      rebuilding: this.#rebuild.active,
      waitingSinceMs: this.#waitingSinceMs,
      statementsTotal: this.#statementsTotal,
      busyMsTotal: this.#busyMsTotal,
      failedTotal: this.#failedTotal,
      lastError: this.#lastError,
    };
  }

  /** Resolves when stopped, or with what it cannot get over. */
  async run(): Promise<CollectorError | undefined> {
    const unsubscribe = this.#options.share.onChange(() => this.#wake.abort());
    try {
      return await this.#work();
    } finally {
      unsubscribe();
      await this.#readers.close();
    }
  }

  async #work(): Promise<CollectorError | undefined> {
    let backoffMs = BACKOFF_MIN_MS;
    while (!this.#signal.aborted) {
      try {
        if (!this.#isOpen) this.#versions.above(await highestVersion(this.#options.store));
        this.#isOpen = true;
        await this.#readers.follow();
        if (performance.now() >= this.#damageDueMs) await this.#lookForDamage();
        const restMs = await this.#turn();
        this.#lastError = '';
        backoffMs = BACKOFF_MIN_MS;
        await this.#rest(restMs);
      } catch (error) {
        if (this.#signal.aborted) break;
        const failure = coded(error);
        this.#lastError = failure.message;
        if (failure.code === 'STORE_PART_DAMAGED') this.#damageDueMs = 0;
        if (!PASSING.includes(failure.code)) return failure;
        const { code } = failure;
        this.#options.logger.warn({ code, retry_ms: backoffMs }, `roll-ups: ${failure.message}`);
        await delay(backoffMs, undefined, { signal: this.#signal }).catch(() => undefined);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
    return undefined;
  }

  /** Ends early when stopped, or when the share changes. */
  async #rest(ms: number): Promise<void> {
    const signal = AbortSignal.any([this.#signal, this.#wake.signal]);
    await delay(ms, undefined, { signal }).catch(() => undefined);
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }

  /** All is recomputed when rows of roll-ups were lost: which they were nobody knows. */
  async #lookForDamage(): Promise<void> {
    const found = await this.#options.store.setAside.unknownTo(ASKER, ROLLUP_TABLES);
    this.#damageDueMs = performance.now() + DAMAGE_INTERVAL_MS;
    const isNew = found.some((part) => !this.#damagedParts.includes(part));
    if (!isNew) return;
    this.#damagedParts = found;
    this.#options.logger.warn({ damaged_parts: found }, 'roll-ups were lost: all are recomputed');
    this.#rebuild.since(0);
  }

  /** Does what is due; answers how long nothing will be. */
  async #turn(): Promise<number> {
    const first = this.#lane('minutes', false);
    if (isDue(first)) {
      const startMs = performance.now();
      await this.#note();
      // Even when nothing came: it sets the pace.
      await this.#run(first, startMs);
    }
    for (const lane of this.#lanes) if (isDue(lane) && this.#mayRun(lane)) await this.#run(lane);
    await this.#check();
    const next = this.#lanes.filter((lane) => lane === first || this.#mayRun(lane));
    return Math.max(0, Math.min(...next.map(({ dueMs }) => dueMs)) - performance.now());
  }

  /** Notes what has new readings. */
  async #note(): Promise<void> {
    for (const reader of this.#readers.all) {
      if (!(await reader.beganAnew())) continue;
      // Said in the store at once: a process that dies now begins there too.
      this.#checkpoint = undefined;
      await this.#save(reader, reader.position);
    }
    await this.#readers.read((touch, receivedMs) => this.#add(touch, receivedMs), this.#signal);
    await this.#rebuild.feed(this.#lane('minutes', true).touched);
  }

  #add({ site, device, channels, ranges }: Touch, receivedMs: number): void {
    const nowMinute = Math.floor(this.#options.clock.wallMs() / MINUTE_MS);
    // Late data must not hold up the minutes that people look at.
    const lateBelow = Math.floor(nowMinute / HOUR_MINUTES - 1) * HOUR_MINUTES;
    this.#waitingSinceMs ??= performance.now();
    const add = (late: boolean, from: number, to: number): void => {
      const { touched } = this.#lane('minutes', late);
      if (from < to && !touched.add(site, device, channels, { from, to }))
        this.#rebuild.since(receivedMs);
    };
    for (const { from, to } of ranges) {
      // By whole hours: few long ranges cost less than many short ones, and the hours follow anyway.
      const { from: hourFrom, to: hourTo } = widened('hours', this.#options.sites, site, {
        from,
        to,
      });
      if (from < lateBelow) add(true, hourFrom, Math.min(hourTo, lateBelow));
      add(false, Math.max(from, lateBelow), to);
    }
  }

  #lane(level: Level, late: boolean): Lane {
    return this.#lanes.find((lane) => lane.level === level && lane.late === late)!;
  }

  /** The lane that has to follow; undefined after days. */
  #laneAfter({ level, late }: Lane): Lane | undefined {
    const after = LEVELS[LEVELS.indexOf(level) + 1];
    return after === undefined ? undefined : this.#lane(after, late);
  }

  #mayRun(lane: Lane): boolean {
    return !lane.touched.empty && !this.#laneAfterIsFull(lane);
  }

  #laneAfterIsFull(lane: Lane): boolean {
    return (this.#laneAfter(lane)?.touched.ranges ?? 0) >= RANGES_MAX;
  }

  /** One slice of what is late; all of what comes in now, if that does not take long. */
  async #run(lane: Lane, startMs = performance.now()): Promise<void> {
    this.#isRunning = true;
    try {
      let goesOn = !this.#laneAfterIsFull(lane);
      if (goesOn && !lane.touched.empty) await this.#versions.refresh();
      while (goesOn) {
        const slice = lane.touched.take(lane.limits, lane.units);
        if (slice === undefined) break;
        const isDone = await this.#recompute(lane, slice);
        goesOn = isDone && !lane.late && performance.now() - startMs < RUN_MAX_MS;
      }
    } finally {
      this.#isRunning = false;
      const nowMs = performance.now();
      lane.dueMs = nowMs + rest(lane, this.#pace, nowMs - startMs);
    }
  }

  /** Answers false when it could not be done; it is tried again later. */
  async #recompute(lane: Lane, slice: Slice): Promise<boolean> {
    const startMs = performance.now();
    try {
      for (const statement of this.#statements(lane, slice)) await this.#execute(statement);
    } catch (error) {
      if (!(error instanceof CollectorError) || error.code !== 'STORE_QUERY_REFUSED') {
        putBack(lane, slice);
        throw error;
      }
      if (shrink(lane, slice)) putBack(lane, slice);
      else this.#giveUp(lane, slice, error);
      return false;
    }
    adapt(lane, slice, performance.now() - startMs);
    const after = this.#laneAfter(lane);
    if (after === undefined) return true;
    for (const { site, device, channels } of slice.devices) {
      for (const range of slice.ranges) {
        const wide = widened(after.level, this.#options.sites, site, range);
        after.touched.put(site, device, channels, wide);
      }
    }
    return true;
  }

  #giveUp({ level }: Lane, { devices, ranges }: Slice, { code, message }: CollectorError): void {
    this.#failedTotal++;
    const site = devices[0]?.site;
    const names = devices.map(({ device }) => device);
    this.#options.logger.error(
      { code, level, site, devices: names, ranges },
      `roll-ups stay as they are: ${message}`,
    );
  }

  #statements({ level }: Lane, slice: Slice): Statement[] {
    const version = this.#versions.next();
    if (level === 'minutes') return [minuteStatement(slice, version)];
    if (level === 'hours') return hourStatements(slice, version);
    return dayStatements(slice, daysOf(this.#options.sites, slice), version);
  }

  async #execute({ sql, params }: Statement): Promise<void> {
    await this.#guarded(async () => {
      const startMs = performance.now();
      this.#statementsTotal++;
      await this.#options.store.execute(sql, params, EXECUTE_LIMITS, this.#signal);
      this.#busyMsTotal += performance.now() - startMs;
    });
  }

  /** Inside the gate, so that a backup finds the roll-ups at least as new as their positions. */
  async #guarded(write: () => Promise<void>): Promise<void> {
    const leave = await this.#options.gate?.enter(this.#signal);
    try {
      this.#signal.throwIfAborted();
      await write();
    } finally {
      leave?.();
    }
  }

  /** When everything that waited at some time is done, the positions of that time hold. */
  async #check(): Promise<void> {
    const waiting = this.#lanes.some(({ touched }) => !touched.empty) || this.#rebuild.active;
    if (!waiting) {
      this.#waitingSinceMs = undefined;
      await this.#options.store.setAside.madeUpFor(ASKER, this.#damagedParts.splice(0));
    }
    if (this.#checkpoint === undefined) {
      const positions = this.#readers.all.map((reader) => [reader, reader.position] as const);
      const hasNews = positions.some(
        ([reader, { position }]) => position !== this.#readers.saved(reader),
      );
      if (this.#rebuild.active || !hasNews) return;
      this.#checkpoint = { positions: new Map(positions), done: 0 };
    }
    const checkpoint = this.#checkpoint;
    // What one level has done waits in the next one by then.
    while (checkpoint.done < LEVELS.length && this.#isEmpty(LEVELS[checkpoint.done]!)) {
      checkpoint.done++;
    }
    if (checkpoint.done < LEVELS.length) return;
    this.#checkpoint = undefined;
    for (const [reader, position] of checkpoint.positions) {
      const isNews = position.position !== this.#readers.saved(reader);
      if (isNews && this.#readers.has(reader)) await this.#save(reader, position);
    }
  }

  #isEmpty(level: Level): boolean {
    return this.#lanes.every((lane) => lane.level !== level || lane.touched.empty);
  }

  async #save(reader: LogReader, position: Position): Promise<void> {
    const { log, store } = this.#options;
    await this.#versions.refresh();
    const version = this.#versions.next();
    await this.#guarded(() =>
      savePosition(store, log.identity, reader.partition, position, version, this.#signal),
    );
    this.#readers.setSaved(reader, position.position);
  }
}

function isDue({ dueMs }: Lane): boolean {
  return dueMs <= performance.now();
}

function putBack({ touched }: Lane, { devices, ranges }: Slice): void {
  for (const { site, device, channels } of devices) {
    for (const range of ranges) touched.put(site, device, channels, range);
  }
}

function coded(error: unknown): CollectorError {
  if (error instanceof CollectorError) return error;
  return new CollectorError('COLLECTOR_CRASHED', `roll-ups: ${String(error)}`, { cause: error });
}
