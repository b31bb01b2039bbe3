/** What SQLite's errors mean to those above. */

import Database from 'better-sqlite3';
import { CollectorError } from '../errors.ts';

/** SQLite's name of the error; '' for another one. */
export function codeOf(error: unknown): string {
  return error instanceof Database.SqliteError ? error.code : '';
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What an error at opening means to the operator. */
export function openingError(error: unknown, path: string): unknown {
  const code = codeOf(error);
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED'))
    return new CollectorError('LOG_IN_USE', path, { cause: error });
  if (code.startsWith('SQLITE_NOTADB') || code.startsWith('SQLITE_CORRUPT'))
    return new CollectorError('LOG_DAMAGED', `${path}: ${messageOf(error)}`, { cause: error });
  if (error instanceof CollectorError || error instanceof RangeError) return error;
  return new CollectorError('LOG_UNAVAILABLE', `${path}: ${messageOf(error)}`, { cause: error });
}
