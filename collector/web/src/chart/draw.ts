/** What lies behind the line of a chart: its normal band, and anomalies from onset to end. */

import type uPlot from 'uplot';
import type { Band, Bounds } from './band.ts';

const EDGE_PX = 2;
/** So that one of a moment can be seen in a chart of a month. */
const WIDTH_MIN_PX = 3;

/** Between the bounds of the profile. */
export function drawNormal(
  u: uPlot,
  { min, max }: Bounds,
  { fill, edge }: { fill: string; edge: string },
): void {
  if (min === null && max === null) return;
  const { ctx, bbox } = u;
  clipped(u, () => {
    const top = max === null ? bbox.top : u.valToPos(max, 'y', true);
    const bottom = min === null ? bbox.top + bbox.height : u.valToPos(min, 'y', true);
    if (!Number.isFinite(top) || !Number.isFinite(bottom)) return;
    ctx.fillStyle = fill;
    // Far outside of what is shown numbers grow beyond what canvases take.
    const [from, to] = [Math.max(top, bbox.top - 9), Math.min(bottom, bbox.top + bbox.height + 9)];
    if (to > from) ctx.fillRect(bbox.left, from, bbox.width, to - from);
    dashes(ctx, edge);
    for (const y of [max === null ? undefined : top, min === null ? undefined : bottom])
      if (y !== undefined) line(ctx, bbox.left, bbox.left + bbox.width, y);
  });
}

export function drawBands(
  u: uPlot,
  bands: readonly Band[],
  pointed: string | undefined,
  { fill, edge }: { fill: string; edge: string },
): void {
  if (bands.length === 0) return;
  const { ctx, bbox } = u;
  clipped(u, () => {
    for (const { id, fromS, toS, low, high } of bands) {
      const left = u.valToPos(fromS, 'x', true);
      const end = Number.isFinite(toS) ? u.valToPos(toS, 'x', true) : bbox.left + bbox.width;
      const width = Math.max(WIDTH_MIN_PX * devicePixelRatio, end - left);
      const isPointed = id === pointed;
      const thick = EDGE_PX * devicePixelRatio * (isPointed ? 2 : 1);
      ctx.fillStyle = fill;
      ctx.fillRect(left, bbox.top, width, bbox.height);
      if (isPointed) ctx.fillRect(left, bbox.top, width, bbox.height);
      ctx.fillStyle = edge;
      ctx.fillRect(left, bbox.top, width, thick);
      ctx.fillRect(left, bbox.top, Math.min(width, thick / 2), bbox.height);
      dashes(ctx, edge);
      for (const expected of [low, high])
        if (expected !== null) line(ctx, left, left + width, u.valToPos(expected, 'y', true));
    }
  });
}

function clipped({ ctx, bbox }: uPlot, draw: () => void): void {
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw();
  ctx.restore();
}

function dashes(ctx: CanvasRenderingContext2D, colour: string): void {
  ctx.strokeStyle = colour;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([4 * devicePixelRatio, 3 * devicePixelRatio]);
}

function line(ctx: CanvasRenderingContext2D, from: number, to: number, y: number): void {
  ctx.beginPath();
  ctx.moveTo(from, y);
  ctx.lineTo(to, y);
  ctx.stroke();
}
