/** The dashboards that are committed: current, right by the schema, complete in both languages. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FINDING_CODES } from '../../../collector/findings.ts';
import { REASONS } from '../../../collector/grafana/src/dashboards/quality_sql.ts';
import { dashboardFiles } from '../../../collector/grafana/src/files.ts';
import { dashboardMistakes } from '../../support/grafana-schema.ts';

const folder = join(import.meta.dirname, '../../../collector/grafana/dashboards');
const files = dashboardFiles();

// The schemas take seconds, many on a busy machine.
t.setTimeout(1_200_000);

t.test('the committed files are what the source makes', async (t) => {
  const committed = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.json'),
  );
  t.same(committed.sort(), [...files.keys()].sort());
  for (const [path, text] of files)
    t.equal(readFileSync(join(folder, path), 'utf8'), text, `${path}: npm run build:grafana`);
});

t.test('no finding is left out of what cost the points', async (t) => {
  t.same([...REASONS].sort(), [...FINDING_CODES].sort());
});

t.test('panels lie within the grid, side by side and not upon each other', async (t) => {
  interface Placed {
    id: number;
    gridPos: { x: number; y: number; w: number; h: number };
  }
  for (const [path, text] of files) {
    const { panels } = JSON.parse(text) as { panels: Placed[] };
    const taken = new Map<string, number>();
    for (const { id, gridPos } of panels) {
      const { x, y, w, h } = gridPos;
      t.ok(x >= 0 && x + w <= 24, `${path} ${id} is within the width`);
      for (let column = x; column < x + w; column++)
        for (let row = y; row < y + h; row++) {
          const place = `${column}/${row}`;
          if (taken.has(place)) t.fail(`${path}: ${id} lies upon ${taken.get(place)}`);
          taken.set(place, id);
        }
    }
  }
});

t.test('each is right by the schema of Grafana’s SDK', async (t) => {
  for (const [path, text] of files) t.same(dashboardMistakes(JSON.parse(text)), [], path);
});

t.test('the schema check finds mistakes', async (t) => {
  const [text] = files.values();
  const change = (how: (dashboard: Record<string, never>) => void): string[] => {
    const dashboard = JSON.parse(text!);
    how(dashboard);
    return dashboardMistakes(dashboard);
  };
  t.match(change((d) => Object.assign(d, { titel: 'x' })).join('\n'), /titel/);
  t.match(change((d) => Object.assign(d, { graphTooltip: 7 })).join('\n'), /graphTooltip/);
  const panel = (d: { panels: { type: string; options?: object }[] }) =>
    d.panels.find(({ type }) => type === 'stat')!;
  t.match(
    change((d) => Object.assign(panel(d as never).options!, { colorMode: 'loud' })).join('\n'),
    /colorMode/,
  );
  t.match(
    change((d) => Object.assign(panel(d as never), { type: 'no_such' })).join('\n'),
    /no_such/,
  );
  t.match(
    change((d) => {
      const [target] = (panel(d as never) as unknown as { targets: object[] }).targets;
      Object.assign(target!, { exrp: 'up' });
    }).join('\n'),
    /exrp/,
  );
});
