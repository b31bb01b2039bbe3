/**
 * What becomes of a query on its way from a dashboard to ClickHouse, as Grafana and the official plug-in do
 * it, in their order:
 * 1. `$__conditionalAll(condition, $variable)`, in the browser: `1=1` where the variable says All
 * 2. variables with their format, by Grafana
 * 3. the other macros, in the plug-in's backend
 * Expansions are those that the plug-in documents (docs/sources/query-editor.md, "Macros", and
 * template-variables.md of github.com/grafana/clickhouse-datasource). An unknown macro or variable is an error.
 */

export interface Asked {
  fromMs: number;
  toMs: number;
  /** The panel's interval. */
  intervalMs: number;
  /** A value each; '$__all' is All. */
  variables: Readonly<Record<string, string>>;
}

export function fillMacros(sql: string, asked: Asked): string {
  return fillBackend(
    fillVariables(fillConditionalAll(sql, asked.variables), asked.variables),
    asked,
  );
}

function fillConditionalAll(sql: string, variables: Asked['variables']): string {
  const macro = '$__conditionalAll(';
  let rest = sql;
  // From the last one on, so that one within another is filled first.
  for (let at = rest.lastIndexOf(macro); at >= 0; at = rest.lastIndexOf(macro)) {
    const { args, end } = argumentsAt(rest, at + macro.length - 1);
    if (args.length !== 2)
      throw new Error(`$__conditionalAll wants 2 arguments: ${args.join(' | ')}`);
    const name = /\$\{?(\w+)/.exec(args[1]!)?.[1] ?? '';
    const value = variables[name];
    if (value === undefined) throw new Error(`no variable ${name}`);
    const isAll = value === '' || value === '$__all';
    rest = `${rest.slice(0, at)}${isAll ? '1=1' : args[0]!}${rest.slice(end)}`;
  }
  return rest;
}

/** `open`: index of the bracket. */
function argumentsAt(sql: string, open: number): { args: string[]; end: number } {
  const args: string[] = [];
  let depth = 0;
  let from = open + 1;
  for (let i = open; i < sql.length; i++) {
    const letter = sql[i];
    if (letter === '(') depth++;
    else if (letter === ')') depth--;
    if ((letter === ',' && depth === 1) || depth === 0) {
      args.push(sql.slice(from, i));
      from = i + 1;
    }
    if (depth === 0) return { args, end: i + 1 };
  }
  throw new Error('a bracket is not closed');
}

function fillVariables(sql: string, variables: Asked['variables']): string {
  return sql.replace(/\$\{(\w+)(?::(\w+))?\}/g, (_, name: string, format: string | undefined) => {
    const value = variables[name];
    if (value === undefined) throw new Error(`no variable ${name}`);
    if (value === '$__all') throw new Error(`${name} says All outside $__conditionalAll`);
    if (format === 'percentencode') return percentEncoded(value);
    throw new Error(`a format that is not safe in SQL: ${format}`);
  });
}

/** Grafana's encodeURIComponentStrict. */
export function percentEncoded(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (letter) => `%${letter.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function fillBackend(sql: string, { fromMs, toMs, intervalMs }: Asked): string {
  const seconds = (ms: number): string => `toDateTime(${Math.floor(ms / 1_000)})`;
  const millis = (ms: number): string => `fromUnixTimestamp64Milli(${ms})`;
  const intervalS = Math.floor(Math.max(intervalMs / 1_000, 1));
  const macros: Record<string, (column: string) => string> = {
    fromTime: () => seconds(fromMs),
    toTime: () => seconds(toMs),
    fromTime_ms: () => millis(fromMs),
    toTime_ms: () => millis(toMs),
    timeFilter: (c) => `${c} >= ${seconds(fromMs)} AND ${c} <= ${seconds(toMs)}`,
    timeFilter_ms: (c) => `${c} >= ${millis(fromMs)} AND ${c} <= ${millis(toMs)}`,
    timeInterval: (c) => `toStartOfInterval(toDateTime(${c}), INTERVAL ${intervalS} second)`,
    timeInterval_ms: (c) =>
      `toStartOfInterval(toDateTime64(${c}, 3), INTERVAL ${Math.max(intervalMs, 1)} millisecond)`,
    interval_s: () => `${intervalS}`,
  };
  const filled = sql.replace(
    /\$__(\w+)(?:\(([^()]*)\))?/g,
    (whole, name: string, args?: string) => {
      const macro = macros[name];
      if (macro === undefined) throw new Error(`not a macro of the plug-in: ${whole}`);
      const wantsColumn = macro.length === 1;
      if (wantsColumn !== (args !== undefined)) throw new Error(`wrong arguments: ${whole}`);
      return macro(args ?? '');
    },
  );
  if (filled.includes('$')) throw new Error(`something is left to fill: ${filled}`);
  return filled;
}
