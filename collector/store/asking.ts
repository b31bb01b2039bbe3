/**
 * Statements of people, for the part of a store that runs them. They have passed the gate
 * (collector/query/gate.ts), and run apart from what pages, writer and jobs ask: on connections of their own,
 * read-only, with limits that they cannot change.
 */

import { CollectorError } from '../errors.ts';

export interface AskLimits {
  /** The wait for a connection counts too. */
  timeoutMs: number;
  maxMemoryBytes: number;
  /** Of the answer, as the engine holds it; its text may be a few times as large. Over it: refused, not cut. */
  maxResultBytes: number;
  /** Cores that one statement may use. */
  maxThreads: number;
}

export interface Ask {
  /** One statement, without FORMAT and SETTINGS. */
  sql: string;
  /** As texts that the engine reads by their types, like param_… of its HTTP interface. */
  params: ReadonlyMap<string, string>;
  /** Beside the limits, which they must not name. */
  settings: ReadonlyMap<string, string>;
  format: string;
  limits: AskLimits;
  /** Of our tables those that system tables tell of. */
  tables: readonly string[];
}

export interface Answer {
  body: Buffer;
  readRows: number;
  readBytes: number;
  elapsedMs: number;
}

export interface AskProgress {
  elapsedMs: number;
  readRows: number;
}

/** A statement that waits or runs. */
export interface Asked {
  /** Rejects with an EngineRefusal, or with STORE_QUERY_REFUSED or STORE_UNAVAILABLE. */
  readonly answer: Promise<Answer>;
  /** Undefined: it waits for a connection, or has ended. Rejects with STORE_UNAVAILABLE. */
  progress(): Promise<AskProgress | undefined>;
}

/** What an engine says of a text: it is parsed and not run. */
export interface StatementParser {
  /** The one statement in the engine's own spelling; rejects with an EngineRefusal that names the place. */
  format(sql: string): Promise<string>;
  /** The lines of EXPLAIN AST. `sql` came from `format`. */
  ast(sql: string, params: ReadonlyMap<string, string>): Promise<string[]>;
}

/** What the gate looks at a statement by. */
export interface GateEngine extends StatementParser {
  /** Where our tables are. */
  readonly database: string;
  /** Every table there, ours and others', as of the last minute. */
  tables(): Promise<ReadonlySet<string>>;
}

export interface Asking extends GateEngine {
  /** An aborted statement is ended. */
  ask(ask: Ask, signal?: AbortSignal): Asked;
}

/** The engine's own words about a statement. */
export class EngineRefusal extends CollectorError {
  /** ClickHouse's error number. */
  readonly engineCode: number;
  /** Without `Code: …`; ends with its name, as (SYNTAX_ERROR). */
  readonly words: string;
  constructor(engineCode: number, words: string, options?: { cause?: unknown }) {
    super('STORE_QUERY_REFUSED', words, options);
    this.engineCode = engineCode;
    this.words = words;
  }
}
