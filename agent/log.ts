/** The agent's log: one line an event, on stderr. Errors are logged once, at the top of what failed. */

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

export interface LogOptions {
  /** Read at each line, so that a reload can change it. */
  level: () => LogLevel;
  wallMs: () => number;
  write: (line: string) => void;
  /** `json` for journals and tools; `text` for a terminal. */
  format: 'json' | 'text';
}

/** What an error says of itself: its coded message and hint, never a stack of many lines. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error) };
  const { code, hint } = error as { code?: unknown; hint?: unknown };
  return {
    error: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(typeof hint === 'string' ? { hint } : {}),
  };
}

function asText(level: LogLevel, time: string, message: string, fields: LogFields): string {
  const details = Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
  return `${time} ${level.toUpperCase().padEnd(5)} ${message}${details === '' ? '' : `  ${details}`}\n`;
}

/** A log that writes whole lines through `write`. Never throws. */
export function createLog(options: LogOptions): Log {
  const emit = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (logLevels.indexOf(level) < logLevels.indexOf(options.level())) return;
    const time = new Date(options.wallMs()).toISOString();
    options.write(
      options.format === 'json'
        ? `${JSON.stringify({ time, level, message, ...fields })}\n`
        : asText(level, time, message, fields),
    );
  };
  return {
    debug: (message, fields) => emit('debug', message, fields),
    info: (message, fields) => emit('info', message, fields),
    warn: (message, fields) => emit('warn', message, fields),
    error: (message, fields) => emit('error', message, fields),
  };
}
