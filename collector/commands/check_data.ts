/** `fms-collector check`: what lies in data_dir, and whether there is room for it. Changes nothing. */

import { existsSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bytesText } from '../backup/copy.ts';
import type { CollectorConfig } from '../config.ts';
import { readDataVersions } from '../data_versions.ts';
import { CollectorError } from '../errors.ts';
import { LOG_SCHEMA_VERSION } from '../log/sqlite_file.ts';
import { lookIntoLog } from '../log/sqlite_look.ts';
import { SCHEMA_VERSION } from '../store/migrations/list.ts';

export interface DataFindings {
  /** What there is. */
  lines: string[];
  warnings: string[];
  /** What keeps the collector from starting. */
  errors: CollectorError[];
}

/** `freeBytes`: for tests. */
export function checkData(config: CollectorConfig, freeBytes = freeOn): DataFindings {
  const found: DataFindings = { lines: [], warnings: [], errors: [] };
  checkLog(config, found);
  checkStore(config, found);
  checkRoom(config, freeBytes(config.dataDir), found);
  return found;
}

function checkLog({ dataDir, log }: CollectorConfig, found: DataFindings): void {
  if (log.kafka !== undefined) return;
  const path = join(dataDir, 'log.sqlite');
  const facts = lookIntoLog(path);
  if (facts === undefined) {
    found.lines.push('log: none yet');
    if (existsSync(join(dataDir, 'store', 'metadata', 'fms.sql')))
      found.warnings.push(
        'there is a store and no log: the next start declares lost what was on its way',
      );
    return;
  }
  const { inUse, problem, schema, partitions } = facts;
  if (inUse) {
    found.lines.push('log: in use by a running collector');
    return;
  }
  if (problem !== '' || schema === undefined || schema > LOG_SCHEMA_VERSION) {
    const why = problem || `schema ${schema ?? 'unknown'}, known is ${LOG_SCHEMA_VERSION}`;
    found.errors.push(new CollectorError('LOG_DAMAGED', `${path}: ${why}`));
    return;
  }
  found.lines.push(`log: schema ${schema}, ${partitions} partition(s)`);
  if (partitions !== log.partitions)
    found.errors.push(
      new CollectorError(
        'LOG_PARTITIONS_CHANGED',
        `${path} has ${partitions}, configured are ${log.partitions}`,
      ),
    );
}

function checkStore({ dataDir, store, components }: CollectorConfig, found: DataFindings): void {
  if (store.clickhouse !== undefined || !components.has('write')) return;
  if (!existsSync(join(dataDir, 'store'))) {
    found.lines.push('store: none yet');
    return;
  }
  const versions = readDataVersions(dataDir);
  if (versions === undefined) {
    found.lines.push('store: of an earlier version; the next start upgrades it');
    return;
  }
  const { version, storeSchema } = versions;
  const upgrade = storeSchema < SCHEMA_VERSION ? `, to be upgraded to ${SCHEMA_VERSION}` : '';
  found.lines.push(`store: schema ${storeSchema} of version ${version}${upgrade}`);
  if (storeSchema > SCHEMA_VERSION)
    found.errors.push(
      new CollectorError(
        'STORE_VERSION_NEWER',
        `the store has schema ${storeSchema}, this program knows ${SCHEMA_VERSION}`,
      ),
    );
}

function checkRoom(
  { dataDir, log, store }: CollectorConfig,
  { free, total }: { free: number; total: number },
  found: DataFindings,
): void {
  found.lines.push(`disk: ${bytesText(free)} free of ${bytesText(total)}`);
  if (store.clickhouse === undefined && free < store.minFreeBytes)
    found.warnings.push(
      `less than store.min_free_bytes (${bytesText(store.minFreeBytes)}) are free on the disk of ${dataDir}: the store takes nothing`,
    );
  if (log.kafka === undefined && log.maxBytes > total)
    found.warnings.push(
      `log.max_bytes (${bytesText(log.maxBytes)}) is more than the disk of ${dataDir} holds: the disk would be full before the log is`,
    );
}

/** Of the folder, or of its nearest parent that exists. */
function freeOn(folder: string): { free: number; total: number } {
  let nearest = folder;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  const disk = statfsSync(nearest);
  return { free: disk.bavail * disk.bsize, total: disk.blocks * disk.bsize };
}
