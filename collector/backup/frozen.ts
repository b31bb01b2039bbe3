/**
 * The store's files as they are at one moment. ALTER TABLE … FREEZE makes hard links of a table's parts;
 * parts never change, so the links stay what they are while the engine goes on merging. Everything else
 * that the engine needs (definitions of tables) changes only in migrations.
 */

import type { Dirent } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store } from '../store/store.ts';

const FREEZE_LIMITS = { timeoutMs: 60_000, maxMemoryBytes: 256 * 1024 * 1024 };
const QUERY_LIMITS = { timeoutMs: 10_000, maxRows: 1_000, maxMemoryBytes: 256 * 1024 * 1024 };
const SHADOW = 'shadow';

export interface SourceFile {
  /** Absolute: what is to be copied. */
  source: string;
  /** Within the backup, with slashes. */
  path: string;
  bytes: number;
}

/** Links the parts of all tables, under `name`. Nothing may be inserted meanwhile. */
export async function freezeTables(
  store: Pick<Store, 'query' | 'execute'>,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const tables = await store.query<{ name: string }>(
    `SELECT name FROM system.tables
WHERE database = currentDatabase() AND engine LIKE '%MergeTree' ORDER BY name`,
    {},
    QUERY_LIMITS,
    signal,
  );
  for (const table of tables) {
    await store.execute(
      `ALTER TABLE \`${table.name}\` FREEZE WITH NAME '${name}'`,
      {},
      FREEZE_LIMITS,
      signal,
    );
  }
}

/** The links, and the definitions beside them, as they lie in a store. */
export async function frozenFiles(storeFolder: string, name: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  await collect(join(storeFolder, SHADOW, name, 'store'), 'store/store', files, true);
  await collect(join(storeFolder, 'metadata'), 'store/metadata', files, true);
  // store/<first three letters>/<id of a table or database>: what is a folder there is a part.
  const root = join(storeFolder, 'store');
  for (const prefix of await folders(root)) {
    for (const id of await folders(join(root, prefix.name))) {
      const folder = join(root, prefix.name, id.name);
      await collect(folder, `store/store/${prefix.name}/${id.name}`, files, false);
    }
  }
  return files;
}

/** Also what a process left that was killed during a backup. */
export async function dropFrozen(storeFolder: string, name?: string): Promise<void> {
  const folder = join(storeFolder, SHADOW, ...(name === undefined ? [] : [name]));
  await rm(folder, { recursive: true, force: true });
}

async function folders(path: string): Promise<Dirent[]> {
  return (await entries(path)).filter((entry) => entry.isDirectory());
}

async function entries(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Regular files only: symbolic links of the engine are made anew by it. */
export async function collect(
  folder: string,
  path: string,
  into: SourceFile[],
  deep: boolean,
): Promise<void> {
  for (const entry of await entries(folder)) {
    const source = join(folder, entry.name);
    const target = `${path}/${entry.name}`;
    if (entry.isDirectory()) {
      if (deep) await collect(source, target, into, deep);
    } else if (entry.isFile()) {
      into.push({ source, path: target, bytes: (await stat(source)).size });
    }
  }
}
