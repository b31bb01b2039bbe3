/** When a text changed. Pure. */

import type { ReadingItem } from '../../chart/points.ts';

/** Runs of one text, newest first, each with its beginning. `items`: newest first. */
export function changesOf(items: readonly ReadingItem[]): { text: string; sinceMs: number }[] {
  const changes: { text: string; sinceMs: number }[] = [];
  for (const { value, time_ms } of items) {
    const text = value === null ? '–' : String(value);
    const last = changes.at(-1);
    if (last?.text === text) last.sinceMs = time_ms;
    else changes.push({ text, sinceMs: time_ms });
  }
  return changes;
}
