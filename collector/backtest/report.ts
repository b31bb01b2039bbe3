/** The summary of a backtest as lines for people. */

import type { Comparison, WouldBe, WouldBeList } from './compare.ts';
import { metBy } from './compare.ts';
import type { PastAnomaly } from './history.ts';
import type { Summary } from './measures.ts';
import type { Language } from './shown.ts';

export function summaryLines(summary: Summary): string[] {
  const { rows, training_rows, anomalies, alarm_rows, anomalies_per_device_day, labels } = summary;
  const { first_ms, last_ms } = summary;
  const lines = [
    `rows        ${rows}${training_rows > 0 ? `; the first ${training_rows} (training) are not counted below` : ''}`,
  ];
  if (first_ms !== null && last_ms !== null)
    lines.push(`time        ${iso(first_ms)} to ${iso(last_ms)}`);
  lines.push(
    `anomalies   ${anomalies}, with an alarm on ${alarm_rows} rows; ${shown(anomalies_per_device_day)} per device and day`,
  );
  if (labels === undefined) return lines;
  const { by_row, by_event } = labels;
  lines.push(
    `events      ${by_event.found} of ${by_event.events} found; precision ${shown(by_event.precision)}, recall ${shown(by_event.recall)}, F1 ${shown(by_event.f1)}`,
    `delay       mean ${shown(by_event.delay_rows_mean)} rows (${seconds(by_event.delay_ms_mean)}), longest ${shown(by_event.delay_rows_max)} rows (${seconds(by_event.delay_ms_max)})`,
    `false       ${by_event.false_anomalies} anomalies, ${shown(by_event.false_anomalies_per_device_day)} per device and day`,
    `by row      precision ${shown(by_row.precision)}, recall ${shown(by_row.recall)}, F1 ${shown(by_row.f1)}, false-alarm rate ${shown(by_row.false_alarm_rate)} (tp ${by_row.tp}, fp ${by_row.fp}, fn ${by_row.fn}, tn ${by_row.tn})`,
  );
  return lines;
}

/** Each anomaly that there would have been, then the counts beside those that there were. */
export function comparisonLines(
  { list, count }: WouldBeList,
  past: readonly PastAnomaly[] | undefined,
  { against }: Comparison,
  language: Language,
): string[] {
  const lines = list.map((anomaly) => anomalyLine(anomaly, past, language));
  if (count > list.length) lines.push(`… and ${count - list.length} more`);
  if (against === undefined) {
    lines.push('then        not known: this collector does not tell its anomalies');
    return lines;
  }
  const { byMark } = against;
  lines.push(
    `then        ${against.past} anomalies; ${against.new} of the ${count} that there would have been are new`,
  );
  for (const mark of ['true', 'false', 'maintenance', 'none'] as const) {
    const { past: were, met } = byMark[mark];
    const name = mark === 'none' ? 'unmarked' : `marked ${mark}`;
    if (were > 0) lines.push(`  ${name}: ${were}, of which ${met} again and ${were - met} no more`);
  }
  return lines;
}

function anomalyLine(
  anomaly: WouldBe,
  past: readonly PastAnomaly[] | undefined,
  language: Language,
): string {
  const { onsetMs, endMs, score, reason } = anomaly;
  const length = endMs === Infinity ? 'open' : seconds(endMs - onsetMs);
  const met = past === undefined ? undefined : metBy(anomaly, past);
  const then =
    past === undefined
      ? ''
      : met === undefined
        ? '  [new]'
        : `  [then too${met.mark === undefined ? '' : `, marked ${met.mark}`}]`;
  return `${iso(onsetMs)}  ${length}  ${score.toFixed(2)}  ${reason[language]}${then}`;
}

function iso(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString();
}

function shown(value: number | null): string {
  if (value === null) return '-';
  return Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

function seconds(ms: number | null): string {
  return ms === null ? '-' : `${shown(ms / 1_000)} s`;
}
