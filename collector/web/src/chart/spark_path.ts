/** The line of a small trend as an SVG path. Pure. */

/** Of the numbers; undefined when there is none. */
export function rangeOf(
  values: readonly (number | null)[],
): { min: number; max: number } | undefined {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value === null || !Number.isFinite(value)) continue;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return min <= max ? { min, max } : undefined;
}

/**
 * A path from left to right in a box of `width` by `height`, broken where there is nothing. `floor`: the bottom of the
 * box when all values are above it.
 */
export function sparkPath(
  values: readonly (number | null)[],
  width: number,
  height: number,
  floor: number | undefined,
): string {
  const range = rangeOf(values);
  if (range === undefined) return '';
  const low = Math.min(range.min, floor ?? range.min);
  // What hardly changes is shown as such, not blown up to fill the height.
  const size = Math.max(range.max - low, Math.abs(range.max) * 0.02, Number.MIN_VALUE);
  // Numbers near the largest double: their distance is beyond it.
  const shareOf = (value: number): number =>
    Number.isFinite(size)
      ? (value - low) / size
      : (value / 4 - low / 4) / (range.max / 4 - low / 4);
  const step = width / Math.max(1, values.length - 1);
  let path = '';
  let isDown = false;
  for (const [i, value] of values.entries()) {
    if (value === null || !Number.isFinite(value)) {
      isDown = false;
      continue;
    }
    const y = height - shareOf(value) * height;
    path += `${isDown ? 'L' : 'M'}${round(i * step)} ${round(y)}`;
    isDown = true;
  }
  return path;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
