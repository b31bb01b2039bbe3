/**
 * Damage to the files of a buffer with known content. Whatever it is: opening does not throw, no wrong
 * reading comes out, no number is used again, reading goes on, and what was committed is delivered or
 * declared. A single run again: FMS_SEED=N.
 */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import type { SqliteBuffer } from '../../../agent/buffer/buffer.ts';
import { frameCrcOk } from '../../../proto/batch.ts';
import type { Gap, Reading } from '../../../proto/model.ts';
import { FORM_TIMEOUT_MS, sizeOfRun } from '../../support/form.ts';
import {
  bentWorld,
  chooseMode,
  drain,
  fileIn,
  memoryFolder,
  numbered,
  openIn,
  valuesOf,
} from '../../support/test-buffer.ts';

chooseMode(t);

/** Of each kind of damage. */
const RUNS = sizeOfRun('FMS_RUNS', { short: 30, long: 600 });
const SMALL = { maxBytes: 1024 * 1024 };
const scratch = memoryFolder(t);

/** epoch → seq → value: what was committed and is neither delivered nor evicted. */
type Known = Map<string, Map<number, number>>;

function filesIn(folder: string): string[] {
  return [fileIn(folder), `${fileIn(folder)}-wal`];
}

function copyFiles(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to);
  filesIn(from).forEach((file, i) => {
    if (existsSync(file)) copyFileSync(file, filesIn(to)[i]!);
  });
}

function randomOf(seed: number): () => number {
  let state = seed * 2_654_435_769 + 1;
  return () => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9;
    const mixed = Math.imul(state ^ (state >>> 13), 0x297a2d39);
    return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
  };
}

/** Texts make chunks long enough for overflow pages. */
function wide(from: number, count: number): Reading[] {
  return numbered(from, count).map((reading) => ({
    ...reading,
    value: `${reading.value} `.padEnd(60, '.'),
  }));
}

/**
 * Three epochs, short and long chunks, some delivered, WAL as a kill leaves it. The last epoch's buffer
 * is abandoned by copying its files while it is open.
 */
async function makeTemplate(): Promise<{ folder: string; known: Known; delivered: Known }> {
  const work = join(scratch, 'work');
  mkdirSync(work);
  const known: Known = new Map();
  const delivered: Known = new Map();
  let value = 0;
  for (let start = 0; start < 3; start++) {
    const buffer = openIn(work, bentWorld(), SMALL);
    for (let i = 0; i < 30; i++) {
      const count = [7, 35, 400, 3][i % 4]!;
      const done = buffer.append(i % 4 === 2 ? wide(value, count) : numbered(value, count), []);
      value += count;
      await buffer.flush();
      await done;
    }
    if (start === 1) {
      const first = drain(buffer).slice(0, 12);
      remember(delivered, first);
      buffer.acknowledge(first.map((chunk) => chunk.id));
      await buffer.flush();
    }
    if (start < 2) {
      await buffer.close();
      continue;
    }
    const folder = join(scratch, 'template');
    copyFiles(work, folder);
    remember(known, drain(buffer));
    await buffer.close();
    return { folder, known, delivered };
  }
  throw new Error('unreachable');
}

function remember(known: Known, chunks: ReturnType<typeof drain>): void {
  for (const chunk of chunks) {
    const values = known.get(chunk.epoch) ?? new Map<number, number>();
    for (const [seq, value] of numbersOf(chunk)) values.set(seq, value);
    known.set(chunk.epoch, values);
  }
}

function numbersOf(chunk: ReturnType<typeof drain>[number]): Map<number, number> {
  return new Map(
    [...valuesOf(chunk)].map(([seq, value]) => [seq, Number.parseInt(`${value}`, 10)]),
  );
}

interface Outcome {
  wrong: string[];
  /** Committed, neither delivered nor declared. */
  silent: number;
}

/** Opens the damaged buffer, drains it, appends to it, and compares. */
async function judge(folder: string, known: Known, delivered: Known): Promise<Outcome> {
  const wrong: string[] = [];
  const world = bentWorld();
  let buffer: SqliteBuffer;
  try {
    buffer = openIn(folder, world, SMALL);
  } catch (error) {
    return { wrong: [`opening threw ${error}`], silent: 0 };
  }
  const seen = new Map<string, Set<number>>();
  for (const chunk of drain(buffer)) {
    if (!frameCrcOk(chunk.epoch, chunk.frame)) wrong.push(`CRC of chunk ${chunk.id}`);
    const set = seen.get(chunk.epoch) ?? new Set();
    seen.set(chunk.epoch, set);
    for (const [seq, value] of numbersOf(chunk)) {
      const expected = known.get(chunk.epoch)?.get(seq) ?? delivered.get(chunk.epoch)?.get(seq);
      if (expected !== value) wrong.push(`${chunk.epoch}/${seq} is ${value}, was ${expected}`);
      if (set.has(seq)) wrong.push(`${chunk.epoch}/${seq} twice`);
      set.add(seq);
    }
  }
  await buffer.flush();
  const gaps = buffer.gaps(10_000);
  const silent = countSilent(known, seen, gaps);

  const before = buffer.stats().readings;
  const done = buffer.append(numbered(1e6, 5), []);
  await buffer.flush();
  await done;
  const epoch = buffer.currentEpoch();
  if (epoch === undefined || known.has(epoch.epoch)) wrong.push('no new epoch');
  if (epoch?.lastSeq !== 5) wrong.push(`lastSeq ${epoch?.lastSeq}`);
  if (buffer.stats().readings !== before + 5) wrong.push('the new readings are not counted');
  if (drain(buffer).at(-1)?.epoch !== epoch?.epoch) wrong.push('the new readings do not come out');
  buffer.acknowledge(drain(buffer).map((chunk) => chunk.id));
  buffer.acknowledgeGaps(buffer.gaps(10_000).map((gap) => gap.id));
  await buffer.close();
  try {
    const again = openIn(folder, world, SMALL);
    if (drain(again).length > 0) wrong.push('delivered chunks are back');
    await again.close();
  } catch (error) {
    wrong.push(`opening again threw ${error}`);
  }
  return { wrong, silent };
}

function countSilent(known: Known, seen: Map<string, Set<number>>, gaps: readonly Gap[]): number {
  let silent = 0;
  for (const [epoch, values] of known) {
    for (const seq of values.keys()) {
      if (seen.get(epoch)?.has(seq)) continue;
      const declared = gaps.some(
        (gap) => gap.epoch === epoch && gap.firstSeq <= seq && seq <= gap.lastSeq,
      );
      if (!declared) silent++;
    }
  }
  return silent;
}

/** `knowable`: everything lost can be declared, so nothing may be silent. */
type Damage = { knowable: boolean; inflict: (folder: string, random: () => number) => void };

function flip(file: string, random: () => number): void {
  const bytes = readFileSync(file);
  const at = Math.floor(random() * bytes.length);
  bytes[at] = bytes[at]! ^ (1 << Math.floor(random() * 8));
  writeFileSync(file, bytes);
}

/** The WAL is allocated beyond its frames: damage is to hit what is in use. */
function usedWalBytes(file: string): number {
  const bytes = readFileSync(file);
  let used = 32;
  while (used + 4120 <= bytes.length && bytes.readUInt32BE(used) !== 0) used += 4120;
  return used;
}

/** Root pages of the tables come first. */
const EPOCHS_PAGES_END = 8 * 4096;

const damages: Record<string, Damage> = {
  'a flipped bit in the database': {
    knowable: true,
    inflict: (folder, random) => flip(filesIn(folder)[0]!, random),
  },
  'a flipped bit in the WAL': {
    knowable: true,
    inflict: (folder, random) => {
      const wal = filesIn(folder)[1]!;
      truncateSync(wal, usedWalBytes(wal));
      flip(wal, random);
    },
  },
  'a page of noise in the database': {
    knowable: true,
    inflict: (folder, random) => {
      const [file] = filesIn(folder);
      const bytes = readFileSync(file!);
      const page = Math.floor((random() * bytes.length) / 4096) * 4096;
      for (let i = page; i < page + 4096; i++) bytes[i] = Math.floor(random() * 256);
      writeFileSync(file!, bytes);
    },
  },
  'a database cut short': {
    knowable: true,
    inflict: (folder, random) => {
      const [file] = filesIn(folder);
      // The first pages say which epochs there were; without them nothing is left to declare.
      const { size } = statSync(file!);
      truncateSync(file!, EPOCHS_PAGES_END + Math.floor(random() * (size - EPOCHS_PAGES_END)));
    },
  },
  'a database cut to its first pages': {
    knowable: false,
    inflict: (folder, random) => {
      truncateSync(filesIn(folder)[0]!, Math.floor(random() * EPOCHS_PAGES_END));
    },
  },
  'a WAL cut short (a sync that lied)': {
    knowable: false,
    inflict: (folder, random) => {
      const wal = filesIn(folder)[1]!;
      truncateSync(wal, Math.floor(random() * usedWalBytes(wal)));
    },
  },
};

// Also when run alone, without the runner's own limit.
t.setTimeout(FORM_TIMEOUT_MS);

t.test('random damage', { timeout: FORM_TIMEOUT_MS }, async (t) => {
  const { folder: template, known, delivered } = await makeTemplate();
  const only = process.env.FMS_SEED;
  for (const [name, { knowable, inflict }] of Object.entries(damages)) {
    await t.test(name, async (t) => {
      const failures: string[] = [];
      for (let seed = 1; seed <= RUNS; seed++) {
        if (only !== undefined && Number(only) !== seed) continue;
        const folder = join(scratch, 'run');
        copyFiles(template, folder);
        inflict(folder, randomOf(seed));
        const { wrong, silent } = await judge(folder, known, delivered);
        if (wrong.length > 0) failures.push(`seed ${seed}: ${wrong.slice(0, 3).join('; ')}`);
        if (knowable && silent > 0) failures.push(`seed ${seed}: ${silent} readings silently gone`);
      }
      t.same(failures, []);
    });
  }

  await t.test('the undamaged one', async (t) => {
    const folder = join(scratch, 'run');
    copyFiles(template, folder);
    t.same(await judge(folder, known, delivered), { wrong: [], silent: 0 });
    t.same(
      readdirSync(folder).filter((name) => name.includes('damaged')),
      [],
    );
  });

  await t.test('no file at all, an empty one, another one', async (t) => {
    const [db, wal] = filesIn(join(scratch, 'run')) as [string, string];
    const cases: Record<string, () => void> = {
      'both deleted': () => {
        rmSync(db);
        rmSync(wal);
      },
      'the database deleted, its WAL left': () => rmSync(db),
      'zero length': () => truncateSync(db, 0),
      'not a database': () => writeFileSync(db, 'Sehr geehrte Damen und Herren,\n'.repeat(1000)),
      'a WAL of noise': () => writeFileSync(wal, Buffer.alloc(50_000, 0xa5)),
    };
    for (const [name, inflict] of Object.entries(cases)) {
      copyFiles(template, join(scratch, 'run'));
      inflict();
      const { wrong } = await judge(join(scratch, 'run'), known, delivered);
      t.same(wrong, [], name);
    }
  });
});

t.test('rows that a damaged tree hides are declared, also between two calls', async (t) => {
  const folder = memoryFolder(t);
  let buffer = openIn(folder);
  for (let i = 0; i < 200; i++) {
    void buffer.append(numbered(i * 20, 20), []);
    await buffer.flush();
  }
  await buffer.close();
  // As a flipped bit in the cell pointers of a leaf does: rows vanish, SQLite finds nothing wrong.
  const db = new Database(fileIn(folder));
  db.exec('DELETE FROM chunks WHERE id BETWEEN 50 AND 59');
  db.close();
  buffer = openIn(folder);
  let position = 0;
  for (;;) {
    const chunks = buffer.next(position, { maxBytes: 1e9, maxReadings: 1e9, maxChunks: 7 });
    if (chunks.length === 0) break;
    position = chunks.at(-1)!.id;
    buffer.acknowledge(chunks.map((chunk) => chunk.id));
    await buffer.flush();
  }
  t.match(buffer.gaps(10), [{ firstSeq: 49 * 20 + 1, lastSeq: 59 * 20, reason: 'corrupt' }]);
  t.equal(buffer.gaps(10).length, 1);
  t.match(buffer.stats(), { chunks: 0, readings: 0 });
  await buffer.close();
});
