/** The queries of people that wait, run or ended a while ago; known to this process only. */

import { CollectorError } from '../errors.ts';
import type { Asked } from '../store/asking.ts';
import type { Clock } from '../types.ts';

/** Of one person, waiting and running: a page of Grafana asks for all its panels at once. */
const OF_ONE_MAX = 32;
/** Of those that ended, the newest. */
const ENDED_MAX = 200;

export type QueryState = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';

export interface QueryStatus {
  state: QueryState;
  elapsedMs: number;
  readRows: number;
}

interface Entry {
  id: string;
  owner: string;
  startedMs: number;
  controller: AbortController;
  asked: Asked | undefined;
  ended: QueryStatus | undefined;
}

export interface Begun {
  signal: AbortSignal;
  asked(asked: Asked): void;
  /** Once. */
  ended(state: 'done' | 'failed', readRows: number): void;
}

export class RunningQueries {
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws API_PARAMETER_INVALID when a query of this id runs, API_BUSY when the person has too many. */
  begin(id: string, owner: string): Begun {
    const key = keyOf(id, owner);
    const before = this.#entries.get(key);
    if (before !== undefined && before.ended === undefined)
      throw new CollectorError('API_PARAMETER_INVALID', `a query with the id ${id} runs`);
    const open = [...this.#entries.values()].filter(
      (entry) => entry.owner === owner && entry.ended === undefined,
    );
    if (open.length >= OF_ONE_MAX)
      throw new CollectorError('API_BUSY', `${owner} has ${open.length} queries under way`);
    const entry: Entry = {
      id,
      owner,
      startedMs: this.#clock.wallMs(),
      controller: new AbortController(),
      asked: undefined,
      ended: undefined,
    };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return {
      signal: entry.controller.signal,
      asked: (asked) => {
        entry.asked = asked;
      },
      ended: (how, readRows) => {
        const state = entry.controller.signal.aborted ? 'cancelled' : how;
        entry.ended = { state, elapsedMs: this.#sinceMs(entry), readRows };
        this.#forgetOldest();
      },
    };
  }

  #sinceMs({ startedMs }: Entry): number {
    return Math.max(0, this.#clock.wallMs() - startedMs);
  }

  #forgetOldest(): void {
    const ended = [...this.#entries].filter(([, entry]) => entry.ended !== undefined);
    for (const [key] of ended.slice(0, Math.max(0, ended.length - ENDED_MAX)))
      this.#entries.delete(key);
  }

  /** `mayAll`: whoever it belongs to. Throws API_NOT_FOUND. */
  #find(id: string, owner: string, mayAll: boolean): Entry {
    const entry =
      this.#entries.get(keyOf(id, owner)) ??
      (mayAll ? [...this.#entries.values()].findLast((other) => other.id === id) : undefined);
    if (entry === undefined)
      throw new CollectorError('API_NOT_FOUND', `there is no query ${id} of yours here`);
    return entry;
  }

  async status(id: string, owner: string, mayAll: boolean): Promise<QueryStatus> {
    const entry = this.#find(id, owner, mayAll);
    if (entry.ended !== undefined) return entry.ended;
    const progress = await entry.asked?.progress();
    if (entry.ended !== undefined) return entry.ended;
    return {
      state: progress === undefined ? 'waiting' : 'running',
      elapsedMs: this.#sinceMs(entry),
      readRows: progress?.readRows ?? 0,
    };
  }

  /** Its answer becomes an error as soon as the engine has ended it. */
  cancel(id: string, owner: string, mayAll: boolean): void {
    this.#find(id, owner, mayAll).controller.abort();
  }
}

/** People do not get into each other's way by their ids. */
function keyOf(id: string, owner: string): string {
  return `${owner}\n${id}`;
}
