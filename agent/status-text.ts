/** What `fms-agent status` prints of /status, for people. */

import type { StatusJson } from './status.ts';

/** Less than this until readings are lost is worth shouting. */
const SOON_S = 86_400;

/** Whole lines. Times are told from now. */
export function renderStatus(status: StatusJson): string {
  const { collector, buffer, clock, readers } = status;
  const now = status.now_ms;
  const lines = [
    `fms-agent ${status.version}  ${status.site}/${status.gateway}  pid ${status.pid}, running for ${span(now - status.started_ms)}`,
    `collector  ${collectorLine(status)}`,
    `buffer     ${buffer.readings.toLocaleString('en')} readings wait, ${bytes(buffer.bytes)} of ${bytes(buffer.max_bytes)}${buffer.oldest_ms === null ? '' : `, oldest ${ago(now, buffer.oldest_ms)}`}; ${evictionText(buffer)}`,
    `clock      ${clock.unsynced ? 'NOT RIGHT, readings are marked' : 'right'}${clock.steps_total > 0 ? `; ${clock.steps_total} steps, the last ${clock.last_step_ms} ms` : ''}`,
  ];
  if (collector.online && collector.waits_for !== 'nothing') {
    const text =
      collector.waits_for === 'collector'
        ? "the broker has them; waiting for the collector's acknowledgement"
        : 'waiting for the PUBACK';
    lines.push(
      `           ${collector.in_flight_readings.toLocaleString('en')} readings sent: ${text}`,
    );
  }
  if (collector.held_ms > 0) {
    lines.push(
      `           readings wait up to ${span(collector.held_ms)} for the clock's correction`,
    );
  }
  if (buffer.disk_refuses) lines.push(`           THE DISK REFUSES: ${buffer.last_error}`);
  if (buffer.evicted_readings_total > 0 || buffer.gaps_pending > 0) {
    lines.push(
      `losses     ${buffer.evicted_readings_total.toLocaleString('en')} readings evicted since the start, ${buffer.gaps_pending} gaps still to be declared`,
    );
  }
  if (collector.last_error !== null) {
    lines.push(
      `last error ${collector.last_error.message}`,
      `           ${collector.last_error.hint}`,
    );
  }
  const ok = readers.filter((reader) => reader.status === 'ok').length;
  lines.push(`readers    ${ok} of ${readers.length} ok`);
  const width = Math.max(6, ...readers.map((reader) => reader.device.length));
  for (const reader of readers) {
    const good = reader.last_good_ms === 0 ? 'never' : ago(now, reader.last_good_ms);
    const error = reader.status === 'ok' ? '' : `  ${reader.last_error}`;
    lines.push(
      `  ${reader.device.padEnd(width)}  ${reader.reader.padEnd(8)} ${reader.status.padEnd(8)} last good ${good}${error}`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function collectorLine({ collector, now_ms: now }: StatusJson): string {
  const acked =
    collector.last_acknowledgement_ms === null
      ? 'nothing acknowledged yet'
      : `last acknowledgement ${ago(now, collector.last_acknowledgement_ms)}`;
  if (collector.online) {
    return `online for ${span(now - (collector.online_since_ms ?? now))}, ${collector.url}; ${acked}`;
  }
  const next =
    collector.next_attempt_ms === null
      ? ''
      : `, next attempt in ${span(Math.max(0, collector.next_attempt_ms - now))}`;
  return `OFFLINE (${collector.connection}${next}), ${collector.url}; ${acked}`;
}

function evictionText({ readings, seconds_until_eviction: seconds }: StatusJson['buffer']): string {
  if (seconds < 0 || readings === 0) return 'not filling';
  const words = seconds < SOON_S ? 'FULL IN' : 'full in';
  return `${words} ${span(seconds * 1000)} at the present rate`;
}

function ago(nowMs: number, thenMs: number): string {
  return `${span(Math.max(0, nowMs - thenMs))} ago`;
}

/** A duration in the unit that suits it. */
export function span(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 1) return `${Math.round(ms)} ms`;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const index = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${(count / 1000 ** index).toFixed(index === 0 ? 0 : 1)} ${units[index]}`;
}
