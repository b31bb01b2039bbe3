/** One chart of one channel: history and live readings, drawn by uPlot. */

import { Bands } from './bands.js';
import { element, name, setText } from './dom.js';
import { formatValue, timeFormat } from './format.js';

/** @typedef {{ x: number, low: number | null, mid: number | null, high: number | null, bad: boolean, doubt: string[] | undefined }} Point doubt: findings, where the rules doubt it */

const POINTS_MAX = 5_000;
const HEIGHT = 150;
const BAD = 2;
/** Treatments by which the rules say that a value is not quite what it seems. */
const DOUBTED = ['flagged', 'clipped'];
const DAY_S = 86_400;
/** A pause of this many usual distances breaks the line. */
const BREAK_AFTER = 3.5;

/** @param {string} property */
function colour(property) {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

export class Chart {
  /**
   * @param {string} channel
   * @param {object} options
   * @param {string} options.language
   * @param {string} options.timeZone
   * @param {string} options.label
   * @param {[string, string]} options.truth
   * @param {import('./format.js').Say} options.say
   * @param {(id: string) => void} options.onAnomaly an anomaly was chosen
   */
  constructor(channel, options) {
    this.channel = channel;
    this.options = options;
    this.value = element('span', { class: 'value' });
    this.plot = element('div', { class: 'plot', role: 'img', 'aria-label': options.label });
    this.none = element('p', { class: 'none' });
    this.readout = element('p', { class: 'readout' });
    const head = element('div', { class: 'chart-head' });
    head.append(element('h3', {}, name(channel)), this.value);
    this.node = element('article', { class: 'chart', 'data-channel': channel });
    this.bands = new Bands({
      redraw: () => this.uplot?.redraw(false),
      onOpen: options.onAnomaly,
      more: (count) => options.say('more_bands', { count }),
    });
    this.node.append(head, this.plot, this.readout, this.bands.node);
    this.plot.append(this.none);
    /** @type {Map<number, Point>} by time, so that what comes twice is there once */
    this.points = new Map();
    this.meta = { decimals: null, unit: '', kind: 'number' };
    this.dirty = true;
    this.uplot = undefined;
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(this.plot);
  }

  /** @param {any} meta a channel of /api/v1/devices */
  describe(meta) {
    this.meta = { decimals: meta.decimals, unit: meta.unit, kind: meta.kind };
  }

  clear() {
    this.points.clear();
    this.dirty = true;
  }

  /** @param {any[]} items raw readings or buckets of /api/v1/readings, or readings of the stream */
  add(items) {
    for (const item of items) {
      const x = item.time_ms / 1000;
      if ('count' in item) {
        const { min, avg, max } = item;
        const bad = item.bad + item.filled > 0;
        this.points.set(x, { x, low: min, mid: avg, high: max, bad, doubt: undefined });
      } else {
        const value = typeof item.value === 'number' ? item.value : null;
        const bad = (item.quality & 3) === BAD || item.treatment === 'filled';
        const doubt = DOUBTED.includes(item.treatment) ? (item.findings ?? []) : undefined;
        this.points.set(x, { x, low: value, mid: value, high: value, bad, doubt });
      }
    }
    this.dirty ||= items.length > 0;
  }

  /**
   * @param {number} fromS
   * @param {number} toS
   * @param {string} none what to say when there is nothing in that time
   */
  draw(fromS, toS, none) {
    this.window = { min: fromS, max: toS };
    const sorted = [...this.points.values()].sort((a, b) => a.x - b.x);
    for (const point of sorted) {
      const excess = this.points.size > POINTS_MAX;
      if (point.x >= fromS - (toS - fromS) && !excess) break;
      this.points.delete(point.x);
    }
    const shown = sorted.filter(({ x }) => x >= fromS && x <= toS);
    setText(this.none, shown.some(({ mid }) => mid !== null) ? '' : none);
    const data = columns(shown);
    if (this.uplot === undefined) this.create(data);
    else if (this.dirty) this.uplot.setData(data, false);
    this.uplot.setScale('x', this.window);
    this.dirty = false;
    return shown.filter(({ bad }) => bad).length;
  }

  /** @param {any} data */
  create(data) {
    const trace = colour('--trace');
    const stepped = this.meta.kind === 'boolean';
    const { uPlot } = /** @type {any} */ (globalThis);
    const paths = stepped ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear();
    const line = { stroke: trace, width: 1.5, paths, points: { show: false }, spanGaps: false };
    const edge = { ...line, width: 0, stroke: 'transparent' };
    const marks = (/** @type {string} */ stroke, /** @type {string} */ fill) => ({
      stroke,
      width: 0,
      paths: () => null,
      points: { show: true, size: 7, stroke, fill },
    });
    const bad = marks(colour('--warn'), colour('--warn-bg'));
    const doubt = marks(colour('--trace'), colour('--panel'));
    this.uplot = new uPlot(
      {
        width: this.plot.clientWidth || 300,
        height: HEIGHT,
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, points: { size: 5 }, y: false },
        padding: [6, 16, 0, 0],
        tzDate: (/** @type {number} */ s) =>
          uPlot.tzDate(new Date(s * 1000), this.options.timeZone),
        scales: { x: { time: true }, y: { range: yRange(stepped) } },
        bands: [{ series: [3, 1], fill: colour('--band') }],
        series: [{}, edge, line, edge, bad, doubt],
        axes: [this.timeAxis(), this.valueAxis()],
        hooks: {
          setCursor: [(/** @type {any} */ u) => this.read(u)],
          drawAxes: [(/** @type {any} */ u) => this.drawBands(u)],
        },
      },
      data,
      this.plot,
    );
  }

  /** @param {any} u */
  drawBands(u) {
    this.bands.draw(u, { edge: colour('--anomaly'), fill: colour('--anomaly-band') });
  }

  timeAxis() {
    const { language, timeZone } = this.options;
    return {
      ...axisLook(),
      space: 70,
      size: 24,
      values: (/** @type {any} */ _u, /** @type {number[]} */ splits) => {
        const step = (splits[1] ?? 0) - (splits[0] ?? 0);
        const form = step >= DAY_S ? 'date' : step >= 60 ? 'minute' : 'time';
        const format = timeFormat(language, timeZone, form);
        return splits.map((s) => format.format(s * 1000));
      },
    };
  }

  valueAxis() {
    const { language } = this.options;
    const words = this.meta.kind === 'boolean' ? this.options.truth : undefined;
    return {
      ...axisLook(),
      size: 58,
      space: 24,
      splits: words ? () => [0, 1] : undefined,
      values: (/** @type {any} */ _u, /** @type {number[]} */ splits) =>
        splits.map((value) => words?.[value] ?? formatValue(value, null, language)),
    };
  }

  /** Says the point under the cursor. @param {any} u */
  read(u) {
    const i = u.cursor.idx;
    const x = i === null || i === undefined ? undefined : u.data[0][i];
    if (x === undefined || u.cursor.left < 0) {
      setText(this.readout, '');
      this.bands.at(undefined);
      return;
    }
    this.bands.at(u.posToVal(u.cursor.left, 'x'));
    const { language, timeZone, say: word } = this.options;
    const time = timeFormat(language, timeZone, 'full').format(x * 1000);
    const { decimals, unit } = this.meta;
    const words = this.meta.kind === 'boolean' ? this.options.truth : undefined;
    const say = (/** @type {number | null} */ v) =>
      v === null || v === undefined ? '–' : (words?.[v] ?? formatValue(v, decimals, language));
    const [low, mid, high] = [u.data[1][i], u.data[2][i], u.data[3][i]];
    const range = low === high ? '' : ` (${say(low)} … ${say(high)})`;
    const doubt = this.points.get(x)?.doubt?.map((code) => word(`finding_${code}`)) ?? [];
    const why = doubt.length === 0 ? '' : ` – ${doubt.join(', ')}`;
    setText(this.readout, `${time}  ${say(mid)}${range} ${unit}${why}`);
  }

  resize() {
    const width = this.plot.clientWidth;
    if (this.uplot && width > 0 && width !== this.uplot.width)
      this.uplot.setSize({ width, height: HEIGHT });
  }

  /** Draws again with the colours of now. */
  recolour() {
    this.uplot?.destroy();
    this.uplot = undefined;
    this.dirty = true;
  }

  close() {
    this.resizer.disconnect();
    this.uplot?.destroy();
    this.node.remove();
  }
}

function axisLook() {
  const line = { stroke: colour('--line'), width: 1 };
  return {
    stroke: colour('--muted'),
    grid: line,
    ticks: { ...line, size: 4 },
    font: '11px system-ui, sans-serif',
    gap: 4,
  };
}

/** @param {boolean} isBoolean */
function yRange(isBoolean) {
  return (/** @type {any} */ _u, /** @type {number} */ min, /** @type {number} */ max) => {
    if (isBoolean) return [-0.1, 1.1];
    if (min === null || max === null || !Number.isFinite(min) || !Number.isFinite(max))
      return [0, 1];
    const size = max - min;
    // A value that hardly changes is shown as such, not blown up to fill the height.
    const pad = Math.max(size * 0.08, Math.abs(max) * 0.002, size === 0 ? 0.5 : 0);
    return [min - pad, max + pad];
  };
}

/**
 * Columns for uPlot; an empty place is put in where readings are missing, so that no line bridges it.
 * @param {Point[]} points
 */
function columns(points) {
  const usual = usualDistance(points);
  /** @type {(number | null)[][]} */
  const data = [[], [], [], [], [], []];
  const push = (/** @type {(number | null)[]} */ ...cells) => {
    for (const [i, cell] of cells.entries()) data[i]?.push(cell);
  };
  let before;
  for (const { x, low, mid, high, bad, doubt } of points) {
    if (before !== undefined && x - before > usual * BREAK_AFTER)
      push((before + x) / 2, null, null, null, null, null);
    push(x, low, mid, high, bad ? mid : null, doubt !== undefined && !bad ? mid : null);
    before = x;
  }
  return data;
}

/** The median distance of neighbours. @param {Point[]} points */
function usualDistance(points) {
  const distances = [];
  for (let i = 1; i < points.length; i++)
    distances.push((points[i]?.x ?? 0) - (points[i - 1]?.x ?? 0));
  distances.sort((a, b) => a - b);
  return distances[Math.floor(distances.length / 2)] ?? Number.POSITIVE_INFINITY;
}
