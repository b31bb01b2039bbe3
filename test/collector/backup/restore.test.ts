/** Restoring: what is refused, what is moved aside, what the next start is told. */

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import type { Manifest } from '../../../collector/backup/manifest.ts';
import { isSafePath } from '../../../collector/backup/manifest.ts';
import { restore } from '../../../collector/backup/restore.ts';
import { readRestoredMark } from '../../../collector/backup/restored.ts';
import type { Log } from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { silentLogger } from '../../support/silent-logger.ts';

const quiet = { log: () => undefined, error: () => undefined };
const NOW = Date.UTC(2026, 10, 22, 20, 30);

function openLog(folder: string): Promise<Log> {
  return openSqliteLog({
    path: join(folder, 'log.sqlite'),
    partitions: 1,
    maxBytes: 64 * 1024 * 1024,
    retentionBytes: 64 * 1024 * 1024,
    retentionMs: 1e12,
    clock: { wallMs: () => 1_000 },
    log: silentLogger,
  });
}

interface Setting {
  folder: string;
  dataDir: string;
  manifest: Manifest;
  write(changed: object): void;
  restore(force?: boolean): ReturnType<typeof restore>;
}

/** A backup with a log and a file of a store, and a data_dir that does not exist. */
async function setting(t: Test): Promise<Setting> {
  const root = t.testdir({ backup: { store: { 'a.bin': 'part' }, reports: { 'r.json': '{}' } } });
  const folder = join(root, 'backup');
  const log = await openLog(folder);
  await log.append('raw', 0, { key: 'demo/gw1', kind: 'batch', value: new Uint8Array(100) });
  const { identity } = log;
  await log.close();
  const files = ['log.sqlite', 'store/a.bin', 'reports/r.json'].map((path) => {
    const content = readFileSync(join(folder, path));
    const sha256 = createHash('sha256').update(content).digest('hex');
    return { path, bytes: content.length, sha256 };
  });
  const manifest: Manifest = {
    format: 1,
    madeMs: NOW - 1_000,
    version: '0.0.0-test',
    logIdentity: identity,
    partitions: 1,
    logSchema: 1,
    storeSchema: 1,
    files,
  };
  const write = (changed: object): void =>
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify({ ...manifest, ...changed }));
  write({});
  const dataDir = join(root, 'data');
  return {
    folder,
    dataDir,
    manifest,
    write,
    restore: (force = false) =>
      restore({ dataDir, folder, force, partitions: 1, nowMs: NOW }, quiet),
  };
}

t.test('into a folder that is not there yet', async (t) => {
  const { dataDir, manifest, restore } = await setting(t);
  t.match(await restore(), { movedTo: undefined, manifest });
  t.same(readdirSync(dataDir).toSorted(), ['log.sqlite', 'reports', 'restored.json', 'store']);
  t.equal(readFileSync(join(dataDir, 'store/a.bin'), 'utf8'), 'part');
  t.same(readRestoredMark(dataDir), { logIdentity: manifest.logIdentity, madeMs: NOW - 1_000 });
  const log = await openLog(dataDir);
  t.teardown(() => log.close());
  t.same(await log.bounds('raw', 0), { first: 0, next: 1 });
});

t.test('never onto the data of a collector that runs', async (t) => {
  const { dataDir, restore } = await setting(t);
  const log = await openLog(dataDir);
  t.teardown(() => log.close());
  for (const force of [false, true]) await t.rejects(restore(force), { code: 'LOG_IN_USE' });
});

t.test('over data only when told, and then that is moved aside', async (t) => {
  const { dataDir, restore } = await setting(t);
  await (await openLog(dataDir)).close();
  mkdirSync(join(dataDir, 'store'));
  writeFileSync(join(dataDir, 'store', 'old'), '');
  writeFileSync(join(dataDir, 'mine'), '');
  const before = readdirSync(dataDir).toSorted();
  await t.rejects(restore(), { code: 'RESTORE_DATA_PRESENT' });
  t.same(readdirSync(dataDir).toSorted(), before);
  const { movedTo } = await restore(true);
  t.equal(movedTo, join(dataDir, 'before-restore-20261122T203000Z'));
  t.same(readdirSync(movedTo ?? '').toSorted(), ['log.sqlite', 'store']);
  t.ok(existsSync(join(movedTo ?? '', 'store', 'old')));
  t.ok(existsSync(join(dataDir, 'mine')), 'what is not the collector’s stays');
  t.notOk(existsSync(join(dataDir, 'store', 'old')));
});

t.test('what is damaged or newer is refused, and nothing is touched', async (t) => {
  const { folder, dataDir, manifest, write, restore } = await setting(t);
  await (await openLog(dataDir)).close();
  const before = readdirSync(dataDir).toSorted();
  const [first, ...others] = manifest.files;
  const cases: [string, object][] = [
    ['BACKUP_VERSION_NEWER', { format: 2 }],
    ['BACKUP_VERSION_NEWER', { storeSchema: 9_999 }],
    ['BACKUP_VERSION_NEWER', { logSchema: 9_999 }],
    ['LOG_PARTITIONS_CHANGED', { partitions: 7 }],
    ['BACKUP_DAMAGED', { files: [...manifest.files, { ...first, path: '../../etc/passwd' }] }],
    ['BACKUP_DAMAGED', { files: [...manifest.files, { ...first, path: 'store/none' }] }],
    ['BACKUP_DAMAGED', { files: others }],
    ['BACKUP_DAMAGED', { files: [{ ...first, sha256: '0'.repeat(64) }, ...others] }],
    ['BACKUP_DAMAGED', { files: 7 }],
    ['BACKUP_DAMAGED', { logIdentity: undefined }],
  ];
  for (const [code, changed] of cases) {
    write(changed);
    await t.rejects(restore(true), { code }, `${code} ${JSON.stringify(changed).slice(0, 60)}`);
  }
  writeFileSync(join(folder, 'manifest.json'), '{');
  await t.rejects(restore(true), { code: 'BACKUP_DAMAGED' });
  write({});
  truncateSync(join(folder, 'log.sqlite'), 16_384);
  await t.rejects(restore(true), { code: 'BACKUP_DAMAGED' });
  t.same(readdirSync(dataDir).toSorted(), before);
});

t.test('paths that stay in the folder', async (t) => {
  for (const path of ['log.sqlite', 'store/a', 'store/store/a/b.bin', 'reports/x.html'])
    t.ok(isSafePath(path), path);
  for (const path of [
    '',
    '/etc/x',
    '..',
    '../x',
    'store/../../x',
    'store',
    'store\\x',
    './store/a',
    'x',
  ])
    t.notOk(isSafePath(path), path);
});
