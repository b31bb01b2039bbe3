/**
 * Makes durable who does what: appends it to partition 0 of log:raw, whose processor numbers the entries and
 * chains them. Every text that a caller chose is bounded here, so that no entry is ever refused there.
 */

import { randomBytes } from 'node:crypto';
import type { Audit, AuditEntry } from '../access/audit.ts';
import { CollectorError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { AuditValue, Clock } from '../types.ts';
import { AUDIT_DETAIL_CHARS_MAX, AUDIT_TEXT_CHARS_MAX, RawKind } from '../types.ts';

/** Appends that are not durable yet. At the bound API_BUSY: what cannot be recorded must not happen. */
const UNDER_WAY_MAX = 64;
/** Of a detail that is too long, so much of its beginning is kept. With its escapes it may be less. */
const DETAIL_START_CHARS = 3_900;

export interface LogAuditOptions {
  /** Undefined while it is not open. */
  log: () => Pick<Log, 'append'> | undefined;
  clock: Clock;
}

export class LogAudit implements Audit {
  readonly #options: LogAuditOptions;
  #underWay = 0;

  constructor(options: LogAuditOptions) {
    this.#options = options;
  }

  async record(entry: AuditEntry): Promise<void> {
    const log = this.#options.log();
    if (log === undefined) throw new CollectorError('API_NOT_READY', 'the log is not open yet');
    if (this.#underWay >= UNDER_WAY_MAX)
      throw new CollectorError('API_BUSY', `${UNDER_WAY_MAX} audit entries wait for the log`);
    const value = Buffer.from(JSON.stringify(auditValue(entry, this.#options.clock)));
    this.#underWay++;
    try {
      await log.append('raw', 0, { key: '', kind: RawKind.AUDIT, value });
    } finally {
      this.#underWay--;
    }
  }
}

/** With an id and the time. What is too long is cut, and says so. */
export function auditValue(entry: AuditEntry, clock: Clock): AuditValue {
  return {
    id: randomBytes(8).toString('hex'),
    atMs: Math.max(0, Math.floor(clock.wallMs())),
    who: boundedText(entry.who) || 'nobody',
    kind: boundedText(entry.kind),
    from: boundedText(entry.from),
    action: entry.action,
    site: boundedText(entry.site),
    target: boundedText(entry.target),
    detail: boundedDetail(entry.detail),
  };
}

/** Well-formed Unicode, because the chain's hashes are of UTF-8. */
function boundedText(text: string): string {
  if (text.length <= AUDIT_TEXT_CHARS_MAX) return text.toWellFormed();
  const note = `… (${text.length} characters)`;
  return `${text.slice(0, AUDIT_TEXT_CHARS_MAX - note.length).toWellFormed()}${note}`;
}

/** JSON text stays JSON text: `{"cut": true, "characters": …, "start": …}`. */
function boundedDetail(detail: string): string {
  if (detail.length <= AUDIT_DETAIL_CHARS_MAX) return detail.toWellFormed();
  for (let chars = DETAIL_START_CHARS; ; chars = Math.floor(chars / 2)) {
    const start = detail.slice(0, chars).toWellFormed();
    const text = JSON.stringify({ cut: true, characters: detail.length, start });
    if (text.length <= AUDIT_DETAIL_CHARS_MAX) return text;
  }
}
