/**
 * Snapshots of a partition: now and then soft state is committed too, with a copy of the hard state of
 * the same position beside it. A processor made of both that processes again what came since, its
 * outputs dropped, is the processor that was.
 *
 * State of the session, by key:
 * - `.snapshot`: position, log time
 * - `.hard/` + key: hard state as it was there
 * - `.soft/` + gateway: soft state as it was there
 * - every other key: hard state as it is now
 */

import { parseJson } from './parse.ts';

const SNAPSHOT_KEY = '.snapshot';
const HARD = '.hard/';
const SOFT = '.soft/';
const FORMAT = 1;

interface EncodedPosition {
  format: number;
  position: number;
  timeMs: number;
}

type State = ReadonlyMap<string, Uint8Array>;
type Changes = ReadonlyMap<string, Uint8Array | null>;

export interface Snapshot {
  /** Raw offset of the first record that is not in it; -1: none was taken yet, or by another version. */
  position: number;
  timeMs: number;
  hard: State;
  soft: State;
}

/** What a session's state holds. */
export function openState(state: State): { hard: State; snapshot: Snapshot } {
  const hard = new Map<string, Uint8Array>();
  const before = new Map<string, Uint8Array>();
  const soft = new Map<string, Uint8Array>();
  for (const [key, bytes] of state) {
    if (key.startsWith(HARD)) before.set(key.slice(HARD.length), bytes);
    else if (key.startsWith(SOFT)) soft.set(key.slice(SOFT.length), bytes);
    else if (key !== SNAPSHOT_KEY) hard.set(key, bytes);
  }
  return { hard, snapshot: { ...positionOf(state.get(SNAPSHOT_KEY)), hard: before, soft } };
}

/**
 * Whether a processor that went from the snapshot to where `hard` was committed has arrived there: its
 * changes on the way are those that were committed. Which keys differ from the snapshot, or undefined.
 */
export function changedSince(
  snapshot: Snapshot,
  changes: Changes,
  hard: State,
): Set<string> | undefined {
  const changed = new Set<string>();
  for (const key of new Set([...hard.keys(), ...snapshot.hard.keys(), ...changes.keys()])) {
    const now = hard.get(key) ?? null;
    const then = snapshot.hard.get(key) ?? null;
    const found = changes.has(key) ? (changes.get(key) ?? null) : then;
    if (!same(found, now)) return undefined;
    if (!same(then, now)) changed.add(key);
  }
  return changed;
}

/** Keeps count of what the next snapshot must write. */
export class SnapshotTaker {
  /** Of the last snapshot; -1: there is none. */
  #position = -1;
  #timeMs = 0;
  #bytes = 0;
  /** Keys of the hard state that differ from the snapshot's copy. */
  readonly #changed: Set<string>;
  /** Gateways of an older snapshot that is of no use. */
  #leftSoft: readonly string[] = [];

  private constructor(changed: Iterable<string>) {
    this.#changed = new Set(changed);
  }

  /** Goes on from a snapshot; `changed` is what changedSince() answered. */
  static after(snapshot: Snapshot, changed: Iterable<string>): SnapshotTaker {
    const taker = new SnapshotTaker(changed);
    taker.#position = snapshot.position;
    taker.#timeMs = snapshot.timeMs;
    taker.#bytes = sum(snapshot.hard) + sum(snapshot.soft);
    return taker;
  }

  /** The next snapshot writes everything, and leaves nothing of the `useless` one. */
  static anew(hard: State, useless: Snapshot): SnapshotTaker {
    const taker = new SnapshotTaker([...hard.keys(), ...useless.hard.keys()]);
    taker.#leftSoft = [...useless.soft.keys()];
    return taker;
  }

  get position(): number {
    return this.#position;
  }

  /** Log time of the last one; 0: there is none. */
  get timeMs(): number {
    return this.#timeMs;
  }

  /** Bytes of the last one that take() made; of the one that it went on from, all that it holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Hard state changed, and is about to be committed. */
  note(changes: Changes): void {
    for (const key of changes.keys()) this.#changed.add(key);
  }

  /**
   * What makes a snapshot of the processor at `position`, to be committed together with what note() was
   * told last. `soft`: what the processor's takeSoft() answers there; `hard`: the state after that commit. It
   * counts as taken: should the commit fail, the processor and this are made anew.
   */
  take(
    { position, timeMs, soft }: Omit<Snapshot, 'hard'>,
    hard: (key: string) => Uint8Array | undefined,
  ): Map<string, Uint8Array | null> {
    const changes = new Map<string, Uint8Array | null>();
    for (const key of this.#leftSoft) changes.set(SOFT + key, null);
    this.#leftSoft = [];
    for (const key of this.#changed) changes.set(HARD + key, hard(key) ?? null);
    for (const [key, bytes] of soft) changes.set(SOFT + key, bytes);
    const at: EncodedPosition = { format: FORMAT, position, timeMs };
    changes.set(SNAPSHOT_KEY, Buffer.from(JSON.stringify(at)));
    this.#changed.clear();
    this.#position = position;
    this.#timeMs = timeMs;
    this.#bytes = sum(changes);
    return changes;
  }

  /** Gives the last snapshot up: what it needs of raw is worth more gone. */
  drop(): Map<string, Uint8Array | null> {
    this.#position = -1;
    return new Map([[SNAPSHOT_KEY, null]]);
  }
}

function positionOf(bytes: Uint8Array | undefined): Pick<Snapshot, 'position' | 'timeMs'> {
  const { format, position, timeMs } =
    (bytes === undefined ? undefined : parseJson<EncodedPosition>(bytes)) ?? {};
  if (format !== FORMAT || position === undefined || timeMs === undefined)
    return { position: -1, timeMs: 0 };
  return { position, timeMs };
}

function sum(values: Changes): number {
  let bytes = 0;
  for (const value of values.values()) bytes += value?.length ?? 0;
  return bytes;
}

function same(a: Uint8Array | null, b: Uint8Array | null): boolean {
  if (a === null || b === null) return a === b;
  return Buffer.compare(a, b) === 0;
}
