/** The files that Grafana reads and that the source makes, as text. */

import { stringify } from 'yaml';
import { alertingFile } from './alerting.ts';
import { dashboards } from './dashboards/registry.ts';
import { DASHBOARD_NAMES, LANGUAGES, pageIn } from './words.ts';

/** By their path below collector/grafana/dashboards/. */
export function dashboardFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const language of LANGUAGES)
    for (const name of DASHBOARD_NAMES) {
      const dashboard = dashboards[name](pageIn(language));
      files.set(`${language}/${name}.json`, `${JSON.stringify(dashboard, null, 2)}\n`);
    }
  return files;
}

/** provisioning/alerting/fms.yaml */
export function alertingText(): string {
  // Functions are no data.
  const data: unknown = JSON.parse(JSON.stringify(alertingFile()));
  return `# Made by npm run build:grafana from src/alerting.ts.
${stringify(data, { lineWidth: 0 })}`;
}
