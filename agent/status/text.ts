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
    `clock      ${clockText(clock)}`,
    ...certificateLines(status),
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
  lines.push(...encryptionLines(buffer));
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

function clockText(clock: StatusJson['clock']): string {
  const steps =
    clock.steps_total > 0 ? `; ${clock.steps_total} steps, the last ${clock.last_step_ms} ms` : '';
  const judged = clock.unsynced ? 'NOT RIGHT, readings are marked' : 'right';
  const aheadMs = clock.ahead_of_collector_ms;
  if (aheadMs === null) return `${judged}${steps}`;
  const difference = `${span(Math.abs(aheadMs))} ${aheadMs < 0 ? 'behind' : 'ahead of'} the collector`;
  if (clock.timed_by === 'collector') {
    return `WRONG by ${difference}; readings are timed by the collector's${steps}`;
  }
  return `${judged}, ${difference}${clock.time_service ? ' (kept by a time service)' : ''}${steps}`;
}

/** Nothing for a gateway with a token. */
function certificateLines(status: StatusJson): string[] {
  const { certificate, certificate_error: error, now_ms: now } = status;
  const lines: string[] = [];
  if (certificate !== null) {
    const leftMs = certificate.not_after_ms - now;
    const end = new Date(certificate.not_after_ms).toISOString().slice(0, 10);
    const dueMs = certificate.renewal_due_ms;
    const due =
      dueMs === null
        ? 'from elsewhere, not renewed by the agent'
        : dueMs > now
          ? `renewed by itself in ${span(dueMs - now)}`
          : 'RENEWAL IS DUE';
    lines.push(
      leftMs > 0
        ? `certificate until ${end} (${span(leftMs)}); ${due}`
        : `certificate EXPIRED on ${end}; ${due}`,
    );
  }
  if (error !== null) lines.push(`           ${error.message}`, `           ${error.hint}`);
  return lines;
}

function evictionText({ readings, seconds_until_eviction: seconds }: StatusJson['buffer']): string {
  if (seconds < 0 || readings === 0) return 'not filling';
  const words = seconds < SOON_S ? 'FULL IN' : 'full in';
  return `${words} ${span(seconds * 1000)} at the present rate`;
}

/** What is not as it is in most buffers: encrypted throughout, or not at all and never was. */
function encryptionLines(buffer: StatusJson['buffer']): string[] {
  const { encrypted, key, older_keys: older, older_chunks: chunks } = buffer;
  if (key === null) return [];
  const how = encrypted ? `encrypted with key ${key}` : 'no longer encrypted';
  if (chunks === 0) return [`           ${how}`];
  const still = `at most ${chunks.toLocaleString('en')} chunks`;
  const need = older.length === 0 ? 'are still without' : `still need key ${older.join(', ')}`;
  return [`           ${how}; ${still} ${need}`];
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
