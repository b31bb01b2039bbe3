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
