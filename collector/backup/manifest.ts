/** What lies in a backup: manifest.json, written last, names every file with its size and checksum. */

import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { CollectorError } from '../errors.ts';

export const MANIFEST_FILE = 'manifest.json';
/** Of the manifest and the layout beside it. */
export const BACKUP_FORMAT = 1;
export const LOG_FILE = 'log.sqlite';

/** What a backup says of the data in it. */
export interface BackupInfo {
  /** When the data was as the backup has it, UTC ms. */
  madeMs: number;
  /** Of the program that made it. */
  version: string;
  logIdentity: string;
  partitions: number;
  logSchema: number;
  storeSchema: number;
}

export interface BackupFile {
  /** Within the backup and within data_dir, with slashes. */
  path: string;
  bytes: number;
  /** Hex. */
  sha256: string;
}

export interface Manifest extends BackupInfo {
  format: number;
  files: BackupFile[];
}

/** Throws BACKUP_DAMAGED or BACKUP_VERSION_NEWER. */
export function readManifest(folder: string): Manifest {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(join(folder, MANIFEST_FILE), 'utf8'));
  } catch (error) {
    throw damaged(`${join(folder, MANIFEST_FILE)}: ${(error as Error).message}`);
  }
  const manifest = content as Partial<Manifest> | null;
  if (typeof manifest?.format !== 'number') throw damaged(`${MANIFEST_FILE}: no format`);
  if (manifest.format > BACKUP_FORMAT)
    throw new CollectorError('BACKUP_VERSION_NEWER', `its format is ${manifest.format}`);
  const numbers = [
    manifest.madeMs,
    manifest.partitions,
    manifest.logSchema,
    manifest.storeSchema,
  ].every((value) => typeof value === 'number');
  const files = manifest.files;
  if (!numbers || typeof manifest.logIdentity !== 'string' || !Array.isArray(files))
    throw damaged(`${MANIFEST_FILE}: not a manifest`);
  for (const file of files) {
    if (!isBackupFile(file)) throw damaged(`${MANIFEST_FILE}: ${JSON.stringify(file)}`);
  }
  if (!files.some((file) => file.path === LOG_FILE)) throw damaged(`no ${LOG_FILE} in it`);
  return manifest as Manifest;
}

function isBackupFile(file: Partial<BackupFile> | null): boolean {
  return (
    typeof file === 'object' &&
    file !== null &&
    typeof file.path === 'string' &&
    isSafePath(file.path) &&
    Number.isSafeInteger(file.bytes) &&
    (file.bytes ?? -1) >= 0 &&
    /^[0-9a-f]{64}$/.test(file.sha256 ?? '')
  );
}

/** Whether a path stays below the folder that it is joined to, and is one that backups have. */
export function isSafePath(path: string): boolean {
  const isNormal = posix.normalize(path) === path && !path.includes('\\') && !path.includes('\0');
  const isBelow = !path.startsWith('/') && path !== '..' && !path.startsWith('../');
  return isNormal && isBelow && /^(log\.sqlite$|store\/.|reports\/.)/.test(path);
}

export function damaged(detail: string, cause?: unknown): CollectorError {
  return new CollectorError('BACKUP_DAMAGED', detail, cause === undefined ? {} : { cause });
}
