/** What `check` says of data_dir. */

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { checkData } from '../../collector/commands/check_data.ts';
import type { CollectorConfig } from '../../collector/config.ts';
import { loadConfig } from '../../collector/config.ts';
import { writeDataVersions } from '../../collector/data_versions.ts';
import type { Log } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import { SCHEMA_VERSION } from '../../collector/store/migrations/list.ts';
import { silentLogger } from '../support/silent-logger.ts';

const GB = 1e9;
const roomy = () => ({ free: 50 * GB, total: 100 * GB });

function configIn(t: Test, more = ''): CollectorConfig {
  const folder = t.testdir({ 'collector.yaml': `data_dir: ./data\n${more}` });
  return loadConfig(join(folder, 'collector.yaml'));
}

function openLog({ dataDir }: CollectorConfig): Promise<Log> {
  return openSqliteLog({
    path: join(dataDir, 'log.sqlite'),
    partitions: 1,
    maxBytes: 64 * 1024 * 1024,
    retentionBytes: 64 * 1024 * 1024,
    retentionMs: 1e12,
    clock: { wallMs: () => 1_000 },
    log: silentLogger,
  });
}

function storeIn({ dataDir }: CollectorConfig): void {
  mkdirSync(join(dataDir, 'store', 'metadata'), { recursive: true });
  writeFileSync(join(dataDir, 'store', 'metadata', 'fms.sql'), '');
}

t.test('before the first start', async (t) => {
  const found = checkData(configIn(t), roomy);
  t.same(found.lines, ['log: none yet', 'store: none yet', 'disk: 50.0 GB free of 100.0 GB']);
  t.same([found.warnings, found.errors], [[], []]);
  t.ok(checkData(configIn(t)).lines.at(-1)?.startsWith('disk: '), 'the real disk');
});

t.test('data that this program can open', async (t) => {
  const config = configIn(t);
  const log = await openLog(config);
  t.match(checkData(config, roomy).lines, ['log: in use by a running collector']);
  await log.close();
  storeIn(config);
  t.match(checkData(config, roomy).lines[1], /^store: of an earlier version/);
  const versions = { version: '0.1.0', logSchema: 1, storeSchema: 1 };
  await writeDataVersions(config.dataDir, versions);
  const before = readdirSync(config.dataDir);
  const { lines, errors } = checkData(config, roomy);
  t.match(lines, [
    'log: schema 1, 1 partition(s)',
    `store: schema 1 of version 0.1.0, to be upgraded to ${SCHEMA_VERSION}`,
  ]);
  t.same(errors, []);
  t.same(readdirSync(config.dataDir), before, 'nothing is changed');
});

t.test('data that it cannot open', async (t) => {
  const config = configIn(t, 'log: { partitions: 4 }\n');
  await (await openLog(config)).close();
  storeIn(config);
  const versions = { version: '9.0.0', logSchema: 1, storeSchema: SCHEMA_VERSION + 1 };
  await writeDataVersions(config.dataDir, versions);
  const codes = (): string[] => checkData(config, roomy).errors.map(({ code }) => code);
  t.same(codes(), ['LOG_PARTITIONS_CHANGED', 'STORE_VERSION_NEWER']);
  writeFileSync(join(config.dataDir, 'log.sqlite'), 'this is not a database'.repeat(100));
  t.same(codes(), ['LOG_DAMAGED', 'STORE_VERSION_NEWER']);
});

t.test('what deserves a second thought', async (t) => {
  const config = configIn(t);
  storeIn(config);
  const tight = () => ({ free: 0.1 * GB, total: 5 * GB });
  t.match(checkData(config, tight).warnings, [
    /a store and no log/,
    /less than store\.min_free_bytes \(268\.4 MB\)/,
    /log\.max_bytes \(10\.7 GB\) is more than the disk/,
  ]);
});
