/**
 * The running collector's part of a backup: makes log and store stand still for a moment, for as long as
 * it takes to fix what they are (the log's file, hard links of the store's parts), lets them go on, and
 * keeps what was fixed until it has been copied. Another process (backup/backup.ts) copies.
 */

import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { CollectorError } from '../errors.ts';
import type { Gate } from '../gate.ts';
import type { HeldFile, Log } from '../log/log.ts';
import type { Store } from '../store/store.ts';
import type { Clock, Logger } from '../types.ts';
import type { SourceFile } from './frozen.ts';
import { collect, dropFrozen, freezeTables, frozenFiles } from './frozen.ts';
import type { BackupInfo } from './manifest.ts';
import { LOG_FILE } from './manifest.ts';

/** How long a batch under way may take to end. */
const PAUSE_TIMEOUT_MS = 60_000;
const HELD_INTERVAL_MS = 1_000;
/** While its file is being copied the log writes beside it, and catching up takes a moment. */
const BESIDE_BYTES_MAX = 512 * 1024 * 1024;
/** A client that hangs must not keep parts alive for ever that were merged away. */
const HELD_MS_MAX = 12 * 3_600_000;

export interface BackupParts {
  dataDir: string;
  /** Settings by which log or store lie on servers, which have means of their own: no backup is taken. */
  elsewhere: readonly string[];
  gate: Gate;
  clock: Clock;
  logger: Logger;
  /** Undefined while not open. */
  log: () => Log | undefined;
  store: () => Store | undefined;
  info: () => Omit<BackupInfo, 'madeMs' | 'logIdentity' | 'partitions'>;
}

/** What is told to the process that copies, in this order: snapshot, files, then held until it goes. */
export type BackupMessage =
  | { type: 'snapshot'; id: string; files: number; bytes: number; info: BackupInfo }
  | ({ type: 'file' } & SourceFile)
  | { type: 'held'; beside_bytes: number }
  | { type: 'aborted'; message: string };

export interface TakenBackup {
  messages: AsyncGenerator<BackupMessage, void, undefined>;
  end(): Promise<void>;
}

/** What has been copied. */
export type CopiedPart = 'log' | 'all';

/** What was fixed, until release(). */
interface Snapshot {
  info: BackupInfo;
  held: HeldFile;
  /** The log's is the first. */
  files: SourceFile[];
  /** How long nothing could be written into the store. */
  pausedMs: number;
  release(): Promise<void>;
}

export class Backups {
  readonly #parts: BackupParts;
  readonly #stop = new AbortController();
  #current: { id: string; held: HeldFile; done: AbortController } | undefined;
  #busy = false;

  constructor(parts: BackupParts) {
    this.#parts = parts;
  }

  get running(): boolean {
    return this.#busy;
  }

  /** Before the store is opened: removes what a process left that was killed during a backup. */
  async clean(): Promise<void> {
    // A store that cannot be opened says so itself.
    await dropFrozen(this.#storeFolder).catch(() => undefined);
  }

  /**
   * Takes the snapshot; `messages` say what it is, then that it is still held. It is released when they
   * end, or by end(). Rejects with BACKUP_REFUSED, or the coded error of log or store.
   */
  async begin(): Promise<TakenBackup> {
    const { elsewhere } = this.#parts;
    if (elsewhere.length > 0) {
      const what = elsewhere.join(' and ');
      throw refused(
        `${what}: servers have the data, and are backed up by their own means; see OPERATIONS, "Several processes"`,
      );
    }
    if (this.#busy) throw refused('another backup is under way');
    this.#busy = true;
    try {
      const snapshot = await this.#take();
      const id = randomUUID();
      const done = new AbortController();
      this.#current = { id, held: snapshot.held, done };
      const { logger } = this.#parts;
      const { files, pausedMs } = snapshot;
      logger.info({ files: files.length, id, paused_ms: pausedMs }, 'a backup is being taken');
      let ended: Promise<void> | undefined;
      const end = (): Promise<void> => {
        done.abort();
        ended ??= this.#release(snapshot);
        return ended;
      };
      return { messages: this.#tell(id, snapshot, done.signal, end), end };
    } catch (error) {
      this.#busy = false;
      throw error;
    }
  }

  /** It may change again. Throws BACKUP_REFUSED when it was not held up to now. */
  copied(id: string, part: CopiedPart): void {
    if (this.#current?.id !== id) throw refused('no such backup is under way');
    if (part === 'log') this.#current.held.release();
    else this.#current.done.abort();
  }

  /** Ends what is under way. */
  stop(): void {
    this.#stop.abort();
  }

  get #storeFolder(): string {
    return join(this.#parts.dataDir, 'store');
  }

  async *#tell(
    id: string,
    snapshot: Snapshot,
    done: AbortSignal,
    end: () => Promise<void>,
  ): AsyncGenerator<BackupMessage, void, undefined> {
    const { files, info, held } = snapshot;
    const woken = AbortSignal.any([done, this.#stop.signal]);
    const endMs = performance.now() + HELD_MS_MAX;
    try {
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
      yield { type: 'snapshot', id, files: files.length, bytes, info };
      for (const file of files) yield { type: 'file', ...file };
      while (!done.aborted) {
        const message = this.#trouble(held, endMs);
        if (message !== undefined) {
          this.#parts.logger.warn({ id }, `the backup was given up: ${message}`);
          yield { type: 'aborted', message };
          return;
        }
        yield { type: 'held', beside_bytes: held.besideBytes() };
        await delay(HELD_INTERVAL_MS, undefined, { signal: woken }).catch(() => undefined);
      }
      this.#parts.logger.info({ id }, 'the backup has ended');
    } finally {
      await end();
    }
  }

  async #release(snapshot: Snapshot): Promise<void> {
    this.#current = undefined;
    await snapshot.release().catch((error: unknown) => {
      this.#parts.logger.warn({ error: String(error) }, 'files of a backup could not be removed');
    });
    this.#busy = false;
  }

  #trouble(held: HeldFile, endMs: number): string | undefined {
    if (this.#stop.signal.aborted) return 'the collector is ending';
    if (performance.now() > endMs) return 'it takes too long';
    if (held.besideBytes() > BESIDE_BYTES_MAX)
      return 'the log grew too much while its file was being copied: copy to a quicker disk';
    return undefined;
  }

  async #take(): Promise<Snapshot> {
    const { gate, clock, dataDir } = this.#parts;
    const log = this.#parts.log();
    const store = this.#parts.store();
    if (log?.hold === undefined) throw refused('the log is not open, or is not a file');
    if (store?.stats().ready !== true) throw refused('the store is not open');
    const timeout = AbortSignal.any([AbortSignal.timeout(PAUSE_TIMEOUT_MS), this.#stop.signal]);
    const open = gate.close('a backup is being taken');
    const closedMs = performance.now();
    let held: HeldFile | undefined;
    // Letters and digits only: the engine writes others differently into the folder's name.
    const frozen = `backup${randomUUID().replaceAll('-', '')}`;
    const release = async (): Promise<void> => {
      held?.release();
      await dropFrozen(this.#storeFolder, frozen);
    };
    try {
      if (!(await gate.emptied(timeout))) throw refused('the writers do not come to rest');
      // From here to the end of the freeze nothing is inserted and no position moves past the store.
      held = await log.hold();
      const madeMs = clock.wallMs();
      await freezeTables(store, frozen, timeout);
      open();
      const pausedMs = Math.round(performance.now() - closedMs);
      const files = [{ source: held.path, path: LOG_FILE, bytes: (await stat(held.path)).size }];
      files.push(...(await frozenFiles(this.#storeFolder, frozen)));
      await collect(join(dataDir, 'reports'), 'reports', files, true);
      const { identity, partitionCount } = log;
      const info = {
        ...this.#parts.info(),
        madeMs,
        logIdentity: identity,
        partitions: partitionCount,
      };
      return { info, held, files, pausedMs, release };
    } catch (error) {
      await release();
      throw error;
    } finally {
      open();
    }
  }
}

function refused(detail: string): CollectorError {
  return new CollectorError('BACKUP_REFUSED', detail);
}
