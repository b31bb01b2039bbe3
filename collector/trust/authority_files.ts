/**
 * The own authority on disk: `data_dir/ca`, for the collector's user alone. Whoever has authority.key can make any
 * gateway: it is not part of backups, and is to be kept elsewhere by hand (docs/SECURITY.md).
 */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CollectorError } from '../errors.ts';

interface Pem {
  cert: string;
  key: string;
}

/** Key and certificate lie in one file, so that they are there together or not at all. */
const AUTHORITY = 'authority.key';
const SERVER = 'server.key';

export class AuthorityFiles {
  /** Absolute. */
  readonly folder: string;

  constructor(dataDir: string) {
    this.folder = join(dataDir, 'ca');
  }

  /** Undefined: there is none yet. Throws TRUST_AUTHORITY_INVALID when it cannot be read. */
  authority(): Pem | undefined {
    const file = join(this.folder, AUTHORITY);
    try {
      const text = readFileSync(file, 'utf8');
      return { cert: text, key: text };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw invalid(error);
    }
  }

  /** Unless there is one already: of two processes that start at once one is first, for both. */
  keepAuthority(made: Pem): void {
    this.#keep(made, (file) => {
      try {
        linkSync(file, join(this.folder, AUTHORITY));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    });
  }

  /** The certificate alone, for people who want to look at it or give it to others. */
  showAuthority(pem: string): void {
    const file = join(this.folder, 'authority.crt');
    if (existsSync(file)) return;
    this.#keep({ cert: pem, key: '' }, (made) => renameSync(made, file));
  }

  /** What the authority issued for the server. Undefined: none that can be read. */
  server(): Pem | undefined {
    try {
      const text = readFileSync(join(this.folder, SERVER), 'utf8');
      return { cert: text, key: text };
    } catch {
      return undefined;
    }
  }

  keepServer(issued: Pem): void {
    this.#keep(issued, (file) => renameSync(file, join(this.folder, SERVER)));
  }

  /** Whole, synced and then put in its place. Throws TRUST_AUTHORITY_INVALID with what the system says. */
  #keep({ cert, key }: Pem, place: (file: string) => void): void {
    const file = join(this.folder, `.${randomBytes(6).toString('hex')}`);
    try {
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      write(file, `${cert.trim()}\n${key.trim()}`.trimEnd());
      place(file);
      syncFolder(this.folder);
    } catch (error) {
      throw invalid(error);
    } finally {
      rmSync(file, { force: true });
    }
  }
}

function write(file: string, text: string): void {
  const handle = openSync(file, 'wx', 0o600);
  try {
    writeSync(handle, `${text}\n`);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function invalid(error: unknown): CollectorError {
  const detail = error instanceof Error ? error.message : String(error);
  return new CollectorError('TRUST_AUTHORITY_INVALID', detail, { cause: error });
}
