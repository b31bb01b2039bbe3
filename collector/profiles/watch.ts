/**
 * Tells when the YAML files of a folder changed: by the system's notice, and by a look now and then for
 * what gives no notice (network folders, a folder that was replaced).
 */

import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FILES_MAX } from './load.ts';

export interface WatchOptions {
  folder: string;
  /** Called once the files differ from before and nothing has moved for `settleMs`. Must not throw. */
  onChange: () => void;
  settleMs?: number;
  lookMs?: number;
}

export class FolderWatch {
  readonly #options: Required<WatchOptions>;
  readonly #timer: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #settling: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  #closed = false;
  /** Looks one after the other. */
  #look: Promise<void>;

  constructor(options: WatchOptions) {
    this.#options = { settleMs: 300, lookMs: 10_000, ...options };
    this.#listen();
    this.#look = signatureOf(options.folder).then((signature) => {
      this.#seen = signature;
    });
    this.#timer = setInterval(() => {
      if (this.#watcher === undefined) this.#listen();
      this.#compare();
    }, this.#options.lookMs).unref();
  }

  /** Resolves when it knows the files as they are: what changes after that is told. */
  get ready(): Promise<void> {
    return this.#look;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    clearTimeout(this.#settling);
    this.#watcher?.close();
    await this.#look;
  }

  /** A system without notices, or none left to give, is no error: the look now and then remains. */
  #listen(): void {
    const drop = (): void => {
      this.#watcher?.close();
      this.#watcher = undefined;
    };
    try {
      this.#watcher = watch(this.#options.folder, { persistent: false }, (event, name) => {
        // The folder itself was moved or deleted: its notices are of no use any more.
        if (event === 'rename' && name !== null && this.#options.folder.endsWith(name)) drop();
        this.#settle();
      });
      this.#watcher.on('error', drop);
    } catch {
      drop();
    }
  }

  #settle(): void {
    clearTimeout(this.#settling);
    if (!this.#closed)
      this.#settling = setTimeout(() => {
        // A folder that was replaced may be there again by now: what changes in it is told at once, too.
        if (this.#watcher === undefined) this.#listen();
        this.#compare();
      }, this.#options.settleMs).unref();
  }

  #compare(): void {
    this.#look = this.#look.then(async () => {
      const signature = await signatureOf(this.#options.folder);
      if (this.#closed || signature === this.#seen) return;
      this.#seen = signature;
      this.#options.onChange();
    });
  }
}

/** Never rejects: a folder that cannot be read has a signature of its own. */
async function signatureOf(folder: string): Promise<string> {
  try {
    const names = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).sort();
    const files = await Promise.all(
      names.slice(0, FILES_MAX + 1).map(async (name) => {
        const { ino, size, mtimeMs, ctimeMs } = await stat(join(folder, name));
        return [name, ino, size, mtimeMs, ctimeMs].join('\0');
      }),
    );
    return files.join('\n');
  } catch (error) {
    return String(error);
  }
}
