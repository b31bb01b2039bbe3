/** The kinds of panels, all alike in look: figures, curves, tables, states over time. */

import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  TableCellDisplayMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import type {
  DashboardLink,
  DynamicConfigValue,
  Panel,
  ThresholdsConfig,
  ValueMapping,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StatesBuilder } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as CurveBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import { LINE } from './look.ts';
import type { Target } from './targets.ts';

export interface PanelSpec {
  title: string;
  /** What it shows and what to do when it is not as it should be. */
  about: string;
  /** Of 24. */
  width: number;
  height: number;
  asks: readonly Target[];
  /** Grafana's name of it; see its "Standard units". */
  unit?: string;
  decimals?: number;
  min?: number;
  max?: number;
  limits?: Builder<ThresholdsConfig>;
  words?: readonly ValueMapping[];
  /** Where a click on a value leads. */
  links?: readonly Builder<DashboardLink>[];
  /** Shown in place of nothing. */
  nothing?: string;
}

/** What all kinds' builders share; each is a class of its own in the SDK. */
interface CommonBuilder extends Builder<Panel> {
  title(title: string): this;
  description(description: string): this;
  span(w: number): this;
  height(h: number): this;
  withTarget(target: Target): this;
  unit(unit: string): this;
  decimals(decimals: number): this;
  min(min: number): this;
  max(max: number): this;
  thresholds(thresholds: Builder<ThresholdsConfig>): this;
  mappings(mappings: ValueMapping[]): this;
  dataLinks(links: Builder<DashboardLink>[]): this;
  noValue(noValue: string): this;
}

function common<Kind extends CommonBuilder>(panel: Kind, spec: PanelSpec): Kind {
  panel.title(spec.title).description(spec.about).span(spec.width).height(spec.height);
  for (const target of spec.asks) panel.withTarget(target);
  if (spec.unit !== undefined) panel.unit(spec.unit);
  if (spec.decimals !== undefined) panel.decimals(spec.decimals);
  if (spec.min !== undefined) panel.min(spec.min);
  if (spec.max !== undefined) panel.max(spec.max);
  if (spec.limits !== undefined) panel.thresholds(spec.limits);
  if (spec.words !== undefined) panel.mappings([...spec.words]);
  if (spec.links !== undefined) panel.dataLinks([...spec.links]);
  if (spec.nothing !== undefined) panel.noValue(spec.nothing);
  return panel;
}

/** One large figure a series, in the colour of text until a limit is passed. */
export function figure(spec: PanelSpec & { withCurve?: boolean }): StatBuilder {
  return common(new StatBuilder(), spec)
    .colorMode(BigValueColorMode.Value)
    .graphMode(spec.withCurve === true ? BigValueGraphMode.Area : BigValueGraphMode.None)
    .textMode(BigValueTextMode.Auto)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']));
}

/** Figures of a table's only row: one a column. */
export function figures(spec: PanelSpec): StatBuilder {
  return figure(spec)
    .textMode(BigValueTextMode.ValueAndName)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('/.*/'));
}

export interface CurveSpec extends PanelSpec {
  /** Points closer than this are shown as one. Grafana's duration. */
  atLeast?: string;
  /** Name of each curve, in Grafana's `${__field.labels.…}`. */
  curveName?: string;
  /** The limits are drawn, too. */
  withLimits?: boolean;
}

/** Lines are cut where nothing came for longer than this. */
const BRIDGED_MS = 15 * 60_000;

export function curves(spec: CurveSpec): CurveBuilder {
  const panel = common(new CurveBuilder(), spec)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Shades).fixedColor(LINE))
    .lineWidth(1)
    .fillOpacity(0)
    .showPoints(VisibilityMode.Never)
    .spanNulls(BRIDGED_MS)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(
      new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending),
    );
  if (spec.atLeast !== undefined) panel.interval(spec.atLeast);
  if (spec.curveName !== undefined) panel.displayName(spec.curveName);
  if (spec.withLimits === true)
    panel.thresholdsStyle(
      new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed),
    );
  return panel;
}

/** What states there were, from left to right; a row each device or whatever the series is. */
export function states(spec: PanelSpec): StatesBuilder {
  return common(new StatesBuilder(), spec)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .showValue(VisibilityMode.Never)
    .mergeValues(true)
    .rowHeight(0.8)
    .lineWidth(0)
    .fillOpacity(70)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Single));
}

export interface Column {
  /** As the query names it. */
  name: string;
  title: string;
  unit?: string;
  decimals?: number;
  width?: number;
  words?: readonly ValueMapping[];
  limits?: Builder<ThresholdsConfig>;
  links?: readonly Builder<DashboardLink>[];
  hidden?: true;
}

export function table(spec: PanelSpec & { columns: readonly Column[] }): TableBuilder {
  const panel = common(new TableBuilder(), spec).showHeader(true).filterable(true);
  for (const column of spec.columns) panel.overrideByName(column.name, propertiesOf(column));
  return panel;
}

function propertiesOf(column: Column): DynamicConfigValue[] {
  const { title, unit, decimals, width, words, limits, links, hidden } = column;
  const properties: DynamicConfigValue[] = [{ id: 'displayName', value: title }];
  const add = (id: string, value: unknown): void => void properties.push({ id, value });
  if (unit !== undefined) add('unit', unit);
  if (decimals !== undefined) add('decimals', decimals);
  if (width !== undefined) add('custom.width', width);
  if (words !== undefined) add('mappings', words);
  if (limits !== undefined) {
    add('thresholds', limits.build());
    add('color', { mode: FieldColorModeId.Thresholds });
  }
  // Colour is that of the words or limits, of the text and not behind it.
  if (words !== undefined || limits !== undefined)
    add('custom.cellOptions', { type: TableCellDisplayMode.ColorText });
  if (links !== undefined)
    add(
      'links',
      links.map((link) => link.build()),
    );
  if (hidden === true) add('custom.hidden', true);
  return properties;
}
