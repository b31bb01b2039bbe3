/** What is expected of one channel, as numbers that loops compare with. */

import { FINDING_CODES, findingKinds } from '../../findings.ts';
import type { ChannelProfile, ChannelType, Configuration, DeviceProfile } from '../../profile.ts';
import { RUN_GAP_MS_MIN, UNPROFILED_FUTURE_MS, UNPROFILED_TIMELY_MS } from './limits.ts';
import { aboutTime, PolicyRank, withoutClip } from './policies.ts';

export interface CompiledChannel {
  /** Undefined: the channel is in no profile. */
  type: ChannelType | undefined;
  /** PolicyRank by the finding's bit. */
  policies: Uint8Array;
  /** So old, or so far ahead, at receipt a reading goes to quarantine. */
  ageMaxMs: number;
  aheadMaxMs: number;
  timelyWithinMs: number;
  futureToleranceMs: number;
  /** The bounds of the range; infinite: none. */
  min: number;
  max: number;
  sentinels: readonly number[];
  /** Infinity: not judged. */
  ratePerMsMax: number;
  stuckAfterMs: number;
  /** Equal values farther apart were not one run: what was between them is not known. */
  runGapMs: number;
  outlierRanges: number;
  zScoreMax: number;
  /** What fills: a constant; undefined: the last good value. */
  fill: number | undefined;
}

/** `device`: undefined for an unprofiled device; `channel`: for one that the profile does not name. */
export function compileChannel(
  configuration: Configuration,
  device: DeviceProfile | undefined,
  channel: ChannelProfile | undefined,
): CompiledChannel {
  const never = Number.POSITIVE_INFINITY;
  const { retentionMs, aheadMaxMs } = configuration;
  return {
    type: channel?.type,
    policies: policiesOf(device, channel),
    ageMaxMs: retentionMs > 0 ? retentionMs : never,
    aheadMaxMs,
    timelyWithinMs: device?.timelyWithinMs ?? UNPROFILED_TIMELY_MS,
    futureToleranceMs: device?.futureToleranceMs ?? UNPROFILED_FUTURE_MS,
    min: channel?.min ?? Number.NEGATIVE_INFINITY,
    max: channel?.max ?? never,
    sentinels: channel?.sentinels ?? [],
    ratePerMsMax: (channel?.ratePerSecondMax ?? never) / 1_000,
    stuckAfterMs: channel?.stuckAfterMs ?? never,
    runGapMs: Math.max(device?.lateAfterMs ?? 0, 3 * (device?.intervalMs ?? 0), RUN_GAP_MS_MIN),
    outlierRanges: channel?.outlierRanges ?? never,
    zScoreMax: channel?.zScoreMax ?? never,
    fill: channel?.fill.kind === 'constant' ? channel.fill.value : undefined,
  };
}

function policiesOf(
  device: DeviceProfile | undefined,
  channel: ChannelProfile | undefined,
): Uint8Array {
  const ranks = new Uint8Array(FINDING_CODES.length);
  if (device !== undefined) {
    ranks[findingKinds.same_time.bit] = aboutTime(device.onSameTime);
    ranks[findingKinds.time_backwards.bit] = aboutTime(device.onTimeBackwards);
    ranks[findingKinds.late.bit] = aboutTime(device.onLate);
    ranks[findingKinds.future.bit] = aboutTime(device.onFuture);
  }
  if (channel !== undefined) {
    ranks[findingKinds.null_value.bit] = withoutClip(channel.onNull);
    ranks[findingKinds.sentinel.bit] = withoutClip(channel.onNull);
    ranks[findingKinds.not_finite.bit] = withoutClip(channel.onNull);
    ranks[findingKinds.wrong_type.bit] = withoutClip(channel.onType);
    ranks[findingKinds.out_of_range.bit] = PolicyRank[channel.onRange];
    ranks[findingKinds.rate_of_change.bit] = withoutClip(channel.onRate);
    ranks[findingKinds.stuck.bit] = withoutClip(channel.onStuck);
    ranks[findingKinds.outlier.bit] = withoutClip(channel.onOutlier);
    ranks[findingKinds.z_score.bit] = withoutClip(channel.onZScore ?? 'flag');
  }
  return ranks;
}
