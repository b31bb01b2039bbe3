/**
 * `fms-collector restore FOLDER`: puts a backup into data_dir, while no collector runs on it. Everything
 * is copied and its checksum compared before anything that is there is touched; what is there is moved
 * aside, never deleted.
 */

import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Output } from '../commands/check.ts';
import { CollectorError } from '../errors.ts';
import { LOG_SCHEMA_VERSION } from '../log/sqlite_file.ts';
import { lookIntoLog } from '../log/sqlite_look.ts';
import { SCHEMA_VERSION } from '../store/migrations/list.ts';
import { bytesText, copyFile, syncFolder } from './copy.ts';
import type { Manifest } from './manifest.ts';
import { damaged, LOG_FILE, readManifest } from './manifest.ts';
import { writeRestoredMark } from './restored.ts';

const PARTIAL = 'restore.partial';
/** What a collector keeps in data_dir; the log moves last: without it nothing is taken for data. */
const KEPT = ['store', 'reports', `${LOG_FILE}-wal`, `${LOG_FILE}-shm`, LOG_FILE] as const;

export interface RestoreOptions {
  dataDir: string;
  folder: string;
  /** Moves aside what is there. */
  force: boolean;
  /** As configured. */
  partitions: number;
  nowMs: number;
}

/** Answers what was restored and where the data went that was there before. */
export async function restore(
  options: RestoreOptions,
  output: Output,
): Promise<{ manifest: Manifest; movedTo: string | undefined }> {
  const { dataDir, force, partitions, nowMs } = options;
  const folder = resolve(options.folder);
  const manifest = readManifest(folder);
  checkVersions(manifest, partitions);
  if (lookIntoLog(join(dataDir, LOG_FILE))?.inUse === true)
    throw new CollectorError('LOG_IN_USE', `${dataDir}: stop the collector first`);
  const present = KEPT.filter((name) => existsSync(join(dataDir, name)));
  if (present.length > 0 && !force)
    throw new CollectorError('RESTORE_DATA_PRESENT', `${dataDir}: ${present.join(', ')}`);

  const partial = join(dataDir, PARTIAL);
  await rm(partial, { recursive: true, force: true });
  await mkdir(partial, { recursive: true });
  try {
    await copyAll(folder, partial, manifest, output);
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
  const { logIdentity, madeMs } = manifest;
  let movedTo: string | undefined;
  if (present.length > 0) {
    movedTo = join(dataDir, `before-restore-${stamp(nowMs)}`);
    await mkdir(movedTo);
    // The log first: without it nothing runs on what is left.
    for (const name of [...present].reverse())
      await rename(join(dataDir, name), join(movedTo, name));
  }
  await writeRestoredMark(dataDir, { logIdentity, madeMs });
  for (const name of KEPT) {
    if (existsSync(join(partial, name))) await rename(join(partial, name), join(dataDir, name));
  }
  await syncFolder(dataDir);
  await rmdir(partial);
  return { manifest, movedTo };
}

function checkVersions(manifest: Manifest, partitions: number): void {
  const { logSchema, storeSchema, version } = manifest;
  if (logSchema > LOG_SCHEMA_VERSION || storeSchema > SCHEMA_VERSION)
    throw new CollectorError(
      'BACKUP_VERSION_NEWER',
      `made by ${version}: log ${logSchema}, store ${storeSchema}; known are ${LOG_SCHEMA_VERSION}, ${SCHEMA_VERSION}`,
    );
  if (manifest.partitions !== partitions)
    throw new CollectorError(
      'LOG_PARTITIONS_CHANGED',
      `the backup has ${manifest.partitions}, configured are ${partitions}`,
    );
}

async function copyAll(
  folder: string,
  partial: string,
  { files }: Manifest,
  output: Output,
): Promise<void> {
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const disk = await statfs(partial);
  if (disk.bavail * disk.bsize < bytes)
    throw new CollectorError(
      'BACKUP_FOLDER',
      `${partial}: ${bytesText(bytes)} are needed, ${bytesText(disk.bavail * disk.bsize)} are free`,
    );
  output.log(`${files.length} files, ${bytesText(bytes)}`);
  const never = new AbortController().signal;
  for (const file of files) {
    const copied = await copyFile(join(folder, file.path), join(partial, file.path), never).catch(
      (error: Error) => {
        throw damaged(`${file.path}: ${error.message}`, error);
      },
    );
    if (copied.bytes !== file.bytes || copied.sha256 !== file.sha256)
      throw damaged(`${file.path} differs from its checksum`);
  }
  for (const entry of await readdir(partial)) await syncFolder(join(partial, entry));
}

/** For a name of a folder: 20261122T203000Z. */
function stamp(ms: number): string {
  return new Date(ms).toISOString().replace(/[-:]|\.\d+/g, '');
}
