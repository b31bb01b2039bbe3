/**
 * Values at the ends of what numbers and texts can be, under names that are made to break what is built of
 * them: everything is stored as it came, judged as the profile says, and comes out of the API unharmed as
 * JSON, CSV and Parquet; roll-ups and the quality stay sane. The short form asks for each name wide, in buckets
 * or in points, the long one in all of these ways.
 */

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Test } from 'tap';
import t from 'tap';
import { codesOf, Treatment } from '../../collector/findings.ts';
import type { Reading, Value } from '../../proto/model.ts';
import { Quality, Severity, severityOf } from '../../proto/model.ts';
import { CollectorProcess, QUICK_COLLECTOR } from '../support/collector-process.ts';
import { ofForm } from '../support/form.ts';
import type { StoredReading } from '../support/truth-comparison.ts';
import { dataAccount, settleData } from './support/data-account.ts';
import type { EmitterEpoch } from './support/emitter.ts';
import { Emitter } from './support/emitter.ts';
import { checkQuality } from './support/quality-check.ts';

const HUGE_TEXT = '가나다라abcd'.repeat(655_360 /* 10 MiB */);
const PROFILED = 'D05';

/** What the built-in profile makes of a value of sensor1: 0 to 100, -1 is none, null is filled. */
interface Judged {
  value: Value;
  cleaned: number | string | null;
  treatment: Treatment;
  finding: string | undefined;
}

const JUDGED: Judged[] = [
  { value: 25, cleaned: 25, treatment: Treatment.KEPT, finding: undefined },
  { value: Number.NaN, cleaned: 25, treatment: Treatment.FILLED, finding: 'not_finite' },
  { value: Infinity, cleaned: 25, treatment: Treatment.FILLED, finding: 'not_finite' },
  { value: -Infinity, cleaned: 25, treatment: Treatment.FILLED, finding: 'not_finite' },
  { value: 1e308, cleaned: 1e308, treatment: Treatment.FLAGGED, finding: 'out_of_range' },
  { value: -1e308, cleaned: -1e308, treatment: Treatment.FLAGGED, finding: 'out_of_range' },
  { value: -0, cleaned: -0, treatment: Treatment.KEPT, finding: undefined },
  { value: 5e-324, cleaned: 5e-324, treatment: Treatment.KEPT, finding: undefined },
  { value: -5e-324, cleaned: -5e-324, treatment: Treatment.FLAGGED, finding: 'out_of_range' },
  { value: null, cleaned: 5e-324, treatment: Treatment.FILLED, finding: 'null_value' },
  { value: -1, cleaned: 5e-324, treatment: Treatment.FILLED, finding: 'sentinel' },
  { value: 2 ** 53 + 2, cleaned: 2 ** 53 + 2, treatment: Treatment.FLAGGED, finding: 'out_of_range' },
  { value: 0.1 + 0.2, cleaned: 0.1 + 0.2, treatment: Treatment.KEPT, finding: undefined },
  { value: '25', cleaned: '25', treatment: Treatment.FLAGGED, finding: 'wrong_type' },
  { value: '', cleaned: '', treatment: Treatment.FLAGGED, finding: 'wrong_type' },
]; // biome-ignore format: a table

const NAMES = [
  "'; DROP TABLE readings; --", '"quoted"', '`ticks`', 'back\\slash', "it's", 'new\nline', 'tab\there',
  'nul\0inside', '\0', '\u001b[31mred', '__proto__', 'constructor', 'toString', 'hasOwnProperty', '{x:String}',
  '{device:String}', '%00%27', '../../etc/passwd', 'a,b', 'a|b', 'a/b', '=1+1', '@SUM(A1)', '온도 센서', '🏭',
  '\u202egnirts', '\ufeffbom', 'e\u0301', 'lone\ud800', ' ', ' lead and trail ', '*', 'D?', '$(reboot)',
  '<script>alert(1)</script>', 'x'.repeat(128), 'x'.repeat(129), '가'.repeat(43), 'null', 'NaN', '0',
  'channel', 'time_ms', 'value', 'findings',
]; // biome-ignore format: a table

const VALUES: Value[] = [
  1.5, Number.NaN, Infinity, -Infinity, 1e308, 1e308, -1e308, -0, 5e-324, 2.2250738585072014e-308, null,
  2 ** 53 + 2, true, false, '', "'; DROP TABLE readings; --", 'two\nlines', 'a"b', 'nul\0inside', 'lone\udc00',
  '\ufeff', HUGE_TEXT,
]; // biome-ignore format: a table

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);

t.test('hostile values and names', { timeout: 900_000 }, async (t) => {
  const collector = new CollectorProcess(t, {}, QUICK_COLLECTOR);
  await collector.start();
  const emitter = await Emitter.connect(collector.login('gw1'));
  t.teardown(() => emitter.close());
  const startMs = Math.floor(Date.now() / 60_000) * 60_000 - 120_000;
  const epoch = emitter.epoch();
  const send = async (readings: readonly Reading[]): Promise<void> => {
    for (const frame of epoch.number(readings)) await emitter.send(epoch, [frame]);
  };

  // Judged in the order of arrival: one by one.
  for (const [i, { value }] of JUDGED.entries()) {
    await send([readingOf(PROFILED, 'sensor1', startMs + i * 1_000, value)]);
  }
  const ofProfiled = epoch.lastSeq;
  // Every name as a device with all values, and as a channel.
  for (const name of NAMES) {
    const values = VALUES.map((value, i) => readingOf(name, 'v', startMs + i * 1_000, value));
    await send([...values, readingOf(name, name, startMs, 1.25)]);
  }
  await send(NAMES.map((name, i) => readingOf('all names', name, startMs, i)));
  // Larger than a payload may be: its head is kept, and the connection goes on.
  await emitter.publish(Buffer.from(HUGE_TEXT.slice(0, 500_000)));
  await emitter.publish(Buffer.alloc(0));
  // So large that not even the head is taken: that connection ends, and no other.
  const other = await Emitter.connect(collector.login('gw2'));
  await other.publishInVain(Buffer.from(HUGE_TEXT));
  await send([readingOf('D06', 'sensor1', startMs, 1)]);
  // Nobody can ask for a device without a name, and yet it is kept.
  await send([readingOf('', 'v', startMs, 1), readingOf('D06', '', startMs, 1)]);
  await settleData(collector);

  const range = `from=${startMs - 60_000}&to=${startMs + 120_000}`;
  const devices = new Set(epoch.emitted.map(({ device }) => device));
  const asked = await askForAll(t, collector, epoch, range);
  const listed = await collector.get<{ items: { device: string }[] }>('/api/v1/devices?limit=1000');
  t.same(new Set(listed.items.map(({ device }) => device)), devices, 'all devices are listed');
  for (const step of ['minute', 'hour', 'day', 'all']) {
    const quality = await checkQuality(collector, `site=demo&step=${step}&${range}`);
    t.same(quality.wrong, [], `the quality by ${step} is sane`);
    t.equal(quality.received, epoch.lastSeq, `the quality by ${step} counts every reading`);
  }
  for (const path of ['/api/v1/events', '/api/v1/gateways', '/api/v1/overview', '/metrics', '/'])
    t.ok((await fetch(collector.base + path)).ok, path);
  t.notMatch(collector.output, /"level":(50|60|"error"|"fatal")/, 'the program has no error');

  const wrong: string[] = [];
  const reasons: string[] = [];
  const result = await dataAccount(collector, emitter.epochs, {
    onReading: (row) => {
      const judged = row.seq <= ofProfiled ? JUDGED[row.seq - 1] : undefined;
      const problem = judged && problemOf(row, judged);
      if (problem !== undefined) wrong.push(problem);
    },
    onQuarantine: ({ reason }) => reasons.push(reason),
  });
  t.same(wrong, [], 'each value of the device with a profile is judged as it says');
  t.same(result.problems, []);
  t.equal(result.stored, epoch.lastSeq);
  t.same(reasons.length, 2, `payloads that are none: ${reasons.join(', ')}`);
  checkParquet(t, epoch, asked);
});

function readingOf(device: string, channel: string, timeMs: number, value: Value): Reading {
  const quality = value === null ? Quality.NULL : Quality.GOOD;
  return { device, channel, timeMs, value, quality };
}

function problemOf(row: StoredReading, judged: Judged): string | undefined {
  const { cleaned, treatment, finding } = judged;
  const found = codesOf(row.findings).filter((code) => code !== 'late');
  const isSo =
    (row.text ?? row.value) === cleaned &&
    row.treatment === treatment &&
    (finding === undefined ? found.length === 0 : found.includes(finding as never));
  const value = Object.is(judged.value, -0) ? '-0' : String(judged.value);
  return isSo ? undefined : `${value}: ${JSON.stringify(row)} (${found})`;
}

/** Of the readings of a device. */
const MORE = ['&form=wide', '&step=minute', '&step=hour&form=wide', '&step=day', '&points=10'];

/** Asks for every device as JSON, CSV and Parquet, and in MORE ways; answers where the Parquet files are. */
async function askForAll(
  t: Test,
  collector: CollectorProcess,
  epoch: EmitterEpoch,
  range: string,
): Promise<string[]> {
  const files: string[] = [];
  const byDevice = new Map<string, number[]>();
  for (const [i, { device }] of epoch.emitted.entries())
    byDevice.set(device, [...(byDevice.get(device) ?? []), i + 1]);
  byDevice.delete('');
  for (const [device, seqs] of byDevice) {
    const name = JSON.stringify(device).slice(0, 40);
    const base = `/api/v1/readings?site=demo&device=${encodeURIComponent(device)}&${range}`;
    const { items } = await collector.get<{ items: JsonItem[] }>(`${base}&limit=10000`);
    t.same(
      items.map(({ seq }) => seq).sort((a, b) => a - b),
      seqs,
      `${name} as JSON`,
    );
    t.same(
      items.flatMap((item) => jsonProblem(item, epoch)),
      [],
      name,
    );
    for (const more of ofForm({ short: [MORE[files.length % MORE.length]!], long: MORE })) {
      const answer = await collector.get<{ items: unknown[] }>(base + more);
      t.ok(answer.items.length > 0, `${name} ${more}`);
      const csv = await fetch(`${collector.base}${base}${more}&format=csv`);
      t.equal(csv.status, 200, `${name} ${more} as CSV: ${csv.ok ? '' : await csv.clone().text()}`);
      t.ok((parse(await csv.text(), { columns: true }) as unknown[]).length > 0);
    }
    const csv = await (await fetch(`${collector.base}${base}&format=csv`)).text();
    const rows = parse(csv, { columns: true }) as Record<string, string>[];
    t.same(
      rows.map(({ seq }) => Number(seq)).sort((a, b) => a - b),
      seqs,
      `${name} as CSV`,
    );
    t.same(
      rows.flatMap((row) => csvProblem(row, epoch)),
      [],
      name,
    );
    const file = join(collector.folder, `${seqs[0]}.parquet`);
    const parquet = await fetch(`${collector.base}${base}&format=parquet`);
    writeFileSync(file, Buffer.from(await parquet.arrayBuffer()));
    files.push(file);
  }
  return files;
}

interface JsonItem {
  seq: number;
  channel: string;
  time_ms: number;
  value: number | string | null;
  raw_value: number | null;
  treatment: string;
}

function jsonProblem(item: JsonItem, epoch: EmitterEpoch): string[] {
  const { channel, timeMs, value, quality } = epoch.emitted[item.seq - 1]!;
  const isChanged = ['clipped', 'filled', 'missing'].includes(item.treatment);
  const found = isChanged ? item.raw_value : item.value;
  const finite = typeof value === 'number' && !Number.isFinite(value) ? null : value;
  const expected = typeof finite === 'boolean' ? Number(finite) : finite;
  const isSo =
    item.channel === channel &&
    item.time_ms === timeMs &&
    (found === expected || (severityOf(quality) === Severity.BAD && found === null));
  return isSo ? [] : [`${String(value).slice(0, 40)}: ${JSON.stringify(item).slice(0, 400)}`];
}

function csvProblem(row: Record<string, string>, epoch: EmitterEpoch): string[] {
  const { channel, timeMs, value } = epoch.emitted[Number(row.seq) - 1]!;
  const isChanged = ['clipped', 'filled', 'missing'].includes(row.treatment ?? '');
  const found = isChanged ? row.raw_value : row.value;
  const isSame =
    typeof value === 'string'
      ? row.text === value
      : value === null
        ? found === '' || found === '\\N'
        : sameNumber(Number(value), found ?? '');
  const isSo = row.channel === channel && Number(row.time_ms) === timeMs && isSame;
  return isSo ? [] : [`${String(value).slice(0, 40)}: ${JSON.stringify(row).slice(0, 400)}`];
}

function sameNumber(value: number, text: string): boolean {
  const words: Record<string, number> = { nan: Number.NaN, inf: Infinity, '-inf': -Infinity };
  return Object.is(words[text] ?? Number(text), value);
}

function checkParquet(t: Test, epoch: EmitterEpoch, files: readonly string[]): void {
  const program = join(import.meta.dirname, 'support/parquet-rows.ts');
  const output = execFileSync(process.execPath, [program, ...files], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const rows = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as StoredReading);
  t.equal(
    rows.length,
    epoch.emitted.filter(({ device }) => device !== '').length,
    'as Parquet: every reading',
  );
  const wrong: string[] = [];
  for (const row of rows) {
    const { channel, timeMs, value } = epoch.emitted[row.seq - 1]!;
    const treatment: unknown = row.treatment;
    const isChanged = ['clipped', 'filled', 'missing'].includes(String(treatment));
    const number = isChanged ? row.raw_value : row.value;
    const isSame =
      typeof value === 'string'
        ? row.text === value
        : value === null
          ? number === null
          : number === Number(value) || sameNumber(Number(value), String(number));
    if (row.channel !== channel || row.time_ms !== timeMs || !isSame)
      wrong.push(`${String(value).slice(0, 40)}: ${JSON.stringify(row).slice(0, 400)}`);
  }
  t.same(wrong.slice(0, 10), [], 'and exactly');
}
