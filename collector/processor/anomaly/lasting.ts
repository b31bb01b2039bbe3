/** How long a state has lasted: what lasts for ever is no anomaly any more, but how the channel is now. */

const COUNT = 0;
const SINCE_MS = 1;

export const LASTING_FIELDS = 2;

const READINGS_MAX = 2_000;
/** Of channels that are read seldom. */
const TIME_MS_MAX = 3 * 86_400_000;
const READINGS_MIN = 48;

/** Counts a reading with the state on, or forgets. True when it has lasted so long that it is the normal one. */
export function hasBecomeNormal(
  slab: Float64Array,
  at: number,
  timeMs: number,
  isOn: boolean,
): boolean {
  if (!isOn) {
    slab[at + COUNT] = 0;
    return false;
  }
  const count = slab[at + COUNT]! + 1;
  slab[at + COUNT] = count;
  if (count === 1) slab[at + SINCE_MS] = timeMs;
  const isOver =
    count >= READINGS_MAX ||
    (count >= READINGS_MIN && timeMs - slab[at + SINCE_MS]! >= TIME_MS_MAX);
  if (isOver) slab[at + COUNT] = 0;
  return isOver;
}
