/** Anomalies in a chart: bands from onset to end, said in words beneath for who cannot see or point at them. */

import { ANOMALY_SHAPE } from './anomaly_rows.js';
import { element, name, setText } from './dom.js';

/**
 * @typedef {object} Band
 * @property {string} id
 * @property {number} fromS
 * @property {number} toS Infinity: it goes on
 * @property {number | null} low expected, of this channel
 * @property {number | null} high
 * @property {string} span when it was, for people
 * @property {string} text why
 */

const SAID_MAX = 3;
const EDGE_PX = 2;
/** So that one of a moment can be seen in a chart of a month. */
const WIDTH_MIN_PX = 3;

export class Bands {
  /**
   * @param {object} options
   * @param {() => void} options.redraw
   * @param {(id: string) => void} options.onOpen
   * @param {(count: number) => string} options.more
   */
  constructor(options) {
    this.options = options;
    /** @type {Band[]} */
    this.bands = [];
    /** @type {string | undefined} */
    this.pointed = undefined;
    this.why = element('p', { class: 'why' });
    this.said = element('ul', { class: 'bands' });
    this.node = element('div', { class: 'band-words' }, this.said, this.why);
    this.node.hidden = true;
    this.shown = '';
  }

  /** @param {Band[]} bands those in the time that the chart shows, newest first */
  set(bands) {
    const shown = JSON.stringify(bands);
    this.bands = bands;
    if (shown === this.shown) return;
    this.shown = shown;
    this.node.hidden = bands.length === 0;
    const words = bands.slice(0, SAID_MAX).map((band) => element('li', {}, this.button(band)));
    if (bands.length > SAID_MAX)
      words.push(element('li', {}, this.options.more(bands.length - SAID_MAX)));
    const focused = this.said.contains(document.activeElement)
      ? /** @type {HTMLElement} */ (document.activeElement).dataset.band
      : undefined;
    this.said.replaceChildren(...words);
    if (focused !== undefined)
      /** @type {HTMLElement | null} */ (
        this.said.querySelector(`[data-band="${CSS.escape(focused)}"]`)
      )?.focus();
    this.at(undefined);
    this.options.redraw();
  }

  /** @param {Band} band */
  button(band) {
    const sign = element('span', { 'aria-hidden': 'true' }, `${ANOMALY_SHAPE} `);
    const button = element(
      'button',
      { type: 'button', class: 'band', 'data-band': band.id },
      sign,
      band.span,
    );
    button.setAttribute('aria-label', `${band.span}: ${band.text}`);
    for (const event of ['mouseenter', 'focus'])
      button.addEventListener(event, () => this.point(band.id));
    for (const event of ['mouseleave', 'blur'])
      button.addEventListener(event, () => this.point(undefined));
    button.addEventListener('click', () => this.options.onOpen(band.id));
    return button;
  }

  /** Brings one out, and says why. @param {string | undefined} id */
  point(id) {
    if (id === this.pointed) return;
    this.pointed = id;
    if (id === undefined) this.at(undefined);
    else this.say(this.bands.find((band) => band.id === id));
    this.options.redraw();
  }

  /** Says the one at a time, when none is pointed at, or else the newest. @param {number | undefined} s */
  at(s) {
    if (this.pointed !== undefined) return;
    const there = s === undefined ? undefined : this.bands.find((b) => b.fromS <= s && s <= b.toS);
    this.say(there ?? this.bands[0]);
  }

  /** @param {Band | undefined} band */
  say(band) {
    for (const button of this.said.querySelectorAll('button'))
      button.classList.toggle('current', button.dataset.band === band?.id);
    if (band === undefined) setText(this.why, '');
    else if (this.why.textContent !== band.text) this.why.replaceChildren(name(band.text));
  }

  /**
   * Behind the line: a hook of uPlot after it drew the axes.
   * @param {any} u
   * @param {{ edge: string, fill: string }} colours
   */
  draw(u, { edge, fill }) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    for (const { id, fromS, toS, low, high } of this.bands) {
      const left = u.valToPos(fromS, 'x', true);
      const end = Number.isFinite(toS) ? u.valToPos(toS, 'x', true) : bbox.left + bbox.width;
      const width = Math.max(WIDTH_MIN_PX * devicePixelRatio, end - left);
      const thick = EDGE_PX * devicePixelRatio * (id === this.pointed ? 2 : 1);
      ctx.fillStyle = fill;
      ctx.fillRect(left, bbox.top, width, bbox.height);
      if (id === this.pointed) ctx.fillRect(left, bbox.top, width, bbox.height);
      ctx.fillStyle = edge;
      ctx.fillRect(left, bbox.top, width, thick);
      ctx.fillRect(left, bbox.top, Math.min(width, thick / 2), bbox.height);
      ctx.strokeStyle = edge;
      ctx.lineWidth = devicePixelRatio;
      ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
      for (const expected of [low, high]) {
        if (expected === null) continue;
        const y = u.valToPos(expected, 'y', true);
        ctx.beginPath();
        ctx.moveTo(left, y);
        ctx.lineTo(left + width, y);
        ctx.stroke();
      }
    }
    ctx.restore();
  }
}
