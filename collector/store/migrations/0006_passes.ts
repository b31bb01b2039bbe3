import type { Migration } from './migration.ts';

/** Who may insert: see ../passes.ts. The row with the highest number of a scope holds. */
export const passes: Migration = {
  version: 6,
  name: 'passes',
  statements: [
    `CREATE TABLE IF NOT EXISTS writer_passes (
  scope String,
  number UInt64,
  pass String,
  admitted DateTime64(3, 'UTC') DEFAULT now64(3)
) ENGINE = ReplacingMergeTree(number)
ORDER BY scope
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1`,
  ],
};
