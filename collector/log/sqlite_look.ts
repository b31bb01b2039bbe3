/** What a log's file says of itself, without opening it as a log: for `check` and `restore`. */

import { existsSync } from 'node:fs';
import Database from 'better-sqlite3';

export interface LogFacts {
  /** A collector has it open; the other fields are then unknown. */
  inUse: boolean;
  schema: number | undefined;
  identity: string | undefined;
  partitions: number | undefined;
  /** Why it cannot be read; '' when it can. */
  problem: string;
}

/** Undefined when there is no file. Changes nothing that counts (SQLite may tidy its write-ahead log). */
export function lookIntoLog(path: string): LogFacts | undefined {
  if (!existsSync(path)) return undefined;
  const facts: LogFacts = {
    inUse: false,
    schema: undefined,
    identity: undefined,
    partitions: undefined,
    problem: '',
  };
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { fileMustExist: true, timeout: 100 });
    const meta = db.prepare<[], { name: string; value: string }>('SELECT name, value FROM meta');
    const values = new Map(meta.all().map(({ name, value }) => [name, value]));
    const numberOf = (name: string): number | undefined =>
      values.has(name) ? Number(values.get(name)) : undefined;
    facts.schema = numberOf('schema_version');
    facts.partitions = numberOf('partitions');
    facts.identity = values.get('identity');
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    facts.inUse =
      code?.startsWith('SQLITE_BUSY') === true || code?.startsWith('SQLITE_LOCKED') === true;
    if (!facts.inUse) facts.problem = message;
  } finally {
    db?.close();
  }
  return facts;
}
