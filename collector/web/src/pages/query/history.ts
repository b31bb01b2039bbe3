/** Queries that were run in this browser, newest first. */

const KEY = 'fms.queries';
const KEPT_MAX = 20;
const CHARS_MAX = 5_000;

export function earlierQueries(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter((sql) => typeof sql === 'string') : [];
  } catch {
    // Storage is forbidden here, or holds something else: there is no history then.
    return [];
  }
}

/** Longer ones are not kept. */
export function keepQuery(sql: string): void {
  if (sql.length > CHARS_MAX) return;
  const kept = [sql, ...earlierQueries().filter((other) => other !== sql)].slice(0, KEPT_MAX);
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // As above.
  }
}
