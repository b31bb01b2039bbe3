/** `fms-collector backtest --device`, against a running collector. */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import t from 'tap';
import type { BacktestOptions } from '../../../collector/backtest/options.ts';
import { backtest } from '../../../collector/commands/backtest.ts';
import type { Reading, Value } from '../../../proto/model.ts';
import { Quality } from '../../../proto/model.ts';
import { TestCollector, until } from '../../support/running-collector.ts';

const ROWS = 1_200;
const INTERVAL_MS = 10_000;
/** Within the retention, and long over. */
const START_MS = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 48 * 3_600_000;
const SPIKE = 900;

const folder = mkdtempSync(join(tmpdir(), 'fms-history-'));
const collector = new TestCollector();
t.before(() => collector.start());
t.teardown(async () => {
  await collector.remove();
  rmSync(folder, { recursive: true, force: true });
});

/** What the device sent: with a null, a -1, a value out of range and a text. */
function valuesAt(row: number): Record<string, Value> {
  const wave = Math.sin(row / 9) + 0.4 * Math.sin(row * 12.9898);
  return {
    sensor1: row === 500 ? -1 : row >= SPIKE && row < SPIKE + 3 ? 99 : 45 + 4 * wave,
    sensor2: row === 510 ? null : 50 + 3 * wave,
    sensor3: row === 520 ? 190 : 75 + 5 * wave,
    isFail: row === 1_100,
    note: row === 700 ? '점검' : 'ok',
  };
}

const CHANNELS = Object.keys(valuesAt(0));

function timeAt(row: number): number {
  return START_MS + row * INTERVAL_MS;
}

async function publish(): Promise<void> {
  const publisher = await collector.publisher('gw1');
  for (let row = 0; row < ROWS; row += 200) {
    const readings: Reading[] = [];
    for (const channel of CHANNELS)
      for (let r = row; r < row + 200; r++) {
        const value = valuesAt(r)[channel] ?? null;
        const quality = value === null ? Quality.NULL : Quality.GOOD;
        readings.push({ device: 'D01', channel, timeMs: timeAt(r), value, quality });
      }
    await publisher.readings(readings);
  }
  await publisher.close();
  const last = `/api/v1/readings?site=demo&device=D01&form=wide&from=${START_MS}&to=${timeAt(ROWS)}&order=desc&limit=1`;
  await until(async () => {
    const { body } = await collector.get(last);
    const [item] = body.items as { time_ms: number; values: unknown[] }[];
    return item?.time_ms === timeAt(ROWS - 1);
  });
}

async function ran(
  file: string | undefined,
  options: Partial<BacktestOptions>,
): Promise<{ code: number; said: string }> {
  const said: string[] = [];
  const output = { log: () => undefined, error: (line: string) => void said.push(line) };
  const given = { config: join(folder, 'none.yaml'), ...options };
  const streams = { stdout: new PassThrough(), output, nowMs: timeAt(ROWS) };
  const code = await backtest(file, given, {}, streams);
  return { code, said: said.join('\n') };
}

/** The same rows as a file. */
function recording(): string {
  const file = join(folder, 'd01.csv');
  const lines = [`time,${CHANNELS.join(',')}`];
  for (let row = 0; row < ROWS; row++) {
    const values = Object.values(valuesAt(row)).map((value) => value ?? '');
    lines.push([new Date(timeAt(row)).toISOString(), ...values].join(','));
  }
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

const HISTORY = {
  device: 'demo/D01',
  from: new Date(START_MS).toISOString(),
  warmUp: '0',
};

t.test('says of the history what it says of a recording of the same', async (t) => {
  await publish();
  const [history, file] = [join(folder, 'history.csv'), join(folder, 'file.csv')];
  const url = collector.base;
  const asked = await ran(undefined, { ...HISTORY, url, profile: 'fms', out: history });
  t.equal(asked.code, 0, asked.said);
  const channels = CHANNELS.join(',');
  const read = await ran(recording(), { time: 'time', channels, profile: 'fms', out: file });
  t.equal(read.code, 0, read.said);
  const lines = readFileSync(history, 'utf8').split('\n');
  t.equal(lines.length, 2 + ROWS);
  t.same(lines, readFileSync(file, 'utf8').split('\n'));
  t.match(asked.said, /\dT\d.*Pressure \(sensor3\).*\[then too\]/, 'lists the anomalies');
  t.match(asked.said, /then +\d+ anomalies; \d+ of the \d+/);
});

t.test('by the profile that the device has; the part before --from only teaches', async (t) => {
  const from = new Date(timeAt(800)).toISOString();
  const out = join(folder, 'late.csv');
  const { code, said } = await ran(undefined, {
    device: 'demo/D01',
    from,
    url: collector.base,
    json: true,
    out,
  });
  t.equal(code, 0, said);
  t.equal(readFileSync(out, 'utf8').split('\n').length, 2 + ROWS - 800);
  const summary = JSON.parse(said) as { rows: number; comparison: { wouldBe: number } };
  t.equal(summary.rows, ROWS - 800);
  t.ok(summary.comparison.wouldBe >= 1, 'the spike');
});

t.test('what it cannot do', async (t) => {
  const url = collector.base;
  const unknown = await ran(undefined, { ...HISTORY, device: 'demo/D77', url });
  t.equal(unknown.code, 2);
  t.match(unknown.said, /BACKTEST_HISTORY: demo\/D77: the collector knows no such device/);
  const empty = await ran(undefined, {
    ...HISTORY,
    from: '2001-01-01',
    to: '2001-02-01',
    profile: 'fms',
    url,
  });
  t.equal(empty.code, 2);
  t.match(empty.said, /no readings in the range/);
  await collector.stop();
  const gone = await ran(undefined, { ...HISTORY, url });
  t.equal(gone.code, 3);
  t.match(gone.said, /COLLECTOR_UNREACHABLE/);
});
