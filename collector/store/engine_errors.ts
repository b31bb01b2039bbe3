/** What the engine's errors mean. */

import { CollectorError } from '../errors.ts';
import { DAMAGE_CODES } from './damage.ts';

/** Engine errors that say nothing about the query: disk, files, memory of the process, checksum. */
export const BROKEN_ENGINE_CODES = new Set([
  '74',
  '75',
  '76',
  '173',
  '243',
  '1001',
  ...DAMAGE_CODES,
]);

export function isDamage(error: unknown): boolean {
  return DAMAGE_CODES.includes(engineCode(error) ?? '');
}

/** ClickHouse's error number, as text. The client's error class exists twice (chdb brings its own). */
export function engineCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^\d+$/.test(error.code) ? error.code : undefined;
}

export function firstLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split('\n')[0] ?? '').slice(0, 500);
}

export function unavailable(what: string, error: unknown): CollectorError {
  if (error instanceof CollectorError) return error;
  return new CollectorError('STORE_UNAVAILABLE', `${what}: ${firstLine(error)}`, { cause: error });
}
