/** The newest entry that the audit log is known to have: from the log, never from the store that it is compared with. */

import type { AuditHead, AuditRecord } from '../../processor/outputs/audit.ts';

/** The newest entry that the log made. */
export interface KnownHead extends AuditHead {
  /** Of its record in `events` of partition 0; undefined: it came before this process followed the log. */
  offset?: number;
}

export class LiveAudit {
  #head: KnownHead | undefined;
  #listener: (() => void) | undefined;

  /** Undefined: no entry is known. */
  get head(): KnownHead | undefined {
    return this.#head;
  }

  /** Older ones change nothing. */
  put(head: KnownHead): void {
    if (head.number < (this.#head?.number ?? 1)) return;
    const isNewer = head.number !== this.#head?.number;
    // The same one again may say where it lies.
    if (!isNewer && head.offset === undefined) return;
    this.#head = head;
    if (isNewer) this.#listener?.();
  }

  putEntry({ number, hash, loggedMs }: AuditRecord, offset: number): void {
    this.put({ number, hash, loggedMs, offset });
  }

  /** Called when there is a newer one; the last listener counts. */
  onHead(listener: () => void): void {
    this.#listener = listener;
  }
}
