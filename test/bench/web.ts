/**
 * The pages in a real Chromium on a whole collector, and what readers of the event stream cost the intake. What is
 * measured in the browser: web_pages.ts; with readers: web_stream.ts.
 */

import { noBrowser } from '../support/browser.ts';
import type { BenchOptions, Figures } from './main.ts';
import { chartFigures, liveFigures } from './web_pages.ts';
import { streamFigures } from './web_stream.ts';

/** `--only=chart,live,stream`: some of the three. */
export async function run(options: BenchOptions): Promise<Figures> {
  const { log, args } = options;
  if (noBrowser !== false) throw new Error(`the bench needs Chromium: ${noBrowser}`);
  const only = args
    .find((arg) => arg.startsWith('--only='))
    ?.slice(7)
    .split(',');
  const wants = (part: string): boolean => only === undefined || only.includes(part);
  log('counted: first_load_kb: bytes over the wire of page, scripts and styles of the first page;');
  log(
    '  interactive_ms: from the address to devices on the page that answer a click, median of 5;',
  );
  log(
    '  chart_ms: from the click to charts of 10 million readings of one device drawn, median of 5;',
  );
  log('  browser_cpu_percent: all processes of Chromium (100: one core), Overview, 1,000 devices;');
  log(
    '  stream_slowdown_percent: readings/s with 200 readers of the stream against none, in turns',
  );
  log('left out: a network, a graphics processor (Chromium draws by CPU), TLS');
  const figures: Figures = {
    ...(wants('chart') ? await chartFigures(options) : {}),
    ...(wants('live') ? await liveFigures(options) : {}),
    ...(wants('stream') ? await streamFigures(options) : {}),
  };
  log(
    'targets: first_load_kb ≤ 250; interactive_ms ≤ 1,500; chart_ms ≤ 500; browser_cpu_percent ≤ 15; stream_slowdown_percent ≤ 5',
  );
  return figures;
}
