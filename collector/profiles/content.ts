/** The shape of a profile file, and the profile that it stands for. */

import type {
  AlertRule,
  AlertSeverity,
  ChannelDetection,
  ChannelProfile,
  DeviceDetection,
  DeviceProfile,
  Policy,
} from '../profile.ts';

export type TitleContent = string | { en: string; ko?: string };

export interface ChannelAnomalyContent {
  off: string[];
  low?: number;
  high?: number;
  hysteresis?: number;
}

export interface DeviceAnomalyContent {
  enabled: boolean;
  off: string[];
  false_alarms_per_day: number;
  train_rows: number;
}

export interface ChannelContent {
  title: TitleContent;
  unit: string;
  decimals?: number;
  type: 'number' | 'boolean' | 'text';
  on_type: Policy;
  min?: number;
  max?: number;
  on_range?: Policy;
  sentinels: number[];
  on_null: Policy;
  fill: string | number | boolean;
  rate_per_second_max?: number;
  on_rate?: Policy;
  stuck_after_seconds?: number;
  on_stuck?: Policy;
  outlier_ranges?: number;
  on_outlier?: Policy;
  z_score_max?: number;
  on_z_score?: Policy;
  anomaly?: ChannelAnomalyContent;
  attention_when?: number | boolean;
}

export interface RuleContent {
  name: string;
  expect: string;
  message: TitleContent;
  policy: 'keep' | 'flag' | 'quarantine';
}

export interface AlertContent {
  name: string;
  title: TitleContent;
  levels: { severity: AlertSeverity; when: string }[];
  until?: string;
  for_seconds: number;
  resolve_after_seconds: number;
}

/** The file's own shape, after the schema has passed and filled in its defaults. */
export interface ProfileContent {
  name?: string;
  title: TitleContent;
  interval_seconds?: number;
  timely_within_seconds: number;
  future_tolerance_seconds: number;
  late_after_seconds?: number;
  silent_after_seconds?: number;
  on_time_backwards: Policy;
  on_same_time: Policy;
  on_late: Policy;
  on_future: Policy;
  failure?: { channel: string; when: number | boolean };
  anomaly?: DeviceAnomalyContent;
  match: { site: string; device: string }[];
  channels: Record<string, ChannelContent>;
  rules: RuleContent[];
  alerts: AlertContent[];
}

const LATE_INTERVALS = 3;
const LATE_MIN_MS = 10_000;
const LATE_WITHOUT_INTERVAL_MS = 60_000;
const SILENT_TIMES_LATE = 10;

/** The channels of the rules are left open: they are found when their expressions are checked. */
export function toProfile(name: string, content: ProfileContent): DeviceProfile {
  const intervalMs = msOf(content.interval_seconds);
  const lateAfterMs =
    msOf(content.late_after_seconds) ??
    (intervalMs === undefined
      ? LATE_WITHOUT_INTERVAL_MS
      : Math.max(LATE_MIN_MS, LATE_INTERVALS * intervalMs));
  const { failure } = content;
  const title = titleOf(content.title);
  return {
    name,
    title: title.en,
    ...(title.ko === undefined ? {} : { titleKo: title.ko }),
    intervalMs,
    timelyWithinMs: msOf(content.timely_within_seconds),
    futureToleranceMs: msOf(content.future_tolerance_seconds),
    lateAfterMs,
    silentAfterMs: msOf(content.silent_after_seconds) ?? SILENT_TIMES_LATE * lateAfterMs,
    onTimeBackwards: content.on_time_backwards,
    onSameTime: content.on_same_time,
    onLate: content.on_late,
    onFuture: content.on_future,
    failure: failure && { channel: failure.channel, when: Number(failure.when) },
    channels: Object.fromEntries(
      Object.entries(content.channels).map(([channel, one]) => [channel, toChannel(one)]),
    ),
    rules: content.rules.map((rule) => {
      const message = titleOf(rule.message);
      return {
        name: rule.name,
        expect: rule.expect,
        channels: [],
        message: message.en,
        ...(message.ko === undefined ? {} : { messageKo: message.ko }),
        policy: rule.policy,
      };
    }),
    ...(content.alerts.length === 0 ? {} : { alerts: content.alerts.map(toAlert) }),
    ...(content.anomaly === undefined ? {} : { detection: toDetection(content.anomaly) }),
    match: content.match,
  };
}

function toAlert(content: AlertContent): AlertRule {
  const title = titleOf(content.title);
  return {
    name: content.name,
    title: title.en,
    ...(title.ko === undefined ? {} : { titleKo: title.ko }),
    levels: content.levels,
    ...(content.until === undefined ? {} : { until: content.until }),
    forMs: msOf(content.for_seconds),
    resolveAfterMs: msOf(content.resolve_after_seconds),
  };
}

function toDetection(content: DeviceAnomalyContent): DeviceDetection {
  return {
    enabled: content.enabled,
    off: content.off,
    falseAlarmsPerDay: content.false_alarms_per_day,
    trainRows: content.train_rows,
  };
}

function toChannel(content: ChannelContent): ChannelProfile {
  const title = titleOf(content.title);
  return {
    title: title.en,
    ...(title.ko === undefined ? {} : { titleKo: title.ko }),
    unit: content.unit,
    decimals: content.decimals,
    type: content.type,
    min: content.min,
    max: content.max,
    onRange: content.on_range ?? 'flag',
    sentinels: content.sentinels,
    onNull: content.on_null,
    fill:
      content.fill === 'last'
        ? { kind: 'last' }
        : { kind: 'constant', value: Number(content.fill) },
    onType: content.on_type,
    ratePerSecondMax: content.rate_per_second_max,
    onRate: content.on_rate ?? 'flag',
    stuckAfterMs: msOf(content.stuck_after_seconds),
    onStuck: content.on_stuck ?? 'flag',
    outlierRanges: content.outlier_ranges,
    onOutlier: content.on_outlier ?? 'flag',
    ...(content.z_score_max === undefined
      ? {}
      : { zScoreMax: content.z_score_max, onZScore: content.on_z_score ?? 'flag' }),
    ...(content.anomaly === undefined ? {} : { detection: toChannelDetection(content.anomaly) }),
    attentionWhen:
      content.attention_when === undefined ? undefined : Number(content.attention_when),
  };
}

function toChannelDetection(content: ChannelAnomalyContent): ChannelDetection {
  const { off, low, high, hysteresis = 0 } = content;
  return { off, low, high, hysteresis };
}

function titleOf(content: TitleContent): { en: string; ko?: string } {
  return typeof content === 'string' ? { en: content } : content;
}

function msOf(seconds: number): number;
function msOf(seconds: number | undefined): number | undefined;
function msOf(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : Math.round(seconds * 1_000);
}
