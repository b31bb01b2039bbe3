/** versions.json in data_dir: by which versions the data was written, for `check`, without opening it. */

import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const FILE = 'versions.json';

export interface DataVersions {
  /** Of the program. */
  version: string;
  logSchema: number;
  storeSchema: number;
}

/** Undefined when there is none that can be read. */
export function readDataVersions(dataDir: string): DataVersions | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, FILE), 'utf8')) as DataVersions;
  } catch {
    return undefined;
  }
}

/** Rejects with the system's error. */
export async function writeDataVersions(dataDir: string, versions: DataVersions): Promise<void> {
  const before = readDataVersions(dataDir);
  if (JSON.stringify(before) === JSON.stringify(versions)) return;
  const partial = join(dataDir, `${FILE}.partial`);
  await writeFile(partial, `${JSON.stringify(versions)}\n`);
  await rename(partial, join(dataDir, FILE));
}
