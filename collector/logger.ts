/** The program's own messages: one JSON object a line on stdout. */

import { pino } from 'pino';
import type { Logger } from './types.ts';

/** `level`: debug, info, warn, error or silent. `fields` are part of every line. */
export function createLogger(level: string, fields: Record<string, string> = {}): Logger {
  const base = Object.keys(fields).length === 0 ? null : fields;
  return pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime });
}
