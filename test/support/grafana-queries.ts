/** What the dashboards ask, from their JSON as Grafana reads it. */

interface Target {
  refId: string;
  rawSql?: string;
  expr?: string;
}

interface Panel {
  title?: string;
  targets?: Target[];
}

interface Dashboard {
  title: string;
  panels: Panel[];
  templating: { list?: { name: string; datasource?: { type: string }; query: string }[] };
  annotations: { list?: { name: string; target?: Target }[] };
}

export interface NamedQuery {
  name: string;
  sql: string;
}

/** Each SQL once, under the first dashboard and panel that has it. */
export function clickhouseQueries(files: ReadonlyMap<string, string>): NamedQuery[] {
  const bySql = new Map<string, string>();
  for (const [path, text] of files) {
    const note = (what: string, sql: string | undefined): void => {
      if (sql !== undefined && !bySql.has(sql)) bySql.set(sql, `${path} ${what}`);
    };
    const { panels, templating, annotations } = JSON.parse(text) as Dashboard;
    for (const { title = '', targets = [] } of panels)
      for (const { refId, rawSql } of targets) note(`${title} ${refId}`, rawSql);
    for (const { name, datasource, query } of templating.list ?? [])
      if (datasource?.type === 'grafana-clickhouse-datasource') note(`variable ${name}`, query);
    for (const { name, target } of annotations.list ?? [])
      note(`annotation ${name}`, target?.rawSql);
  }
  return [...bySql].map(([sql, name]) => ({ name, sql }));
}

export function prometheusQueries(files: ReadonlyMap<string, string>): NamedQuery[] {
  const found: NamedQuery[] = [];
  for (const [path, text] of files) {
    const { panels, templating } = JSON.parse(text) as Dashboard;
    for (const { title = '', targets = [] } of panels)
      for (const { expr } of targets)
        if (expr !== undefined) found.push({ name: `${path} ${title}`, sql: expr });
    for (const { name, datasource, query } of templating.list ?? [])
      if (datasource?.type === 'prometheus')
        found.push({ name: `${path} variable ${name}`, sql: query });
  }
  return found;
}
