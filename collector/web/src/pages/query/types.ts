/** The API of SQL for people. */

export interface ColumnInfo {
  name: string;
  /** As the store names it: Int64, Float64, LowCardinality(String) … */
  type: string;
}

/** What JSON cannot say (64-bit numbers beyond 2^53, NaN, infinities) is text. */
export type Cell = string | number | boolean | null | readonly unknown[] | object;

export interface QueryResult {
  columns: ColumnInfo[];
  rows: Cell[][];
  rows_before_limit: number | null;
  /** The result has more rows than these. */
  truncated: boolean;
  elapsed_ms: number;
  read_rows: number | null;
  read_bytes: number | null;
}

export interface RunningQuery {
  state: string;
  elapsed_ms: number;
  read_rows: number | null;
}

export interface TableInfo {
  table: string;
  comment: string;
  rows: number | null;
  columns: (ColumnInfo & { comment: string })[];
}
