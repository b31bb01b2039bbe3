/**
 * The schema, as numbered steps. A step that was released is never changed; a change is a new step.
 * Statements are idempotent, because a kill may fall between a statement and its entry in
 * `schema_migrations`. One SQL text for both engines; names are unqualified (the connection chooses the
 * database).
 */

import { tables } from './0001_tables.ts';
import { findings } from './0002_findings.ts';
import { layout } from './0003_layout.ts';
import { rollups } from './0004_rollups.ts';
import { statistics } from './0005_statistics.ts';
import { passes } from './0006_passes.ts';
import { alerts } from './0007_alerts.ts';
import { audit } from './0008_audit.ts';
import type { Migration } from './migration.ts';

export const migrations: readonly Migration[] = [
  tables,
  findings,
  layout,
  rollups,
  statistics,
  passes,
  alerts,
  audit,
];

export const SCHEMA_VERSION = migrations.length;
