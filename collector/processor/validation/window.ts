/** The last WINDOW_VALUES plausible values of a channel, in the order of arrival and ascending. */

import { WINDOW_VALUES } from './limits.ts';
import type { ChannelStates } from './states.ts';
import { Field } from './states.ts';

/** Takes a value into the window that begins at `start`; `at`: where the channel's fields begin. Not -0. */
export function remember(states: ChannelStates, at: number, start: number, value: number): void {
  const { fields, windows, sorted } = states;
  const count = fields[at + Field.WINDOW_COUNT]!;
  const next = fields[at + Field.WINDOW_NEXT]!;
  if (count < WINDOW_VALUES) {
    insert(sorted, start, count, value);
    fields[at + Field.WINDOW_COUNT] = count + 1;
  } else {
    replace(sorted, start, windows[start + next]!, value);
  }
  windows[start + next] = value;
  fields[at + Field.WINDOW_NEXT] = next + 1 === WINDOW_VALUES ? 0 : next + 1;
}

function insert(sorted: Float64Array, start: number, count: number, value: number): void {
  let at = start + count;
  while (at > start && sorted[at - 1]! > value) {
    sorted[at] = sorted[at - 1]!;
    at--;
  }
  sorted[at] = value;
}

/** Takes `old` out of a full window and puts `value` in; only what lies between them moves. */
function replace(sorted: Float64Array, start: number, old: number, value: number): void {
  let at = indexOf(sorted, start, old);
  if (value > old) {
    const last = start + WINDOW_VALUES - 1;
    while (at < last && sorted[at + 1]! < value) {
      sorted[at] = sorted[at + 1]!;
      at++;
    }
  } else {
    while (at > start && sorted[at - 1]! > value) {
      sorted[at] = sorted[at - 1]!;
      at--;
    }
  }
  sorted[at] = value;
}

function indexOf(sorted: Float64Array, start: number, value: number): number {
  let low = start;
  let high = start + WINDOW_VALUES - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
