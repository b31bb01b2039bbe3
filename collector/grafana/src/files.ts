/** The files that Grafana reads, as text, by their path below collector/grafana/dashboards/. */

import { dashboards } from './dashboards/registry.ts';
import { DASHBOARD_NAMES, LANGUAGES, pageIn } from './words.ts';

export function dashboardFiles(): Map<string, string> {
  const files = new Map<string, string>();
  for (const language of LANGUAGES)
    for (const name of DASHBOARD_NAMES) {
      const dashboard = dashboards[name](pageIn(language));
      files.set(`${language}/${name}.json`, `${JSON.stringify(dashboard, null, 2)}\n`);
    }
  return files;
}
