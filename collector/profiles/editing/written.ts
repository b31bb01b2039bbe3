/** A compiled profile in the words of its file, so that a difference reads as the engineer wrote it. Pure. */

import type {
  AlertRule,
  ChannelProfile,
  CrossRule,
  DeviceAssignment,
  DeviceProfile,
  Fill,
} from '../../profile.ts';

/** Values as JSON has them; what is undefined is left out. */
export type Written =
  | string
  | number
  | boolean
  | null
  | readonly Written[]
  | { readonly [key: string]: Written };

type Given = Record<string, Written | undefined>;

/** Rules and alerts by name: their order means nothing, or (alerts) only how they are listed. */
export function writtenProfile(profile: DeviceProfile): Written {
  return without({
    title: title(profile.title, profile.titleKo),
    interval_seconds: seconds(profile.intervalMs),
    timely_within_seconds: seconds(profile.timelyWithinMs),
    future_tolerance_seconds: seconds(profile.futureToleranceMs),
    late_after_seconds: seconds(profile.lateAfterMs),
    silent_after_seconds: seconds(profile.silentAfterMs),
    on_time_backwards: profile.onTimeBackwards,
    on_same_time: profile.onSameTime,
    on_late: profile.onLate,
    on_future: profile.onFuture,
    failure: profile.failure && { channel: profile.failure.channel, when: profile.failure.when },
    anomaly: detection(profile.detection),
    match: profile.match.map(({ site, device }) => ({ site, device })),
    channels: named(Object.entries(profile.channels), channel),
    rules: named(
      profile.rules.map((one) => [one.name, one]),
      rule,
    ),
    alerts: named(
      (profile.alerts ?? []).map((one) => [one.name, one]),
      alert,
    ),
  });
}

export function writtenAssignment({
  site,
  device,
  area,
  line,
  profile,
}: DeviceAssignment): Written {
  return without({
    site: site === '*' ? undefined : site,
    device,
    area: area || undefined,
    line: line || undefined,
    profile: profile || undefined,
  });
}

function channel(of: ChannelProfile): Written {
  return without({
    title: title(of.title, of.titleKo),
    unit: of.unit || undefined,
    decimals: of.decimals,
    type: of.type,
    on_type: of.onType,
    min: of.min,
    max: of.max,
    on_range: of.min === undefined && of.max === undefined ? undefined : of.onRange,
    sentinels: of.sentinels.length === 0 ? undefined : of.sentinels,
    on_null: of.onNull,
    fill: fill(of.fill),
    rate_per_second_max: of.ratePerSecondMax,
    on_rate: of.ratePerSecondMax === undefined ? undefined : of.onRate,
    stuck_after_seconds: seconds(of.stuckAfterMs),
    on_stuck: of.stuckAfterMs === undefined ? undefined : of.onStuck,
    outlier_ranges: of.outlierRanges,
    on_outlier: of.outlierRanges === undefined ? undefined : of.onOutlier,
    z_score_max: of.zScoreMax,
    on_z_score: of.onZScore,
    anomaly:
      of.detection &&
      without({
        off: of.detection.off,
        low: of.detection.low,
        high: of.detection.high,
        hysteresis: of.detection.hysteresis,
      }),
    attention_when: of.attentionWhen,
  });
}

function detection(of: DeviceProfile['detection']): Written | undefined {
  return (
    of && {
      enabled: of.enabled,
      off: of.off,
      false_alarms_per_day: of.falseAlarmsPerDay,
      train_rows: of.trainRows,
    }
  );
}

function rule({ expect, message, messageKo, policy }: CrossRule): Written {
  return without({ expect, message: title(message, messageKo), policy });
}

function alert(of: AlertRule): Written {
  return without({
    title: title(of.title, of.titleKo),
    levels: Object.fromEntries(of.levels.map(({ severity, when }) => [severity, when])),
    until: of.until,
    for_seconds: seconds(of.forMs),
    resolve_after_seconds: seconds(of.resolveAfterMs),
  });
}

function title(en: string, ko: string | undefined): Written | undefined {
  if (ko !== undefined) return { en, ko };
  return en === '' ? undefined : en;
}

function fill(of: Fill): Written {
  return of.kind === 'last' ? 'last' : of.value;
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1_000;
}

function named<T>(
  entries: readonly (readonly [string, T])[],
  toWritten: (value: T) => Written,
): Written | undefined {
  if (entries.length === 0) return undefined;
  return Object.fromEntries(entries.map(([name, value]) => [name, toWritten(value)]));
}

function without(given: Given): Written {
  return Object.fromEntries(
    Object.entries(given).filter((entry): entry is [string, Written] => entry[1] !== undefined),
  );
}
