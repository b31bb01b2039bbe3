/**
 * Keeps the identity of an enrolled gateway, beside the forwarder: gives it its certificate, renews that
 * in time, takes over what `fms-agent enroll` writes, and asks the collector what time it is. What speaks
 * HTTPS is loaded when it is needed.
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { ENROLMENT_PATHS } from '../../proto/enrolment.ts';
import { TIME_MS_MAX } from '../../proto/limits.ts';
import { gatewayKey } from '../../proto/topics.ts';
import type { ClockMonitor } from '../clock.ts';
import { TOLERANCE_MS } from '../clock.ts';
import { AgentError } from '../errors.ts';
import type { Credentials } from '../forwarder/link.ts';
import type { Log } from '../log.ts';
import { errorFields } from '../log.ts';
import type { CertificateFacts } from './certificate.ts';
import { factsOf } from './certificate.ts';
import type { Identity } from './files.ts';
import { identityFolder, readIdentity, settleIdentity } from './files.ts';
import { isClockKept } from './time-service.ts';
import { wrongTimeTeller } from './tls.ts';

export interface KeeperOptions {
  dataDir: string;
  site: string;
  gateway: string;
  /** mqtts://host:port. */
  url: string;
  installId: string;
  version: string;
  clock: ClockMonitor;
  /** In [0, 1). */
  random: () => number;
  log: Log;
  /** There is another certificate: connections are made with it from now on. */
  onChange: () => void;
  /** There is a connection to the collector. */
  isOnline: () => boolean;
  /** For tests; see Pace. */
  pace?: Partial<Pace>;
  isClockKept?: () => Promise<boolean>;
}

/** Milliseconds. */
export interface Pace {
  timeEveryMs: number;
  timeRetryMs: number;
  timeRetryMaxMs: number;
  renewRetryMs: number;
  renewRetryMaxMs: number;
  /** From one that worked to the next one, whatever the clock says. */
  renewPauseMs: number;
  /** For one question and its answer. */
  answerMs: number;
}

const PACE: Pace = {
  timeEveryMs: 3_600_000,
  timeRetryMs: 1_000,
  timeRetryMaxMs: 300_000,
  renewRetryMs: 60_000,
  renewRetryMaxMs: 6 * 3_600_000,
  renewPauseMs: 6 * 3_600_000,
  answerMs: 15_000,
};

/** A certificate is renewed when this part of its validity is left, or up to JITTER_PART earlier. */
const RENEW_PART = 1 / 3;
const JITTER_PART = 1 / 30;
/** Online, and still nobody tells the time, for about a minute: then there is nobody who would. */
const TIME_FAILURES_MAX = 6;
const OVERRULED_OFTENER = 6;
const EXPLAIN_PAUSE_MS = 3_600_000;
/** An answer that took longer says too little. */
const ROUND_TRIP_MAX_MS = 4_000;

export interface IdentityStatus {
  certificate: CertificateFacts | undefined;
  /** When the renewal begins; undefined without a certificate. */
  renewalDueMs: number | undefined;
  renewalsTotal: number;
  /** Why the last renewal, or the reading of the files, failed; undefined since one worked. */
  lastError: AgentError | undefined;
}

/** Contract: tick() about once a second; stop() once. Nothing of it throws or rejects. */
export class IdentityKeeper {
  readonly #options: KeeperOptions;
  readonly #pace: Pace;
  readonly #stopping = new AbortController();
  #identity: Identity | undefined;
  #facts: CertificateFacts | undefined;
  #mark = '';
  #jitter: number;
  #lastError: AgentError | undefined;
  #renewalsTotal = 0;
  #isRenewing = false;
  #renewFailures = 0;
  #renewAtMonoMs = 0;
  #isAsking = false;
  #wasOnline = false;
  #timeFailures = 0;
  #askAtMonoMs = 0;
  #toldAtMonoMs = 0;
  #explainAtMonoMs = 0;
  #isDisputed = false;
  readonly #tellWrongTime: (detail: string) => void;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
    this.#jitter = options.random();
    this.#tellWrongTime = wrongTimeTeller(options.log);
    try {
      settleIdentity(options.dataDir);
    } catch {
      // A disk that takes nothing: what was begun is read as it is.
    }
    this.#load();
  }

  /** For the next connection. Throws AGENT_IDENTITY_UNUSABLE. */
  credentials(): Credentials {
    if (this.#identity !== undefined) {
      const { ca, certificate: cert, key } = this.#identity;
      return { ca, own: { cert, key } };
    }
    throw this.#lastError ?? new AgentError('AGENT_IDENTITY_UNUSABLE', 'the enrolment is gone');
  }

  status(): IdentityStatus {
    return {
      certificate: this.#facts,
      renewalDueMs: this.#dueMs(),
      renewalsTotal: this.#renewalsTotal,
      lastError: this.#lastError,
    };
  }

  tick(): void {
    if (this.#stopping.signal.aborted) return;
    if (markOf(this.#options.dataDir) !== this.#mark) this.#takeOver();
    const monoMs = this.#options.clock.monoMs();
    this.#noteOnline(monoMs);
    if (!this.#isAsking && this.#isTimeDue(monoMs)) void this.#askTime();
    if (!this.#isRenewing && monoMs >= this.#renewAtMonoMs && this.#isRenewalDue()) {
      void this.#renew();
    }
  }

  /** The collector's certificate is not valid by this machine's clock: one of the two is wrong. */
  noteWrongTime(detail: string): void {
    this.#tellWrongTime(detail);
    if (this.#options.clock.compare().aheadMs === undefined) this.#askAtMonoMs = 0;
  }

  /** Why the collector refuses the certificate, in its own words; undefined: it does not say. */
  async explainRefusal(): Promise<AgentError | undefined> {
    const { clock, url, version, installId } = this.#options;
    const identity = this.#identity;
    if (identity === undefined || clock.monoMs() < this.#explainAtMonoMs) return undefined;
    try {
      const { explain } = await import('./renewal.ts');
      const reason = await explain(identity, {
        url,
        version,
        installId,
        timeoutMs: this.#pace.answerMs,
        signal: this.#stopping.signal,
        monoMs: () => clock.monoMs(),
      });
      // It has nothing against the certificate: asking often would look like guessing.
      if (reason === undefined) this.#explainAtMonoMs = clock.monoMs() + EXPLAIN_PAUSE_MS;
      return reason;
    } catch {
      return undefined;
    }
  }

  stop(): void {
    this.#stopping.abort();
  }

  /** True: there is another certificate, for the same gateway. Otherwise what was there goes on. */
  #load(): boolean {
    const { dataDir, site, gateway, log } = this.#options;
    // Before the files: a change while they are read is seen at the next tick.
    this.#mark = markOf(dataDir);
    try {
      const identity = readIdentity(dataDir);
      if (identity === undefined) {
        throw new AgentError('AGENT_IDENTITY_UNUSABLE', `${identityFolder(dataDir)} is empty`);
      }
      const named = gatewayKey(identity.enrolment);
      if (named !== gatewayKey({ site, gateway })) {
        log.warn('enrolled under another name; this needs a restart of the agent', { named });
        return false;
      }
      const facts = factsOf(identity.certificate);
      const isOther = facts.fingerprint !== this.#facts?.fingerprint;
      this.#facts = facts;
      this.#identity = identity;
      if (isOther) this.#lastError = undefined;
      return isOther;
    } catch (error) {
      this.#lastError = asCoded(error);
      log.error('the identity of this gateway', errorFields(error));
      return false;
    }
  }

  /** Somebody wrote the files: an enrolment, or this keeper itself. */
  #takeOver(): void {
    if (!this.#load()) return;
    this.#renewFailures = 0;
    this.#renewAtMonoMs = 0;
    this.#jitter = this.#options.random();
    this.#options.log.info('another certificate counts from now on', {
      not_after_ms: this.#facts?.notAfterMs,
    });
    this.#options.onChange();
  }

  #dueMs(): number | undefined {
    if (this.#facts === undefined) return undefined;
    const { notBeforeMs, notAfterMs } = this.#facts;
    const part = RENEW_PART + JITTER_PART * this.#jitter;
    return notAfterMs - (notAfterMs - notBeforeMs) * part;
  }

  /** By a time that can be believed. */
  #isRenewalDue(): boolean {
    const { clock } = this.#options;
    const dueMs = this.#dueMs();
    return dueMs !== undefined && !clock.state().unsynced && clock.wallMs() >= dueMs;
  }

  async #renew(): Promise<void> {
    const identity = this.#identity;
    if (identity === undefined) return;
    const { dataDir, url, installId, version, clock, log } = this.#options;
    this.#isRenewing = true;
    try {
      const { renew } = await import('./renewal.ts');
      await renew(identity, {
        dataDir,
        url,
        installId,
        version,
        timeoutMs: this.#pace.answerMs,
        signal: this.#stopping.signal,
        monoMs: () => clock.monoMs(),
      });
      this.#renewalsTotal++;
      this.#takeOver();
      this.#renewAtMonoMs = clock.monoMs() + this.#jittered(this.#pace.renewPauseMs);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#failedToRenew(error, log);
    } finally {
      this.#isRenewing = false;
    }
  }

  #failedToRenew(error: unknown, log: Log): void {
    const { renewRetryMs, renewRetryMaxMs } = this.#pace;
    const pauseMs = this.#jittered(backoff(renewRetryMs, renewRetryMaxMs, this.#renewFailures++));
    this.#renewAtMonoMs = this.#options.clock.monoMs() + pauseMs;
    const detail = error instanceof Error ? error.message : String(error);
    const failure = new AgentError('AGENT_RENEWAL_FAILED', detail, { cause: error });
    const isNews = this.#lastError?.message !== failure.message;
    this.#lastError = failure;
    const fields = { ...errorFields(failure), next_attempt_ms: Math.round(pauseMs) };
    if (isNews) log.warn('the certificate is not renewed yet', fields);
    else log.debug('the certificate is still not renewed', fields);
  }

  /** Who could not be asked before can be now. */
  #noteOnline(monoMs: number): void {
    const isOnline = this.#options.isOnline();
    if (isOnline && !this.#wasOnline && this.#timeFailures > 0) {
      this.#timeFailures = 0;
      this.#askAtMonoMs = monoMs;
    }
    this.#wasOnline = isOnline;
  }

  #isTimeDue(monoMs: number): boolean {
    if (monoMs >= this.#askAtMonoMs) return true;
    // A step, or a rival of what was said before: not an hour later.
    const soonMs = this.#toldAtMonoMs + this.#pace.timeRetryMaxMs;
    return this.#timeFailures === 0 && this.#options.clock.wantsWitness && monoMs >= soonMs;
  }

  async #askTime(): Promise<void> {
    const identity = this.#identity;
    const { clock, log, isOnline } = this.#options;
    this.#isAsking = true;
    try {
      if (identity === undefined) throw new Error('no authority to know the collector by');
      await this.#hearTime(identity);
      this.#timeFailures = 0;
      this.#toldAtMonoMs = clock.monoMs();
      // Who goes by the collector's time notices its own drift at each answer: better little by little.
      const everyMs =
        this.#pace.timeEveryMs / (clock.compare().isOverruled ? OVERRULED_OFTENER : 1);
      this.#askAtMonoMs = clock.monoMs() + this.#jittered(everyMs);
    } catch (error) {
      this.#timeFailures++;
      const { timeRetryMs, timeRetryMaxMs } = this.#pace;
      const pauseMs = backoff(timeRetryMs, timeRetryMaxMs, this.#timeFailures - 1);
      this.#askAtMonoMs = clock.monoMs() + this.#jittered(pauseMs);
      log.debug('the collector did not tell its time', errorFields(error));
      // Behind a broker that is not the collector's nobody answers: readings must not wait for that.
      if (isOnline() && this.#timeFailures >= TIME_FAILURES_MAX) clock.setAwaited(false);
      else if (clock.compare().aheadMs === undefined) await this.#askTimeService();
    } finally {
      this.#isAsking = false;
    }
  }

  async #hearTime(identity: Identity): Promise<void> {
    const { clock, url } = this.#options;
    const { addressOf, ask } = await import('./ask.ts');
    const answer = await ask(
      {
        ...addressOf(url),
        trust: { ca: identity.ca },
        onWrongTime: (detail) => this.noteWrongTime(detail),
      },
      {
        method: 'GET',
        path: ENROLMENT_PATHS.time,
        timeoutMs: this.#pace.answerMs,
        signal: this.#stopping.signal,
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
    if (!this.#stopping.signal.aborted) this.#options.clock.setKept(isKept);
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

  /** 0.75 to 1.25 of it. */
  #jittered(pauseMs: number): number {
    return pauseMs * (0.75 + this.#options.random() / 2);
  }
}

function backoff(baseMs: number, maxMs: number, failures: number): number {
  return Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30));
}

function asCoded(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new AgentError('AGENT_IDENTITY_UNUSABLE', detail, { cause: error });
}

/** Changes when somebody writes an identity. */
function markOf(dataDir: string): string {
  const folder = identityFolder(dataDir);
  return ['new.json', 'enrolment.json', 'gateway.pem']
    .map((name) => markOfFile(folder, name))
    .join();
}

function markOfFile(folder: string, name: string): string {
  try {
    const { ino, mtimeMs } = statSync(join(folder, name));
    return `${ino}-${mtimeMs}`;
  } catch {
    return '';
  }
}
