/**
 * Chunks that are without encryption (they were here before it) or under an older key are sealed under
 * the current one, from the newest down: the oldest leave by themselves. One step is one transaction.
 */

import type { Contents } from './contents.ts';
import type { BufferFile, Statements } from './database.ts';
import { withRestoredHead } from './heads.ts';
import type { Mark } from './mark.ts';
import { META_MARK } from './mark.ts';
import type { ChunkRow } from './rows.ts';
import { chunkHeadOk, metaRowCrc } from './rows.ts';
import type { BufferSeal } from './seal.ts';
import { withoutPast } from './settle.ts';

/** Of one step, so that its WAL stays within what is allocated, and appends hardly wait. */
const STEP_BYTES = 256 * 1024;
const STEP_ROWS = 1024;

/**
 * Seals the newest chunks up to `seal.oldTo`; answers the new contents and what the mark then says.
 * Throws what SQLite throws, nothing changed. A chunk that does not open is left to the reader, which
 * declares it.
 */
export function resealStep(
  { db, statements }: BufferFile,
  contents: Contents,
  seal: BufferSeal,
  allocate: (pages: number) => void,
): { contents: Contents; mark: Mark } {
  db.exec('BEGIN IMMEDIATE');
  try {
    const rows = newestUpTo(seal.oldTo, statements.chunksDown.iterate(seal.oldTo));
    for (const row of rows) {
      const opened = seal.isCurrent(row) ? undefined : seal.open(row);
      if (opened !== undefined)
        statements.replaceRow.run(seal.seal(withSoundHead(statements, opened)));
    }
    const first = statements.firstHead.get();
    const last = statements.lastHead.get();
    const mark = markBelow(seal.mark!, (rows.at(-1)?.id ?? 1) - 1, first?.id ?? 0);
    const id = contents.meta.get(META_MARK)!.id;
    const row = { id, key: META_MARK, value: seal.textOf(mark) };
    statements.putMeta.run({ ...row, row_crc: metaRowCrc(row) });
    allocate(statements.pageCount.get()!);
    db.exec('COMMIT');
    const meta = new Map(contents.meta).set(META_MARK, { id, value: row.value });
    return { contents: { ...contents, first, last, meta }, mark };
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** What is sealed is believed from then on: a damaged head must not be among it. */
function withSoundHead(statements: Statements, row: ChunkRow): ChunkRow {
  if (chunkHeadOk(row)) return row;
  const before = statements.headBefore.get(row.id);
  const isKnown = before !== undefined && chunkHeadOk(before);
  return withRestoredHead(row, isKnown ? before.readings_before + before.count : 0);
}

function newestUpTo(id: number, chunks: Iterable<ChunkRow>): ChunkRow[] {
  const rows: ChunkRow[] = [];
  let bytes = 0;
  for (const row of chunks) {
    // Out of order: a damaged tree. The reader finds it, too.
    if (!(row.id <= id)) break;
    rows.push(row);
    bytes += row.bytes.length;
    if (bytes >= STEP_BYTES || rows.length >= STEP_ROWS) break;
  }
  return rows;
}

function markBelow(mark: Mark, id: number, firstId: number): Mark {
  const below = {
    ...mark,
    n: mark.n + 1,
    olderTo: Math.min(mark.olderTo, id),
    plainTo: Math.min(mark.plainTo, id),
  };
  return withoutPast(below, firstId);
}
