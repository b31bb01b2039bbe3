/**
 * Keeps the identity of an enrolled gateway, beside the forwarder: gives it its certificate, renews that
 * in time, and takes over what `fms-agent enroll` writes. What speaks HTTPS is loaded when it is needed.
 */

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { gatewayKey } from '../../proto/topics.ts';
import type { ClockMonitor } from '../clock.ts';
import { AgentError } from '../errors.ts';
import type { Credentials } from '../forwarder/link.ts';
import type { Log } from '../log.ts';
import { errorFields } from '../log.ts';
import type { CertificateFacts } from './certificate.ts';
import { factsOf } from './certificate.ts';
import { CollectorTime } from './collector-time.ts';
import type { Identity } from './files.ts';
import { identityFolder, readIdentity, settleIdentity } from './files.ts';
import type { Pace } from './pace.ts';
import { backoff, jittered, PACE } from './pace.ts';

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

/** A certificate is renewed when this part of its validity is left, or up to JITTER_PART earlier. */
const RENEW_PART = 1 / 3;
const JITTER_PART = 1 / 30;
const EXPLAIN_PAUSE_MS = 3_600_000;

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
  #explainAtMonoMs = 0;
  readonly #time: CollectorTime;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#pace = { ...PACE, ...options.pace };
    this.#jitter = options.random();
    const { url, clock, random, log, isOnline, isClockKept } = options;
    this.#time = new CollectorTime({
      url,
      clock,
      random,
      log,
      isOnline,
      isClockKept,
      pace: this.#pace,
      authority: () => this.#identity?.ca,
      stopping: this.#stopping.signal,
    });
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
    this.#time.tick();
    const monoMs = this.#options.clock.monoMs();
    if (!this.#isRenewing && monoMs >= this.#renewAtMonoMs && this.#isRenewalDue()) {
      void this.#renew();
    }
  }

  /** The collector's certificate is not valid by this machine's clock: one of the two is wrong. */
  noteWrongTime(detail: string): void {
    this.#time.noteWrongTime(detail);
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
    const { dataDir, url, installId, version, clock, log, random } = this.#options;
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
      this.#renewAtMonoMs = clock.monoMs() + jittered(this.#pace.renewPauseMs, random);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#failedToRenew(error, log);
    } finally {
      this.#isRenewing = false;
    }
  }

  #failedToRenew(error: unknown, log: Log): void {
    const { renewRetryMs, renewRetryMaxMs } = this.#pace;
    const pauseMs = jittered(
      backoff(renewRetryMs, renewRetryMaxMs, this.#renewFailures++),
      this.#options.random,
    );
    this.#renewAtMonoMs = this.#options.clock.monoMs() + pauseMs;
    const detail = error instanceof Error ? error.message : String(error);
    const failure = new AgentError('AGENT_RENEWAL_FAILED', detail, { cause: error });
    const isNews = this.#lastError?.message !== failure.message;
    this.#lastError = failure;
    const fields = { ...errorFields(failure), next_attempt_ms: Math.round(pauseMs) };
    if (isNews) log.warn('the certificate is not renewed yet', fields);
    else log.debug('the certificate is still not renewed', fields);
  }
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
