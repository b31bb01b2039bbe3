/**
 * Asks the collector what time it is, and tells this machine's clock: once an hour, sooner when something
 * contradicts it. What speaks HTTPS is loaded when it is needed.
 */

import { ENROLMENT_PATHS } from '../../proto/enrolment.ts';
import { TIME_MS_MAX } from '../../proto/limits.ts';
import type { ClockMonitor } from '../clock.ts';
import { TOLERANCE_MS } from '../clock.ts';
import { AgentError } from '../errors.ts';
import type { Log } from '../log.ts';
import { errorFields } from '../log.ts';
import type { Pace } from './pace.ts';
import { backoff, jittered } from './pace.ts';
import { isClockKept } from './time-service.ts';
import { wrongTimeTeller } from './tls.ts';

export interface CollectorTimeOptions {
  /** mqtts://host:port. */
  url: string;
  clock: ClockMonitor;
  /** In [0, 1). */
  random: () => number;
  log: Log;
  pace: Pace;
  /** What the collector is known by, in PEM; undefined: nothing now. */
  authority: () => string | undefined;
  /** There is a connection to the collector. */
  isOnline: () => boolean;
  /** For tests. */
  isClockKept?: (() => Promise<boolean>) | undefined;
  /** Ends what is under way; nothing is told to the clock after it. */
  stopping: AbortSignal;
}

/** Online, and still nobody tells the time, for about a minute: then there is nobody who would. */
const FAILURES_MAX = 6;
const OVERRULED_OFTENER = 6;
/** An answer that took longer says too little. */
const ROUND_TRIP_MAX_MS = 4_000;

/** Contract: tick() about once a second. Nothing of it throws or rejects. */
export class CollectorTime {
  readonly #options: CollectorTimeOptions;
  readonly #tellWrongTime: (detail: string) => void;
  #isAsking = false;
  #wasOnline = false;
  #failures = 0;
  #askAtMonoMs = 0;
  #toldAtMonoMs = 0;
  #isDisputed = false;

  constructor(options: CollectorTimeOptions) {
    this.#options = options;
    this.#tellWrongTime = wrongTimeTeller(options.log);
  }

  tick(): void {
    const monoMs = this.#options.clock.monoMs();
    this.#noteOnline(monoMs);
    if (!this.#isAsking && this.#isDue(monoMs)) void this.#ask();
  }

  /** The collector's certificate is not valid by this machine's clock: one of the two is wrong. */
  noteWrongTime(detail: string): void {
    this.#tellWrongTime(detail);
    if (this.#options.clock.compare().aheadMs === undefined) this.#askAtMonoMs = 0;
  }

  /** Who could not be asked before can be now. */
  #noteOnline(monoMs: number): void {
    const isOnline = this.#options.isOnline();
    if (isOnline && !this.#wasOnline && this.#failures > 0) {
      this.#failures = 0;
      this.#askAtMonoMs = monoMs;
    }
    this.#wasOnline = isOnline;
  }

  #isDue(monoMs: number): boolean {
    if (monoMs >= this.#askAtMonoMs) return true;
    // A step, or a rival of what was said before: not an hour later.
    const soonMs = this.#toldAtMonoMs + this.#options.pace.timeRetryMaxMs;
    return this.#failures === 0 && this.#options.clock.wantsWitness && monoMs >= soonMs;
  }

  async #ask(): Promise<void> {
    const { clock, log, random, pace, isOnline, authority } = this.#options;
    this.#isAsking = true;
    try {
      const ca = authority();
      if (ca === undefined) throw new Error('no authority to know the collector by');
      await this.#hear(ca);
      this.#failures = 0;
      this.#toldAtMonoMs = clock.monoMs();
      // Who goes by the collector's time notices its own drift at each answer: better little by little.
      const everyMs = pace.timeEveryMs / (clock.compare().isOverruled ? OVERRULED_OFTENER : 1);
      this.#askAtMonoMs = clock.monoMs() + jittered(everyMs, random);
    } catch (error) {
      this.#failures++;
      const pauseMs = backoff(pace.timeRetryMs, pace.timeRetryMaxMs, this.#failures - 1);
      this.#askAtMonoMs = clock.monoMs() + jittered(pauseMs, random);
      log.debug('the collector did not tell its time', errorFields(error));
      // Behind a broker that is not the collector's nobody answers: readings must not wait for that.
      if (isOnline() && this.#failures >= FAILURES_MAX) clock.setAwaited(false);
      else if (clock.compare().aheadMs === undefined) await this.#askTimeService();
    } finally {
      this.#isAsking = false;
    }
  }

  async #hear(ca: string): Promise<void> {
    const { clock, url, pace, stopping } = this.#options;
    const { addressOf, ask } = await import('./ask.ts');
    const answer = await ask(
      {
        ...addressOf(url),
        trust: { ca },
        onWrongTime: (detail) => this.noteWrongTime(detail),
      },
      {
        method: 'GET',
        path: ENROLMENT_PATHS.time,
        timeoutMs: pace.answerMs,
        signal: stopping,
      },
      () => clock.monoMs(),
    );
    const { now_ms: nowMs } = answer.body;
    const roundTripMs = answer.answeredMonoMs - answer.sentMonoMs;
    if (answer.status !== 200 || typeof nowMs !== 'number' || !(nowMs > 0 && nowMs < TIME_MS_MAX)) {
      throw new Error(`no time in the answer (status ${answer.status})`);
    }
    if (roundTripMs > ROUND_TRIP_MAX_MS) throw new Error(`${roundTripMs} ms on the way`);
    const heardMonoMs = answer.answeredMonoMs;
    const heard = { offsetMs: nowMs + roundTripMs / 2 - heardMonoMs, heardMonoMs };
    const wasOverruled = clock.compare().isOverruled;
    // Before the collector overrules it: who keeps this clock?
    if (Math.abs(clock.ownOffsetMs - heard.offsetMs) > TOLERANCE_MS) await this.#askTimeService();
    clock.hear(heard);
    this.#tellComparison(wasOverruled);
  }

  async #askTimeService(): Promise<void> {
    const isKept = await (this.#options.isClockKept ?? isClockKept)();
    if (!this.#options.stopping.aborted) this.#options.clock.setKept(isKept);
  }

  #tellComparison(wasOverruled: boolean): void {
    const { clock, log } = this.#options;
    const { aheadMs = 0, isOverruled, isKept } = clock.compare();
    if (isOverruled && !wasOverruled) {
      log.warn("the clock of this machine is wrong; readings are timed by the collector's", {
        ahead_ms: aheadMs,
      });
    }
    if (!isOverruled && wasOverruled) log.info('the clock of this machine is right again');
    const isDisputed = isKept && Math.abs(aheadMs) > TOLERANCE_MS;
    if (isDisputed && !this.#isDisputed) {
      const error = new AgentError('AGENT_CLOCK_DISPUTED', `${aheadMs} ms ahead of the collector`);
      log.warn('two clocks', errorFields(error));
    }
    this.#isDisputed = isDisputed;
  }
}
