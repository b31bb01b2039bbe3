/**
 * What is decided about encryption when a file is opened: whether the keys are the right ones, what of
 * the file counts, and whether it is to change. A key that is missing or wrong throws, before anything
 * is written, renamed or deleted, and whatever else is wrong with the file: it never looks like damage.
 */

import { AgentError } from '../errors.ts';
import { keyIdOf, RowCipher } from './cipher.ts';
import type { BufferFile } from './database.ts';
import type { BufferKey, BufferKeys } from './keys.ts';
import type { Mark } from './mark.ts';
import { META_MARK, NO_MARK, readMark } from './mark.ts';
import type { FoundRow } from './pages.ts';
import type { ChunkHeadRow, ChunkRow, MetaRow } from './rows.ts';
import { chunkBytesOk, chunkHeadOk, isSealed, metaRowCrc } from './rows.ts';
import { pagesOf, rowsInFile, rowsInFront } from './scan.ts';
import { BufferSeal } from './seal.ts';

export interface Keying {
  keys: BufferKeys;
  /** Whether readings that were here before encryption are taken over. */
  acceptPlain: boolean;
  /** For messages. */
  path: string;
}

export interface Settled {
  seal: BufferSeal;
  /** The mark, and the values of `meta`, are to be written anew with the next commit. */
  changed: boolean;
  /** Encryption begins: values of `meta` are still without it. */
  begins: boolean;
  /** For the log. */
  notes: readonly string[];
}

/** What a file shows. */
interface Survey {
  /** Values of rows of `meta` whose CRC is right. */
  marks: readonly string[];
  /** Chunks in it; 0: none. */
  firstId: number;
  lastId: number;
  /** Chunks may be sealed although no mark says so. */
  isDoubtful: boolean;
  isNew: boolean;
  /** All of them; it may take long. */
  rows: () => Iterable<ChunkRow>;
}

interface Look {
  /** By key: sealed chunks whose CRC is right, and whether one of them opens. */
  sealed: ReadonlyMap<string, { chunks: number; opens: boolean }>;
  plainChunks: number;
}

/** Of a file that SQLite reads. Throws AGENT_BUFFER_KEY_* and AGENT_BUFFER_NOT_ENCRYPTED. */
export function settleFile({ statements, created }: BufferFile, keying: Keying): Settled {
  const first = statements.firstHead.get();
  const last = statements.lastHead.get();
  const ends = [first, last].filter((head) => head !== undefined);
  return settle(
    {
      marks: marksOf(statements.meta.all()),
      firstId: first?.id ?? 0,
      lastId: last?.id ?? 0,
      isDoubtful: ends.some(mayBeSealed),
      isNew: created,
      rows: () => statements.nextChunks.iterate(0),
    },
    keying,
  );
}

/** Of a file that may be damaged, by its pages. Throws as settleFile does. */
export function settlePages(rescued: readonly FoundRow[], keying: Keying): Settled {
  const meta: MetaRow[] = [];
  let firstId = 0;
  let lastId = 0;
  const all = function* (): Generator<FoundRow> {
    yield* rescued;
    yield* rowsInFile(keying.path);
  };
  for (const found of all()) {
    if (found.table === 'meta') meta.push(found.row);
    if (found.table !== 'chunks') continue;
    firstId = firstId === 0 ? found.row.id : Math.min(firstId, found.row.id);
    lastId = Math.max(lastId, found.row.id);
  }
  const rows = function* (): Generator<ChunkRow> {
    for (const found of all()) if (found.table === 'chunks') yield found.row;
  };
  const isNew = pagesOf(keying.path) === 0;
  return settle({ marks: marksOf(meta), firstId, lastId, isDoubtful: true, isNew, rows }, keying);
}

/**
 * Before SQLite opens the file, which may move its WAL into it or drop what is damaged of that: throws as
 * settleFile does when the keys are not the right ones, as far as the first pages tell.
 */
export function refuseForeign(rescued: readonly FoundRow[], keying: Keying): void {
  const meta: MetaRow[] = [];
  for (const found of rowsInFront(keying.path)) if (found.table === 'meta') meta.push(found.row);
  const isForeign = marksOf(meta)
    .filter((text) => text !== NO_MARK)
    .some((text) => readMark(text, keying.keys.keys).kind !== 'right');
  // What was rescued is lost with the opening, so that nothing must be left to be found out later.
  if (isForeign || rescued.length > 0) settlePages(rescued, keying);
}

function marksOf(rows: readonly MetaRow[]): string[] {
  return rows
    .filter((row) => row.key === META_MARK && metaRowCrc(row) === row.row_crc)
    .map((row) => row.value);
}

function mayBeSealed(head: ChunkHeadRow): boolean {
  return isSealed(head) || !chunkHeadOk(head);
}

function settle(survey: Survey, keying: Keying): Settled {
  const { keys } = keying;
  const readings = survey.marks
    .filter((text) => text !== NO_MARK)
    .map((text) => readMark(text, keys.keys));
  const right = readings
    .flatMap((reading) => (reading.kind === 'right' ? [reading.mark] : []))
    .sort((a, b) => b.n - a.n)[0];
  if (right !== undefined) return goOn(right, survey, keying);
  const foreign = readings.find((reading) => reading.kind === 'foreign');
  const look =
    readings.length > 0 || survey.isDoubtful ? lookAt(survey, keys.keys) : NOTHING_SEALED;
  requireKeys([...look.sealed.keys()], look, keying);
  const opens = [...look.sealed.values()].some((found) => found.opens);
  if (foreign !== undefined && !opens) {
    // With no chunk that would need the key, who turns encryption off may do without.
    const mayForget = keys.isOff && keys.keys.length === 0 && look.sealed.size === 0;
    if (!mayForget) throw keyError(`it is encrypted with key ${foreign.key}`, keying);
    return settled(keys, undefined, { changed: true });
  }
  const isLost = readings.length > 0 || look.sealed.size > 0;
  return isLost ? begin(survey, look, keying) : beginNew(survey, keying);
}

/** The mark is gone or was edited, but the keys are right: nothing without encryption is believed. */
function begin(survey: Survey, look: Look, { keys }: Keying): Settled {
  const [current] = keys.keys;
  const notes = ['what the file says of its encryption was lost or edited; it is made anew'];
  if (current === undefined || (!keys.encrypt && look.sealed.size === 0)) {
    return settled(keys, undefined, { changed: true, notes });
  }
  const older = [...look.sealed.keys()].filter((id) => id !== current.id || !keys.encrypt);
  const olderTo = older.length === 0 ? 0 : survey.lastId;
  const { encrypt: on } = keys;
  const mark = { n: 1, key: current.id, on, older, olderTo, plainTo: 0, scrub: on };
  return settled(keys, mark, { changed: true, notes });
}

/** Nothing in the file is encrypted. */
function beginNew({ lastId, isNew }: Survey, { keys, acceptPlain, path }: Keying): Settled {
  const [current] = keys.keys;
  if (current === undefined || !keys.encrypt) return settled(keys, undefined, {});
  if (lastId > 0 && !acceptPlain) throw notEncrypted(path);
  const notes = lastId > 0 ? ['chunks from before encryption are taken over'] : [];
  const rest = { older: [], olderTo: 0, plainTo: lastId, scrub: !isNew };
  const mark = { n: 1, key: current.id, on: true, ...rest };
  return settled(keys, mark, { changed: true, begins: true, notes });
}

function goOn(found: Mark, survey: Survey, keying: Keying): Settled {
  const { keys } = keying;
  const mark = withoutPast(found, survey.firstId);
  const isMissing = (id: string): boolean => !keys.keys.some((key) => key.id === id);
  if (mark.older.some(isMissing)) {
    const look = lookAt(survey, keys.keys);
    requireKeys(mark.older, look, keying);
  }
  const older = mark.older.filter((id) => !isMissing(id));
  const next = keys.encrypt
    ? goOnEncrypting({ ...mark, older }, survey, keying)
    : endEncrypting({ ...mark, older }, survey, keys.keys[0]!);
  if (next === undefined) return settled(keys, undefined, { changed: true });
  const changed = JSON.stringify(next) !== JSON.stringify(found);
  const n = changed ? found.n + 1 : found.n;
  return settled(keys, { ...next, n }, { changed, begins: !found.on && next.on });
}

function goOnEncrypting(mark: Mark, survey: Survey, { keys, acceptPlain, path }: Keying): Mark {
  const { lastId } = survey;
  const { id } = keys.keys[0]!;
  const isTurnedOn = !mark.on && lastId > 0;
  if (!acceptPlain) {
    const plain = isTurnedOn ? lookAt(survey, keys.keys).plainChunks > 0 : mark.plainTo > 0;
    if (plain) throw notEncrypted(path);
  }
  const older = [...new Set([...mark.older, mark.key])].filter((other) => other !== id);
  const isRotated = mark.on && mark.key !== id;
  const olderTo = older.length === 0 ? 0 : isRotated ? lastId : mark.olderTo;
  return {
    n: mark.n,
    key: id,
    on: true,
    older: olderTo === 0 ? [] : older,
    olderTo,
    plainTo: isTurnedOn ? lastId : mark.plainTo,
    scrub: mark.scrub || isTurnedOn,
  };
}

/** Undefined: the last sealed chunk is gone. */
function endEncrypting(mark: Mark, { lastId }: Survey, current: BufferKey): Mark | undefined {
  if (!mark.on) return mark.olderTo === 0 ? undefined : mark;
  if (lastId === 0) return undefined;
  const older = [...new Set([...mark.older, mark.key])];
  const rest = { older, olderTo: lastId, plainTo: 0, scrub: false };
  return { n: mark.n, key: current.id, on: false, ...rest };
}

/** Bounds below the first chunk mean nothing any more; ids may come again, and must not fall under them. */
export function withoutPast(mark: Mark, firstId: number): Mark {
  const isOver = (to: number): boolean => to > 0 && (firstId === 0 || firstId > to);
  const { olderTo, plainTo } = mark;
  return {
    ...mark,
    ...(isOver(olderTo) || olderTo === 0 ? { older: [], olderTo: 0 } : {}),
    ...(isOver(plainTo) ? { plainTo: 0 } : {}),
  };
}

function settled(
  keys: BufferKeys,
  mark: Mark | undefined,
  { changed = false, begins = false, notes = [] }: Partial<Omit<Settled, 'seal'>>,
): Settled {
  return { seal: new BufferSeal(keys, mark), changed, begins, notes };
}

const NOTHING_SEALED: Look = { sealed: new Map(), plainChunks: 0 };

function lookAt(survey: Survey, keys: readonly BufferKey[]): Look {
  const cipher = new RowCipher(keys);
  const sealed = new Map<string, { chunks: number; opens: boolean }>();
  let plainChunks = 0;
  for (const row of survey.rows()) {
    if (!isSealed(row)) plainChunks++;
    // Both CRCs: a flipped bit must not pass for a key that is missing.
    const isSound = isSealed(row) && chunkHeadOk(row) && chunkBytesOk(row);
    const id = isSound ? keyIdOf(row) : undefined;
    if (id === undefined) continue;
    const found = sealed.get(id) ?? { chunks: 0, opens: false };
    found.chunks++;
    found.opens ||= cipher.open(row) !== undefined;
    sealed.set(id, found);
  }
  return { sealed, plainChunks };
}

function requireKeys(ids: readonly string[], look: Look, keying: Keying): void {
  const missing = ids.filter(
    (id) => look.sealed.has(id) && !keying.keys.keys.some((key) => key.id === id),
  );
  if (missing.length === 0) return;
  const chunks = missing.reduce((sum, id) => sum + look.sealed.get(id)!.chunks, 0);
  throw keyError(`${chunks} chunks are encrypted with key ${missing.join(', ')}`, keying);
}

function keyError(what: string, { keys, path }: Keying): AgentError {
  const given = keys.keys.map(({ id }) => id).join(', ');
  return given === ''
    ? new AgentError('AGENT_BUFFER_KEY_MISSING', `${path}: ${what}, and no key is given`)
    : new AgentError('AGENT_BUFFER_KEY_WRONG', `${path}: ${what}; given: ${given}`);
}

function notEncrypted(path: string): AgentError {
  return new AgentError('AGENT_BUFFER_NOT_ENCRYPTED', path);
}
