/** Keys: their file, a wrong or missing one, rotation, turning encryption on and off, and format 1. */

import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import type { BufferOptions, SqliteBuffer } from '../../../agent/buffer/buffer.ts';
import type { BufferKeys } from '../../../agent/buffer/keys.ts';
import { NO_KEYS, readBufferKeys } from '../../../agent/buffer/keys.ts';
import { checkBuffer, exportBuffer, repairBuffer } from '../../../agent/buffer/tools.ts';
import type { AgentError } from '../../../agent/errors.ts';
import {
  bentWorld,
  drain,
  fileIn,
  keysOf,
  memoryFolder,
  numbered,
  openIn,
  valuesOf,
} from '../../support/test-buffer.ts';

const HEX = '00112233445566778899aabbccddeefff0e1d2c3b4a5968778695a4b3c2d1e0f';
const scratch = memoryFolder(t);
let folders = 0;

function newFolder(): string {
  const folder = join(scratch, `${++folders}`);
  mkdirSync(folder);
  return folder;
}

function keyFile(text: string, mode = 0o600): string {
  const path = join(newFolder(), 'buffer.key');
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function read(path: string | undefined, encrypt?: boolean, credentialsDir?: string): BufferKeys {
  return readBufferKeys({ keyFile: path, credentialsDir, encrypt });
}

t.test('the file of keys', async (t) => {
  const base64 = Buffer.from(HEX, 'hex').toString('base64');
  const other = Buffer.from(HEX, 'hex').reverse().toString('hex');
  const one = read(keyFile(HEX));
  t.match(one, { encrypt: true, warnings: [] });
  t.match(one.keys[0]?.id, /^[0-9a-f]{8}$/);
  t.notOk(HEX.includes(one.keys[0]!.id), 'the id is no part of the key');
  for (const text of [
    `${HEX.toUpperCase()}\r\n`,
    `# of 2026\n\n  ${base64}  # the first\n`,
    `\uFEFF${base64.replace('=', '')}`,
    `${HEX}\n${HEX}\n`,
  ]) {
    t.same(
      read(keyFile(text)).keys.map(({ id }) => id),
      one.keys.map(({ id }) => id),
      JSON.stringify(text),
    );
  }
  const two = read(keyFile(`${other}\n${HEX}\n`));
  t.equal(two.keys.length, 2);
  t.equal(two.keys[1]!.id, one.keys[0]!.id);
  t.notOk(JSON.stringify(two).includes(other), 'key material is in no JSON');
  t.notMatch(String(Object.values(two.keys[0]!)), other);
});

t.test(
  'what is no file of keys is refused by line, without saying what stands there',
  async (t) => {
    const refused = (text: string, detail: RegExp, mode = 0o600): void => {
      try {
        read(keyFile(text, mode));
        t.fail(`taken: ${text}`);
      } catch (error) {
        t.match(error, { code: 'AGENT_BUFFER_KEY_UNREADABLE', message: detail });
        if (text !== '') t.notOk((error as AgentError).message.includes(text.trim().slice(0, 16)));
      }
    };
    refused('', /no key in it/);
    refused('# only a comment\n', /no key in it/);
    refused(`${HEX}00`, /line 1 is no key/);
    refused(`# a\n${HEX.slice(1)}\n`, /line 2 is no key/);
    refused('correct horse battery staple', /line 1 is no key/);
    refused('0'.repeat(64), /line 1 is no random key/);
    refused('x'.repeat(70_000), /too long/);
    t.throws(() => read('/nowhere/buffer.key'), { code: 'AGENT_BUFFER_KEY_UNREADABLE' });
    t.throws(() => read(newFolder()), { message: /not a file/ });
  },
);

t.test('who may read the file', { skip: process.platform === 'win32' }, async (t) => {
  t.same(read(keyFile(HEX, 0o640)).warnings, []);
  t.match(read(keyFile(HEX, 0o644)).warnings, [/everybody may read/], 'a warning, not an end');
  t.throws(() => read(keyFile(HEX, 0o602)), { message: /everybody may write/ });
  const world = bentWorld();
  const buffer = openIn(newFolder(), world, { keys: read(keyFile(HEX, 0o644)) });
  t.match(world.lines, [/everybody may read/]);
  await buffer.close();
});

t.test('the systemd credential is taken by itself; key_file comes before it', async (t) => {
  const credentials = newFolder();
  t.same(read(undefined, undefined, credentials), NO_KEYS, 'none there');
  t.same(read(undefined, undefined, ''), NO_KEYS);
  writeFileSync(join(credentials, 'buffer.key'), HEX);
  chmodSync(join(credentials, 'buffer.key'), 0o400);
  t.equal(read(undefined, undefined, credentials).keys.length, 1);
  t.equal(read(undefined, false, credentials).encrypt, false);
  const other = keyFile(Buffer.from(HEX, 'hex').reverse().toString('hex'));
  t.not(
    read(other, undefined, credentials).keys[0]!.id,
    read(undefined, true, credentials).keys[0]!.id,
  );
  t.throws(() => read(undefined, true), { code: 'AGENT_BUFFER_KEY_MISSING' });
});

function open(folder: string, keys: BufferKeys, more: Partial<BufferOptions> = {}): SqliteBuffer {
  return openIn(folder, bentWorld(), { keys, ...more });
}

/** `count` chunks of 20 readings, from the seq that follows. */
async function append(buffer: SqliteBuffer, count: number, from = 0): Promise<void> {
  for (let i = 0; i < count; i++) {
    void buffer.append(numbered(from + i * 20, 20), []);
    await buffer.flush();
  }
}

/** The values of all that waits, in order. */
function valuesIn(buffer: SqliteBuffer): number[] {
  return drain(buffer).flatMap((chunk) => [...valuesOf(chunk).values()]);
}

function countTo(n: number): number[] {
  return Array.from({ length: n }, (_, i) => i);
}

function contentOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => !name.endsWith('.lock'));
  return Object.fromEntries(
    names.map((name) => [name, readFileSync(join(folder, name)).toString('base64')]),
  );
}

/** Opening by each way in is refused with this code, and the files stay as they are. */
async function refuses(
  t: Tap,
  folder: string,
  keys: BufferKeys,
  code: string,
  name: string,
): Promise<void> {
  const before = contentOf(folder);
  const path = fileIn(folder);
  t.throws(() => open(folder, keys), { code }, `${name}: the agent`);
  t.throws(() => checkBuffer(path, { keys }), { code }, `${name}: check`);
  t.throws(() => repairBuffer(path, { keys }), { code }, `${name}: repair`);
  await t.rejects(
    exportBuffer(path, 'csv', async () => {}, { keys }),
    { code },
    `${name}: export`,
  );
  t.same(contentOf(folder), before, `${name}: nothing was changed`);
}
type Tap = Pick<typeof t, 'throws' | 'rejects' | 'same'>;

/** As a kill leaves them: the files of a buffer that is open. */
function killedCopy(folder: string): string {
  const copy = newFolder();
  for (const name of readdirSync(folder)) copyFileSync(join(folder, name), join(copy, name));
  return copy;
}

/** A buffer under KEY 1 with 30 chunks, as a kill leaves it. */
async function killed(): Promise<string> {
  const folder = newFolder();
  const buffer = open(folder, keysOf(1));
  await append(buffer, 30);
  const copy = killedCopy(folder);
  await buffer.close();
  return copy;
}

const damages: Record<string, (path: string) => void> = {
  'a header of noise': (path) => overwrite(path, 0, 100),
  'a page of noise': (path) => overwrite(path, 4096 * 5, 4096),
  'every root page gone': (path) => overwrite(path, 0, 4096 * 6),
  'cut short': (path) => truncateSync(path, 4096 * 5),
  'the database gone, its WAL left': (path) => truncateSync(path, 0),
  'a WAL that breaks in the middle': (path) => overwrite(`${path}-wal`, 32 + 4120 * 3, 64),
};

function overwrite(path: string, at: number, length: number): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, at, at + length);
  writeFileSync(path, bytes);
}

t.test('a wrong or missing key is told apart from damage, and harms nothing', async (t) => {
  const sound = newFolder();
  const buffer = open(sound, keysOf(1));
  await append(buffer, 30);
  await buffer.close();
  await refuses(t, sound, keysOf(2), 'AGENT_BUFFER_KEY_WRONG', 'sound');
  await refuses(t, sound, NO_KEYS, 'AGENT_BUFFER_KEY_MISSING', 'sound');
  await refuses(t, sound, { ...NO_KEYS, isOff: true }, 'AGENT_BUFFER_KEY_MISSING', 'turned off');
  const template = await killed();
  for (const [name, inflict] of Object.entries(damages)) {
    const folder = killedCopy(template);
    inflict(fileIn(folder));
    await refuses(t, folder, keysOf(2), 'AGENT_BUFFER_KEY_WRONG', name);
    await refuses(t, folder, NO_KEYS, 'AGENT_BUFFER_KEY_MISSING', name);
    const opened = open(folder, keysOf(1));
    const values = valuesIn(opened);
    t.ok(values.length > 0 || name === 'cut short', `${name}: ${values.length} come with the key`);
    await opened.close();
  }
});

t.test('an empty buffer wants its key, too, unless encryption is turned off', async (t) => {
  const folder = newFolder();
  const buffer = open(folder, keysOf(1));
  await append(buffer, 2);
  buffer.acknowledge(drain(buffer).map(({ id }) => id));
  await buffer.close();
  await refuses(t, folder, keysOf(2), 'AGENT_BUFFER_KEY_WRONG', 'empty');
  await refuses(t, folder, NO_KEYS, 'AGENT_BUFFER_KEY_MISSING', 'empty');
  const off = open(folder, { ...NO_KEYS, isOff: true });
  await append(off, 1);
  t.match(off.stats().encryption, { on: false, key: '' });
  await off.close();
  const plain = open(folder, NO_KEYS);
  t.same(valuesIn(plain), countTo(20));
  await plain.close();
});

t.test('a new key in front: the old one may go when status says so', async (t) => {
  const folder = newFolder();
  let buffer = open(folder, keysOf(1));
  buffer.setMeta('clock', 'kept');
  await append(buffer, 30);
  await buffer.close();
  const path = fileIn(folder);
  const [first, second] = keysOf(1, 2).keys.map(({ id }) => id);

  buffer = open(folder, keysOf(2, 1));
  t.match(buffer.stats().encryption, { on: true, key: second, olderKeys: [first], oldChunks: 30 });
  await append(buffer, 5, 600);
  t.same(valuesIn(buffer), countTo(700));
  await buffer.close();
  const { keys } = checkBuffer(path, { keys: keysOf(2, 1) });
  t.same(keys, [
    { key: second, chunks: 5 },
    { key: first, chunks: 30 },
  ]);
  await refuses(t, folder, keysOf(2), 'AGENT_BUFFER_KEY_WRONG', 'the old key went too early');

  buffer = open(folder, keysOf(2, 1));
  buffer.maintain();
  buffer.maintain();
  t.match(buffer.stats().encryption, { key: second, olderKeys: [], oldChunks: 0 });
  t.same(valuesIn(buffer), countTo(700), 'what was sealed anew is what it was');
  await buffer.close();
  buffer = open(folder, keysOf(2));
  t.same(valuesIn(buffer), countTo(700), 'the old key is not needed any more');
  t.equal(buffer.meta('clock'), 'kept');
  await buffer.close();
  t.same(checkBuffer(path, { keys: keysOf(2) }).keys, [{ key: second, chunks: 35 }]);
  await refuses(t, folder, keysOf(1), 'AGENT_BUFFER_KEY_WRONG', 'the old key alone');
});

t.test('sealing anew goes on after a kill, and in steps', async (t) => {
  const folder = newFolder();
  let buffer = open(folder, NO_KEYS);
  const wide = (from: number) =>
    numbered(from, 2000).map((reading) => ({
      ...reading,
      value: `${reading.value}`.padEnd(50, '.'),
    }));
  for (let i = 0; i < 15; i++) {
    void buffer.append(wide(i * 2000), []);
    await buffer.flush();
  }
  await buffer.close();
  const left: number[] = [];
  let current = folder;
  for (let round = 0; round < 20; round++) {
    buffer = open(current, keysOf(1));
    buffer.maintain();
    buffer.maintain();
    left.push(buffer.stats().encryption!.oldChunks);
    const copy = killedCopy(current);
    await buffer.close();
    current = copy;
    if (left.at(-1) === 0) break;
  }
  t.ok(left.length > 2, `in steps: ${left}`);
  t.equal(left.at(-1), 0);
  buffer = open(current, keysOf(1), { acceptPlain: false });
  const values = drain(buffer).flatMap((chunk) => [...valuesOf(chunk).values()]);
  t.same(
    values.map((value) => Number.parseInt(`${value}`, 10)),
    countTo(30_000),
  );
  t.same(buffer.gaps(10), []);
  await buffer.close();
});

t.test(
  'turned off: what is encrypted is still delivered, then the file is as before',
  async (t) => {
    const folder = newFolder();
    const off = { ...keysOf(1), encrypt: false, isOff: true };
    let buffer = open(folder, keysOf(1));
    buffer.setMeta('clock', 'kept');
    await append(buffer, 4);
    await buffer.close();
    buffer = open(folder, off);
    await append(buffer, 4, 80);
    t.match(buffer.stats().encryption, { on: false, oldChunks: 4 });
    t.same(valuesIn(buffer), countTo(160));
    await buffer.close();
    await refuses(t, folder, NO_KEYS, 'AGENT_BUFFER_KEY_MISSING', 'still encrypted chunks');
    buffer = open(folder, off);
    buffer.acknowledge(
      drain(buffer)
        .slice(0, 4)
        .map(({ id }) => id),
    );
    buffer.maintain();
    buffer.maintain();
    t.match(buffer.stats().encryption, { on: false, key: '', oldChunks: 0 });
    await buffer.close();
    buffer = open(folder, NO_KEYS);
    t.same(valuesIn(buffer), countTo(160).slice(80));
    t.equal(buffer.meta('clock'), 'kept');
    t.equal(buffer.meta('format'), '1', 'agents without encryption read it');
    await buffer.close();
    // And on again.
    buffer = open(folder, keysOf(2));
    t.same(valuesIn(buffer), countTo(160).slice(80));
    buffer.maintain();
    buffer.maintain();
    t.match(buffer.stats().encryption, { on: true, oldChunks: 0 });
    await buffer.close();
  },
);

t.test('a flipped bit does not pass for encryption', async (t) => {
  const folder = newFolder();
  let buffer = open(folder, NO_KEYS);
  await append(buffer, 3);
  await buffer.close();
  const db = new Database(fileIn(folder));
  db.exec('UPDATE chunks SET flags = flags | 2');
  db.close();
  buffer = open(folder, NO_KEYS);
  t.same(valuesIn(buffer), countTo(60));
  await buffer.close();
  buffer = open(folder, keysOf(1));
  buffer.maintain();
  buffer.maintain();
  t.match(buffer.stats().encryption, { on: true, oldChunks: 0 });
  t.same(valuesIn(buffer), countTo(60), 'sealed as what they are');
  await buffer.close();
});

const GOLDEN = join(import.meta.dirname, '../../cases/buffer-format-1');
interface Golden {
  epoch: { epoch: string; lastSeq: number };
  chunks: {
    epoch: string;
    first_seq: number;
    count: number;
    crc32c: number;
    first_value: number | null;
  }[];
  gaps: object[];
  readings: number;
}

t.test('a file of format 1, with a backlog and as a kill left it', async (t) => {
  const expected = JSON.parse(readFileSync(join(GOLDEN, 'expected.json'), 'utf8')) as Golden;
  for (const keys of [NO_KEYS, keysOf(1)]) {
    const folder = newFolder();
    cpSync(GOLDEN, folder, { recursive: true });
    let buffer = open(folder, keys);
    const judge = (name: string): void => {
      const chunks = drain(buffer).map(({ epoch, frame }) => {
        const { firstSeq, count, crc32c } = frame;
        return { epoch, first_seq: firstSeq, count, crc32c };
      });
      const wanted = expected.chunks.map(({ epoch, first_seq, count, crc32c }) => {
        return { epoch, first_seq, count, crc32c };
      });
      t.same(chunks, wanted, name);
      t.same(buffer.gaps(10), expected.gaps);
      t.equal(buffer.stats().readings, expected.readings);
      t.match(buffer.epochInfo(expected.epoch.epoch), expected.epoch);
      t.equal(buffer.meta('install_random'), '00112233445566778899aabbccddeeff');
    };
    judge('as it is');
    for (let i = 0; i < 4; i++) buffer.maintain();
    judge('later');
    await buffer.close();
    const leaks = ['D01', '소성로-3', 'temperature', '00112233445566778899aabbccddeeff'].filter(
      (word) => readFileSync(fileIn(folder)).includes(word),
    );
    t.same(leaks.length > 0, !keys.encrypt, 'nothing of before is left in the encrypted file');
    buffer = open(folder, keys, { acceptPlain: false });
    judge('after a restart');
    t.equal(buffer.meta('format') ?? '1', keys.encrypt ? '2' : '1');
    await buffer.close();
    t.notOk(existsSync(`${fileIn(folder)}.damaged-1`));
  }
});

t.test('a disk that gets full while chunks are sealed anew loses nothing', async (t) => {
  const folder = newFolder();
  let buffer = open(folder, NO_KEYS, { maxBytes: 1024 * 1024 });
  for (let i = 0; i < 400; i++) await append(buffer, 1, i * 20);
  const before = buffer.stats();
  await buffer.close();
  buffer = open(folder, keysOf(1), { maxBytes: 1024 * 1024 });
  for (let i = 0; i < 10; i++) buffer.maintain();
  t.match(buffer.stats(), {
    readings: before.readings,
    evictedReadingsTotal: 0,
    writeErrorsTotal: 0,
  });
  t.match(buffer.stats().encryption, { oldChunks: 0 });
  t.ok(buffer.stats().bytes <= 1024 * 1024);
  await buffer.close();
});
