/** kill -9 and disks that refuse, in processes of their own. */

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync, statSync } from 'node:fs';
import t from 'tap';
import type { WriterAnswer } from '../../support/log-writer.ts';
import { openWriterLog, valueAt } from '../../support/log-writer.ts';
import { seededRandom, seedOfRun } from '../../support/plant.ts';

const WRITER = new URL('../../support/log-writer.ts', import.meta.url).pathname;
const KILLS = 8;

/** Runs the flooding writer until it has reported `count` offsets, kills it, and returns all it reported. */
async function floodAndKill(path: string, count: number): Promise<number[]> {
  const child = spawn(process.execPath, [WRITER, path, 'flood'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  let text = '';
  let reported = 0;
  for await (const chunk of child.stdout) {
    text += chunk;
    reported += String(chunk).split('\n').length - 1;
    if (reported >= count) child.kill('SIGKILL');
  }
  const [, signal] = await exited;
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${signal}`);
  // A line that was cut by the kill was not reported whole.
  return text.slice(0, text.lastIndexOf('\n')).split('\n').map(Number);
}

t.test('every offset that was reported is there after kill -9', async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const random = seededRandom(seed);
  const path = `${t.testdir()}/log.sqlite`;
  let identity: string | undefined;
  let highest = -1;
  for (let kill = 0; kill < KILLS; kill++) {
    const reported = await floodAndKill(path, 1 + Math.floor(random() * 400));
    highest = Math.max(highest, ...reported);
    const log = await openWriterLog(path);
    identity ??= log.identity;
    t.equal(log.identity, identity);
    const { first, next } = await log.bounds('raw', 0);
    t.ok(next > highest, `kill ${kill}: offset ${highest} of ${next} was reported`);
    let offset = first;
    while (offset < next) {
      const records = await log.read('raw', 0, offset, { maxRecords: 500, maxBytes: 4_000_000 });
      for (const record of records) {
        if (record.offset !== offset || !valueAt(offset).equals(record.value))
          t.fail(`record ${offset} is not what was appended`);
        offset += 1;
      }
    }
    const { position, state } = await log.openProcessor(0);
    const outputs = await log.bounds('readings', 0);
    t.equal(outputs.next, position, 'as many outputs as were processed');
    t.equal(Buffer.from(state.get('processed') ?? '0').toString(), String(position));
    await log.close();
  }
});

t.test('a file whose WAL was cut off opens with what is left', async (t) => {
  const folder = t.testdir();
  const path = `${folder}/log.sqlite`;
  const reported = await floodAndKill(path, 300);
  // Only the file, as a backup without the WAL has it: whole commits are missing, none is half there.
  copyFileSync(path, `${folder}/copy.sqlite`);
  const log = await openWriterLog(`${folder}/copy.sqlite`);
  const { next } = await log.bounds('raw', 0);
  t.ok(next <= Math.max(...reported) + 21);
  const { position } = await log.openProcessor(0);
  t.equal((await log.bounds('readings', 0)).next, position);
  t.equal(await log.append('raw', 0, { key: 'k', kind: 'batch', value: Buffer.of(1) }), next);
  await log.close();
});

t.test('a second process is refused and does no harm', async (t) => {
  const path = `${t.testdir()}/log.sqlite`;
  const log = await openWriterLog(path);
  await log.append('raw', 0, { key: 'k', kind: 'batch', value: Buffer.of(1) });
  const second = spawn(process.execPath, [WRITER, path, 'flood'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  second.stderr.on('data', (chunk) => {
    text += chunk;
  });
  const [exitCode] = await once(second, 'exit');
  t.not(exitCode, 0);
  t.match(text, /LOG_IN_USE/);
  t.equal(await log.append('raw', 0, { key: 'k', kind: 'batch', value: Buffer.of(2) }), 1);
  await log.close();
});

t.test('a disk that refuses: nothing half-done, and back without a restart', async (t) => {
  const folder = t.testdir();
  const path = `${folder}/log.sqlite`;
  // Without what the test runner puts into NODE_OPTIONS: it would end the process at SIGXFSZ.
  const bare = 'unset NODE_OPTIONS; exec "$0" "$@"';
  const child = spawn('sh', ['-c', bare, process.execPath, WRITER, path, 'serve'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  await once(child, 'message');
  let id = 0;
  const append = async (appends: number, bytes: number): Promise<WriterAnswer> => {
    id += 1;
    child.send({ id, appends, bytes });
    const [answer] = await once(child, 'message');
    return answer as WriterAnswer;
  };
  // The system refuses every write beyond this size of a file, as a full disk does.
  const limitFiles = (soft: string) =>
    execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${soft}:`]);

  const before = await append(10, 20_000);
  t.same(before.outcomes, [...Array(10).keys()]);
  const largest = Math.max(
    ...readdirSync(folder).map((name) => statSync(`${folder}/${name}`).size),
  );
  limitFiles(String(largest));
  const refused = await append(200, 20_000);
  t.same(new Set(refused.outcomes), new Set(['LOG_UNAVAILABLE']));
  t.equal(refused.appendable, false);
  const again = await append(1, 200_000);
  t.same(again.outcomes, ['LOG_UNAVAILABLE'], 'and so it stays');
  limitFiles('unlimited');
  const after = await append(20, 20_000);
  t.same(
    after.outcomes,
    [...Array(20).keys()].map((index) => index + 10),
  );
  t.equal(after.appendable, true);
  child.disconnect();
  await exited;
  const log = await openWriterLog(path);
  t.same(await log.bounds('raw', 0), { first: 0, next: 30 });
  await log.close();
});
