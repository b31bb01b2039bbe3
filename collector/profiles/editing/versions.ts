/**
 * What files in profiles_dir were before they were changed over the API: in `.versions/NAME/`, which nothing else
 * reads. Bounded: of each file the newest VERSIONS_MAX, and files of which there are versions are at most FILES_MAX;
 * beyond that the oldest go.
 */

import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { FILES_MAX } from '../load.ts';
import { writeWhole } from './write.ts';

export const VERSIONS_FOLDER = '.versions';
export const VERSIONS_MAX = 20;

/** Time (UTC milliseconds) and a part of the hash. */
export const VERSION_ID = /^(\d{13})-([0-9a-f]{16})$/;

export interface FileVersion {
  id: string;
  /** When another text took its place. */
  replacedMs: number;
}

export class FileVersions {
  readonly #folder: string;

  constructor(profilesDir: string) {
    this.#folder = join(profilesDir, VERSIONS_FOLDER);
  }

  /** Newest first. */
  async list(name: string): Promise<FileVersion[]> {
    const ids = (await namesIn(join(this.#folder, name))).filter((id) => VERSION_ID.test(id));
    return ids
      .toSorted()
      .reverse()
      .map((id) => ({ id, replacedMs: Number(VERSION_ID.exec(id)?.[1]) }));
  }

  /** Undefined: there is none. */
  async read(name: string, id: string): Promise<string | undefined> {
    if (!VERSION_ID.test(id)) return undefined;
    return await readFile(join(this.#folder, name, id), 'utf8').catch(() => undefined);
  }

  /** Files of which there are versions, also those that are gone. */
  async names(): Promise<string[]> {
    return (await namesIn(this.#folder)).toSorted();
  }

  /** Rejects with what the file system says. */
  async keep(name: string, text: string, replacedMs: number): Promise<void> {
    const folder = join(this.#folder, name);
    await mkdir(folder, { recursive: true });
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
    const [newest] = await this.list(name);
    // The clock of the machine may have been set back.
    const atMs = Math.max(replacedMs, (newest?.replacedMs ?? 0) + 1);
    await writeWhole(join(folder, `${String(atMs).padStart(13, '0')}-${hash}`), text);
    const old = (await this.list(name)).slice(VERSIONS_MAX);
    for (const { id } of old) await rm(join(folder, id), { force: true });
    await this.#forgetOldest();
  }

  async #forgetOldest(): Promise<void> {
    const names = await this.names();
    if (names.length <= FILES_MAX) return;
    const newest = await Promise.all(
      names.map(async (name) => ({ name, ms: (await this.list(name))[0]?.replacedMs ?? 0 })),
    );
    const oldest = newest.toSorted((a, b) => a.ms - b.ms).slice(0, names.length - FILES_MAX);
    for (const { name } of oldest)
      await rm(join(this.#folder, name), { recursive: true, force: true });
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
