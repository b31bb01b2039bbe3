/** From what stands on the sheet to what a judgement says. */

import type { ChunkColumns, Series } from '../../../proto/model.ts';
import { hasValue, SeriesKind } from '../../../proto/model.ts';
import type { FindingCode } from '../../findings.ts';
import { codesOf, findingKinds, Treatment } from '../../findings.ts';
import type { QuarantinedReading } from '../../types.ts';
import { QuarantineReason } from '../outputs/quarantine.ts';
import type { Annotation } from '../outputs/readings.ts';
import type { Interval } from '../ranges.ts';
import type { CompiledChannel } from './channel.ts';
import type { JoinPlan } from './compile.ts';
import type { DeviceSeen, JudgeInput, QuarantinedByRule } from './judgement.ts';
import { PolicyRank } from './policies.ts';
import type { Sheet } from './run.ts';
import { eachRun, Mark, TIME_FAULT } from './run.ts';
import { QUARANTINED } from './settle.ts';

/** Runs of readings that have findings and go to `readings`. */
export function annotationsOf(
  sheet: Sheet,
  firstSeq: number,
  fresh: readonly Interval[],
  readings: number,
): Annotation[] {
  const { findings, treatments, cleaned } = sheet;
  const annotations: Annotation[] = [];
  const put = (from: number, to: number): void => {
    const treatment = treatments[from]! as Treatment;
    const hasValues = treatment === Treatment.CLIPPED || treatment === Treatment.FILLED;
    annotations.push({
      firstSeq: firstSeq + from,
      count: to - from,
      findings: findings[from]!,
      treatment,
      values: hasValues ? cleaned.slice(from, to) : undefined,
    });
  };
  /** Where the run began that ends before `next`; -1: there is none. */
  let start = -1;
  let next = -1;
  for (const part of fresh) {
    const end = Math.min(readings, part.to - firstSeq + 1);
    for (let i = part.from - firstSeq; i < end; i++) {
      const goesOn =
        start >= 0 &&
        i === next &&
        findings[i] === findings[start] &&
        treatments[i] === treatments[start];
      if (!goesOn) {
        if (start >= 0) put(start, next);
        start = findings[i] === 0 || treatments[i] === QUARANTINED ? -1 : i;
      }
      next = i + 1;
    }
  }
  if (start >= 0) put(start, next);
  return annotations;
}

/** The entries of readings that must not enter `readings`. */
export function quarantine(
  sheet: Sheet,
  input: JudgeInput,
  site: string,
  refusedBy: ReadonlyMap<number, JoinPlan>,
): QuarantinedByRule[] {
  const { columns, firstSeq, fresh, configuration } = input;
  const entries: QuarantinedByRule[] = [];
  eachRun(columns.series, firstSeq, fresh, (series, from, to) => {
    for (let i = from; i < to; i++) {
      if (sheet.treatments[i] !== QUARANTINED) continue;
      const { plan } = configuration.placeOf(site, series.device);
      const { channel } = plan.channels.get(series.channel) ?? plan.others;
      const seq = firstSeq + i;
      entries.push(quarantinedAt(sheet, columns, series, channel, i, seq, refusedBy.get(i)));
    }
  });
  return entries;
}

/** Leaves what is quarantined out of what was seen of the devices. */
export function recount(sheet: Sheet, input: JudgeInput, devices: readonly DeviceSeen[]): void {
  const { columns, firstSeq, fresh } = input;
  const byName = new Map(devices.map((seen) => [seen.device, seen]));
  for (const seen of devices)
    Object.assign(seen, { kept: 0, firstMs: Infinity, lastMs: -Infinity });
  eachRun(columns.series, firstSeq, fresh, (series, from, to) => {
    const seen = byName.get(series.device);
    if (seen === undefined) return;
    for (let i = from; i < to; i++) {
      if (sheet.treatments[i] === QUARANTINED) continue;
      seen.kept++;
      seen.firstMs = Math.min(seen.firstMs, columns.timesMs[i]!);
      seen.lastMs = Math.max(seen.lastMs, columns.timesMs[i]!);
    }
  });
  for (const seen of devices) if (seen.kept === 0) Object.assign(seen, { firstMs: 0, lastMs: 0 });
}

function quarantinedAt(
  sheet: Sheet,
  columns: ChunkColumns,
  series: Series,
  channel: CompiledChannel,
  index: number,
  seq: number,
  join: JoinPlan | undefined,
): QuarantinedByRule {
  const reading = readingOf(columns, series, index);
  const mark = sheet.marks[index]! & TIME_FAULT;
  if (mark !== 0) {
    const tooOld = mark === Mark.TOO_OLD;
    const time = new Date(reading.timeMs).toISOString();
    return {
      seq,
      reason: tooOld ? QuarantineReason.TOO_OLD : QuarantineReason.TOO_NEW,
      detail: tooOld ? `${time}: before the retention` : `${time}: too far ahead`,
      reading,
    };
  }
  const code =
    codesOf(sheet.findings[index]!).find(
      (candidate) => channel.policies[findingKinds[candidate].bit] === PolicyRank.quarantine,
    ) ?? 'cross_rule';
  const detail = `${code}: ${code === 'cross_rule' ? aboutJoin(join) : about(code, channel, reading)}`;
  return { seq, reason: QuarantineReason.RULE, detail, reading };
}

/** The reading as it came. */
function readingOf(columns: ChunkColumns, series: Series, index: number): QuarantinedReading {
  const quality = columns.qualities[index]!;
  const isText = series.kind === SeriesKind.TEXT;
  const present = hasValue(quality);
  return {
    device: series.device,
    channel: series.channel,
    timeMs: columns.timesMs[index]!,
    value: isText || !present ? null : jsonNumber(columns.numbers[index]!),
    text: isText && present ? (columns.texts.get(index) ?? '') : null,
    kind: isText ? 'text' : series.kind === SeriesKind.BOOLEAN ? 'boolean' : 'number',
    quality,
  };
}

function jsonNumber(value: number): QuarantinedReading['value'] {
  if (Number.isNaN(value)) return 'nan';
  if (value === Number.POSITIVE_INFINITY) return 'inf';
  if (Object.is(value, -0)) return '-0';
  return value === Number.NEGATIVE_INFINITY ? '-inf' : value;
}

function aboutJoin(join: JoinPlan | undefined): string {
  return join === undefined ? '' : `${join.name}: ${join.message}`;
}

function about(code: FindingCode, channel: CompiledChannel, reading: QuarantinedReading): string {
  const { value, kind } = reading;
  switch (code) {
    case 'wrong_type':
      return `a ${kind} where a ${channel.type ?? 'value'} belongs`;
    case 'out_of_range':
      return `${value} is not within ${channel.min} to ${channel.max}`;
    case 'rate_of_change':
      return `${value}, at most ${channel.ratePerMsMax * 1_000} a second`;
    case 'stuck':
      return `${value} for more than ${channel.stuckAfterMs} ms`;
    case 'same_time':
    case 'time_backwards':
    case 'late':
    case 'future':
      return new Date(reading.timeMs).toISOString();
    default:
      return kind === 'text' ? 'a text' : String(value);
  }
}
