/** What `fms-agent status` prints of /status, for people. */

import type { Say, Speaker } from '../words/say.ts';
import { english } from '../words/say.ts';
import { padTo, widthOf } from '../words/text.ts';
import type { StatusJson } from './status.ts';

/** Less than this until readings are lost is worth shouting. */
const SOON_S = 86_400;

/** Whole lines. Times are told from now. */
export function renderStatus(status: StatusJson, speaker: Speaker = english): string {
  const { say } = speaker;
  const running = { pid: status.pid, span: span(status.now_ms - status.started_ms, speaker) };
  const lines = [
    `fms-agent ${status.version}  ${status.site}/${status.gateway}  ${say('pid {pid}, running for {span}', running)}`,
  ];
  const width = Math.max(10, widthOf(say('last error')));
  for (const [head, text] of factsOf(status, speaker)) {
    lines.push(`${padTo(head, width)} ${text}`);
  }
  lines.push(...readerLines(status, speaker));
  return `${lines.join('\n')}\n`;
}

/** A head and what it tells; an empty head goes on with the one above. */
type Fact = readonly [head: string, text: string];

function factsOf(status: StatusJson, speaker: Speaker): Fact[] {
  const { say } = speaker;
  const { collector, buffer, clock } = status;
  const facts: Fact[] = [
    [say('collector'), collectorText(status, speaker)],
    [say('buffer'), bufferText(status, speaker)],
    [say('clock'), clockText(clock, speaker)],
    ...certificateFacts(status, speaker),
  ];
  if (collector.online && collector.waits_for !== 'nothing') {
    const count = numeral(collector.in_flight_readings);
    const text =
      collector.waits_for === 'collector'
        ? say(
            "{count} readings sent: the broker has them; waiting for the collector's acknowledgement",
            { count },
          )
        : say('{count} readings sent: waiting for the PUBACK', { count });
    facts.push(['', text]);
  }
  if (collector.held_ms > 0) {
    const held = { span: span(collector.held_ms, speaker) };
    facts.push(['', say("readings wait up to {span} for the clock's correction", held)]);
  }
  facts.push(...encryptionFacts(buffer, say));
  if (buffer.disk_refuses) {
    const error = speaker.retell(buffer.last_error);
    facts.push(['', say('THE DISK REFUSES: {error}', { error })]);
  }
  if (buffer.evicted_readings_total > 0 || buffer.gaps_pending > 0) {
    const lost = { count: numeral(buffer.evicted_readings_total), gaps: buffer.gaps_pending };
    const text = say(
      '{count} readings evicted since the start, {gaps} gaps still to be declared',
      lost,
    );
    facts.push([say('losses'), text]);
  }
  if (collector.last_error !== null) {
    facts.push(...errorFacts(say('last error'), collector.last_error, speaker));
  }
  const count = status.readers.filter((reader) => reader.status === 'ok').length;
  facts.push([say('readers'), say('{count} of {all} ok', { count, all: status.readers.length })]);
  return facts;
}

interface ToldError {
  code: string;
  message: string;
  hint: string;
}

/** The running agent speaks English, and may be of another version, with other codes. */
function errorFacts(head: string, error: ToldError, { retell, adviceOn }: Speaker): Fact[] {
  const known = adviceOn(error.code);
  const advice = known.length > 0 ? known : [error.hint];
  return [[head, retell(error.message)], ...advice.map((line): Fact => ['', line])];
}

function readerLines({ readers, now_ms: now }: StatusJson, speaker: Speaker): string[] {
  const { say, retell } = speaker;
  const width = (least: number, texts: readonly string[]): number =>
    Math.max(least, ...texts.map(widthOf));
  const deviceWidth = width(
    6,
    readers.map(({ device }) => device),
  );
  const statusWidth = width(
    8,
    readers.map(({ status }) => say(status)),
  );
  return readers.map(({ device, reader, status, last_good_ms: lastGoodMs, last_error: error }) => {
    const good = lastGoodMs === 0 ? say('never') : ago(now, lastGoodMs, speaker);
    const name = `${padTo(device, deviceWidth)}  ${padTo(reader, 8)}`;
    const state = `${padTo(say(status), statusWidth)} ${say('last good {ago}', { ago: good })}`;
    return `  ${name} ${state}${status === 'ok' ? '' : `  ${retell(error)}`}`;
  });
}

function collectorText({ collector, now_ms: now }: StatusJson, speaker: Speaker): string {
  const { say } = speaker;
  const { url } = collector;
  const acknowledged =
    collector.last_acknowledgement_ms === null
      ? say('nothing acknowledged yet')
      : say('last acknowledgement {ago}', {
          ago: ago(now, collector.last_acknowledgement_ms, speaker),
        });
  if (collector.online) {
    const online = span(now - (collector.online_since_ms ?? now), speaker);
    return say('online for {span}, {url}; {acknowledged}', { span: online, url, acknowledged });
  }
  const connection = say(collector.connection);
  if (collector.next_attempt_ms === null) {
    return say('OFFLINE ({connection}), {url}; {acknowledged}', { connection, url, acknowledged });
  }
  return say('OFFLINE ({connection}, next attempt in {span}), {url}; {acknowledged}', {
    connection,
    span: span(Math.max(0, collector.next_attempt_ms - now), speaker),
    url,
    acknowledged,
  });
}

function bufferText({ buffer, now_ms: now }: StatusJson, speaker: Speaker): string {
  const { say } = speaker;
  const wait = say('{count} readings wait, {bytes} of {max}', {
    count: numeral(buffer.readings),
    bytes: bytes(buffer.bytes),
    max: bytes(buffer.max_bytes),
  });
  const oldest =
    buffer.oldest_ms === null
      ? ''
      : `, ${say('oldest {ago}', { ago: ago(now, buffer.oldest_ms, speaker) })}`;
  return `${wait}${oldest}; ${evictionText(buffer, speaker)}`;
}

function evictionText(buffer: StatusJson['buffer'], speaker: Speaker): string {
  const { readings, seconds_until_eviction: seconds } = buffer;
  if (seconds < 0 || readings === 0) return speaker.say('not filling');
  const left = { span: span(seconds * 1000, speaker) };
  return seconds < SOON_S
    ? speaker.say('FULL IN {span} at the present rate', left)
    : speaker.say('full in {span} at the present rate', left);
}

/** What is not as it is in most buffers: encrypted throughout, or not at all and never was. */
function encryptionFacts(buffer: StatusJson['buffer'], say: Say): Fact[] {
  const { encrypted, key, older_keys: older, older_chunks: chunks } = buffer;
  if (key === null) return [];
  const how = encrypted ? say('encrypted with key {key}', { key }) : say('no longer encrypted');
  if (chunks === 0) return [['', how]];
  const rest = { how, count: numeral(chunks) };
  const text =
    older.length === 0
      ? say('{how}; at most {count} chunks are still without', rest)
      : say('{how}; at most {count} chunks still need key {keys}', {
          ...rest,
          keys: older.join(', '),
        });
  return [['', text]];
}

function clockText(clock: StatusJson['clock'], speaker: Speaker): string {
  const { say } = speaker;
  const changed = { count: clock.steps_total, ms: clock.last_step_ms };
  const steps = changed.count > 0 ? `; ${say('{count} steps, the last {ms} ms', changed)}` : '';
  const judged = clock.unsynced ? say('NOT RIGHT, readings are marked') : say('right');
  const aheadMs = clock.ahead_of_collector_ms;
  if (aheadMs === null) return `${judged}${steps}`;
  const apart = { span: span(Math.abs(aheadMs), speaker) };
  const difference =
    aheadMs < 0
      ? say('{span} behind the collector', apart)
      : say('{span} ahead of the collector', apart);
  if (clock.timed_by === 'collector') {
    const text = "WRONG by {difference}; readings are timed by the collector's";
    return `${say(text, { difference })}${steps}`;
  }
  const kept = clock.time_service ? ` (${say('kept by a time service')})` : '';
  return `${judged}, ${difference}${kept}${steps}`;
}

/** Nothing for a gateway with a token. */
function certificateFacts(status: StatusJson, speaker: Speaker): Fact[] {
  const { certificate, certificate_error: error, now_ms: now } = status;
  const { say } = speaker;
  const facts: Fact[] = [];
  if (certificate !== null) {
    const leftMs = certificate.not_after_ms - now;
    const date = new Date(certificate.not_after_ms).toISOString().slice(0, 10);
    const dueMs = certificate.renewal_due_ms;
    const renewal =
      dueMs === null
        ? say('from elsewhere, not renewed by the agent')
        : dueMs > now
          ? say('renewed by itself in {span}', { span: span(dueMs - now, speaker) })
          : say('RENEWAL IS DUE');
    const text =
      leftMs > 0
        ? say('until {date} ({span}); {renewal}', { date, span: span(leftMs, speaker), renewal })
        : say('EXPIRED on {date}; {renewal}', { date, renewal });
    facts.push([say('certificate'), text]);
  }
  if (error !== null) facts.push(...errorFacts('', error, speaker));
  return facts;
}

function ago(nowMs: number, thenMs: number, speaker: Speaker): string {
  return speaker.say('{span} ago', { span: span(Math.max(0, nowMs - thenMs), speaker) });
}

/** A duration in the unit that suits it. */
export function span(ms: number, { say }: Speaker = english): string {
  const seconds = ms / 1000;
  if (seconds < 1) return say('{n} ms', { n: Math.round(ms) });
  if (seconds < 120) return say('{n} s', { n: seconds.toFixed(1) });
  if (seconds < 7_200) return say('{n} min', { n: Math.round(seconds / 60) });
  if (seconds < 172_800) return say('{n} h', { n: Math.round(seconds / 3_600) });
  return say('{n} days', { n: Math.round(seconds / 86_400) });
}

function numeral(count: number): string {
  return count.toLocaleString('en');
}

function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const index = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${(count / 1000 ** index).toFixed(index === 0 ? 0 : 1)} ${units[index]}`;
}
