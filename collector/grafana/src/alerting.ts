/**
 * Grafana's own alert rules: what only the store can say, over hours, and what nobody answered. Alerts of
 * devices and gateways are the collector's, alerts about the program are Prometheus': see docs/GRAFANA.md.
 *
 * The SQL has no macro of the plug-in: in files of this kind Grafana takes `$` for a variable of its
 * environment.
 */

import type { Rule } from '@grafana/grafana-foundation-sdk/alerting';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import { CLICKHOUSE, clickhouseTable } from './targets.ts';
import type { DashboardName } from './words.ts';
import { uidOf } from './words.ts';

const NOW_MS = 'toUnixTimestamp64Milli(now64(3))';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** The roll-ups by hour are complete some minutes after an hour. */
const LAST_HOURS = `bucket_ms >= ${NOW_MS} - ${3 * HOUR_MS} AND bucket_ms < ${NOW_MS} - ${HOUR_MS}`;

interface RuleSpec {
  uid: string;
  title: string;
  severity: 'warning' | 'error' | 'critical';
  /** Rows of text columns, which become labels, and one number. */
  sql: string;
  /** Fires while the number is above or below this. */
  fires: { when: 'gt' | 'lt'; than: number };
  forDuration: string;
  summary: string;
  summaryKo: string;
  dashboard: DashboardName;
  runbook: string;
}

export const ALERT_RULES: readonly RuleSpec[] = [
  {
    uid: 'fms-accuracy',
    title: 'FMS: accuracy below target',
    severity: 'warning',
    sql: `SELECT site, 100 * (1 - sum(inaccurate) / sum(received)) AS score
FROM quality_1h FINAL
WHERE ${LAST_HOURS}
GROUP BY site
HAVING sum(received) > 0`,
    fires: { when: 'lt', than: 95 },
    forDuration: '30m',
    summary: 'Accuracy of the readings of {{ .Labels.site }} is below 95 %',
    summaryKo: '{{ .Labels.site }} 측정값의 정확성이 95 % 미만입니다',
    dashboard: 'quality',
    runbook: 'docs/TROUBLESHOOTING.md#on-the-gateway',
  },
  {
    uid: 'fms-consistency',
    title: 'FMS: consistency below target',
    severity: 'warning',
    sql: `SELECT site, 100 * (1 - sum(inconsistent) / sum(received)) AS score
FROM quality_1h FINAL
WHERE ${LAST_HOURS}
GROUP BY site
HAVING sum(received) > 0`,
    fires: { when: 'lt', than: 98 },
    forDuration: '30m',
    summary: 'Consistency of the readings of {{ .Labels.site }} is below 98 %',
    summaryKo: '{{ .Labels.site }} 측정값의 일관성이 98 % 미만입니다',
    dashboard: 'quality',
    runbook: 'docs/TROUBLESHOOTING.md#on-the-gateway',
  },
  {
    uid: 'fms-quarantine',
    title: 'FMS: many readings in quarantine',
    severity: 'warning',
    sql: `SELECT site, sum(count) AS readings
FROM quarantine
WHERE received_ms >= ${NOW_MS} - ${HOUR_MS}
GROUP BY site`,
    fires: { when: 'gt', than: 1_000 },
    forDuration: '10m',
    summary: 'More than 1,000 readings of {{ .Labels.site }} went into quarantine within an hour',
    summaryKo: '{{ .Labels.site }}에서 한 시간 동안 1,000개가 넘는 측정값이 격리되었습니다',
    dashboard: 'quality',
    runbook: 'docs/TROUBLESHOOTING.md#on-the-gateway',
  },
  {
    uid: 'fms-unanswered',
    title: 'FMS: a critical alert is not acknowledged',
    severity: 'critical',
    sql: `SELECT site, count() AS alerts
FROM alerts FINAL
WHERE started_ms >= ${NOW_MS} - ${7 * DAY_MS} AND severity = 'CRITICAL' AND state = 'firing'
  AND fired_ms <= ${NOW_MS} - ${15 * MINUTE_MS} AND silence = '' AND inhibited_by = ''
  AND log_id IN (SELECT log_id FROM alerts ORDER BY started_ms DESC LIMIT 1)
GROUP BY site`,
    fires: { when: 'gt', than: 0 },
    forDuration: '0s',
    summary:
      'A critical alert of {{ .Labels.site }} has been firing for 15 minutes and nobody acknowledged it',
    summaryKo: '{{ .Labels.site }}의 심각 알림이 15분 동안 확인되지 않았습니다',
    dashboard: 'plant',
    runbook: 'docs/TROUBLESHOOTING.md#on-the-collector',
  },
];

/** As Grafana's file of alert rules has it: provisioning/alerting/fms.yaml. */
export function alertingFile(): object {
  return {
    apiVersion: 1,
    groups: [
      { orgId: 1, name: 'fms', folder: 'FMS', interval: '5m', rules: ALERT_RULES.map(ruleOf) },
    ],
  };
}

/** A rule of a file: the group and the folder are named once for all. */
export type FileRule = Omit<Rule, 'folderUID' | 'orgID' | 'ruleGroup'>;

function ruleOf(spec: RuleSpec): FileRule {
  const { uid, title, severity, sql, fires, forDuration, summary, summaryKo, runbook } = spec;
  const threshold = {
    refId: 'B',
    type: 'threshold',
    expression: 'A',
    datasource: { type: '__expr__', uid: '__expr__' },
    conditions: [{ evaluator: { type: fires.when, params: [fires.than] } }],
  };
  const range = { from: 3_600, to: 0 };
  return {
    uid,
    title,
    condition: 'B',
    data: [
      {
        refId: 'A',
        relativeTimeRange: range,
        datasourceUid: CLICKHOUSE.uid ?? '',
        model: clickhouseTable(sql).build(),
      },
      {
        refId: 'B',
        relativeTimeRange: range,
        datasourceUid: '__expr__',
        // The type of models is the interface of all of them.
        model: threshold as unknown as Dataquery,
      },
    ],
    // No row: nothing of the kind happened. That the store does not answer is Prometheus' to say.
    noDataState: 'OK',
    execErrState: 'KeepLast',
    for: forDuration,
    labels: { severity, system: 'fms' },
    annotations: {
      summary,
      summary_ko: summaryKo,
      runbook,
      dashboard: `/d/${uidOf(spec.dashboard, 'en')}`,
    },
    isPaused: false,
  };
}
