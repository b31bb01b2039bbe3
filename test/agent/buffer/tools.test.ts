import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import { checkBuffer, exportBuffer, repairBuffer } from '../../../agent/buffer/tools.ts';
import type { Reading } from '../../../proto/model.ts';
import { Quality } from '../../../proto/model.ts';
import {
  bentWorld,
  chooseMode,
  drain,
  fileIn,
  modeInUse,
  numbered,
  openIn,
  rejectAt,
} from '../../support/test-buffer.ts';

chooseMode(t, 'plain');
const { keys } = modeInUse();

async function filled(folder: string, chunks = 20): Promise<string> {
  const buffer = openIn(folder);
  for (let i = 0; i < chunks; i++) {
    void buffer.append(numbered(i * 100, 100), []);
    await buffer.flush();
  }
  const epoch = buffer.currentEpoch()!.epoch;
  await buffer.close();
  return epoch;
}

function damageOneChunk(path: string): void {
  const bytes = readFileSync(path);
  // What a chunk begins with: a device's name, or the id of the key.
  const start = keys.keys[0] === undefined ? 'D01' : Buffer.from(keys.keys[0].id, 'hex');
  const at = bytes.indexOf(start, bytes.length - 3 * 4096);
  bytes[at] = bytes[at]! ^ 0x10;
  writeFileSync(path, bytes);
}

t.test('check of a sound buffer', async (t) => {
  const folder = t.testdir();
  const epoch = await filled(folder);
  const check = checkBuffer(fileIn(folder), { keys });
  t.match(check, { ok: true, chunks: 20, readings: 2000, badChunks: 0, problems: [], gaps: [] });
  t.match(check.epochs, [{ epoch, chunks: 20, readings: 2000, lastSeq: 2000 }]);
  t.ok(check.fileBytes > 0);
});

t.test('check finds a bad chunk, and changes nothing', async (t) => {
  const folder = t.testdir();
  await filled(folder);
  damageOneChunk(fileIn(folder));
  const before = readFileSync(fileIn(folder));
  t.match(checkBuffer(fileIn(folder), { keys }), {
    ok: false,
    chunks: 20,
    badChunks: 1,
    readings: 1900,
  });
  t.same(readFileSync(fileIn(folder)), before);
});

t.test('repair keeps what is right, declares the rest, sets the file aside', async (t) => {
  const folder = t.testdir();
  const epoch = await filled(folder);
  damageOneChunk(fileIn(folder));
  const report = repairBuffer(fileIn(folder), { keys });
  t.match(report, { chunks: 19, readings: 1900, gaps: 1, incomplete: false });
  t.ok(existsSync(report.setAside));
  const check = checkBuffer(fileIn(folder), { keys });
  t.match(check, { ok: true, chunks: 19, readings: 1900 });
  t.match(check.gaps, [{ epoch, reason: 'lost_in_repair' }]);
  t.equal(check.gaps[0]!.lastSeq - check.gaps[0]!.firstSeq, 99);
  const buffer = openIn(folder);
  t.equal(drain(buffer).length, 19);
  t.equal(buffer.gaps(10).length, 1);
  await buffer.close();
});

t.test('repair of what is no database any more', async (t) => {
  const folder = t.testdir();
  await filled(folder);
  const bytes = readFileSync(fileIn(folder));
  bytes.fill(0, 0, 100);
  writeFileSync(fileIn(folder), bytes);
  t.match(checkBuffer(fileIn(folder), { keys }), { ok: false, problems: [/not a database/] });
  await t.rejects(
    exportBuffer(fileIn(folder), 'csv', async () => {}, { keys }),
    {
      code: 'AGENT_BUFFER_DAMAGED',
    },
  );
  t.match(repairBuffer(fileIn(folder), { keys }), { chunks: 20, gaps: 0 });
  t.match(checkBuffer(fileIn(folder), { keys }), { ok: true, chunks: 20 });
});

t.test('damaged files are kept, but not for ever', async (t) => {
  const folder = t.testdir();
  await filled(folder);
  for (let i = 0; i < 4; i++) repairBuffer(fileIn(folder), { keys });
  const names = [1, 2, 3].map((n) => existsSync(`${fileIn(folder)}.damaged-${n}`));
  t.same(names, [true, true, false]);
  t.match(checkBuffer(fileIn(folder), { keys }), { ok: true, chunks: 20 });
});

const mixed: Reading[] = [
  { device: 'D01', channel: 'number', timeMs: 1000, value: 1.5, quality: Quality.GOOD },
  { device: 'D01', channel: 'yes', timeMs: 1000, value: true, quality: Quality.GOOD },
  { device: 'D,"1', channel: 'text', timeMs: 1001, value: 'a\n"b",c', quality: Quality.GOOD },
  { device: 'D01', channel: 'none', timeMs: 1002, value: null, quality: Quality.NULL },
];

t.test('export as JSON lines and CSV', async (t) => {
  const folder = t.testdir();
  const buffer = openIn(folder);
  void buffer.append(mixed, [rejectAt(5, 'bad, "very"')]);
  await buffer.flush();
  const { epoch } = buffer.currentEpoch()!;
  await buffer.close();

  let text = '';
  const write = async (part: string): Promise<void> => {
    text += part;
  };
  t.match(await exportBuffer(fileIn(folder), 'jsonl', write, { keys }), {
    readings: 4,
    rejects: 1,
  });
  const lines = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(lines[0], {
    epoch,
    seq: 1,
    kind: 'reading',
    device: 'D01',
    channel: 'number',
    value: 1.5,
  });
  t.match(lines, [{}, { value: true }, { device: 'D,"1', value: 'a\n"b",c' }, { value: null }]);
  t.match(lines[4], { seq: 5, kind: 'reject', detail: 'garbage: bad, "very"' });

  text = '';
  await exportBuffer(fileIn(folder), 'csv', write, { keys });
  const rows = parse(text, { columns: true }) as Record<string, string>[];
  t.equal(rows.length, 5);
  t.match(rows[2], { device: 'D,"1', value: 'a\n"b",c', time_ms: '1001', quality: '0' });
  t.match(rows[3], { value: '', quality: String(Quality.NULL) });
});

t.test('export streams', async (t) => {
  const folder = t.testdir();
  await filled(folder, 100);
  let longest = 0;
  let parts = 0;
  const note = async (text: string): Promise<void> => {
    longest = Math.max(longest, text.length);
    parts++;
  };
  await exportBuffer(fileIn(folder), 'jsonl', note, { keys });
  t.ok(parts > 10);
  t.ok(longest < 70_000);
});

t.test('the tools refuse while an agent runs, and without a file', async (t) => {
  const folder = t.testdir();
  const buffer = openIn(folder, bentWorld());
  void buffer.append(numbered(0, 1), []);
  await buffer.flush();
  const path = fileIn(folder);
  t.throws(() => checkBuffer(path, { keys }), { code: 'AGENT_BUFFER_IN_USE' });
  t.throws(() => repairBuffer(path, { keys }), { code: 'AGENT_BUFFER_IN_USE' });
  await t.rejects(
    exportBuffer(path, 'csv', async () => {}, { keys }),
    { code: 'AGENT_BUFFER_IN_USE' },
  );
  await buffer.close();
  t.match(checkBuffer(path, { keys }), { ok: true });
  t.throws(() => checkBuffer(`${path}.other`), { code: 'AGENT_BUFFER_MISSING' });
  t.notOk(existsSync(`${path}.other`), 'and makes none');
});

t.test('damage that shows while running is repaired on the way', async (t) => {
  const folder = t.testdir();
  const world = bentWorld();
  const buffer = openIn(folder, world);
  // Longer than SQLite's page cache, so that the pages are read again.
  for (let from = 0; from < 1_200_000; from += 8000) void buffer.append(numbered(from, 8000), []);
  await buffer.flush();
  const ids = drain(buffer).map((chunk) => chunk.id);
  buffer.acknowledge(ids.slice(0, 10));
  await buffer.flush();
  truncateSync(fileIn(folder), 4096 * 300);
  const seen = new Set<number>();
  for (const chunk of drain(buffer)) {
    for (let i = 0; i < chunk.frame.count; i++) seen.add(chunk.frame.firstSeq + i);
  }
  await buffer.flush();
  t.equal(buffer.stats().salvagesTotal, 1);
  t.match(world.lines.join('\n'), /damaged/);
  t.ok(seen.size > 100_000, `${seen.size} delivered`);
  const first = Math.min(...[...seen].slice(0, 10));
  t.ok(first > 1, 'what was delivered before stays delivered');
  for (const { firstSeq, lastSeq } of buffer.gaps(1000)) {
    t.ok(firstSeq >= first, 'and is not declared');
    for (let seq = firstSeq; seq <= lastSeq; seq++) seen.add(seq);
  }
  t.equal(seen.size, 1_200_000 - first + 1, 'all else is delivered or declared');
  const { epoch } = buffer.currentEpoch()!;
  void buffer.append(numbered(1_200_000, 5), []);
  await buffer.flush();
  t.match(buffer.currentEpoch(), { epoch, lastSeq: 1_200_005 }, 'the epoch goes on');
  t.equal(drain(buffer).at(-1)?.frame.firstSeq, 1_200_001);
  await buffer.close();
  t.match(checkBuffer(fileIn(folder), { keys }), { ok: true });
});

const notRoot = process.getuid?.() !== 0 && 'needs root';

t.test('what root repairs the agent can still open', { skip: notRoot }, async (t) => {
  const folder = t.testdir();
  await filled(folder, 3);
  rmSync(`${fileIn(folder)}.lock`);
  chownSync(folder, 12_345, 12_346);
  chownSync(fileIn(folder), 12_345, 12_346);
  repairBuffer(fileIn(folder), { keys });
  checkBuffer(fileIn(folder), { keys });
  const foreign = readdirSync(folder).filter((name) => statSync(join(folder, name)).uid !== 12_345);
  t.same(foreign, []);
});
