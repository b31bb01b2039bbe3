/**
 * Random raw logs: duplicates, overlaps, reorderings, damage, conflicts, gaps, rules, releases, recoveries;
 * alerts, and what people decide of them.
 */

import fc from 'fast-check';
import type { LogRecord } from '../../collector/log/log.ts';
import { decodeAlert } from '../../collector/processor/outputs/alert.ts';
import { decodeAnomaly } from '../../collector/processor/outputs/anomaly.ts';
import { Processor } from '../../collector/processor/processor.ts';
import type { AlertRule, Configuration } from '../../collector/profile.ts';
import type {
  AcknowledgeValue,
  AuditValue,
  MarkValue,
  RecoveryValue,
  ReleaseValue,
  SilenceValue,
} from '../../collector/types.ts';
import { ANOMALY_MARKS, OutputKind, RawKind } from '../../collector/types.ts';
import { encodeBatch } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import type { ChunkFrame, Gap, GapReason } from '../../proto/model.ts';
import { NO_EPOCH, Quality } from '../../proto/model.ts';
import { encodeState } from '../../proto/state.ts';
import { RawRecords, STATE } from './raw-records.ts';
import { profile } from './validation.ts';
import { CLOCK, frameOf, headerOf, reading, T0 } from './wire.ts';

const EPOCHS = ['0000000000000001', '0000000000000002', '0000000000000003'];
const GATEWAYS = ['gw1', 'gw2'];
const SEQS = 40;

const chunkSpec = fc.record({
  from: fc.integer({ min: 1, max: SEQS }),
  readings: fc.integer({ min: 0, max: 7 }),
  rejects: fc.integer({ min: 0, max: 2 }),
  /** good: what the gateway always sends for these seqs. */
  variant: fc.oneof(
    { weight: 6, arbitrary: fc.constant('good' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('damaged' as const, 'other' as const, 'unreadable' as const),
    },
  ),
});
type ChunkSpec = typeof chunkSpec extends fc.Arbitrary<infer T> ? T : never;

const gapSpec = fc.record({
  epoch: fc.integer({ min: 0, max: 2 }),
  from: fc.integer({ min: 1, max: SEQS }),
  length: fc.integer({ min: 1, max: 15 }),
  reason: fc.constantFrom('evicted_bytes', 'corrupt', 'of_a_later_version'),
});

function rule(name: string, when: Partial<Record<string, string>>, more = {}): AlertRule {
  const levels = Object.entries(when) as [AlertRule['levels'][number]['severity'], string][];
  return {
    name,
    title: name,
    levels: levels.map(([severity, text]) => ({ severity, when: text })),
    forMs: 0,
    resolveAfterMs: 0,
    ...more,
  };
}

/** Of every clock and every fact; readings of the logs are milliseconds apart. */
const ALERTS: readonly AlertRule[] = [
  rule(
    'high',
    { WARNING: 'c0 > 10', CRITICAL: 'c0 > 20' },
    { until: 'c0 < 6', forMs: 2, resolveAfterMs: 3 },
  ),
  rule('apart', { ERROR: 'abs(c0 - c1) > 2 && quality < 99' }),
  rule('base', { INFO: 'baseline(c1) > 0 && c1 > baseline(c1)' }),
  rule('errors', { WARNING: 'error_percent > 5', ERROR: 'error_percent > 20' }, { forMs: 3 }),
  rule('late', { WARNING: 'latency_seconds > 0.5' }, { forMs: 1_000, resolveAfterMs: 1_000 }),
  rule('no_data', { WARNING: 'silent_seconds > 3', ERROR: 'silent_seconds > 8' }, { forMs: 1_000 }),
  rule('odd', { INFO: 'silent_seconds * 2 > 5 && c0 > 4' }),
  rule('score', { INFO: 'anomaly_score > 0.3 || anomaly' }, { forMs: 1 }),
];

/** Rules that send readings to quarantine, that clip, fill and flag, that remember; and none. */
const CONFIGURATIONS: readonly Configuration[] = [
  { version: 'none', retentionMs: 0, aheadMaxMs: 1e12, profiles: {}, assignments: [] },
  {
    version: 'strict',
    retentionMs: 3_600_000,
    aheadMaxMs: 86_400_000,
    profiles: {
      p: profile(
        {
          c0: { min: 4, max: 30, onRange: 'quarantine', ratePerSecondMax: 1_000, onRate: 'flag' },
          c1: { min: 4, max: 30, onRange: 'clip', sentinels: [7], onNull: 'fill' },
        },
        {
          lateAfterMs: 3_000,
          silentAfterMs: 8_000,
          onTimeBackwards: 'quarantine',
          alerts: ALERTS,
        },
      ),
    },
    assignments: [{ site: 'demo', device: 'D*', area: 'hall', line: '1', profile: 'p' }],
  },
  {
    version: 'lax',
    retentionMs: 0,
    aheadMaxMs: 1e12,
    profiles: {
      q: profile(
        { c0: { stuckAfterMs: 2, outlierRanges: 1, onOutlier: 'quarantine' } },
        {
          name: 'q',
          timelyWithinMs: 500,
          lateAfterMs: 2_000,
          silentAfterMs: 4_000,
          alerts: [rule('high', { INFO: 'c0 > 4' }), rule('anomaly', {})],
        },
      ),
    },
    assignments: [],
  },
];

export const stepSpec = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('batch' as const),
      gateway: fc.integer({ min: 0, max: 1 }),
      epoch: fc.integer({ min: 0, max: 2 }),
      chunks: fc.array(chunkSpec, { maxLength: 4 }),
      gaps: fc.array(gapSpec, { maxLength: 2 }),
      more: fc.integer({ min: 0, max: 10 }),
      linked: fc.boolean(),
      correctionMs: fc.constantFrom(0, 0, 1_000, 2_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('state' as const, 'will' as const),
      gateway: fc.integer({ min: 0, max: 1 }),
      epoch: fc.integer({ min: 0, max: 3 }),
      lastSeq: fc.integer({ min: 0, max: SEQS }),
      gaps: fc.array(gapSpec, { maxLength: 1 }),
      stepMs: fc.constantFrom(0, 5_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('tick' as const),
      ms: fc.constantFrom(0, 400, 1_000, 6_000, 70_000),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('junk' as const),
      bytes: fc.uint8Array({ maxLength: 20 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('configuration' as const),
      which: fc.nat({ max: CONFIGURATIONS.length - 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      gateway: fc.integer({ min: 0, max: 1 }),
      epoch: fc.integer({ min: 0, max: 2 }),
      seq: fc.integer({ min: 1, max: SEQS }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      what: fc.constantFrom('acknowledge' as const, 'mark' as const),
      /** Of those that there were so far; beyond them: one that never was. */
      which: fc.nat({ max: 12 }),
      mark: fc.nat({ max: ANOMALY_MARKS.length - 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('silence' as const),
      id: fc.constantFrom('s1', 's2', 's3'),
      device: fc.constantFrom('*', 'D*', 'clone', ''),
      rule: fc.constantFrom('*', 'no_data', 'high', 'gateway_*'),
      inMs: fc.constantFrom(-5_000, 0, 2_000),
      ms: fc.constantFrom(0, 3_000, 60_000),
      isMaintenance: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('recovery' as const),
      /** 2: all gateways. */
      gateway: fc.integer({ min: 0, max: 2 }),
      epoch: fc.integer({ min: 0, max: 2 }),
      stored: fc.integer({ min: 0, max: 20 }),
      quarantined: fc.integer({ min: 0, max: 5 }),
      /** What the store has of the audit log; undefined: nobody looked. */
      audit: fc.constantFrom(undefined, 0, 2, 9),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('audit' as const),
      /** The same again is one entry. */
      id: fc.constantFrom('0000000000000001', '0000000000000002', '00000000000000aa', 'none'),
      target: fc.string({ maxLength: 8, unit: 'binary' }),
    }),
  },
);
export type StepSpec = typeof stepSpec extends fc.Arbitrary<infer T> ? T : never;

function frame(spec: ChunkSpec, epoch: string): ChunkFrame {
  const builder = new ChunkBuilder();
  const device = spec.variant === 'other' ? 'clone' : 'D01';
  for (let i = 0; i < spec.readings; i++) {
    const seq = spec.from + i;
    const quality = seq % 3 === 0 ? Quality.CLOCK_UNSYNCED : Quality.GOOD;
    builder.addReading(reading(`c${seq % 2}`, seq, { device, quality, timeMs: T0 + seq }));
  }
  const rejects = spec.readings === 0 ? Math.max(1, spec.rejects) : spec.rejects;
  for (let i = 0; i < rejects; i++) {
    const head = Buffer.from([i]);
    builder.addReject({ timeMs: T0 + i, device, reason: 'garbage', detail: '', head });
  }
  const chunk = builder.seal({ ...CLOCK, unsynced: spec.from % 2 === 0 });
  if (spec.variant === 'unreadable') {
    return frameOf({ ...chunk, bytes: Buffer.from([0xff]) }, spec.from, epoch);
  }
  const good = frameOf(chunk, spec.from, epoch);
  return spec.variant === 'damaged' ? { ...good, crc32c: (good.crc32c ^ 1) >>> 0 } : good;
}

function gapOf(spec: typeof gapSpec extends fc.Arbitrary<infer T> ? T : never): Gap {
  return {
    epoch: EPOCHS[spec.epoch]!,
    firstSeq: spec.from,
    lastSeq: spec.from + spec.length - 1,
    firstMs: 0,
    lastMs: 0,
    reason: spec.reason as GapReason,
  };
}

/** What people can decide of, as a processor puts it out. */
class Decided {
  readonly #processor = new Processor(new Map());
  readonly #seen = { [OutputKind.ALERT]: new Map(), [OutputKind.ANOMALY]: new Map() } as Record<
    string,
    Map<string, { id: string; gateway: string }>
  >;
  #next = 0;

  /** One of the alerts, or anomalies, that the records lead to. */
  find(
    records: readonly LogRecord[],
    kind: string,
    which: number,
  ): { id: string; gateway: string } {
    for (; this.#next < records.length; this.#next++) {
      for (const { record } of this.#processor.process(records[this.#next]!)) {
        const decode = record.kind === OutputKind.ALERT ? decodeAlert : decodeAnomaly;
        const seen = this.#seen[record.kind];
        if (seen === undefined) continue;
        const { id, gateway } = decode(record.value);
        seen.set(id, { id, gateway });
      }
    }
    return [...this.#seen[kind]!.values()].at(-1 - which) ?? { id: 'none', gateway: 'gw1' };
  }
}

export function logOf(steps: readonly StepSpec[]): LogRecord[] {
  const raw = new RawRecords();
  const decided = new Decided();
  for (const step of steps) {
    if (step.kind === 'silence') {
      const { id, device, rule, isMaintenance } = step;
      const fromMs = raw.timeMs + step.inMs;
      const value: SilenceValue = {
        ...{ id, device, rule, site: '*', area: '*', line: '*', by: 'tester', reason: '' },
        kind: isMaintenance ? 'maintenance' : 'silence',
        fromMs,
        untilMs: fromMs + step.ms,
      };
      raw.add(RawKind.SILENCE, Buffer.from(JSON.stringify(value)), '');
    } else if (step.kind === 'audit') {
      raw.add(RawKind.AUDIT, Buffer.from(JSON.stringify(auditOf(step, raw.timeMs))), '');
    } else if (step.kind === 'decide' && step.what === 'acknowledge') {
      const { id, gateway } = decided.find(raw.records, OutputKind.ALERT, step.which);
      const value: AcknowledgeValue = { alert: id, by: 'tester', note: 'seen' };
      raw.add(RawKind.ACKNOWLEDGE, Buffer.from(JSON.stringify(value)), `demo/${gateway}`);
    } else if (step.kind === 'decide') {
      const { id, gateway } = decided.find(raw.records, OutputKind.ANOMALY, step.which);
      const mark = ANOMALY_MARKS[step.mark]!;
      const value: MarkValue = { anomaly: id, device: 'D01', mark, by: 'tester', note: '' };
      raw.add(RawKind.MARK, Buffer.from(JSON.stringify(value)), `demo/${gateway}`);
    } else if (step.kind === 'tick') {
      raw.tick(step.ms);
    } else if (step.kind === 'junk') {
      raw.add(RawKind.BATCH, step.bytes);
    } else if (step.kind === 'configuration') {
      const configuration = CONFIGURATIONS[step.which]!;
      raw.add(RawKind.CONFIGURATION, Buffer.from(JSON.stringify(configuration)), '');
    } else if (step.kind === 'release') {
      const value = Buffer.from(JSON.stringify(releaseOf(EPOCHS[step.epoch]!, step.seq)));
      raw.add(RawKind.RELEASE, value, `demo/${GATEWAYS[step.gateway]}`);
    } else if (step.kind === 'recovery') {
      const gateway = GATEWAYS[step.gateway];
      const value = Buffer.from(JSON.stringify(recoveryOf(step)));
      raw.add(RawKind.RECOVERY, value, gateway === undefined ? '' : `demo/${gateway}`);
    } else if (step.kind === 'batch') {
      const epoch = EPOCHS[step.epoch]!;
      const chunks = step.chunks.map((spec) => frame(spec, epoch));
      const lastSeq = Math.max(0, ...chunks.map((one) => one.firstSeq + one.count - 1)) + step.more;
      const gateway = GATEWAYS[step.gateway]!;
      const header = headerOf(lastSeq, {
        gateway,
        epoch,
        predecessorEpoch: step.linked ? (EPOCHS[step.epoch - 1] ?? NO_EPOCH) : NO_EPOCH,
        predecessorLastSeq: step.linked ? step.more : 0,
        corrections:
          step.correctionMs === 0 ? [] : [{ boot: CLOCK.boot, offsetMs: T0 + step.correctionMs }],
        gaps: step.gaps.map(gapOf),
      });
      raw.add(RawKind.BATCH, encodeBatch(header, chunks), `demo/${gateway}`);
    } else {
      const gateway = GATEWAYS[step.gateway]!;
      const state = {
        ...STATE,
        gateway,
        online: step.kind === 'state',
        epoch: EPOCHS[step.epoch] ?? NO_EPOCH,
        lastSeq: step.lastSeq,
        clockStepMs: step.stepMs,
        gaps: step.gaps.map(gapOf),
      };
      const kind = step.kind === 'state' ? RawKind.STATE : RawKind.WILL;
      raw.add(kind, encodeState(state), `demo/${gateway}`);
    }
  }
  return raw.records;
}

function releaseOf(epoch: string, seq: number): ReleaseValue {
  const value = { timeMs: T0 + seq, value: seq, text: null, kind: 'number' as const, quality: 0 };
  return { epoch, seq, by: 'tester', reading: { device: 'D01', channel: 'c0', ...value } };
}

function auditOf({ id, target }: Extract<StepSpec, { kind: 'audit' }>, atMs: number): AuditValue {
  const by = { who: 'ann', kind: 'user', from: '127.0.0.1' };
  return { id, atMs, ...by, action: 'silence.set', site: 'demo', target, detail: '{}' };
}

function recoveryOf(step: Extract<StepSpec, { kind: 'recovery' }>): RecoveryValue {
  if (step.gateway === 2 && step.audit === undefined)
    return { reason: 'log_restored', accounts: [] };
  if (step.gateway === 2) {
    const number = step.audit ?? 0;
    const audit = { number, hash: String(number).repeat(64), loggedMs: T0 + number };
    return { reason: step.stored > 9 ? 'log_restored' : 'log_replaced', accounts: [], audit };
  }
  const last = step.stored + step.quarantined;
  const account = {
    epoch: EPOCHS[step.epoch]!,
    openedMs: T0,
    lastSeq: last + 1,
    stored: step.stored > 0 ? [1, step.stored] : [],
    quarantined: step.quarantined > 0 ? [step.stored + 1, last] : [],
  };
  return { reason: 'log_replaced', accounts: [account] };
}
