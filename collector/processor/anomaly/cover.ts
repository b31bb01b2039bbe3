/**
 * The values that a channel takes, as a few of them: each value was near one of these. And the largest
 * surprises: how far those were away that were not. All in a slab from `at` on.
 */

/** Values kept. */
export const COVER_VALUES = 48;
const SURPRISES = 5;

const SIZE = 0;
/** Which value is looked at next for being out of use. */
const LOOK = 1;
const SURPRISE = 2;
const VALUES = SURPRISE + SURPRISES;
/** Count of readings at which the value was last near one. */
const USED = VALUES + COVER_VALUES;

export const COVER_FIELDS = USED + COVER_VALUES;

/** A value is near one of the cover within this part of the range. */
const NEAR = 1 / 256;
/** A surprise below this part of the range is none: otherwise a full cover makes ordinary values surprise. */
const FLOOR = 1 / 32;
const UNUSED_READINGS = 20_000;
/** Surprises fade by half in 50,000 readings. */
const FADE = 2 ** (-1 / 50_000);
/** No distance counts before so many readings. */
const FIRST_READINGS = 10;

/** Place (0 to size - 1) of the nearest value; -1: there is none. */
function nearest(slab: Float64Array, at: number, value: number): number {
  const size = slab[at + SIZE]!;
  const first = at + VALUES;
  let low = 0;
  let high = size;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (slab[first + middle]! < value) low = middle + 1;
    else high = middle;
  }
  if (low === size) return size - 1;
  if (low > 0 && value - slab[first + low - 1]! <= slab[first + low]! - value) return low - 1;
  return low;
}

/** The nearest value that was seen; the value itself when there is none. */
export function nearestOf(slab: Float64Array, at: number, value: number): number {
  const place = nearest(slab, at, value);
  return place < 0 ? value : slab[at + VALUES + place]!;
}

export function lowOf(slab: Float64Array, at: number): number {
  return slab[at + VALUES]!;
}

export function highOf(slab: Float64Array, at: number): number {
  return slab[at + VALUES + Math.max(0, slab[at + SIZE]! - 1)]!;
}

/** The usual largest surprise: the fifth largest one, or a part of the range. 0: not known yet. */
export function unitOf(slab: Float64Array, at: number): number {
  const range = highOf(slab, at) - lowOf(slab, at);
  return Math.max(slab[at + SURPRISE + SURPRISES - 1]!, FLOOR * range);
}

export function distanceOf(slab: Float64Array, at: number, value: number, count: number): number {
  if (count <= FIRST_READINGS) return 0;
  return Math.abs(value - nearestOf(slab, at, value));
}

/** Takes the value in, whose distance was this. */
export function learnValue(
  slab: Float64Array,
  at: number,
  value: number,
  distance: number,
  count: number,
): void {
  const surprise = at + SURPRISE;
  for (let i = 0; i < SURPRISES; i++) slab[surprise + i] = slab[surprise + i]! * FADE;
  if (distance > slab[surprise + SURPRISES - 1]!) {
    let i = SURPRISES - 1;
    for (; i > 0 && slab[surprise + i - 1]! < distance; i--)
      slab[surprise + i] = slab[surprise + i - 1]!;
    slab[surprise + i] = distance;
  }
  const size = slab[at + SIZE]!;
  const place = nearest(slab, at, value);
  const range = highOf(slab, at) - lowOf(slab, at);
  const off = place < 0 ? 0 : Math.abs(value - slab[at + VALUES + place]!);
  if (place < 0 || off > NEAR * range) insert(slab, at, value, count);
  else slab[at + USED + place] = count;
  if (size === 0) return;
  const look = slab[at + LOOK]! % slab[at + SIZE]!;
  slab[at + LOOK] = look + 1;
  if (slab[at + SIZE]! > 2 && count - slab[at + USED + look]! > UNUSED_READINGS)
    remove(slab, at, look);
}

function insert(slab: Float64Array, at: number, value: number, count: number): void {
  if (slab[at + SIZE] === COVER_VALUES) {
    // One more would be too many: the most crowded one goes, unless it is the new one itself.
    const crowded = mostCrowded(slab, at, value);
    if (crowded < 0) return;
    remove(slab, at, crowded);
  }
  const size = slab[at + SIZE]!;
  const values = at + VALUES;
  const used = at + USED;
  let place = size;
  for (; place > 0 && slab[values + place - 1]! > value; place--) {
    slab[values + place] = slab[values + place - 1]!;
    slab[used + place] = slab[used + place - 1]!;
  }
  slab[values + place] = value;
  slab[used + place] = count;
  slab[at + SIZE] = size + 1;
}

/**
 * The place of the inner value whose neighbours are nearest to each other, with `value` among them; -1 when
 * that is `value`.
 */
function mostCrowded(slab: Float64Array, at: number, value: number): number {
  const values = at + VALUES;
  const size = slab[at + SIZE]!;
  let best = -1;
  let least = Infinity;
  for (let i = 0; i < size; i++) {
    const own = slab[values + i]!;
    let below = i > 0 ? slab[values + i - 1]! : -Infinity;
    let above = i + 1 < size ? slab[values + i + 1]! : Infinity;
    if (value > own) above = Math.min(above, value);
    else below = Math.max(below, value);
    if (above - below < least) {
      least = above - below;
      best = i;
    }
  }
  let place = 0;
  while (place < size && slab[values + place]! < value) place++;
  if (place === 0 || place === size) return best;
  return slab[values + place]! - slab[values + place - 1]! < least ? -1 : best;
}

function remove(slab: Float64Array, at: number, place: number): void {
  const last = slab[at + SIZE]! - 1;
  const values = at + VALUES;
  const used = at + USED;
  for (let i = place; i < last; i++) {
    slab[values + i] = slab[values + i + 1]!;
    slab[used + i] = slab[used + i + 1]!;
  }
  slab[at + SIZE] = last;
}
