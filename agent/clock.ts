/** The gateway's clocks, and the judgement whether its wall clock is right. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ClockCorrection } from '../proto/model.ts';
import { NO_EPOCH } from '../proto/model.ts';
import type { Clock, ClockState } from './types.ts';

/** The program did not exist before: a clock that says so is wrong. */
export const PROGRAM_DATE_MS = Date.UTC(2026, 0, 1);
/** A change of wall minus monotonic time between two looks that no slewing makes. */
export const STEP_MS = 2_000;
/** After a step the clock counts as right when it has not stepped again for so long. */
export const STABLE_MS = 60_000;
/** Slewing that makes the stored offset worth writing again. */
const OFFSET_DRIFT_MS = 500;
const BOOT_ID_PATH = '/proc/sys/kernel/random/boot_id';

/** The machine's clocks. monoMs is the time since boot, so it goes on across restarts of the agent. */
export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monoMs: () => Number(process.hrtime.bigint()) / 1e6,
};

/** 16 hex digits that name this boot of the machine; of this process where the system has no boot id. */
export function bootId(path: string = BOOT_ID_PATH): string {
  let hex: string;
  try {
    hex = readFileSync(path, 'utf8').trim().replaceAll('-', '');
  } catch {
    hex = '';
  }
  if (!/^[0-9a-f]{32}$/.test(hex)) return randomBytes(8).toString('hex');
  const folded = BigInt(`0x${hex.slice(0, 16)}`) ^ BigInt(`0x${hex.slice(16)}`);
  const boot = folded.toString(16).padStart(16, '0');
  return boot === NO_EPOCH ? hex.slice(0, 16) : boot;
}

/** What others say of the time, besides the machine's own clock. */
export interface TimeWitness {
  /** The collector's time; undefined: not heard in this boot. */
  collector: HeardTime | undefined;
  /** The collector will be asked, and nobody else has vouched for this clock in this boot. */
  isAwaited: boolean;
  /** A time service of the machine keeps its clock. */
  isKept: boolean;
}

/** A gateway that can ask nobody. */
export const NO_WITNESS: TimeWitness = { collector: undefined, isAwaited: false, isKept: false };

/** A clock that differs less from the collector's is left alone: what the line adds, and some drift. */
export const TOLERANCE_MS = 5_000;
/** One that was overruled counts again when it differs less than this. */
const RETURN_MS = 2_000;

/** What is known of the wall clock after a look at it. */
export interface Judgement {
  /** Wall minus monotonic time at that look. */
  offsetMs: number;
  unsynced: boolean;
  /** Monotonic time of the latest step; undefined: none in this boot. */
  steppedAtMonoMs: number | undefined;
  lastStepMs: number;
  stepsTotal: number;
  /** The offset that held when the clock became right after having been wrong. */
  correctionMs: number | undefined;
  /** The machine's clock is overruled: time is monotonic time plus this. Undefined: its clock counts. */
  overruledBy: number | undefined;
}

/**
 * The next judgement from the one before (undefined at the first look of a boot). Pure.
 * The clock is unsynced while it is older than the program, for STABLE_MS after each step, and while the
 * collector is still to be asked. What the collector said since the last step ends all doubt: a clock that
 * agrees with it is right, another one is overruled. When the doubt ends, the offset that counts then is
 * the boot's correction. A clock that a time service keeps is never overruled.
 */
export function judge(
  before: Judgement | undefined,
  wallMs: number,
  monoMs: number,
  programDateMs: number = PROGRAM_DATE_MS,
  witness: TimeWitness = NO_WITNESS,
): Judgement {
  const offsetMs = wallMs - monoMs;
  const stepMs = before === undefined ? 0 : offsetMs - before.offsetMs;
  const stepped = Math.abs(stepMs) > STEP_MS;
  const steppedAtMonoMs = stepped ? monoMs : before?.steppedAtMonoMs;
  const settling = steppedAtMonoMs !== undefined && monoMs < steppedAtMonoMs + STABLE_MS;
  const isUnknown = witness.isAwaited && !witness.isKept && witness.collector === undefined;
  const { overruledBy, word } = testimony(before, offsetMs, steppedAtMonoMs, witness);
  const unsynced =
    word === 'none' ? wallMs < programDateMs || settling || isUnknown : word === 'outdated';
  const becameRight = before?.unsynced === true && !unsynced;
  return {
    offsetMs,
    unsynced,
    steppedAtMonoMs,
    lastStepMs: stepped ? stepMs : (before?.lastStepMs ?? 0),
    stepsTotal: (before?.stepsTotal ?? 0) + (stepped ? 1 : 0),
    correctionMs: becameRight ? (overruledBy ?? offsetMs) : before?.correctionMs,
    overruledBy,
  };
}

/**
 * What the collector's time means for a clock at `offsetMs`. `outdated`: it contradicts the clock, but
 * the clock stepped since, so that one of them is wrong until the collector is asked again.
 */
function testimony(
  before: Judgement | undefined,
  offsetMs: number,
  steppedAtMonoMs: number | undefined,
  { collector, isKept }: TimeWitness,
): { overruledBy: number | undefined; word: 'none' | 'sure' | 'outdated' } {
  if (collector === undefined) return { overruledBy: undefined, word: 'none' };
  const differenceMs = Math.abs(offsetMs - collector.offsetMs);
  const limitMs = before?.overruledBy === undefined ? TOLERANCE_MS : RETURN_MS;
  if (differenceMs <= limitMs) return { overruledBy: undefined, word: 'sure' };
  if (isKept) return { overruledBy: undefined, word: 'none' };
  const isFresh = steppedAtMonoMs === undefined || collector.heardMonoMs >= steppedAtMonoMs;
  return { overruledBy: collector.offsetMs, word: isFresh ? 'sure' : 'outdated' };
}

/** A time that the collector told: its time minus monotonic time, and when. */
export interface HeardTime {
  offsetMs: number;
  heardMonoMs: number;
}

/** What is believed of the collector's time, and what it says since it contradicts that. */
export interface HeardTimes {
  believed: HeardTime | undefined;
  contender: HeardTime | undefined;
}

/** A collector whose time jumped, while this gateway's clock went on, is believed after so long. */
export const CONTENDER_MS = 600_000;

/**
 * The collector's clock can be wrong too. Impossible times are not believed. One that contradicts what
 * it said before has to stay so for CONTENDER_MS, unless this machine's own clock stepped meanwhile. Pure.
 */
export function weigh(
  before: HeardTimes,
  heard: HeardTime,
  steppedAtMonoMs: number | undefined,
  programDateMs: number = PROGRAM_DATE_MS,
): HeardTimes {
  if (heard.offsetMs + heard.heardMonoMs < programDateMs) return before;
  const { believed, contender } = before;
  const ownStepped =
    steppedAtMonoMs !== undefined && (believed?.heardMonoMs ?? 0) < steppedAtMonoMs;
  if (believed === undefined || ownStepped || isNear(believed, heard)) {
    return { believed: heard, contender: undefined };
  }
  if (contender === undefined || !isNear(contender, heard)) return { believed, contender: heard };
  return heard.heardMonoMs >= contender.heardMonoMs + CONTENDER_MS
    ? { believed: heard, contender: undefined }
    : { believed, contender };
}

function isNear(a: HeardTime, b: HeardTime): boolean {
  return Math.abs(a.offsetMs - b.offsetMs) <= TOLERANCE_MS;
}

export interface ClockMonitorOptions {
  clock: Clock;
  /** See bootId(). */
  boot: string;
  /** What `save` was last given, by this process or an earlier one; undefined: nothing. */
  load: () => string | undefined;
  /** Keeps the judgement, so that a correction is still known after a restart within the boot. */
  save: (state: string) => void;
  programDateMs?: number;
  /** The collector will be asked for its time; see setAwaited(). */
  awaitsCollector?: boolean;
}

/** How the machine's clock and the collector's compare. */
export interface ClockComparison {
  /** The machine's clock minus the collector's; undefined: the collector was not asked in this boot. */
  aheadMs: number | undefined;
  /** Readings are timed by the collector's time. */
  isOverruled: boolean;
  /** A time service keeps the machine's clock. */
  isKept: boolean;
}

/**
 * Watches the wall clock, and is the clock that the agent's readings are timed by: the machine's, or the
 * collector's time where that one is wrong. Looks whenever it is asked; ask at every append and every
 * second.
 */
export class ClockMonitor implements Clock {
  readonly #options: ClockMonitorOptions;
  #judgement: Judgement;
  #saved: Judgement | undefined;
  #state: ClockState | undefined;
  #heard: HeardTimes;
  #isAwaited = false;
  #isKept = false;
  /** Counted since the start of the process. */
  readonly #stepsBefore: number;

  constructor(options: ClockMonitorOptions) {
    this.#options = options;
    const saved = parseSaved(options.load(), options.boot);
    this.#saved = saved?.judgement;
    this.#heard = { believed: saved?.collector, contender: undefined };
    this.#isAwaited = options.awaitsCollector ?? false;
    this.#stepsBefore = this.#saved?.stepsTotal ?? 0;
    this.#judgement = this.#look(this.#saved);
  }

  /** UTC milliseconds, as right as is known. */
  wallMs(): number {
    const { overruledBy } = this.#judgement;
    const { clock } = this.#options;
    return overruledBy === undefined ? clock.wallMs() : clock.monoMs() + overruledBy;
  }

  monoMs(): number {
    return this.#options.clock.monoMs();
  }

  /** The judgement of this moment. The same object while nothing has changed. */
  state(): ClockState {
    const before = this.#judgement;
    const now = this.#look(before);
    this.#judgement = now;
    if (
      this.#state === undefined ||
      now.unsynced !== before.unsynced ||
      now.stepsTotal !== before.stepsTotal ||
      now.correctionMs !== before.correctionMs ||
      this.#state.isAwaited !== this.#awaits(now)
    ) {
      this.#state = this.#describe(now);
    }
    return this.#state;
  }

  /** The collector told its time. */
  hear(heard: HeardTime): void {
    const { steppedAtMonoMs } = this.#judgement;
    this.#heard = weigh(this.#heard, heard, steppedAtMonoMs, this.#options.programDateMs);
    this.#saved = undefined;
    this.state();
  }

  /** Whether readings are to be marked until the collector told its time; false: it cannot be asked. */
  setAwaited(isAwaited: boolean): void {
    this.#isAwaited = isAwaited;
    this.state();
  }

  /** Whether a time service keeps the machine's clock: then the collector does not overrule it. */
  setKept(isKept: boolean): void {
    this.#isKept = isKept;
    this.state();
  }

  /** The machine's clock minus monotonic time. */
  get ownOffsetMs(): number {
    return this.#judgement.offsetMs;
  }

  compare(): ClockComparison {
    const { offsetMs, overruledBy } = this.#judgement;
    const { believed } = this.#heard;
    return {
      aheadMs: believed === undefined ? undefined : Math.round(offsetMs - believed.offsetMs),
      isOverruled: overruledBy !== undefined,
      isKept: this.#isKept,
    };
  }

  /** The collector should be asked (again): its time is unknown, older than a step, or has a rival. */
  get wantsWitness(): boolean {
    const { believed, contender } = this.#heard;
    const { steppedAtMonoMs } = this.#judgement;
    return (
      believed === undefined ||
      contender !== undefined ||
      (steppedAtMonoMs !== undefined && believed.heardMonoMs < steppedAtMonoMs)
    );
  }

  #look(before: Judgement | undefined): Judgement {
    const { clock, programDateMs, boot } = this.#options;
    const { believed } = this.#heard;
    const now = judge(before, clock.wallMs(), clock.monoMs(), programDateMs, {
      collector: believed,
      isAwaited: this.#isAwaited,
      isKept: this.#isKept,
    });
    if (isWorthSaving(this.#saved, now)) {
      this.#saved = now;
      const collector = believed === undefined ? {} : { collector: believed };
      this.#options.save(JSON.stringify({ boot, ...now, ...collector }));
    }
    return now;
  }

  #describe(judgement: Judgement): ClockState {
    const { boot } = this.#options;
    const { unsynced, correctionMs } = judgement;
    const corrections: ClockCorrection[] =
      correctionMs === undefined || unsynced ? [] : [{ boot, offsetMs: Math.round(correctionMs) }];
    const stepsTotal = judgement.stepsTotal - this.#stepsBefore;
    const lastStepMs = stepsTotal > 0 ? judgement.lastStepMs : 0;
    const isAwaited = this.#awaits(judgement);
    return { boot, unsynced, lastStepMs, stepsTotal, corrections, isAwaited };
  }

  #awaits({ unsynced, steppedAtMonoMs }: Judgement): boolean {
    const { believed } = this.#heard;
    const isOutdated =
      believed !== undefined &&
      steppedAtMonoMs !== undefined &&
      believed.heardMonoMs < steppedAtMonoMs;
    return unsynced && this.#isAwaited && (believed === undefined || isOutdated);
  }
}

function isWorthSaving(saved: Judgement | undefined, now: Judgement): boolean {
  return (
    saved === undefined ||
    saved.unsynced !== now.unsynced ||
    saved.steppedAtMonoMs !== now.steppedAtMonoMs ||
    saved.correctionMs !== now.correctionMs ||
    (saved.overruledBy === undefined) !== (now.overruledBy === undefined) ||
    Math.abs(saved.offsetMs - now.offsetMs) > OFFSET_DRIFT_MS
  );
}

interface Saved {
  judgement: Judgement;
  collector: HeardTime | undefined;
}

function parseSaved(text: string | undefined, boot: string): Saved | undefined {
  if (text === undefined) return undefined;
  let saved: Partial<Judgement> & { boot?: string; collector?: Partial<HeardTime> };
  try {
    saved = JSON.parse(text) ?? {};
  } catch {
    return undefined;
  }
  const { offsetMs, unsynced, steppedAtMonoMs, lastStepMs, stepsTotal, correctionMs } = saved;
  if (saved.boot !== boot || typeof offsetMs !== 'number' || typeof unsynced !== 'boolean') {
    return undefined;
  }
  const { offsetMs: collectorMs, heardMonoMs } = saved.collector ?? {};
  const collector =
    typeof collectorMs === 'number' && typeof heardMonoMs === 'number'
      ? { offsetMs: collectorMs, heardMonoMs }
      : undefined;
  const judgement = {
    offsetMs,
    unsynced,
    steppedAtMonoMs,
    lastStepMs: lastStepMs ?? 0,
    stepsTotal: stepsTotal ?? 0,
    correctionMs,
    overruledBy: collector === undefined ? undefined : saved.overruledBy,
  };
  return { judgement, collector };
}
