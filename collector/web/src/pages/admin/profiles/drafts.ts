/**
 * Texts that somebody has changed and not applied yet, by file. They live as long as the tab: going to another page
 * and back, or logging in again, loses none.
 */

import { useSyncExternalStore } from 'react';

export interface Draft {
  text: string;
  /** What it was made of; null: a new file. */
  base: { text: string; etag: string } | null;
  /** Rises with each change: what was checked is this one. */
  revision: number;
}

type Drafts = ReadonlyMap<string, Draft>;

let drafts: Drafts = new Map();
let revision = 0;
const listeners = new Set<() => void>();

function set(name: string, draft: Draft | undefined): void {
  const next = new Map(drafts);
  if (draft === undefined) next.delete(name);
  else next.set(name, draft);
  drafts = next;
  for (const listener of listeners) listener();
}

export const draftStore = {
  subscribe(listener: () => void): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },
  get: (): Drafts => drafts,
  /** A text that is what it was made of is no draft any more. */
  put(name: string, text: string, base: Draft['base']): void {
    revision++;
    set(name, base?.text === text ? undefined : { text, base, revision });
  },
  drop(name: string): void {
    set(name, undefined);
  },
};

export function useDrafts(): Drafts {
  return useSyncExternalStore(draftStore.subscribe, draftStore.get);
}
