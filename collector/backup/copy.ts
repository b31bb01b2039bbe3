/** Copies a file, with its checksum, onto the disk: synced before it resolves. */

import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

const PIECE_BYTES = 1024 * 1024;

export interface Copied {
  bytes: number;
  /** Hex. */
  sha256: string;
}

/** `to` must not exist; its folder is made. Rejects with the system's error, or when `signal` aborts. */
export async function copyFile(
  from: string,
  to: string,
  signal: AbortSignal,
  progress: (bytes: number) => void = () => undefined,
): Promise<Copied> {
  await mkdir(dirname(to), { recursive: true });
  const hash = createHash('sha256');
  let bytes = 0;
  let source: FileHandle | undefined;
  let target: FileHandle | undefined;
  try {
    source = await open(from, 'r');
    target = await open(to, 'wx');
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await source.read(piece, 0, piece.length, null);
      if (bytesRead === 0) break;
      const read = piece.subarray(0, bytesRead);
      hash.update(read);
      await writeAll(target, read);
      bytes += bytesRead;
      progress(bytesRead);
    }
    await target.sync();
  } finally {
    await source?.close();
    await target?.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function writeAll(target: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await target.write(bytes, at);
    at += bytesWritten;
  }
}

/** Makes names in a folder durable; a file system that cannot is left alone. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

export function bytesText(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1_000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}
