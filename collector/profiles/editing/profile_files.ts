/**
 * The files in profiles_dir as people change them over the API: looked at, checked, written and removed. The folder
 * stays the truth: whoever edits there by hand goes on doing so, and a change that somebody made meanwhile is never
 * written over. Changes come one after the other.
 */

import { createHash } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CollectorError } from '../../errors.ts';
import type { Configuration } from '../../profile.ts';
import type { Clock } from '../../types.ts';
import type { ReloadResult } from '../live.ts';
import type { FileChange, FileMistake, ProfilesSource } from '../load.ts';
import { BUILT_IN_FILE, FILES_MAX, profileNames } from '../load.ts';
import { CheckThread } from './check_thread.ts';
import type { Checked } from './check_worker.ts';
import type { DeviceName } from './effect.ts';
import type { FileVersion } from './versions.ts';
import { FileVersions } from './versions.ts';
import { syncFolder, writeWhole } from './write.ts';

/** Of a file that is changed over the API. Larger ones are read and hold, and are changed in the folder. */
export const TEXT_BYTES_MAX = 512 * 1024;
/** Of all texts in one list; those beyond it are left out. */
const LIST_BYTES_MAX = 8 * 1024 * 1024;
const CHANGES_WAITING_MAX = 8;

/** Letters and digits of any script, no hidden files, no folders. */
export const FILE_NAME = '^[\\p{L}\\p{N}_][\\p{L}\\p{N}_. -]{0,59}\\.ya?ml$';
const FILE_NAME_BYTES_MAX = 200;

export interface ProfileFile {
  name: string;
  /** Undefined: too large to be shown; then the etag is ''. */
  text: string | undefined;
  etag: string;
  bytes: number;
}

export interface ProfileFileList {
  /** False: no profiles_dir, what is listed is built in. */
  isChangeable: boolean;
  files: ProfileFile[];
  /** Files that are gone and of which there are versions. */
  removed: string[];
}

/** How things are after a change. */
export interface Applied {
  /** Null: the file is gone. */
  etag: string | null;
  result: ReloadResult;
  /** Of other files, which were there before. */
  mistakes: readonly FileMistake[];
}

export interface ProfileFilesOptions {
  source: ProfilesSource;
  clock: Clock;
  /** Reads the folder; resolves as LiveProfiles.reload does. */
  reload: () => Promise<ReloadResult>;
  /** What holds now. */
  configuration: () => Configuration;
  /** Those that are known, for what a change would do. */
  devices: () => readonly DeviceName[];
}

/** The mistakes are what is wrong with it. */
export class ProfilesRefused extends CollectorError {
  readonly mistakes: readonly FileMistake[];
  constructor(mistakes: readonly FileMistake[]) {
    super('PROFILES_REFUSED', `${mistakes.length} mistake(s)`);
    this.mistakes = mistakes;
  }
}

export class ProfileFiles {
  readonly #options: ProfileFilesOptions;
  readonly #thread = new CheckThread();
  #changes = 0;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(options: ProfileFilesOptions) {
    this.#options = options;
  }

  /** Rejects with PROFILES_FOLDER when the folder cannot be read. */
  async list(): Promise<ProfileFileList> {
    const { profilesDir } = this.#options.source;
    if (profilesDir === undefined) {
      const bytes = await readFile(BUILT_IN_FILE);
      const file = { name: 'fms.yaml', text: String(bytes), etag: etagOf(bytes) };
      return {
        isChangeable: false,
        files: [{ ...file, bytes: bytes.length }],
        removed: [],
      };
    }
    return await inFolder(async () => {
      const names = profileNames(profilesDir).toSorted().slice(0, FILES_MAX);
      const files: ProfileFile[] = [];
      let left = LIST_BYTES_MAX;
      for (const name of names) {
        const file = join(profilesDir, name);
        const { size = 0 } = (await stat(file).catch(() => undefined)) ?? {};
        if (size > Math.min(TEXT_BYTES_MAX, left)) {
          files.push({ name, text: undefined, etag: '', bytes: size });
          continue;
        }
        const bytes = await bytesOf(file);
        if (bytes === undefined) continue;
        left -= bytes.length;
        files.push({ name, text: String(bytes), etag: etagOf(bytes), bytes: bytes.length });
      }
      const before = await new FileVersions(profilesDir).names();
      return { isChangeable: true, files, removed: before.filter((one) => !names.includes(one)) };
    });
  }

  /**
   * What files like these would be: mistakes of all files of the folder with these changes, or what would be another.
   * Rejects with API_BUSY, PROFILES_BUILT_IN, and when `signal` aborts.
   */
  async check(changes: readonly FileChange[], signal: AbortSignal): Promise<Checked> {
    this.#folder();
    for (const { name, text } of changes) checkFile(name, text);
    return await this.#check(changes, signal);
  }

  async #check(changes: readonly FileChange[], signal: AbortSignal): Promise<Checked> {
    const { source, configuration, devices } = this.#options;
    return await this.#thread.check(
      {
        source: { ...source, changes },
        before: configuration(),
        devices: devices().map(({ site, device }) => ({ site, device })),
      },
      signal,
    );
  }

  /**
   * Writes a file (`text` null: removes it) and reads the folder again. `etag`: of the text that the caller changed;
   * null: there must be no such file. `onReady` comes when nothing stands against it and before anything is done: it
   * makes the audit entry durable. Rejects with PROFILES_REFUSED, PROFILES_CHANGED, PROFILES_BUILT_IN, PROFILES_FOLDER,
   * API_NOT_FOUND, API_BUSY or as `onReady` does; then the folder is what it was.
   */
  async change(
    { name, text }: FileChange,
    etag: string | null,
    onReady: () => Promise<void>,
  ): Promise<Applied> {
    const folder = this.#folder();
    checkFile(name, text);
    if (this.#changes >= CHANGES_WAITING_MAX)
      throw new CollectorError('API_BUSY', `${CHANGES_WAITING_MAX} changes of profiles wait`);
    this.#changes++;
    const change = this.#lastChange.then(() => this.#change(folder, { name, text }, etag, onReady));
    this.#lastChange = change.catch(() => undefined);
    try {
      return await change;
    } finally {
      this.#changes--;
    }
  }

  async #change(
    folder: string,
    { name, text }: FileChange,
    etag: string | null,
    onReady: () => Promise<void>,
  ): Promise<Applied> {
    const file = join(folder, name);
    const refuseChanged = async (): Promise<Buffer | undefined> => {
      const bytes = await inFolder(() => bytesOf(file));
      if (bytes === undefined && text === null) throw new CollectorError('API_NOT_FOUND', name);
      const isEtag = bytes === undefined ? null : etagOf(bytes);
      if (isEtag !== etag)
        throw new CollectorError(
          'PROFILES_CHANGED',
          bytes === undefined ? `${name} is not there any more` : `${name} is another one now`,
        );
      return bytes;
    };
    await refuseChanged();
    const mistakes = await this.#refuseMistakes({ name, text });
    await onReady();
    // Somebody may have edited it in the folder while it was checked.
    const before = await refuseChanged();
    await inFolder(async () => {
      if (before !== undefined)
        await new FileVersions(folder).keep(name, String(before), this.#options.clock.wallMs());
      if (text === null) {
        await rm(file, { force: true });
        await syncFolder(folder);
      } else {
        await writeWhole(file, text);
      }
    });
    const result = await this.#options.reload();
    return { etag: text === null ? null : etagOf(Buffer.from(text)), result, mistakes };
  }

  /**
   * Mistakes that other files had before do not stand in the way: else two broken files could only be repaired in the
   * folder. They come back.
   */
  async #refuseMistakes(change: FileChange): Promise<readonly FileMistake[]> {
    const { signal } = new AbortController();
    const { mistakes } = await this.#check([change], signal);
    if (mistakes.length === 0) return [];
    const sayings = ({ file, message }: FileMistake): string => JSON.stringify([file, message]);
    const before = new Set((await this.#check([], signal)).mistakes.map(sayings));
    const isOld = (one: FileMistake): boolean =>
      one.file !== change.name && before.has(sayings(one));
    if (!mistakes.every(isOld)) throw new ProfilesRefused(mistakes);
    return mistakes;
  }

  /** Newest first; of a file that is gone too. */
  async versions(name: string): Promise<FileVersion[]> {
    checkFile(name, null);
    return await new FileVersions(this.#folder()).list(name);
  }

  /** Rejects with API_NOT_FOUND. */
  async version(name: string, id: string): Promise<string> {
    checkFile(name, null);
    const text = await new FileVersions(this.#folder()).read(name, id);
    if (text === undefined)
      throw new CollectorError('API_NOT_FOUND', `no version ${id} of ${name}`);
    return text;
  }

  #folder(): string {
    const { profilesDir } = this.#options.source;
    if (profilesDir === undefined)
      throw new CollectorError('PROFILES_BUILT_IN', 'there is no profiles_dir');
    return profilesDir;
  }
}

function etagOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

/** Undefined: there is none, or it is no file. */
async function bytesOf(file: string): Promise<Buffer | undefined> {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found?.isFile() === true ? await readFile(file) : undefined;
}

/** Throws API_PARAMETER_INVALID. */
function checkFile(name: string, text: string | null): void {
  const isName =
    new RegExp(FILE_NAME, 'u').test(name) &&
    name === name.normalize('NFC') &&
    Buffer.byteLength(name) <= FILE_NAME_BYTES_MAX;
  if (!isName)
    throw new CollectorError(
      'API_PARAMETER_INVALID',
      'the name must be letters, digits, spaces, "_", "-" and ".", and end with .yaml',
    );
  const bytes = text === null ? 0 : Buffer.byteLength(text);
  if (bytes > TEXT_BYTES_MAX)
    throw new CollectorError(
      'API_PARAMETER_INVALID',
      `${name}: ${bytes} bytes; at most ${TEXT_BYTES_MAX} are taken`,
    );
}

/** What the file system refuses (rights, a full disk, a folder that is gone) becomes PROFILES_FOLDER. */
async function inFolder<T>(deed: () => Promise<T>): Promise<T> {
  try {
    return await deed();
  } catch (error) {
    if (error instanceof CollectorError) throw error;
    throw new CollectorError('PROFILES_FOLDER', (error as Error).message, { cause: error });
  }
}
