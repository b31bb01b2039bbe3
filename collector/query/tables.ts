/** Which tables a statement of a person may read. */

/** Ours: what docs/OPERATIONS.md describes for people; not what the program keeps for itself. */
export const OPEN_TABLES = [
  'alerts',
  'anomalies',
  'anomaly_marks',
  'device_states',
  'device_statistics',
  'devices',
  'events',
  'failures',
  'gateways',
  'ledger',
  'quality_1h',
  'quality_1m',
  'quarantine',
  'readings',
  'readings_1d',
  'readings_1h',
  'readings_1m',
  'releases',
  'silences',
  'statistics',
] as const;

const OPEN = new Set<string>(OPEN_TABLES);

/**
 * What clients and query builders ask of a server. Rows of other databases are left out by the store
 * (asking.ts rowFilters); of the columns only these may be named, which tell nothing of files and users.
 */
const SYSTEM: Readonly<Record<string, readonly string[]>> = {
  'system.one': ['dummy'],
  'system.numbers': ['number'],
  'system.databases': ['name', 'engine', 'comment'],
  'system.tables': [
    'database',
    'name',
    'table',
    'engine',
    'comment',
    'total_rows',
    'total_bytes',
    'primary_key',
    'sorting_key',
    'partition_key',
    'is_temporary',
  ],
  'system.columns': [
    'database',
    'table',
    'name',
    'type',
    'position',
    'comment',
    'default_kind',
    'default_expression',
    'is_in_primary_key',
    'is_in_sorting_key',
    'is_in_partition_key',
  ],
  'system.functions': [
    'name',
    'is_aggregate',
    'case_insensitive',
    'alias_to',
    'description',
    'syntax',
  ],
  'system.data_type_families': ['name', 'case_insensitive', 'alias_to'],
  'system.formats': ['name', 'is_input', 'is_output'],
};

export interface OpenTable {
  isOpen: boolean;
  /** Undefined: all. */
  columns: ReadonlySet<string> | undefined;
}

/** `name` as the engine writes it: `table` or `database.table`. */
export function openTable(name: string, database: string): OpenTable {
  const prefix = `${database}.`;
  const own = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  if (OPEN.has(own)) return { isOpen: true, columns: undefined };
  const columns = Object.hasOwn(SYSTEM, name) ? SYSTEM[name] : undefined;
  return { isOpen: columns !== undefined, columns: columns && new Set(columns) };
}
