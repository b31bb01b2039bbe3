/** SQL of people, whichever door it comes through: gate, settings, audit, limits, and a way to cancel it. */

import { availableParallelism } from 'node:os';
import type { Audit } from '../access/audit.ts';
import type { Principal } from '../access/principal.ts';
import type { Answer, Asking, AskLimits } from '../store/asking.ts';
import { EngineRefusal } from '../store/asking.ts';
import type { Clock } from '../types.ts';
import { AUDIT_DETAIL_CHARS_MAX } from '../types.ts';
import type { Passed } from './gate.ts';
import { pass } from './gate.ts';
import { GateRefusal } from './refusal.ts';
import { RunningQueries } from './running.ts';
import type { FittingSettings } from './settings.ts';
import { fitSettings } from './settings.ts';
import { OPEN_TABLES } from './tables.ts';

export interface PersonQuery {
  id: string;
  who: Principal;
  /** Address. */
  from: string;
  /** Which door, for the audit. */
  via: 'api' | 'clickhouse_http';
  sql: string;
  params: ReadonlyMap<string, string>;
  /** Of the request. Those of the statement hold before them. */
  settings: ReadonlyMap<string, string>;
  limits: AskLimits;
  /** Which format the answer is to have, of what the statement asks for; may throw. */
  formatOf: (asked: string | undefined) => string;
  /** Settings that hold whatever was asked. */
  fixed?: (settings: ReadonlyMap<string, string>) => ReadonlyMap<string, string>;
  /** Aborts when nobody waits for the answer any more. */
  signal: AbortSignal;
}

export interface PersonAnswer extends Answer {
  format: string;
}

export interface PeopleParts {
  /** Throws STORE_UNAVAILABLE while the store is not open. */
  asking: () => Asking;
  audit: Audit;
  clock: Clock;
}

/** A statement must leave a core to those that insert. */
export const PERSON_THREADS = Math.max(1, Math.floor(availableParallelism() / 2));

export class PeopleQueries {
  readonly running: RunningQueries;
  readonly #parts: PeopleParts;

  constructor(parts: PeopleParts) {
    this.#parts = parts;
    this.running = new RunningQueries(parts.clock);
  }

  /** The store's door for statements of people. Throws STORE_UNAVAILABLE while it is not open. */
  get asking(): Asking {
    return this.#parts.asking();
  }

  /**
   * Rejects with QUERY_NOT_ALLOWED, an EngineRefusal (STORE_QUERY_REFUSED), STORE_UNAVAILABLE, API_BUSY, or as
   * Audit.record does: then it did not run.
   */
  async run(query: PersonQuery): Promise<PersonAnswer> {
    const begun = this.running.begin(query.id, query.who.name);
    const signal = AbortSignal.any([query.signal, begun.signal]);
    try {
      const answer = await this.#run(query, signal, begun.asked);
      begun.ended('done', answer.readRows);
      return answer;
    } catch (error) {
      begun.ended('failed', 0);
      throw error;
    }
  }

  async #run(
    query: PersonQuery,
    signal: AbortSignal,
    onAsked: (asked: ReturnType<Asking['ask']>) => void,
  ): Promise<PersonAnswer> {
    const asking = this.#parts.asking();
    const { passed, fitting, format } = await this.#admit(asking, query);
    await this.#record(query, 'query.run', '');
    const settings = query.fixed?.(fitting.settings) ?? fitting.settings;
    const { limits } = fitting;
    const ask = { sql: passed.sql, params: query.params, settings, format, limits };
    const asked = asking.ask({ ...ask, tables: OPEN_TABLES }, signal);
    onAsked(asked);
    return { ...(await asked.answer), format };
  }

  async #admit(
    asking: Asking,
    query: PersonQuery,
  ): Promise<{ passed: Passed; fitting: FittingSettings; format: string }> {
    try {
      const passed = await pass(asking, query.sql, query.params);
      const fitting = fitSettings(new Map([...query.settings, ...passed.settings]), query.limits);
      if ('why' in fitting)
        throw new GateRefusal(
          fitting.why === 'value'
            ? `setting ${fitting.name} does not take this value here`
            : `setting ${fitting.name} cannot be changed here`,
          'setting',
        );
      return { passed, fitting, format: query.formatOf(passed.format) };
    } catch (error) {
      if (error instanceof GateRefusal || error instanceof EngineRefusal)
        await this.#record(query, 'query.refused', error.message);
      throw error;
    }
  }

  #record(
    { id, who, from, via, sql }: PersonQuery,
    action: 'query.run' | 'query.refused',
    why: string,
  ): Promise<void> {
    const { kind, name } = who;
    const detail = detailOf({ via, ...(why === '' ? {} : { why: why.slice(0, 500) }) }, sql);
    return this.#parts.audit.record({
      who: name,
      kind,
      from,
      action,
      site: '',
      target: id,
      detail,
    });
  }
}

/** JSON with as much of the statement as fits. */
function detailOf(about: Record<string, string>, sql: string): string {
  for (let chars = AUDIT_DETAIL_CHARS_MAX; ; chars = Math.floor(chars / 2)) {
    const isCut = sql.length > chars;
    const kept = isCut ? sql.slice(0, chars) : sql;
    const text = JSON.stringify({
      ...about,
      sql: kept.toWellFormed(),
      ...(isCut && { cut: true }),
    });
    if (text.length <= AUDIT_DETAIL_CHARS_MAX || chars === 0) return text;
  }
}
