import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import type { RecordedRow, RecordingOptions } from '../../../collector/backtest/recording.ts';
import { rowsOf } from '../../../collector/backtest/recording.ts';
import { UTC } from '../../../collector/backtest/times.ts';

const folder = mkdtempSync(join(tmpdir(), 'fms-recording-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

async function read(
  content: string | Buffer,
  more: Partial<RecordingOptions> = {},
): Promise<RecordedRow[]> {
  const file = join(folder, Buffer.isBuffer(content) ? 'a.csv.gz' : 'a.csv');
  writeFileSync(file, content);
  const rows = rowsOf({
    file,
    timeColumn: 'time',
    channels: ['a', 'b'],
    labelColumn: undefined,
    delimiter: undefined,
    zone: UTC,
    types: {},
    ...more,
  });
  const all: RecordedRow[] = [];
  for await (const row of rows) all.push(row);
  return all;
}

const PLAIN = 'time,a,b\n2026-01-01 00:00:00,1.5,true\n2026-01-01 00:00:10,,-2e3\n';

t.test('columns by name, cells by what they look like', async (t) => {
  const rows = await read(PLAIN);
  t.same(rows, [
    { time: '2026-01-01 00:00:00', timeMs: Date.UTC(2026, 0, 1), cells: [1.5, true], label: false },
    {
      time: '2026-01-01 00:00:10',
      timeMs: Date.UTC(2026, 0, 1) + 10_000,
      cells: [null, -2_000],
      label: false,
    },
  ]);
});

t.test('delimiters, byte-order mark, Windows line ends, gzip: all the same', async (t) => {
  const plain = await read(PLAIN);
  for (const delimiter of [';', '\t'])
    t.same(await read(PLAIN.replaceAll(',', delimiter)), plain, delimiter);
  t.same(await read(PLAIN.replaceAll(',', '|'), { delimiter: '|' }), plain);
  t.same(await read(`\ufeff${PLAIN.replaceAll('\n', '\r\n')}`), plain);
  t.same(await read(gzipSync(PLAIN)), plain);
});

t.test('types of the profile', async (t) => {
  const rows = await read('time,a,b\n1,1,7\n2,0,8\n', { types: { a: 'boolean', b: 'text' } });
  t.same(
    rows.map(({ cells }) => cells),
    [
      [true, '7'],
      [false, '8'],
    ],
  );
});

t.test('labels', async (t) => {
  const content = 'time,a,b,bad\n1,1,1,0.0\n2,1,1,1.0\n3,1,1,\n4,1,1,True\n';
  const rows = await read(content, { labelColumn: 'bad' });
  t.same(
    rows.map(({ label }) => label),
    [false, true, false, true],
  );
  await t.rejects(read('time,a,b,bad\n1,1,1,2\n', { labelColumn: 'bad' }), {
    code: 'BACKTEST_RECORDING',
    message: /a\.csv:2: the label "2"/,
  });
});

t.test('mistakes name file and line', async (t) => {
  const mistakes: [string, RegExp][] = [
    ['time,a,c\n1,2,3\n', /a\.csv:1: no column "b" among: time, a, c/],
    ['time,a,a,b\n1,2,3,4\n', /a\.csv:1: more than one column "a"/],
    ['time,a,b\n1,2,3\n\nyesterday,2,3\n', /a\.csv:4: "yesterday" is no time/],
    ['time,a,b\n1,2,3\n2,3\n', /line 3/],
    ['time,a,b\n1,"2,3\n', /a\.csv.*quote/i],
    ['', /the file is empty/],
  ];
  for (const [content, message] of mistakes)
    await t.rejects(read(content), { code: 'BACKTEST_RECORDING', message }, content);
  await t.rejects(read(Buffer.from('no gzip')), { code: 'BACKTEST_RECORDING' });
});
