/** Recordings and their replay, as a library and as the program in a pipe. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { gzipSync } from 'node:zlib';
import type { Test } from 'tap';
import t from 'tap';
import type { RecordedRow, Recording } from '../../simulators/recording.ts';
import { openRecording } from '../../simulators/recording.ts';
import type { ReplayOptions } from '../../simulators/replay.ts';
import { replay } from '../../simulators/replay.ts';
import type { TruthRow } from '../../simulators/truth.ts';
import { noTruth, readTruth, TruthWriter } from '../../simulators/truth.ts';

// The recordings are large, and the machine may be busy with other tests.
t.setTimeout(1_200_000);

const main = join(import.meta.dirname, '../../simulators/main.ts');

function recordingOf(
  file: string,
  options: Partial<Parameters<typeof openRecording>[0]> = {},
): Promise<Recording> {
  const defaults = { timeColumn: undefined, deviceColumn: undefined, startMs: 0, zoneMinutes: 0 };
  return openRecording({ file, ...defaults, ...options });
}

async function rowsOf(recording: Recording): Promise<RecordedRow[]> {
  const rows: RecordedRow[] = [];
  for await (const row of recording.rows()) rows.push(row);
  return rows;
}

function file(t: Test, text: string | Buffer, name = 'rec.csv'): string {
  // t.testdir() would empty the folder at each call.
  const path = join(t.testdirName, name);
  mkdirSync(t.testdirName, { recursive: true });
  t.teardown(() => rmSync(t.testdirName, { recursive: true, force: true }));
  writeFileSync(path, text);
  return path;
}

t.test('columns: time, device, numbers, booleans, text, empty cells', async (t) => {
  const path = file(
    t,
    '\ufeffgroup,ts,a,on,note,code,empty\r\n' +
      '1,2015-02-02 14:19:00,23.70,TRUE,"x, ""y""",007,\r\n' +
      '2,2015-02-02 14:19:59.5,-1e3,false,,012,\r\n' +
      '1,2015-02-02T14:20:00+09:00,NaN,true,z,100,\r\n',
  );
  const recording = await recordingOf(path);
  t.equal(recording.name, 'rec');
  t.equal(recording.rowCount, 3);
  t.same(
    [...recording.devices],
    [
      ['1', 2],
      ['2', 1],
    ],
  );
  t.same(recording.channels, ['a', 'on', 'note', 'code', 'empty']);
  t.same(await rowsOf(recording), [
    {
      row: 1,
      timeMs: Date.UTC(2015, 1, 2, 14, 19),
      device: '1',
      values: { a: 23.7, on: true, note: 'x, "y"', code: '007', empty: null },
    },
    {
      row: 2,
      timeMs: Date.UTC(2015, 1, 2, 14, 19, 59, 500),
      device: '2',
      values: { a: -1_000, on: false, note: null, code: '012', empty: null },
    },
    {
      row: 3,
      timeMs: Date.UTC(2015, 1, 2, 5, 20),
      device: '1',
      values: { a: null, on: true, note: 'z', code: '100', empty: null },
    },
  ]);
});

t.test('times: seconds, epoch seconds and milliseconds, a zone; semicolons, gzip', async (t) => {
  const timesOf = async (text: string, options = {}): Promise<number[]> =>
    (await rowsOf(await recordingOf(file(t, text), options))).map((row) => row.timeMs);
  t.same(await timesOf('seconds,a\n0,1\n1.5,2\n', { startMs: 1_000 }), [1_000, 2_500]);
  t.same(await timesOf('time;a\n1500000000;1\n1500000001000;2\n'), [1.5e12, 1.500000001e12]);
  t.same(await timesOf('date,a\n2020-01-01,1\n', { zoneMinutes: 540 }), [
    Date.UTC(2019, 11, 31, 15),
  ]);
  const zipped = file(t, gzipSync('ts,a\n2020-01-01 00:00:00,1\n'), 'rec.csv.gz');
  const recording = await recordingOf(zipped);
  t.equal(recording.name, 'rec');
  t.equal((await rowsOf(recording)).length, 1);
});

t.test('what is no recording', async (t) => {
  const wrong: [string, RegExp, object?][] = [
    ['', /is empty/],
    ['a,b\n1,2\n', /no time column recognised among: a, b/],
    ['ts,a\nnoon,2\n', /rec\.csv:2: 'noon' is no time/],
    ['ts,a\n2020-01-01,2\n2020-13-01,2\n', /rec\.csv:3: '2020-13-01' is no time/],
    ['ts,a\n2020-01-01,2,3\n', /Invalid Record Length/],
    ['ts,a,a\n', /the same name/],
    ['ts,a\n', /no column 'x'/, { timeColumn: 'x' }],
    ['ts,a\n', /no column 'x'/, { deviceColumn: 'x' }],
  ];
  for (const [text, message, options] of wrong) {
    const opened = recordingOf(file(t, text), options);
    await t.rejects(opened, { code: 'SIM_RECORDING_INVALID', message });
  }
  await t.rejects(recordingOf('/nowhere/rec.csv'), { code: 'SIM_FILE_UNREADABLE' });
  await t.rejects(recordingOf(file(t, 'ts,a\n', 'bad.csv.gz')), { code: /SIM_/ });
});

function csv(rows: number, group?: (i: number) => string): string {
  const head = group === undefined ? 'ts,a\n' : 'group,ts,a\n';
  const lines = Array.from({ length: rows }, (_, i) => {
    const time = new Date(Date.UTC(2020, 0, 1) + i * 1_000).toISOString().replace('T', ' ');
    return `${group === undefined ? '' : `${group(i)},`}${time.slice(0, 19)},${i}\n`;
  });
  return head + lines.join('');
}

interface Collected {
  lines: { time: string; device?: string; values: { a: number } }[];
  options: ReplayOptions;
}

async function prepare(path: string, options: Partial<ReplayOptions> = {}): Promise<Collected> {
  const lines: Collected['lines'] = [];
  const defaults: ReplayOptions = {
    recording: await recordingOf(path),
    onlyDevice: undefined,
    deviceName: undefined,
    devicePrefix: '',
    speed: 0,
    maxPauseMs: Number.POSITIVE_INFINITY,
    positionFile: undefined,
    truth: noTruth,
    output: {
      write: async (text) => {
        for (const line of text.split('\n').slice(0, -1)) lines.push(JSON.parse(line));
      },
    },
    nowMs: Date.now,
    signal: new AbortController().signal,
  };
  return { lines, options: { ...defaults, ...options } };
}

t.test('row for row, with own times, one line each', async (t) => {
  const path = file(t, csv(1_000));
  const { lines, options } = await prepare(path);
  t.same(await replay(options), { sent: 1_000, skipped: 0, isDone: true });
  t.same(
    lines.map((line) => line.values.a),
    Array.from({ length: 1_000 }, (_, i) => i),
  );
  t.equal(lines[1]?.time, '2020-01-01T00:00:01.000Z');
  t.notOk('device' in (lines[0] ?? {}));
});

t.test('devices: as they are called, with a prefix, one of them, renamed', async (t) => {
  const path = file(
    t,
    csv(10, (i) => String(i % 2)),
  );
  const all = await prepare(path, { devicePrefix: 'G' });
  await replay(all.options);
  t.same(new Set(all.lines.map((line) => line.device)), new Set(['G0', 'G1']));
  const one = await prepare(path, { onlyDevice: '1', deviceName: 'Press' });
  t.match(await replay(one.options), { sent: 5, isDone: true });
  t.ok(one.lines.every((line) => line.device === 'Press' && line.values.a % 2 === 1));
});

t.test('each row is in the truth file before it is written', async (t) => {
  const path = file(t, csv(600));
  const truthPath = join(dirname(path), 'truth.jsonl');
  const truth = new TruthWriter(truthPath);
  const { options } = await prepare(path, { truth });
  let written = 0;
  await replay({
    ...options,
    output: {
      write: async (text) => {
        written += text.split('\n').length - 1;
        const told = readFileSync(truthPath, 'utf8').split('\n').length - 2;
        if (told < written) t.fail(`${told} told, ${written} written`);
      },
    },
  });
  truth.close();
  const rows: TruthRow[] = [];
  for await (const entry of readTruth(truthPath)) if (entry.type === 'row') rows.push(entry);
  t.equal(rows.length, 600);
  t.match(rows[5], { device: 'rec', time_ms: Date.UTC(2020, 0, 1, 0, 0, 5), values: { a: 5 } });
});

t.test('the pace, with time as it passes', async (t) => {
  const path = file(t, csv(31));
  const begunMs = performance.now();
  const { options, lines } = await prepare(path, { speed: 100 });
  await replay(options);
  t.ok(performance.now() - begunMs >= 290, '30 s at 100 times');
  t.equal(lines.length, 31);
  const paused = file(t, 'ts,a\n2020-01-01 00:00:00,1\n2020-06-01 00:00:00,2\n', 'p.csv');
  const cut = await prepare(paused, { speed: 1, maxPauseMs: 50 });
  await replay(cut.options);
  t.equal(cut.lines.length, 2, 'a long pause is cut short');
});

t.test('wherever it is ended, a new start goes on with the next row', async (t) => {
  const path = file(t, csv(2_000));
  const positionFile = join(dirname(path), 'position.json');
  const seen: number[] = [];
  let isDone = false;
  let runs = 0;
  while (!isDone && runs++ < 50) {
    const ending = new AbortController();
    const { options } = await prepare(path, { positionFile, signal: ending.signal });
    let writes = 0;
    const result = await replay({
      ...options,
      output: {
        write: async (text) => {
          for (const line of text.split('\n').slice(0, -1))
            seen.push((JSON.parse(line) as { values: { a: number } }).values.a);
          if (++writes === 2) ending.abort();
        },
      },
    });
    isDone = result.isDone;
    t.equal(result.skipped + result.sent, seen.length);
  }
  t.ok(runs > 2, `${runs} runs`);
  t.same(
    seen,
    Array.from({ length: 2_000 }, (_, i) => i),
  );
  const again = await prepare(path, { positionFile });
  t.same(await replay(again.options), { sent: 0, skipped: 2_000, isDone: true });
});

t.test(
  'a row that the pipe did not take is sent again; a foreign position is refused',
  async (t) => {
    const path = file(t, csv(10));
    const positionFile = join(dirname(path), 'position.json');
    const { options } = await prepare(path, { positionFile });
    const gone = { write: () => Promise.reject(new Error('EPIPE')) };
    await t.rejects(replay({ ...options, output: gone }), /EPIPE/);
    t.notOk(existsSync(positionFile));
    writeFileSync(positionFile, '{"recor');
    const { options: after, lines } = await prepare(path, { positionFile });
    await replay(after);
    t.equal(lines.length, 10, 'a torn position is the beginning');
    const other = await prepare(file(t, csv(11), 'other.csv'), { positionFile });
    await t.rejects(replay(other.options), { code: 'SIM_POSITION_FOREIGN' });
  },
);

function start(args: string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, [main, 'replay', ...args], { stdio: 'pipe' });
}

t.test(
  'the program: SIGTERM in mid-stream ends it after a whole line, the rest follows',
  async (t) => {
    const path = file(t, csv(30_000));
    const position = join(dirname(path), 'position.json');
    const args = [path, '--speed', 'max', '--position', position, '--device', 'X'];
    const values: number[] = [];
    const run = async (stopAfter: number): Promise<number | null> => {
      const child = start(args);
      t.teardown(() => child.kill('SIGKILL'));
      const exit = once(child, 'exit');
      if (child.stdout === null) throw new Error('no output');
      const lines = createInterface({ input: child.stdout });
      let count = 0;
      for await (const line of lines) {
        values.push((JSON.parse(line) as { values: { a: number } }).values.a);
        if (++count === stopAfter) child.kill('SIGTERM');
      }
      return ((await exit) as [number | null])[0];
    };
    t.equal(await run(1_000), 0);
    const first = values.length;
    t.ok(first >= 1_000 && first < 30_000, `${first} rows by the first run`);
    t.equal(await run(-1), 0);
    t.equal(values.length, 30_000);
    t.ok(values.every((value, i) => value === i));
  },
);

t.test('the program: it ends when its reader has gone', async (t) => {
  const path = file(t, csv(5));
  const child = start([path, '--speed', '0.001', '--end-with-stdin']);
  t.teardown(() => child.kill('SIGKILL'));
  if (child.stdout === null || child.stdin === null) throw new Error('no pipes');
  await once(child.stdout, 'data');
  const exit = once(child, 'exit');
  child.stdin.end();
  t.equal(((await exit) as [number | null])[0], 0);
});

t.test('the program: wrong options', async (t) => {
  const run = async (args: string[]): Promise<{ code: unknown; said: string }> => {
    const child = start(args);
    let said = '';
    child.stderr?.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, said };
  };
  t.match(await run(['/nowhere.csv']), { code: 1, said: /SIM_FILE_UNREADABLE/ });
  const path = file(t, csv(3, String));
  t.match(await run([path, '--only-device', '9']), { code: 2, said: /known are 0, 1, 2/ });
  t.match(await run([path, '--speed', 'fast']), { code: 1, said: /a number or max/ });
});

const recordings = process.env.FMS_TEST_DATA;
const skip = recordings === undefined && 'FMS_TEST_DATA names no folder with the recordings';
t.test('the recordings go through whole', { skip }, async (t) => {
  const known: [string, number, number][] = [
    ['room_1min.csv', 20_560, 1],
    ['gateway_composite.csv', 12_960, 6],
    ['hydraulic_ts_1hz.csv.gz', 132_300, 1],
  ];
  for (const [name, count, devices] of known) {
    const path = join(recordings ?? '', 'replay', name);
    const { options, lines } = await prepare(path);
    t.same(await replay(options), { sent: count, skipped: 0, isDone: true }, name);
    t.equal(lines.length, count);
    t.equal(options.recording.devices.size, devices);
    if (name !== 'room_1min.csv') continue;
    // Row for row against the file itself, read in the plainest way.
    const expected = readFileSync(path, 'utf8').trim().split('\n').slice(1);
    const header = ['temperature_c', 'humidity_pct', 'light_lux', 'co2_ppm', 'occupancy'];
    const told = lines.map((line) => {
      const values = line.values as unknown as Record<string, number>;
      const cells = header.map((column) => values[column]);
      return `${line.time.slice(0, 19).replace('T', ' ')},${cells.join()}`;
    });
    const plainly = expected.map((line) => {
      const [time, ...cells] = line.split(',');
      return `${time},${cells.map(Number).join()}`;
    });
    t.same(told, plainly, 'every row of the file');
  }
});
