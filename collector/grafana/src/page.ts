/** What all dashboards share: name, tags, range, and how panels are numbered. */

import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type {
  AnnotationQuery,
  Dashboard,
  DashboardLink,
  Panel,
  VariableModel,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  DashboardBuilder,
  DashboardCursorSync,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import type { DashboardName, Page } from './words.ts';
import { uidOf } from './words.ts';

/** 1 infrastructure, 2 application, 3 business. */
export type Layer = 1 | 2 | 3;

export interface Section {
  title: string;
  panels: readonly Builder<Panel>[];
}

export interface DashboardSpec {
  name: DashboardName;
  layer: Layer;
  title: string;
  about: string;
  /** Grafana's duration: the range is from so long ago to now. */
  range: string;
  refresh: string;
  variables: readonly Builder<VariableModel>[];
  links: readonly Builder<DashboardLink>[];
  annotations?: readonly Builder<AnnotationQuery>[];
  sections: readonly Section[];
}

export function dashboardOf({ language }: Page, spec: DashboardSpec): Dashboard {
  const builder = new DashboardBuilder(`FMS ${spec.layer} · ${spec.title}`)
    .uid(uidOf(spec.name, language))
    .description(spec.about)
    .tags(['fms', language])
    .readonly()
    .time({ from: `now-${spec.range}`, to: 'now' })
    .refresh(spec.refresh)
    .timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([...spec.variables])
    .links([...spec.links]);
  if (spec.annotations !== undefined) builder.annotations([...spec.annotations]);
  for (const { title, panels } of spec.sections) {
    builder.withRow(new RowBuilder(title));
    for (const panel of panels) builder.withPanel(panel);
  }
  const dashboard = builder.build();
  for (const [i, panel] of (dashboard.panels ?? []).entries()) panel.id = i + 1;
  return dashboard;
}
