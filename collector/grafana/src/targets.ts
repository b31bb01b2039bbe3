/** What a panel asks of the two data sources. Their uids are those of provisioning/datasources/. */

import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';

export const CLICKHOUSE: DataSourceRef = {
  type: 'grafana-clickhouse-datasource',
  uid: 'fms-clickhouse',
};
export const PROMETHEUS: DataSourceRef = { type: 'prometheus', uid: 'fms-prometheus' };

/** The query model of plug-in 4.x (its src/types/sql.ts); the SDK does not have it. */
export interface ClickHouseQuery extends Dataquery {
  refId: string;
  datasource: DataSourceRef;
  pluginVersion: string;
  editorType: 'sql';
  queryType: 'table' | 'timeseries';
  /** 0 time series, 1 table: what the plug-in's backend goes by. */
  format: 0 | 1;
  rawSql: string;
}

export type Target = Builder<Dataquery>;

const PLUGIN_VERSION = '4.11.0';

/** Columns: time, then at most one text (the series' name), then values. */
export function clickhouseSeries(rawSql: string, refId = 'A'): Target {
  return clickhouse(rawSql, refId, 'timeseries');
}

export function clickhouseTable(rawSql: string, refId = 'A'): Target {
  return clickhouse(rawSql, refId, 'table');
}

function clickhouse(rawSql: string, refId: string, queryType: 'table' | 'timeseries'): Target {
  return {
    build: (): ClickHouseQuery => ({
      _implementsDataqueryVariant: () => undefined,
      refId,
      datasource: CLICKHOUSE,
      pluginVersion: PLUGIN_VERSION,
      editorType: 'sql',
      queryType,
      format: queryType === 'table' ? 1 : 0,
      rawSql,
    }),
  };
}

/** A curve each series. */
export function promSeries(expr: string, legend: string, refId = 'A'): Target {
  return prom(expr, refId).legendFormat(legend).range();
}

/** The newest value of each series. */
export function promNow(expr: string, legend: string, refId = 'A'): Target {
  return prom(expr, refId).legendFormat(legend).instant();
}

/** A row each series, its labels as columns. */
export function promTable(expr: string, refId = 'A'): Target {
  return prom(expr, refId).format(PromQueryFormat.Table).instant();
}

function prom(expr: string, refId: string): DataqueryBuilder {
  return new DataqueryBuilder().expr(expr).refId(refId).datasource(PROMETHEUS);
}
