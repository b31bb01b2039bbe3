/** What a query's plan reads: granules and rows that are left after all indexes, before anything is read. */

export interface TableRead {
  table: string;
  granules: number;
  rows: number;
}

export type Ask = <Row>(sql: string) => Promise<Row[]>;

/** By table; one that is read several times counts them all. A read of which nothing is left has 0. */
export async function readsOf(ask: Ask, sql: string): Promise<TableRead[]> {
  const rows = await ask<{ table: string; marks: string; rows: string }>(`EXPLAIN ESTIMATE ${sql}`);
  return rows.map(({ table, marks, rows }) => ({
    table,
    granules: Number(marks),
    rows: Number(rows),
  }));
}

/** Granules of each table. */
export async function granulesOf(ask: Ask): Promise<Map<string, number>> {
  const rows = await ask<{ table: string; marks: string }>(
    `SELECT table, sum(marks) AS marks FROM system.parts
WHERE active AND database = currentDatabase() GROUP BY table`,
  );
  return new Map(rows.map(({ table, marks }) => [table, Number(marks)]));
}
