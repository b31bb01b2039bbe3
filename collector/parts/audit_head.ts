/**
 * Keeps the head of the audit log outside the store: in topic `control`, so that a tail that is cut off in the
 * store shows also after a restart and when the outputs are gone from the log; and in the program's own log, which
 * whoever collects it has out of reach of this machine.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { LiveAudit } from '../api/live/audit.ts';
import type { ControlView } from '../control.ts';
import { jsonOf } from '../control.ts';
import type { AuditHead } from '../processor/outputs/audit.ts';
import type { Logger } from '../types.ts';

const HEAD_KEY = 'audit/head';
/** A head is kept so long after it was heard of, at the latest; many entries meanwhile make one. */
const KEEP_AFTER_MS = 5_000;
const STOP_WAIT_MS = 2_000;

export interface AuditHeadOptions {
  view: LiveAudit;
  /** Followed from its start on. */
  control: Pick<ControlView, 'on' | 'put' | 'get'>;
  logger: Logger;
  keepAfterMs?: number;
}

export class AuditHeadKeeper {
  readonly #options: AuditHeadOptions;
  #timer: NodeJS.Timeout | undefined;
  #keeping: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: AuditHeadOptions) {
    this.#options = options;
  }

  start(): void {
    const { view, control } = this.#options;
    control.on(HEAD_KEY, (_key, value) => {
      const kept = headOf(value);
      if (kept !== undefined) view.put(kept);
    });
    view.onHead(() => this.#soon());
    if (this.#isUnkept()) this.#soon();
  }

  /** Before the log is closed. Resolves when the newest head is kept, or could not be in a while. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    const kept = (this.#keeping ?? Promise.resolve()).then(() => this.#keep());
    const waited = new AbortController();
    const { signal } = waited;
    await Promise.race([kept, delay(STOP_WAIT_MS, undefined, { signal }).catch(() => undefined)]);
    waited.abort();
  }

  #soon(): void {
    if (this.#timer !== undefined || this.#isStopped) return;
    const { keepAfterMs = KEEP_AFTER_MS } = this.#options;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#keeping = this.#keep();
    }, keepAfterMs);
    this.#timer.unref();
  }

  /** Never rejects: what was not kept is kept with the next one, or by another process. */
  async #keep(): Promise<void> {
    const { view, control, logger } = this.#options;
    const { head } = view;
    if (head === undefined || !this.#isUnkept()) return;
    const { number, hash, loggedMs } = head;
    logger.info({ number, hash, logged_ms: loggedMs }, 'head of the audit log');
    try {
      await control.put(HEAD_KEY, Buffer.from(JSON.stringify({ number, hash, loggedMs })));
    } catch (error) {
      logger.warn({ error: String(error) }, 'the head of the audit log could not be kept');
    }
  }

  #isUnkept(): boolean {
    const { view, control } = this.#options;
    return (view.head?.number ?? 0) > (headOf(control.get(HEAD_KEY))?.number ?? 0);
  }
}

/** Undefined: there is none, or another version wrote it. */
function headOf(value: Uint8Array | undefined): AuditHead | undefined {
  const { number, hash, loggedMs } = jsonOf<AuditHead>(value) ?? {};
  if (!Number.isSafeInteger(number) || !Number.isSafeInteger(loggedMs)) return undefined;
  return typeof hash === 'string'
    ? { number: number as number, hash, loggedMs: loggedMs as number }
    : undefined;
}
