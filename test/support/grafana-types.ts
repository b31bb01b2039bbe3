/** Types of Grafana's SDK under names of their own, for the schemas of grafana-schema.ts. */

import type * as alerting from '@grafana/grafana-foundation-sdk/alerting';
import type * as dashboard from '@grafana/grafana-foundation-sdk/dashboard';
import type * as prometheus from '@grafana/grafana-foundation-sdk/prometheus';
import type * as stat from '@grafana/grafana-foundation-sdk/stat';
import type * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline';
import type * as table from '@grafana/grafana-foundation-sdk/table';
import type * as timeseries from '@grafana/grafana-foundation-sdk/timeseries';
import type * as targets from '../../collector/grafana/src/targets.ts';

export type TheDashboard = dashboard.Dashboard;
export type TheRowPanel = dashboard.RowPanel;
export type ThePanel = dashboard.Panel;
export type TheStandardFields = dashboard.FieldConfig;
export type ThePrometheusQuery = prometheus.Dataquery;
export type TheAlertRule = alerting.Rule;
export type TheClickHouseQuery = targets.ClickHouseQuery;
export type ThestatOptions = stat.Options;
export type ThetableOptions = table.Options;
export type ThetableFields = table.FieldConfig;
export type ThetimeseriesOptions = timeseries.Options;
export type ThetimeseriesFields = timeseries.FieldConfig;
export type ThestatetimelineOptions = statetimeline.Options;
export type ThestatetimelineFields = statetimeline.FieldConfig;
