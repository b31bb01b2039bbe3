/** Drill-down: from layer to layer, with what was chosen and the range of time. */

import { DashboardLinkBuilder, DashboardLinkType } from '@grafana/grafana-foundation-sdk/dashboard';
import type { DashboardName, Page } from './words.ts';
import { uidOf } from './words.ts';

/** In the head of a dashboard: to another one, with the range and the variables that both have. */
export function headLink(page: Page, to: DashboardName, title: string): DashboardLinkBuilder {
  return new DashboardLinkBuilder(title)
    .type(DashboardLinkType.Link)
    .url(`/d/${uidOf(to, page.language)}`)
    .icon('external link')
    .tooltip(title)
    .includeVars(true)
    .keepTime(true);
}

/**
 * On a value. `variables`: of the dashboard that it leads to, by the column (of a table) or `label:NAME`
 * (of a series) that has the value, or `chosen:NAME` for what is chosen here. Names are encoded: they may
 * hold anything.
 */
export function valueLink(
  page: Page,
  to: DashboardName,
  title: string,
  variables: Readonly<Record<string, string>>,
): DashboardLinkBuilder {
  const parts = Object.entries(variables).map(
    ([variable, from]) => `var-${variable}=\${${sourceOf(from)}:percentencode}`,
  );
  return new DashboardLinkBuilder(title)
    .type(DashboardLinkType.Link)
    .url(`/d/${uidOf(to, page.language)}?\${__url_time_range}&${parts.join('&')}`);
}

function sourceOf(from: string): string {
  if (from.startsWith('label:')) return `__field.labels.${from.slice('label:'.length)}`;
  if (from.startsWith('chosen:')) return from.slice('chosen:'.length);
  return `__data.fields.${from}`;
}

/** The value of a series' label, as Grafana's placeholder: for the names of curves and rows. */
export function labelOf(label: string): string {
  return `\${__field.labels.${label}}`;
}

/** The name of a series' column, likewise. */
export const COLUMN_NAME = `\${__field.name}`;
