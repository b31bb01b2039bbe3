/** What a result is as a chart and as a file. Pure. */

import type { Cell, ColumnInfo, QueryResult } from './types.ts';

const CHART_SERIES_MAX = 8;
const CHART_POINTS_MAX = 20_000;

export interface ChartData {
  /** Name of the first column. */
  x: string;
  isTime: boolean;
  names: string[];
  /** Ascending by x; seconds where it is time. */
  columns: [number[], ...(number | null)[][]];
}

/** Undefined: the result is nothing that a line shows. */
export function chartOf({
  columns,
  rows,
}: Pick<QueryResult, 'columns' | 'rows'>): ChartData | undefined {
  const [first, ...others] = columns;
  if (first === undefined || rows.length === 0) return undefined;
  const unit = timeUnit(first);
  if (unit === undefined && !isNumeric(first.type)) return undefined;
  const numeric = others
    .map((column, i) => ({ name: column.name, index: i + 1, type: column.type }))
    .filter(({ type }) => isNumeric(type))
    .slice(0, CHART_SERIES_MAX);
  if (numeric.length === 0) return undefined;
  const points = rows
    .slice(0, CHART_POINTS_MAX)
    .map((row) => ({ x: xOf(row[0] ?? null, unit), row }))
    .filter(({ x }) => Number.isFinite(x))
    .sort((a, b) => a.x - b.x);
  if (points.length === 0) return undefined;
  return {
    x: first.name,
    isTime: unit !== undefined,
    names: numeric.map(({ name }) => name),
    columns: [
      points.map(({ x }) => x),
      ...numeric.map(({ index }) => points.map(({ row }) => finite(row[index] ?? null))),
    ],
  };
}

type TimeUnit = 'ms' | 'text';

/** Our times are `*_ms`; ClickHouse's own date types come as text in UTC. */
function timeUnit({ name, type }: ColumnInfo): TimeUnit | undefined {
  if (/(^|_)(bucket|time|at|from|to|received|started|until)?_?ms$/.test(name) && isNumeric(type))
    return 'ms';
  return /^(Nullable\(|LowCardinality\()?Date/.test(type) ? 'text' : undefined;
}

function xOf(cell: Cell, unit: TimeUnit | undefined): number {
  if (unit === 'text') {
    const text = String(cell);
    const iso = text.includes(' ') ? `${text.replace(' ', 'T')}Z` : text;
    return Date.parse(iso) / 1000;
  }
  const value = typeof cell === 'string' ? Number(cell) : cell;
  if (typeof value !== 'number') return Number.NaN;
  return unit === 'ms' ? value / 1000 : value;
}

function finite(cell: Cell): number | null {
  const value = typeof cell === 'string' && cell !== '' ? Number(cell) : cell;
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

export function isNumeric(type: string): boolean {
  return /^(Nullable\(|LowCardinality\(|LowCardinality\(Nullable\()?(U?Int|Float|BFloat|Decimal|Bool)/.test(
    type,
  );
}

/** RFC 4180, with a first line of names. */
export function csvOf({ columns, rows }: Pick<QueryResult, 'columns' | 'rows'>): string {
  const lines = [columns.map(({ name }) => quoted(name)), ...rows.map((row) => row.map(csvCell))];
  return `${lines.map((line) => line.join(',')).join('\r\n')}\r\n`;
}

function csvCell(cell: Cell): string {
  return quoted(cell === null ? '' : textOf(cell));
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A cell as text; arrays and the like as JSON. */
export function textOf(cell: Cell): string {
  if (cell === null) return '';
  return typeof cell === 'object' ? JSON.stringify(cell) : String(cell);
}
