/**
 * Which minutes of which devices have new readings and wait to be recomputed; bounded, whatever times the
 * readings carry. Pure.
 */

/** Half-open, in minutes since 1970. */
export interface MinuteRange {
  from: number;
  to: number;
}

export interface TouchedDevice {
  site: string;
  device: string;
  /** It has about so many. */
  channels: number;
}

/** What one statement recomputes: every range for every device. */
export interface Slice {
  devices: TouchedDevice[];
  /** Ascending, apart. */
  ranges: MinuteRange[];
  /** Minutes × channels over all devices. */
  cells: number;
}

export interface SliceLimits {
  cells: number;
  devices: number;
  ranges: number;
  /** UTF-16 units of all devices' names: they stand in the statement. */
  names: number;
}

/** How minutes belong together: a range is never cut within a unit, a slice has devices of one group. */
export interface Units {
  /** The first minute of the unit that `minute` lies in. */
  startOf(site: string, minute: number): number;
  group(site: string): string;
}

/** A device's minutes: [from, to, from, to, …) ascending, apart. */
interface Entry extends TouchedDevice {
  edges: number[];
}

export class Touched {
  readonly #entries = new Map<string, Entry>();
  readonly #rangesMax: number;
  #ranges = 0;

  /** `rangesMax`: bound over all devices; `add` refuses beyond it. */
  constructor(rangesMax: number) {
    this.#rangesMax = rangesMax;
  }

  get empty(): boolean {
    return this.#entries.size === 0;
  }

  /** Ranges of minutes over all devices. */
  get ranges(): number {
    return this.#ranges;
  }

  /** Answers false, and takes nothing, when there is no room. */
  add(site: string, device: string, channels: number, range: MinuteRange): boolean {
    if (this.#ranges >= this.#rangesMax) return false;
    this.put(site, device, channels, range);
    return true;
  }

  /** Adds whatever the bound: for what the caller has bounded otherwise. */
  put(site: string, device: string, channels: number, range: MinuteRange): void {
    // Names hold no zero character.
    const key = `${site}\0${device}`;
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { site, device, channels, edges: [] };
      this.#entries.set(key, entry);
    }
    entry.channels = Math.max(entry.channels, channels);
    const before = entry.edges.length;
    unite(entry.edges, range);
    this.#ranges += (entry.edges.length - before) / 2;
  }

  /**
   * Takes out what one statement should recompute: the newest minutes of a device, and of others those that
   * fall into the same ranges. A single unit of a single device may exceed the limits. Undefined when empty.
   */
  take(limits: SliceLimits, units: Units): Slice | undefined {
    const first = this.#entries.values().next().value;
    if (first === undefined) return undefined;
    const ranges = newestRanges(first, limits, units);
    const minutes = ranges.reduce((sum, { from, to }) => sum + to - from, 0);
    const slice: Slice = { devices: [], ranges, cells: 0 };
    const group = units.group(first.site);
    let names = 0;
    for (const [key, entry] of this.#entries) {
      const { site, device, channels } = entry;
      const { length } = slice.devices;
      if (units.group(site) !== group || !ranges.some((range) => overlaps(entry.edges, range))) {
        continue;
      }
      names += site.length + device.length;
      const isTooMuch =
        slice.cells + minutes * channels > limits.cells ||
        length >= limits.devices ||
        names > limits.names;
      if (isTooMuch && length > 0) break;
      this.#subtract(key, entry, ranges);
      slice.devices.push({ site, device, channels });
      slice.cells += minutes * channels;
    }
    return slice;
  }

  #subtract(key: string, entry: Entry, ranges: readonly MinuteRange[]): void {
    const before = entry.edges.length;
    for (const range of ranges) subtract(entry.edges, range);
    this.#ranges += (entry.edges.length - before) / 2;
    if (entry.edges.length === 0) this.#entries.delete(key);
  }
}

/** The newest minutes of the device, as many as the limits allow; at least one unit. */
function newestRanges(
  { site, edges, channels }: Entry,
  limits: SliceLimits,
  units: Units,
): MinuteRange[] {
  const ranges: MinuteRange[] = [];
  let left = Math.max(1, Math.floor(limits.cells / channels));
  for (let i = edges.length - 2; i >= 0 && left > 0 && ranges.length < limits.ranges; i -= 2) {
    const to = edges[i + 1]!;
    const from = Math.max(edges[i]!, units.startOf(site, Math.max(edges[i]!, to - left)));
    ranges.unshift({ from, to });
    left -= to - from;
  }
  return ranges;
}

/** The first index of an edge that is greater than `value`. */
function above(edges: readonly number[], value: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (edges[middle]! > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The index of the beginning of the first range that ends after `value`. */
function firstAfter(edges: readonly number[], value: number): number {
  return above(edges, value) & ~1;
}

function overlaps(edges: readonly number[], { from, to }: MinuteRange): boolean {
  const at = firstAfter(edges, from);
  return at < edges.length && edges[at]! < to;
}

/** Adds the range; those that overlap or meet become one. */
function unite(edges: number[], { from, to }: MinuteRange): void {
  const at = firstAfter(edges, from - 1);
  let [low, high, end] = [from, to, at];
  for (; end < edges.length && edges[end]! <= to; end += 2) {
    low = Math.min(low, edges[end]!);
    high = Math.max(high, edges[end + 1]!);
  }
  edges.splice(at, end - at, low, high);
}

function subtract(edges: number[], { from, to }: MinuteRange): void {
  const at = firstAfter(edges, from);
  const kept: number[] = [];
  let end = at;
  for (; end < edges.length && edges[end]! < to; end += 2) {
    if (edges[end]! < from) kept.push(edges[end]!, from);
    if (edges[end + 1]! > to) kept.push(to, edges[end + 1]!);
  }
  edges.splice(at, end - at, ...kept);
}
