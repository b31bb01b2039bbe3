/** What can be chosen at the head of a dashboard. Each narrows those after it. */

import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import type { DataSourceRef } from '@grafana/grafana-foundation-sdk/common';
import type { VariableModel } from '@grafana/grafana-foundation-sdk/dashboard';
import {
  QueryVariableBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { isChosen, isChosenOrAll } from './sql.ts';
import { CLICKHOUSE, PROMETHEUS } from './targets.ts';
import type { Say } from './words.ts';

/** How many names a list offers; another one can be typed in. */
const NAMES_MAX = 5_000;

function choice(
  name: string,
  label: string,
  source: DataSourceRef,
  query: string,
): QueryVariableBuilder {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(source)
    .query(query)
    .definition(query)
    .refresh(VariableRefresh.OnDashboardLoad)
    .sort(VariableSort.NaturalAsc)
    .multi(false)
    .allowCustomValue(true);
}

function orAll(variable: QueryVariableBuilder, say: Say): QueryVariableBuilder {
  return variable
    .includeAll(true)
    .current({ selected: true, text: say('All', '전체'), value: '$__all' });
}

function namesSql(column: string, where: string): string {
  return `SELECT DISTINCT ${column} FROM device_states WHERE ${column} != '' AND ${where} ORDER BY ${column} LIMIT ${NAMES_MAX}`;
}

/** Site, area and line, each with All. */
export function placeVariables(say: Say): Builder<VariableModel>[] {
  return [
    orAll(choice('site', say('Site', '사업장'), CLICKHOUSE, namesSql('site', '1=1')), say),
    orAll(
      choice('area', say('Area', '구역'), CLICKHOUSE, namesSql('area', isChosenOrAll('site'))),
      say,
    ),
    orAll(
      choice(
        'line',
        say('Line', '라인'),
        CLICKHOUSE,
        namesSql('line', `${isChosenOrAll('site')} AND ${isChosenOrAll('area')}`),
      ),
      say,
    ),
  ];
}

/** One site and one device of it. */
export function deviceVariables(say: Say): Builder<VariableModel>[] {
  return [
    choice('site', say('Site', '사업장'), CLICKHOUSE, namesSql('site', '1=1')),
    choice('device', say('Device', '장치'), CLICKHOUSE, namesSql('device', isChosen('site'))),
  ];
}

/** The processes that are chosen by instanceVariable, as a matcher of Prometheus. */
export const OF_INSTANCE = 'instance=~"$instance"';

/** Processes of the collector, as Prometheus knows them. */
export function instanceVariable(say: Say): Builder<VariableModel> {
  return orAll(
    choice(
      'instance',
      say('Process', '프로세스'),
      PROMETHEUS,
      'label_values(fms_collector_info, instance)',
    ),
    say,
  ).allValue('.+');
}

/** One site and one gateway of it. */
export function gatewayVariables(say: Say): Builder<VariableModel>[] {
  return [
    choice(
      'site',
      say('Site', '사업장'),
      PROMETHEUS,
      'label_values(fms_collector_gateway_online, site)',
    ),
    choice(
      'gateway',
      say('Gateway', '게이트웨이'),
      PROMETHEUS,
      'label_values(fms_collector_gateway_online{site="$site"}, gateway)',
    ),
  ];
}
