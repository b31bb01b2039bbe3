/** Files through which blocks go to the engine. */

import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Pieces of a block are gathered up to this. */
const WRITE_BYTES = 64 * 1024;

/** Where blocks lie while the engine reads them. `file()` takes `*?{}` and `::` in a path for patterns. */
export async function makeStagingDir(path: string): Promise<string> {
  await mkdir(path, { recursive: true });
  if (/[*?{}[\]]|::/.test(path)) return mkdtemp(join(tmpdir(), 'fms-inserts-'));
  const dir = join(path, 'inserts');
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir);
  return dir;
}

/** Others get their turn between two pieces; what lies in memory is a few of them. */
export async function writePieces(file: string, pieces: Iterable<Buffer>): Promise<void> {
  const handle = await open(file, 'wx');
  try {
    let batch: Buffer[] = [];
    let bytes = 0;
    for (const piece of pieces) {
      batch.push(piece);
      bytes += piece.length;
      if (bytes < WRITE_BYTES) continue;
      await handle.writev(batch);
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) await handle.writev(batch);
  } finally {
    await handle.close();
  }
}
