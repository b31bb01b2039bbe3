/** What a power cut leaves of a store at rest, staged: parts that were not synced are gone, or empty. */

import { cpSync, mkdirSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A part of a table that no other part holds. */
interface Part {
  path: string;
  /** Of its rows' inserts. */
  lastBlock: number;
  /** 0: not merged. */
  level: number;
  /** It and what it was merged from, as far as that is still there. */
  paths: string[];
}

function folderOf(store: string, table: string): string {
  return join(store, 'data', 'fms', table);
}

/** Newest first. The engine removes what parts were merged from only after some minutes. */
export function partsOf(store: string, table: string): Part[] {
  const found = readdirSync(folderOf(store, table)).flatMap((name) => {
    const match = /^(\w+)_(\d+)_(\d+)_(\d+)$/.exec(name);
    if (match === null) return [];
    const [, partition, first, last, level] = match;
    const path = join(folderOf(store, table), name);
    return [{ path, partition, first: Number(first), last: Number(last), level: Number(level) }];
  });
  const holds = (a: (typeof found)[number], b: (typeof found)[number]): boolean =>
    a.partition === b.partition && a.first <= b.first && a.last >= b.last && a.level >= b.level;
  return found
    .filter((part) => !found.some((other) => other !== part && holds(other, part)))
    .map((part) => ({
      path: part.path,
      lastBlock: part.last,
      level: part.level,
      paths: found.filter((other) => holds(part, other)).map(({ path }) => path),
    }))
    .sort((a, b) => b.lastBlock - a.lastBlock);
}

/** The part and what it was merged from were never written. */
export function drop(part: Part): void {
  for (const path of part.paths) rmSync(path, { recursive: true });
}

/** The names were written, but nothing of the content (or of the content of `file`). */
export function empty(part: Part, file?: string): void {
  for (const path of part.paths) emptyFiles(path, file);
}

/** Only the merge was not written: what it was made from is still there. */
export function emptyMerged(part: Part): void {
  emptyFiles(part.path);
}

function emptyFiles(path: string, file?: string): void {
  for (const name of readdirSync(path))
    if (file === undefined || name.startsWith(file)) truncateSync(join(path, name), 0);
}

/** What inserts and merges leave that were under way: blocks that wait to be read, unfinished parts. */
export function leaveUnfinished(store: string, table: string): void {
  const inserts = join(store, 'inserts');
  mkdirSync(inserts, { recursive: true });
  writeFileSync(join(inserts, '7.native'), Buffer.alloc(5_000));
  const [part] = partsOf(store, table);
  if (part === undefined) throw new Error(`no part of ${table}`);
  for (const name of ['tmp_insert_20260101_900_900_0', 'tmp_merge_20260101_1_900_3']) {
    const path = join(folderOf(store, table), name);
    cpSync(part.path, path, { recursive: true });
    emptyFiles(path, 'data');
  }
}
