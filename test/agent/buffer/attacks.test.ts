/**
 * Somebody who can read or write the buffer's files, and has no key: nothing of a reading is in them, no
 * reading of theirs is delivered, and nothing is lost that they left alone.
 */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import t from 'tap';
import type { SqliteBuffer } from '../../../agent/buffer/buffer.ts';
import type { Statements } from '../../../agent/buffer/database.ts';
import { openFile } from '../../../agent/buffer/database.ts';
import type { BufferKeys } from '../../../agent/buffer/keys.ts';
import { NO_KEYS } from '../../../agent/buffer/keys.ts';
import { META_MARK } from '../../../agent/buffer/mark.ts';
import type { ChunkRow } from '../../../agent/buffer/rows.ts';
import { chunkHeadCrc, isSealed, metaRowCrc, toHex } from '../../../agent/buffer/rows.ts';
import { checkBuffer, exportBuffer, repairBuffer } from '../../../agent/buffer/tools.ts';
import { chunkCrc } from '../../../proto/crc32c.ts';
import { READINGS_PER_CHUNK_MAX } from '../../../proto/limits.ts';
import type { Reading } from '../../../proto/model.ts';
import { Quality } from '../../../proto/model.ts';
import {
  bentWorld,
  drain,
  fileIn,
  keysOf,
  memoryFolder,
  numbered,
  openIn,
  rejectAt,
  valuesOf,
} from '../../support/test-buffer.ts';

const KEYS = keysOf(1);
const CHUNKS = 12;
const PER_CHUNK = 10;
/** Long enough to be found in bytes, and not by chance. */
const WORDS = ['Kiln-North-7', 'flue-temperature', 'overpressure-in-line-4', 'no-such-recipe'];

/** CHUNKS chunks of PER_CHUNK readings in `folder`, closed. */
async function fill(folder: string, keys: BufferKeys, from = 0): Promise<string> {
  const buffer = openIn(folder, bentWorld(), { keys });
  buffer.setMeta('clock', '{"boot":"kept"}');
  for (let i = 0; i < CHUNKS; i++) {
    void buffer.append(numbered(from + i * PER_CHUNK, PER_CHUNK), []);
    await buffer.flush();
  }
  const { epoch } = buffer.currentEpoch()!;
  await buffer.close();
  return epoch;
}

/** What somebody does to the file who knows how it is made, but not the key. */
function tamper(
  folder: string,
  change: (statements: Statements, db: Database.Database) => void,
): void {
  const file = openFile({ path: fileIn(folder), walBytes: 65_536, maxPages: 100_000 });
  change(file.statements, file.db);
  file.db.close();
}

/** Writes the row with CRCs that are right. */
function put(db: Database.Database, row: ChunkRow): void {
  const header = {
    firstSeq: row.first_seq,
    count: row.count,
    firstMs: row.first_ms,
    lastMs: row.last_ms,
  };
  const crc32c = chunkCrc(toHex(row.epoch), header, row.bytes);
  const head = { ...row, crc32c };
  db.prepare('DELETE FROM chunks WHERE id = ?').run(row.id);
  db.prepare(
    `INSERT INTO chunks VALUES (@id, @epoch, @first_seq, @count, @first_ms, @last_ms, @crc32c,
      @sealed_wall_ms, @sealed_mono_ms, @flags, @readings_before, @row_crc, @bytes)`,
  ).run({ ...head, row_crc: chunkHeadCrc(head) });
}

function putMark(db: Database.Database, change: (value: string) => string | undefined): void {
  const row = db.prepare('SELECT * FROM meta WHERE key = ?').get(META_MARK) as {
    id: number;
    key: string;
    value: string;
  };
  const value = change(row.value);
  db.prepare('DELETE FROM meta WHERE id = ?').run(row.id);
  if (value === undefined) return;
  const changed = { ...row, value };
  db.prepare('INSERT INTO meta VALUES (@id, @key, @value, @row_crc)').run({
    ...changed,
    row_crc: metaRowCrc(changed),
  });
}

interface Outcome {
  delivered: number[];
  declared: number[];
}

/** Everything comes out as it went in; the rest is declared. */
async function outcomeOf(
  folder: string,
  keys = KEYS,
  total = CHUNKS * PER_CHUNK,
): Promise<Outcome> {
  const buffer = openIn(folder, bentWorld(), { keys });
  const delivered: number[] = [];
  for (const chunk of drain(buffer)) {
    for (const [seq, value] of valuesOf(chunk)) {
      if (value !== seq - 1) throw new Error(`seq ${seq} is ${value}: not what was read`);
      delivered.push(seq);
    }
  }
  await buffer.flush();
  const declared = new Set<number>();
  for (const { firstSeq, lastSeq } of buffer.gaps(1000)) {
    // What follows the last row that opened is not known: as much as a chunk holds, at most.
    if (lastSeq > total + READINGS_PER_CHUNK_MAX) throw new Error(`declared up to ${lastSeq}`);
    for (let seq = firstSeq; seq <= lastSeq; seq++) declared.add(seq);
  }
  await buffer.close();
  return { delivered, declared: [...declared].sort((a, b) => a - b) };
}

function seqsOf(...chunks: readonly number[]): number[] {
  return chunks.flatMap((id) =>
    Array.from({ length: PER_CHUNK }, (_, i) => (id - 1) * PER_CHUNK + i + 1),
  );
}

const scratch = memoryFolder(t);
const template = join(scratch, 'template');
mkdirSync(template);
await fill(template, KEYS);

let copies = 0;
function copy(): string {
  const folder = join(scratch, `copy-${++copies}`);
  mkdirSync(folder);
  copyFileSync(fileIn(template), fileIn(folder));
  return folder;
}

type Edit = (row: ChunkRow, others: readonly ChunkRow[]) => Partial<ChunkRow>;

function flipped(row: ChunkRow, at: number): { bytes: Uint8Array } {
  const bytes = Buffer.from(row.bytes);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = bytes[index]! ^ 1;
  return { bytes };
}

const edits: Record<string, Edit> = {
  'key id': (row) => flipped(row, 0),
  nonce: (row) => flipped(row, 4),
  ciphertext: (row) => flipped(row, 20),
  tag: (row) => flipped(row, -1),
  'a shorter row': (row) => ({ bytes: row.bytes.subarray(0, -1) }),
  'a longer row': (row) => ({ bytes: Buffer.concat([row.bytes, Buffer.alloc(1)]) }),
  'no bytes at all': () => ({ bytes: Buffer.alloc(0) }),
  'the bytes of another row': (_, others) => ({ bytes: others[2]!.bytes }),
  'first seq': (row) => ({ first_seq: row.first_seq + 1 }),
  'a seq that is far off': () => ({ first_seq: 1e12 }),
  count: (row) => ({ count: row.count - 1 }),
  'first time': (row) => ({ first_ms: row.first_ms - 3_600_000 }),
  'last time': (row) => ({ last_ms: row.last_ms + 3_600_000 }),
  'wall clock': (row) => ({ sealed_wall_ms: row.sealed_wall_ms + 3_600_000 }),
  'monotonic clock': (row) => ({ sealed_mono_ms: row.sealed_mono_ms + 1 }),
  'clock flag': (row) => ({ flags: row.flags ^ 1 }),
  'said to be without encryption': (row) => ({ flags: row.flags & ~2 }),
  'readings before': (row) => ({ readings_before: row.readings_before + 1 }),
  epoch: () => ({ epoch: Buffer.alloc(8, 7) }),
};

t.test('a chunk of which anything was changed is declared, never delivered', async (t) => {
  for (const [name, edit] of Object.entries(edits)) {
    for (const id of [1, 5, CHUNKS]) {
      const folder = copy();
      tamper(folder, (statements, db) => {
        const rows = statements.nextChunks.all(0);
        const row = rows[id - 1]!;
        put(db, { ...row, ...edit(row, rows) });
      });
      const { delivered, declared } = await outcomeOf(folder);
      const others = Array.from({ length: CHUNKS }, (_, i) => i + 1).filter((n) => n !== id);
      t.same(delivered, seqsOf(...others), `${name} of chunk ${id}: all others come`);
      // The end of the queue can be cut off unseen: only the collector knows how far the gateway had got.
      if (id === CHUNKS && ['count', 'epoch'].includes(name)) continue;
      const within = id === CHUNKS ? declared.slice(0, PER_CHUNK) : declared;
      t.same(within, seqsOf(id), `${name} of chunk ${id}: it is declared, and nothing else`);
    }
  }
});

t.test('rows that were moved, swapped or copied are declared, never delivered twice', async (t) => {
  let folder = copy();
  tamper(folder, (statements, db) => {
    const rows = statements.nextChunks.all(0);
    put(db, { ...rows[3]!, id: 8 });
    put(db, { ...rows[7]!, id: 4 });
  });
  let outcome = await outcomeOf(folder);
  t.same(outcome.delivered, seqsOf(1, 2, 3, 5, 6, 7, 9, 10, 11, 12), 'swapped');
  t.same(outcome.declared, seqsOf(4, 8));

  folder = copy();
  tamper(folder, (statements, db) => {
    put(db, { ...statements.chunk.get(2)!, id: CHUNKS + 1 });
  });
  outcome = await outcomeOf(folder);
  t.same(outcome.delivered, seqsOf(...Array.from({ length: CHUNKS }, (_, i) => i + 1)), 'copied');
});

t.test('an old row put back is what it was: the collector knows it by its number', async (t) => {
  const folder = copy();
  const kept: ChunkRow[] = [];
  tamper(folder, (statements) => kept.push(statements.chunk.get(1)!));
  const buffer = openIn(folder, bentWorld(), { keys: KEYS });
  const [first] = drain(buffer);
  buffer.acknowledge([first!.id]);
  await buffer.flush();
  await buffer.close();
  tamper(folder, (_, db) => put(db, kept[0]!));
  const again = openIn(folder, bentWorld(), { keys: KEYS });
  const [back] = drain(again);
  t.match(back, { epoch: first!.epoch, frame: { firstSeq: 1, crc32c: first!.frame.crc32c } });
  await again.close();
});

/** A chunk of the attacker's own, made as an agent without encryption makes it. */
async function forgedRow(epoch: Uint8Array): Promise<ChunkRow> {
  const folder = join(scratch, `forge-${++copies}`);
  mkdirSync(folder);
  await fill(folder, NO_KEYS, 1e6);
  const rows: ChunkRow[] = [];
  tamper(folder, (statements) => rows.push(statements.chunk.get(1)!));
  return { ...rows[0]!, epoch };
}

t.test('a reading made by somebody else is not delivered', async (t) => {
  for (const [name, id, mark] of [
    ['in place of a row', 6, (text: string) => text],
    ['behind all rows', CHUNKS + 1, (text: string) => text],
    ['with the mark deleted', 6, () => undefined],
    [
      'with a mark that allows it',
      6,
      (text: string) => text.replace('"plainTo":0', '"plainTo":99'),
    ],
    ['with the mark turned off', 6, (text: string) => text.replace('"on":true', '"on":false')],
    ['with the mark said to be gone', 6, () => 'off'],
    ['with a mark that is no JSON', 6, () => '{'],
  ] as const) {
    const folder = copy();
    const rows: ChunkRow[] = [];
    tamper(folder, (statements) => rows.push(statements.chunk.get(6)!));
    const forged = await forgedRow(rows[0]!.epoch);
    const firstSeq = (id - 1) * PER_CHUNK + 1;
    tamper(folder, (_, db) => {
      put(db, { ...forged, id, first_seq: firstSeq });
      putMark(db, mark);
    });
    const others = Array.from({ length: CHUNKS }, (_, i) => i + 1).filter((n) => n !== id);
    const buffer = openIn(folder, bentWorld(), { keys: KEYS });
    const values = drain(buffer).flatMap((chunk) => [...valuesOf(chunk)]);
    t.same(
      values.map(([seq]) => seq),
      seqsOf(...others),
      name,
    );
    t.ok(values.every(([seq, value]) => value === seq - 1));
    await buffer.close();
    const check = checkBuffer(fileIn(folder), { keys: KEYS });
    t.equal(check.problems.filter((line) => line.includes('mark')).length, 0);
  }
});

t.test('a repair does not let it in either', async (t) => {
  const folder = copy();
  const rows: ChunkRow[] = [];
  tamper(folder, (statements) => rows.push(statements.chunk.get(6)!));
  const forged = await forgedRow(rows[0]!.epoch);
  tamper(folder, (_, db) => {
    put(db, { ...forged, id: CHUNKS + 1, first_seq: 1 });
    put(db, { ...forged, id: 6, first_seq: 51 });
    putMark(db, () => undefined);
  });
  t.match(repairBuffer(fileIn(folder), { keys: KEYS }), { chunks: CHUNKS - 1, gaps: 1 });
  const { delivered, declared } = await outcomeOf(folder);
  t.same(delivered, seqsOf(1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12));
  t.same(declared, seqsOf(6));
});

t.test('clock and identity cannot be set from outside', async (t) => {
  const folder = copy();
  const forge = (value: string) => (_: Statements, db: Database.Database) => {
    const row = db.prepare("SELECT * FROM meta WHERE key = 'clock'").get() as {
      id: number;
      key: string;
    };
    const changed = { ...row, value };
    db.prepare('UPDATE meta SET value = ?, row_crc = ? WHERE id = ?').run(
      value,
      metaRowCrc(changed),
      row.id,
    );
  };
  const valueIn = async (): Promise<string | undefined> => {
    const buffer = openIn(folder, bentWorld(), { keys: KEYS });
    const value = buffer.meta('clock');
    await buffer.close();
    return value;
  };
  t.equal(await valueIn(), '{"boot":"kept"}');
  tamper(folder, forge('{"boot":"forged"}'));
  t.equal(await valueIn(), undefined);
});

/** A buffer of before encryption, or of somebody who puts one in place of the encrypted one. */
async function plainFolder(): Promise<string> {
  const folder = join(scratch, `plain-${++copies}`);
  mkdirSync(folder);
  await fill(folder, NO_KEYS);
  return folder;
}

t.test('a whole file without encryption: taken over, or refused by accept_plaintext', async (t) => {
  const folder = await plainFolder();
  const before = readFileSync(fileIn(folder));
  for (const open of [
    () => openIn(folder, bentWorld(), { keys: KEYS, acceptPlain: false }),
    () => repairBuffer(fileIn(folder), { keys: KEYS, acceptPlain: false }),
  ]) {
    t.throws(open, { code: 'AGENT_BUFFER_NOT_ENCRYPTED' });
  }
  t.same(readFileSync(fileIn(folder)), before, 'it is as it was');
  const world = bentWorld();
  const buffer = openIn(folder, world, { keys: KEYS });
  t.equal(drain(buffer).length, CHUNKS);
  t.match(world.lines.join(), /before encryption/, 'and the log says so');
  await buffer.close();
  t.throws(() => openIn(folder, bentWorld(), { keys: KEYS, acceptPlain: false }), {
    code: 'AGENT_BUFFER_NOT_ENCRYPTED',
  });
  const again = openIn(folder, bentWorld(), { keys: KEYS });
  again.maintain();
  again.maintain();
  await again.close();
  const strict = openIn(folder, bentWorld(), { keys: KEYS, acceptPlain: false });
  t.equal(drain(strict).length, CHUNKS, 'once all of it is encrypted');
  await strict.close();
});

t.test('an empty file has nothing to refuse', async () => {
  const folder = join(scratch, 'empty');
  mkdirSync(folder);
  const buffer = openIn(folder, bentWorld(), { keys: KEYS, acceptPlain: false });
  await buffer.close();
});

function speaking(count: number): Reading[] {
  return Array.from({ length: count }, (_, i) => ({
    device: WORDS[0]!,
    channel: WORDS[1]!,
    timeMs: 1_780_000_000_000 + i,
    value: WORDS[2]!,
    quality: Quality.GOOD,
  }));
}

/** Every file in the folder that holds one of the words. */
function leaksIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => {
    const bytes = readFileSync(join(folder, name));
    return WORDS.some(
      (word) => bytes.includes(word) || bytes.includes(Buffer.from(word, 'utf16le')),
    );
  });
}

async function speak(buffer: SqliteBuffer, count: number): Promise<void> {
  void buffer.append(speaking(count), [rejectAt(1, WORDS[3]!)]);
  await buffer.flush();
}

t.test(
  'a stolen file says nothing of devices and values, nor does what a salvage leaves',
  async (t) => {
    const plain = join(scratch, 'speaks');
    mkdirSync(plain);
    const open = openIn(plain, bentWorld(), { keys: NO_KEYS });
    await speak(open, 3);
    await open.close();
    t.same(leaksIn(plain), ['buffer.sqlite'], 'the scan finds them where they are');

    const folder = join(scratch, 'silent');
    mkdirSync(folder);
    const world = bentWorld();
    let buffer = openIn(folder, world, { keys: KEYS });
    buffer.setMeta('note', WORDS[2]!);
    for (let i = 0; i < 40; i++) await speak(buffer, 30);
    buffer.acknowledge(drain(buffer, 20).map((chunk) => chunk.id));
    for (let i = 0; i < 5; i++) await speak(buffer, 2);
    buffer.maintain();
    t.same(leaksIn(folder), [], 'while it runs: file and write-ahead log');
    await buffer.close();
    t.same(leaksIn(folder), []);
    const bytes = readFileSync(fileIn(folder));
    bytes.fill(0xa5, 4096 * 3, 4096 * 4);
    bytes.fill(0, 0, 16);
    writeFileSync(fileIn(folder), bytes);
    buffer = openIn(folder, world, { keys: KEYS });
    t.equal(buffer.stats().salvagesTotal, 1);
    t.equal(buffer.meta('note'), WORDS[2]);
    t.ok(drain(buffer).length > 10);
    await buffer.close();
    t.ok(readdirSync(folder).some((name) => name.includes('damaged')));
    t.same(leaksIn(folder), [], 'after a salvage: the new file, and the one set aside');
    repairBuffer(fileIn(folder), { keys: KEYS });
    t.same(leaksIn(folder), []);
    let text = '';
    const write = async (part: string): Promise<void> => {
      text += part;
    };
    await exportBuffer(fileIn(folder), 'csv', write, { keys: KEYS });
    t.ok(
      WORDS.slice(0, 3).every((word) => text.includes(word)),
      'with the key it is all there',
    );
  },
);

t.test('no nonce comes twice, and equal readings look different', async (t) => {
  const folder = join(scratch, 'nonces');
  mkdirSync(folder);
  const buffer = openIn(folder, bentWorld(), { keys: KEYS });
  for (let i = 0; i < 300; i++) {
    void buffer.append(numbered(0, 1), []);
    await buffer.flush();
  }
  await buffer.close();
  const rows: ChunkRow[] = [];
  tamper(folder, (statements) => rows.push(...statements.nextChunks.all(0)));
  t.ok(rows.every(isSealed));
  const hex = (from: number, to?: number) =>
    new Set(rows.map(({ bytes }) => Buffer.from(bytes.subarray(from, to)).toString('hex')));
  t.equal(hex(4, 16).size, 300);
  t.equal(hex(16).size, 300);
  t.equal(new Set(rows.map((row) => row.crc32c)).size > 290, true, 'nor does the CRC give it away');
});
