/** One numbered step of the schema; see list.ts. */
export interface Migration {
  version: number;
  name: string;
  statements: readonly string[];
  /** When `sql` answers a row, the statements from index `from` on are not needed. Asked once, before the first. */
  unless?: { sql: string; from: number };
}
