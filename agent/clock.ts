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
}

/**
 * The next judgement from the one before (undefined at the first look of a boot). Pure.
 * The clock is unsynced while it is older than the program and for STABLE_MS after each step. When that
 * ends, the offset is the boot's correction.
 */
export function judge(
  before: Judgement | undefined,
  wallMs: number,
  monoMs: number,
  programDateMs: number = PROGRAM_DATE_MS,
): Judgement {
  const offsetMs = wallMs - monoMs;
  const stepMs = before === undefined ? 0 : offsetMs - before.offsetMs;
  const stepped = Math.abs(stepMs) > STEP_MS;
  const steppedAtMonoMs = stepped ? monoMs : before?.steppedAtMonoMs;
  const settling = steppedAtMonoMs !== undefined && monoMs < steppedAtMonoMs + STABLE_MS;
  const unsynced = wallMs < programDateMs || settling;
  const becameRight = before?.unsynced === true && !unsynced;
  return {
    offsetMs,
    unsynced,
    steppedAtMonoMs,
    lastStepMs: stepped ? stepMs : (before?.lastStepMs ?? 0),
    stepsTotal: (before?.stepsTotal ?? 0) + (stepped ? 1 : 0),
    correctionMs: becameRight ? offsetMs : before?.correctionMs,
  };
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
}

/** Watches the wall clock. Looks at it whenever it is asked; ask at every append and every second. */
export class ClockMonitor {
  readonly #options: ClockMonitorOptions;
  #judgement: Judgement;
  #saved: Judgement | undefined;
  #state: ClockState | undefined;
  /** Counted since the start of the process. */
  readonly #stepsBefore: number;

  constructor(options: ClockMonitorOptions) {
    this.#options = options;
    this.#saved = parseSaved(options.load(), options.boot);
    this.#stepsBefore = this.#saved?.stepsTotal ?? 0;
    this.#judgement = this.#look(this.#saved);
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
      now.correctionMs !== before.correctionMs
    ) {
      this.#state = this.#describe(now);
    }
    return this.#state;
  }

  #look(before: Judgement | undefined): Judgement {
    const { clock, programDateMs } = this.#options;
    const now = judge(before, clock.wallMs(), clock.monoMs(), programDateMs);
    if (isWorthSaving(this.#saved, now)) {
      this.#saved = now;
      this.#options.save(JSON.stringify({ boot: this.#options.boot, ...now }));
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
    return { boot, unsynced, lastStepMs, stepsTotal, corrections };
  }
}

function isWorthSaving(saved: Judgement | undefined, now: Judgement): boolean {
  return (
    saved === undefined ||
    saved.unsynced !== now.unsynced ||
    saved.steppedAtMonoMs !== now.steppedAtMonoMs ||
    saved.correctionMs !== now.correctionMs ||
    Math.abs(saved.offsetMs - now.offsetMs) > OFFSET_DRIFT_MS
  );
}

function parseSaved(text: string | undefined, boot: string): Judgement | undefined {
  if (text === undefined) return undefined;
  let saved: Partial<Judgement> & { boot?: string };
  try {
    saved = JSON.parse(text) ?? {};
  } catch {
    return undefined;
  }
  const { offsetMs, unsynced, steppedAtMonoMs, lastStepMs, stepsTotal, correctionMs } = saved;
  if (saved.boot !== boot || typeof offsetMs !== 'number' || typeof unsynced !== 'boolean') {
    return undefined;
  }
  return {
    offsetMs,
    unsynced,
    steppedAtMonoMs,
    lastStepMs: lastStepMs ?? 0,
    stepsTotal: stepsTotal ?? 0,
    correctionMs,
  };
}
