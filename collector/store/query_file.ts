/** The answer of a query as a file, for Store.exportTo. */

import { randomUUID } from 'node:crypto';
import { stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClickHouseSettings } from '@clickhouse/client';
import type { ExportFormat, QueryFile, QueryLimits } from './store.ts';

const ENDINGS: Readonly<Record<ExportFormat, string>> = { CSVWithNames: 'csv', Parquet: 'parquet' };

export const FILE_SETTINGS: ClickHouseSettings = {
  // Nothing is nothing, as every reader of CSV has it; \N is the engine's own.
  format_csv_null_representation: '',
  // What does not fit into a part of the memory is put aside on the disk.
  max_bytes_before_external_group_by: '134217728',
  max_bytes_before_external_sort: '134217728',
  output_format_parquet_compression_method: 'zstd',
  output_format_parquet_string_as_string: 1,
};

/** In a folder that is emptied at each start. */
export function newFile(folder: string, format: ExportFormat): string {
  return join(folder, `${randomUUID()}.${ENDINGS[format]}`);
}

/**
 * One thread at the end keeps the order of `sql`. max_result_rows means nothing to an INSERT: rows are
 * counted as they go by.
 */
export function fileStatement(
  file: string,
  format: ExportFormat,
  sql: string,
  limits: QueryLimits,
): string {
  const tooMany = `throwIf(rowNumberInAllBlocks() >= ${Math.floor(limits.maxRows)}, 'more rows than a file may have')`;
  return `INSERT INTO FUNCTION file('${file.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}', '${format}')
SELECT * FROM (${sql}) WHERE NOT ${tooMany}
SETTINGS max_insert_threads = 1`;
}

export async function finished(path: string): Promise<QueryFile> {
  // No row: the engine may not have made the file.
  const { size } = await stat(path);
  return { path, bytes: size, dispose: () => unlink(path).catch(() => undefined) };
}
