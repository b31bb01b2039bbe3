/** `fms-collector backtest FILE`, as the command line calls it. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import t from 'tap';
import type { BacktestOptions } from '../../../collector/backtest/options.ts';
import { backtest } from '../../../collector/commands/backtest.ts';

const folder = mkdtempSync(join(tmpdir(), 'fms-backtest-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const ROWS = 900;
const FAULT = { from: 700, to: 720 };

/** Two channels around 20 and 60; in the fault the first one is at 90. */
function recording(): string {
  const file = join(folder, 'pump.csv');
  const lines = ['ts;flow;pressure;bad'];
  for (let i = 0; i < ROWS; i++) {
    const bad = i >= FAULT.from && i < FAULT.to;
    const time = new Date(Date.UTC(2026, 0, 1) + i * 10_000).toISOString();
    const wave = Math.sin(i / 7) + 0.3 * Math.sin(i * 12.9898);
    lines.push(`${time};${(bad ? 90 : 20) + wave};${60 + 2 * wave};${bad ? 1 : 0}`);
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

const PUMP = recording();

interface Ran {
  code: number;
  rows: string[];
  said: string;
}

async function ran(file: string | undefined, options: Partial<BacktestOptions>): Promise<Ran> {
  const out: string[] = [];
  const said: string[] = [];
  const stdout = new Writable({
    decodeStrings: false,
    write: (piece: string, _encoding, done) => {
      out.push(piece);
      done();
    },
  });
  const code = await backtest(
    file,
    { config: join(folder, 'none.yaml'), ...options },
    {},
    {
      stdout,
      output: { log: (line) => said.push(line), error: (line) => said.push(line) },
      nowMs: Date.UTC(2026, 0, 2),
    },
  );
  return { code, rows: out.join('').split('\n').slice(0, -1), said: said.join('\n') };
}

const PUMP_OPTIONS = { time: 'ts', channels: 'flow,pressure', train: '300' };

t.test('a row for each row of the recording, with the time as it stood there', async (t) => {
  const { code, rows, said } = await ran(PUMP, { ...PUMP_OPTIONS, label: 'bad' });
  t.equal(code, 0, said);
  t.equal(rows.length, 1 + ROWS);
  t.equal(rows[0], 'timestamp,score,alarm,reason');
  const cells = rows.slice(1).map((row) => row.split(','));
  t.equal(cells[0]?.[0], '2026-01-01T00:00:00.000Z');
  const alarms = cells.flatMap(([, , alarm], i) => (alarm === '1' ? [i] : []));
  t.equal(alarms[0], FAULT.from);
  t.ok(alarms.length >= FAULT.to - FAULT.from, 'of two channels: as long as it is open');
  t.same(
    cells.flatMap(([, score], i) => (Number(score) >= 0.5 ? [i] : [])),
    alarms,
  );
  t.match(rows[1 + FAULT.from], /flow/, 'the reason names the channel');
  t.match(said, /events +1 of 1 found/);
  t.match(said, /rows +900; the first 300/);
});

t.test(
  'of one channel, and where it is asked for: the row at which an anomaly begins',
  async (t) => {
    for (const options of [{ channels: 'flow' }, { mark: 'onset' }]) {
      const { code, rows, said } = await ran(PUMP, { ...PUMP_OPTIONS, ...options });
      t.equal(code, 0, said);
      const alarms = rows.slice(1).flatMap((row, i) => (row.split(',')[2] === '1' ? [i] : []));
      t.same(alarms, [FAULT.from], JSON.stringify(options));
    }
  },
);

t.test('into a file, summary as JSON, reasons in Korean', async (t) => {
  const out = join(folder, 'out.csv');
  const { code, rows, said } = await ran(PUMP, {
    ...PUMP_OPTIONS,
    label: 'bad',
    out,
    json: true,
    language: 'ko',
  });
  t.equal(code, 0, said);
  t.same(rows, []);
  const lines = readFileSync(out, 'utf8').split('\n');
  t.equal(lines.length, 2 + ROWS);
  t.match(lines[1 + FAULT.from], /\p{Script=Hangul}/u);
  t.match(JSON.parse(said), {
    rows: ROWS,
    training_rows: 300,
    anomalies: 1,
    labels: { by_event: { events: 1, found: 1, delay_rows_mean: 0 } },
  });
});

t.test('windows in place of a label column', async (t) => {
  const windows = join(folder, 'windows.json');
  const at = (row: number): string => new Date(Date.UTC(2026, 0, 1) + row * 10_000).toISOString();
  const list = [[at(FAULT.from - 5), at(FAULT.to)]];
  writeFileSync(windows, JSON.stringify({ 'plant/pump.csv': list, 'x.csv': [] }));
  const named = await ran(PUMP, { ...PUMP_OPTIONS, windows, name: 'plant/pump.csv', json: true });
  const found = await ran(PUMP, { ...PUMP_OPTIONS, windows, json: true });
  t.equal(named.code, 0, named.said);
  t.equal(found.said, named.said, 'found by the name of the file');
  t.match(JSON.parse(named.said), { labels: { by_event: { found: 1, delay_rows_mean: 5 } } });
  const wrong = await ran(PUMP, { ...PUMP_OPTIONS, windows, name: 'y.csv' });
  t.equal(wrong.code, 2);
  t.match(wrong.said, /no windows of y\.csv; known: plant\/pump\.csv, x\.csv/);
});

t.test('a profile, by file and by name', async (t) => {
  const profile = join(folder, 'pump.yaml');
  writeFileSync(profile, 'channels:\n  flow: { max: 10, on_range: quarantine }\n');
  const byFile = await ran(PUMP, { ...PUMP_OPTIONS, profile });
  t.equal(byFile.code, 0, byFile.said);
  const byName = await ran(PUMP, { ...PUMP_OPTIONS, profile: 'fms' });
  t.equal(byName.code, 0, byName.said);
  writeFileSync(profile, 'channels:\n  flow: { max: ten }\n');
  const wrong = await ran(PUMP, { ...PUMP_OPTIONS, profile });
  t.equal(wrong.code, 2);
  t.match(wrong.said, /pump\.yaml:2: .*max/);
  const unknown = await ran(PUMP, { ...PUMP_OPTIONS, profile: 'nobody' });
  t.equal(unknown.code, 2);
  t.match(unknown.said, /BACKTEST_PROFILE: no profile nobody \(built in\); known: fms/);
});

t.test('mistakes: exit code 2, and what is wrong', async (t) => {
  const mistakes: [string | undefined, Partial<BacktestOptions>, RegExp][] = [
    [undefined, {}, /name a CSV file, or a device/],
    [undefined, { device: 'D01' }, /SITE\/DEVICE/],
    [PUMP, {}, /needs --time/],
    [PUMP, { time: 'ts', channels: 'flow,flow' }, /flow twice/],
    [PUMP, { time: 'ts', channels: 'flow,bad', label: 'bad' }, /must not see it/],
    [PUMP, { ...PUMP_OPTIONS, train: '1.5' }, /--train 1\.5: a whole number/],
    [PUMP, { ...PUMP_OPTIONS, from: '2026-01-01' }, /--from is for a history/],
    [PUMP, { ...PUMP_OPTIONS, zone: 'Moon' }, /--zone Moon/],
    [PUMP, { ...PUMP_OPTIONS, name: 'x' }, /--name needs --windows/],
    [PUMP, { ...PUMP_OPTIONS, language: 'de' }, /en or ko/],
    [PUMP, { ...PUMP_OPTIONS, mark: 'all' }, /--mark all: one of onset, open/],
    [PUMP, { ...PUMP_OPTIONS, time: 'when' }, /pump\.csv:1: no column "when"/],
    [join(folder, 'missing.csv'), PUMP_OPTIONS, /ENOENT/],
    [undefined, { device: 's/d', to: '2026-01-01', from: '2026-01-02' }, /--from must be before/],
  ];
  for (const [file, options, message] of mistakes) {
    const { code, said } = await ran(file, options);
    t.equal(code, 2, said);
    t.match(said, message);
  }
});

t.test('no rows; an output that cannot be written', async (t) => {
  const empty = join(folder, 'empty.csv');
  writeFileSync(empty, 'ts,flow,pressure\n');
  const none = await ran(empty, PUMP_OPTIONS);
  t.equal(none.code, 2);
  t.match(none.said, /BACKTEST_RECORDING: .*empty\.csv: no rows below the header/);
  const { code, said } = await ran(PUMP, { ...PUMP_OPTIONS, out: join(folder, 'no', 'out.csv') });
  t.equal(code, 1);
  t.match(said, /BACKTEST_OUTPUT: ENOENT/);
});

t.test('who reads stdout may stop at any time', async (t) => {
  const stdout = new Writable({
    write: (_piece, _encoding, done) => done(Object.assign(new Error('gone'), { code: 'EPIPE' })),
  });
  stdout.on('error', () => undefined);
  const said: string[] = [];
  const output = { log: () => undefined, error: (line: string) => void said.push(line) };
  const options = { config: 'none', ...PUMP_OPTIONS };
  t.equal(await backtest(PUMP, options, {}, { stdout, output, nowMs: 0 }), 0);
  t.same(said, [], 'nothing is said of a part');
});
