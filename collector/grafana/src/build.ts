/** `npm run build:grafana`: writes the dashboards and alert rules, which are committed: Grafana needs no build. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { alertingText, dashboardFiles } from './files.ts';

const folder = join(import.meta.dirname, '../dashboards');
rmSync(folder, { recursive: true, force: true });
for (const [path, text] of dashboardFiles()) {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
writeFileSync(join(folder, '../provisioning/alerting/fms.yaml'), alertingText());
