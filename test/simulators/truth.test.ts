import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { TruthEntry } from '../../simulators/truth.ts';
import { readTruth, TruthWriter } from '../../simulators/truth.ts';

async function read(path: string): Promise<{ entries: TruthEntry[]; torn: string[] }> {
  const entries: TruthEntry[] = [];
  const torn: string[] = [];
  for await (const entry of readTruth(path, (line) => torn.push(line))) entries.push(entry);
  return { entries, torn };
}

function row(device: string, timeMs: number): TruthEntry {
  return {
    type: 'row',
    at_ms: timeMs,
    device,
    time_ms: timeMs,
    values: { sensor1: 1.5, text: 'ü€한\n' },
    faults: [],
    status: 200,
  };
}

t.test('what is written is in the file when write returns, and is read back', async (t) => {
  const path = join(t.testdir(), 'new/folder/truth.jsonl');
  const writer = new TruthWriter(path);
  const entries: TruthEntry[] = [
    { type: 'start', at_ms: 1, seed: 7, kind: 'devices' },
    row('D01', 2),
    { type: 'fault', at_ms: 3, device: 'D01', fault: 'spike', channel: 'sensor1', on: true },
  ];
  for (const entry of entries) {
    writer.write(entry);
    t.ok(readFileSync(path, 'utf8').endsWith(`${JSON.stringify(entry)}\n`));
  }
  const many = Array.from({ length: 3_000 }, (_, i) => row('D02', 10 + i));
  writer.writeAll(many);
  t.same(await read(path), { entries: [...entries, ...many], torn: [] });
  writer.close();
  writer.close();
});

t.test('a file torn at any byte loses only its last line, and is continued', async (t) => {
  const text = [row('D01', 1), row('D01', 2), row('D02', 3)]
    .map((entry) => `${JSON.stringify(entry)}\n`)
    .join('');
  const bytes = Buffer.from(text);
  const folder = t.testdir();
  let files = 0;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: bytes.length }), async (length) => {
      const path = join(folder, `${files++}.jsonl`);
      writeFileSync(path, bytes.subarray(0, length));
      const whole = bytes.subarray(0, length).filter((byte) => byte === 10).length;
      const torn = await read(path);
      t.equal(torn.entries.length, whole);
      const writer = new TruthWriter(path);
      writer.write(row('D03', 4));
      writer.close();
      const continued = await read(path);
      // Only the missing newline: the line was whole, and is taken now.
      const isWhole = length > 0 && bytes[length] === 10;
      t.equal(continued.entries.length, whole + 1 + (isWhole ? 1 : 0));
      t.same(continued.entries.at(-1), row('D03', 4));
    }),
    { numRuns: 60 },
  );
});

t.test('lines that are no entries are passed over and told', async (t) => {
  const path = join(t.testdir(), 'truth.jsonl');
  writeFileSync(path, 'no json\n[1]\n{"type":"other"}\n\n');
  appendFileSync(path, `${JSON.stringify(row('D01', 1))}\n12`);
  const { entries, torn } = await read(path);
  t.same(entries, [row('D01', 1)]);
  t.same(torn, ['no json', '[1]', '{"type":"other"}', '12']);
});

t.test('beyond its bound the file is renamed and begun anew', async (t) => {
  const path = join(t.testdir(), 'truth.jsonl');
  const writer = new TruthWriter(path, { maxBytes: 1_000 });
  for (let i = 0; i < 30; i++) writer.write(row('D01', i));
  writer.close();
  t.ok(existsSync(`${path}.1`));
  const newest = await read(path);
  const older = await read(`${path}.1`);
  t.ok(readFileSync(`${path}.1`).length < 1_200);
  const times = [...older.entries, ...newest.entries].map((entry) => entry.at_ms);
  t.same(
    times,
    [...times].sort((a, b) => a - b),
  );
  t.equal(times.at(-1), 29);
});

t.test('a file that cannot be written throws before anything is sent', async (t) => {
  t.throws(() => new TruthWriter(join(t.testdir({ taken: 'file' }), 'taken/truth.jsonl')));
});
