/**
 * `fms-collector backup FOLDER`: copies log and store of a running collector. The collector keeps them
 * as they were at one moment while this process copies; it works on meanwhile. The folder appears only
 * when it is complete.
 */

import { existsSync, readdirSync } from 'node:fs';
import { mkdir, open, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import type { Output } from '../commands/check.ts';
import type { Api } from '../commands/client.ts';
import { ApiRefusal, askApi } from '../commands/client.ts';
import { CollectorError } from '../errors.ts';
import type { BackupMessage, CopiedPart } from './backups.ts';
import { bytesText, copyFile, syncFolder } from './copy.ts';
import type { SourceFile } from './frozen.ts';
import type { BackupFile, BackupInfo, Manifest } from './manifest.ts';
import { BACKUP_FORMAT, isSafePath, LOG_FILE, MANIFEST_FILE } from './manifest.ts';

const COPIES_AT_ONCE = 4;
const PROGRESS_MS = 5_000;

export interface BackupOptions {
  /** Of the collector. */
  api: Api;
  /** Must not exist, or be empty. */
  folder: string;
  signal?: AbortSignal | undefined;
}

/** Rejects with a coded error; what was copied has been removed then. */
export async function backup(options: BackupOptions, output: Output): Promise<Manifest> {
  const folder = resolve(options.folder);
  if (existsSync(folder) && !isEmptyFolder(folder))
    throw new CollectorError('BACKUP_FOLDER', `${folder} is there and not empty`);
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true }).catch(folderError(partial));
  await mkdir(partial, { recursive: true }).catch(folderError(partial));
  try {
    const manifest = await copyAll(options, partial, output);
    await writeManifest(partial, manifest);
    if (existsSync(folder)) await rmdir(folder);
    await rename(partial, folder);
    await syncFolder(dirname(folder));
    return manifest;
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => undefined);
    throw error;
  }
}

function isEmptyFolder(path: string): boolean {
  try {
    return readdirSync(path).length === 0;
  } catch {
    return false;
  }
}

const folderError =
  (path: string) =>
  (error: Error): never => {
    throw new CollectorError('BACKUP_FOLDER', `${path}: ${error.message}`, { cause: error });
  };

/** Follows what the collector says; aborts when it says no more. */
class Held {
  readonly lost = new AbortController();
  readonly #messages: AsyncIterator<string>;

  constructor(body: ReadableStream<Uint8Array>) {
    const input = Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]);
    // Breaks show as the end of the lines.
    input.on('error', () => undefined);
    this.#messages = createInterface({ input })[Symbol.asyncIterator]();
  }

  async next(): Promise<BackupMessage> {
    const { value, done } = await this.#messages.next();
    if (done === true) throw aborted('the connection to the collector ended');
    const message = JSON.parse(value) as BackupMessage;
    if (message.type === 'aborted') throw aborted(message.message);
    return message;
  }

  /** Reads on by itself. */
  follow(): void {
    const read = async (): Promise<never> => {
      for (;;) await this.next();
    };
    read().catch((error: unknown) => this.lost.abort(error));
  }
}

async function copyAll(
  { api, signal }: BackupOptions,
  partial: string,
  output: Output,
): Promise<Manifest> {
  const request = new AbortController();
  signal?.addEventListener('abort', () => request.abort(signal.reason), { once: true });
  try {
    const held = new Held(await begin(api, request.signal));
    const first = await held.next();
    if (first.type !== 'snapshot') throw aborted(`unexpected: ${first.type}`);
    await checkRoom(partial, first.bytes);
    const sources: SourceFile[] = [];
    while (sources.length < first.files) {
      const message = await held.next();
      if (message.type !== 'file' || !isSafePath(message.path))
        throw aborted(`unexpected: ${JSON.stringify(message)}`);
      sources.push(message);
    }
    held.follow();
    output.log(`${first.files} files, ${bytesText(first.bytes)}`);
    const progress = progressLines(first.bytes, output);
    const stop = AbortSignal.any([held.lost.signal, ...(signal ? [signal] : [])]);
    const copyOne = async ({ source, path }: SourceFile): Promise<BackupFile> => {
      const copied = await copyFile(source, join(partial, path), stop, progress);
      return { path, ...copied };
    };
    const [log, ...others] = sources;
    if (log?.path !== LOG_FILE) throw aborted('the log is missing');
    // Each answer says that what was copied had been held up to then.
    const copied = (part: CopiedPart): Promise<Response> =>
      post(api, `/api/v1/backup/${first.id}/copied`, { part }, stop);
    const files = [await copyOne(log)];
    await copied('log');
    await inParallel(others, async (file) => void files.push(await copyOne(file)));
    await copied('all');
    files.sort((a, b) => (a.path < b.path ? -1 : 1));
    return manifestOf(first.info, files);
  } catch (error) {
    throw error instanceof CollectorError ? error : aborted((error as Error).message, error);
  } finally {
    request.abort();
  }
}

function manifestOf(info: BackupInfo, files: BackupFile[]): Manifest {
  return { format: BACKUP_FORMAT, ...info, files };
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) await run(item);
  };
  await Promise.all(Array.from({ length: COPIES_AT_ONCE }, worker));
}

async function begin(api: Api, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const response = await post(api, '/api/v1/backup', {}, signal);
  if (response.body === null) throw aborted('the collector answered nothing');
  return response.body;
}

/** Rejects with what the collector refused it with. */
async function post(api: Api, path: string, body: object, signal: AbortSignal): Promise<Response> {
  return askApi(api, path, { body, signal }).catch((error: unknown) => {
    if (!(error instanceof ApiRefusal)) throw error;
    throw new CollectorError('BACKUP_REFUSED', error.message, { cause: error });
  });
}

async function checkRoom(folder: string, bytes: number): Promise<void> {
  const disk = await statfs(folder);
  const free = disk.bavail * disk.bsize;
  if (free < bytes)
    throw new CollectorError(
      'BACKUP_FOLDER',
      `${folder}: ${bytesText(bytes)} are needed, ${bytesText(free)} are free`,
    );
}

async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const file = await open(join(folder, MANIFEST_FILE), 'wx');
  try {
    await file.writeFile(`${JSON.stringify(manifest, undefined, 1)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await syncFolder(folder);
}

function progressLines(total: number, output: Output): (bytes: number) => void {
  let done = 0;
  let saidMs = performance.now();
  return (bytes) => {
    done += bytes;
    if (performance.now() - saidMs < PROGRESS_MS) return;
    saidMs = performance.now();
    output.log(`  ${bytesText(done)} of ${bytesText(total)}`);
  };
}

function aborted(detail: string, cause?: unknown): CollectorError {
  return new CollectorError('BACKUP_ABORTED', detail, cause === undefined ? {} : { cause });
}
