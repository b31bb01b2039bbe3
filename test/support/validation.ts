/** Profiles, chunks and readable judgements for tests of the rules. */

import type { FindingCode } from '../../collector/findings.ts';
import { codesOf } from '../../collector/findings.ts';
import type { CompiledConfiguration } from '../../collector/processor/validation/compile.ts';
import { compile } from '../../collector/processor/validation/compile.ts';
import type { JudgeInput, Judgement } from '../../collector/processor/validation/judgement.ts';
import type { GatewayValidation } from '../../collector/processor/validation/validation.ts';
import type { ChannelProfile, Configuration, DeviceProfile } from '../../collector/profile.ts';
import type { ChunkColumns, Reading } from '../../proto/model.ts';
import { open, sealAll, T0 } from './wire.ts';

export function channel(settings: Partial<ChannelProfile> = {}): ChannelProfile {
  return {
    title: '',
    unit: '',
    decimals: undefined,
    type: 'number',
    min: undefined,
    max: undefined,
    onRange: 'flag',
    sentinels: [],
    onNull: 'keep',
    fill: { kind: 'last' },
    onType: 'flag',
    ratePerSecondMax: undefined,
    onRate: 'flag',
    stuckAfterMs: undefined,
    onStuck: 'flag',
    outlierRanges: undefined,
    onOutlier: 'flag',
    attentionWhen: undefined,
    ...settings,
  };
}

export function profile(
  channels: Record<string, Partial<ChannelProfile>>,
  settings: Partial<DeviceProfile> = {},
): DeviceProfile {
  return {
    name: 'p',
    title: '',
    intervalMs: 1_000,
    timelyWithinMs: 30_000,
    futureToleranceMs: 5_000,
    lateAfterMs: 30_000,
    silentAfterMs: 60_000,
    onTimeBackwards: 'flag',
    onSameTime: 'keep',
    onLate: 'keep',
    onFuture: 'flag',
    failure: undefined,
    channels: Object.fromEntries(
      Object.entries(channels).map(([name, some]) => [name, channel(some)]),
    ),
    rules: [],
    match: [{ site: '*', device: '*' }],
    ...settings,
  };
}

export function configuration(
  profiles: Record<string, DeviceProfile>,
  settings: Partial<Configuration> = {},
): CompiledConfiguration {
  return compile({
    version: 'v',
    retentionMs: 365 * 86_400_000,
    aheadMaxMs: 86_400_000,
    profiles,
    assignments: [],
    ...settings,
  });
}

/** At most one chunk's worth of readings, through the real encoder; sorted by series. */
export function chunkOf(readings: readonly Reading[]): ChunkColumns {
  const [frame, ...more] = sealAll(readings);
  if (frame === undefined || more.length > 0) throw new Error('not one chunk');
  return open(frame);
}

export function judge(
  validation: GatewayValidation,
  config: CompiledConfiguration,
  columns: ChunkColumns,
  settings: Partial<JudgeInput> = {},
): Judgement {
  const firstSeq = settings.firstSeq ?? 1;
  return validation.judge({
    columns,
    firstSeq,
    fresh: [{ from: firstSeq, to: firstSeq + columns.timesMs.length - 1 }],
    receivedMs: T0,
    order: 1,
    configuration: config,
    ...settings,
  });
}

export interface Verdict {
  findings: FindingCode[];
  treatment: number;
  value?: number;
}

/** By seq. */
export function verdictsOf(judgement: Judgement): Map<number, Verdict> {
  const verdicts = new Map<number, Verdict>();
  for (const { firstSeq, count, findings, treatment, values } of judgement.annotations) {
    for (let i = 0; i < count; i++) {
      const verdict: Verdict = { findings: codesOf(findings), treatment };
      if (values !== undefined) verdict.value = values[i]!;
      verdicts.set(firstSeq + i, verdict);
    }
  }
  return verdicts;
}
