import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { Test } from 'tap';
import t from 'tap';
import { LineSplitter } from '../../../agent/readers/command/lines.ts';
import { commandReader } from '../../../agent/readers/command/reader.ts';
import type { PushedReader, ReaderOutput } from '../../../agent/types.ts';
import { Quality } from '../../../proto/model.ts';
import { realClock } from '../../contracts/reader.ts';

const CHANNELS = { a: {}, b: {} };

function open(
  t: Test,
  script: string,
  options: Record<string, unknown> = {},
  channels: Record<string, Record<string, unknown>> = {},
  env: Record<string, string | undefined> = process.env,
): PushedReader {
  const spec = {
    device: 'C01',
    // Who is asked to end does so by itself, however slowly.
    options: { argv: [process.execPath, '-e', script], stop_ms: 60_000, ...options },
    channels,
    timeoutMs: 1_000,
    baseDir: t.testdirName,
  };
  t.same(commandReader.check(spec), []);
  return commandReader.create(spec, { clock: realClock, env }) as PushedReader;
}

interface Life {
  outputs: ReaderOutput[];
  error: unknown;
}

/** One life of a reader to its own end. */
async function live(reader: PushedReader, signal = new AbortController().signal): Promise<Life> {
  const outputs: ReaderOutput[] = [];
  const error = await reader
    .run(async (output) => {
      outputs.push(output);
    }, signal)
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  return { outputs, error };
}

/** All of a life in one output. */
function joined({ outputs }: Life): ReaderOutput {
  return {
    samples: outputs.flatMap((output) => output.samples),
    rejects: outputs.flatMap((output) => output.rejects),
  };
}

function print(...lines: string[]): string {
  return lines.map((line) => `console.log(${JSON.stringify(line)});`).join('');
}

t.test('lines become samples, in order', async (t) => {
  t.testdir({});
  const life = await live(
    open(
      t,
      print(
        '{"time": "2026-11-22T19:00:00Z", "values": {"a": 1, "b": 2.5}}',
        '{"time": 1795374001, "device": "C01", "values": {"b": 3}}',
        '{"values": {"a": null, "c": 9}}',
      ),
      {},
      CHANNELS,
    ),
  );
  t.equal(life.error, undefined);
  t.same(joined(life), {
    samples: [
      {
        sourceTimeMs: Date.UTC(2026, 10, 22, 19),
        values: [
          { channel: 'a', value: 1, quality: Quality.GOOD },
          { channel: 'b', value: 2.5, quality: Quality.GOOD },
        ],
      },
      {
        sourceTimeMs: 1_795_374_001_000,
        values: [{ channel: 'b', value: 3, quality: Quality.GOOD }],
      },
      {
        sourceTimeMs: undefined,
        values: [{ channel: 'a', value: null, quality: Quality.NULL }],
      },
    ],
    rejects: [],
  });
});

t.test('without channels every value is taken', async (t) => {
  t.testdir({});
  const long = 'n'.repeat(200);
  const life = await live(
    open(
      t,
      print(
        '{"values": {"x": 1, "y": "run", "z": true, "w": null, "v": [1]}}',
        `{"values": {"${long}": 1, "ok": 2, "": 3}}`,
      ),
    ),
  );
  const { samples, rejects } = joined(life);
  t.same(
    samples[0]?.values.map(({ channel, value }) => [channel, value]),
    [
      ['x', 1],
      ['y', 'run'],
      ['z', true],
      ['w', null],
      ['v', null],
    ],
  );
  t.same(
    samples[1]?.values.map(({ channel }) => channel),
    ['ok'],
    'names that nothing downstream can carry cost only themselves',
  );
  t.match(rejects, [{ reason: 'garbage' }]);
});

t.test('qualities', async (t) => {
  t.testdir({});
  const life = await live(
    open(
      t,
      print(
        '{"values":{"a":1,"b":2},"quality":{"a":"uncertain"}}',
        '{"values":{"a":1,"b":"x"},"quality":{"a":"bad","b":"uncertain"}}',
        '{"values":{"a":null,"b":2},"quality":{"a":"bad","b":"good"}}',
        '{"values":{"a":1,"b":2},"quality":{"a":"weird","b":7}}',
        '{"values":{"a":1,"b":2},"quality":[]}',
      ),
      {},
      CHANNELS,
    ),
  );
  const { DEVICE_UNCERTAIN, DEVICE_BAD, GOOD, WRONG_TYPE, NULL } = Quality;
  t.same(
    joined(life).samples.map(({ values }) => values.map(({ quality }) => quality)),
    [
      [DEVICE_UNCERTAIN, GOOD],
      [DEVICE_BAD, WRONG_TYPE],
      [NULL, GOOD],
      [GOOD, GOOD],
      [GOOD, GOOD],
    ],
  );
});

t.test('rejects', async (t) => {
  t.testdir({});
  const cases: [line: string, reason: string][] = [
    ['starting up...', 'garbage'],
    ['[1]', 'garbage'],
    ['{"values":{"a":1}', 'garbage'],
    ['{"values":{"a":NaN}}', 'garbage'],
    ['{"time":"noon","values":{"a":1}}', 'bad_time'],
    ['{"time":null,"values":{"a":1}}', 'missing_time'],
    ['{"device":"C02","values":{"a":1}}', 'wrong_device'],
    ['{"device":5,"values":{"a":1}}', 'wrong_device'],
    ['{"values":{}}', 'no_channels'],
    ['{"values":[1]}', 'no_channels'],
    ['{"a":1}', 'no_channels'],
    ['{"values":{"unknown":1}}', 'no_channels'],
    [`{"pad":"${'x'.repeat(3_000)}","values":{"a":1}}`, 'too_large'],
  ];
  const good = '{"values":{"a":1}}';
  const script = print(...cases.flatMap(([line]) => [line, good, '']));
  const { samples, rejects } = joined(
    await live(open(t, script, { max_line_bytes: 2_000 }, CHANNELS)),
  );
  t.equal(samples.length, cases.length, 'every good line beside a bad one');
  t.same(
    rejects.map(({ reason }) => reason),
    cases.map(([, reason]) => reason),
  );
  for (const [i, [line]] of cases.entries()) {
    t.equal(
      Buffer.from(rejects[i]?.payload ?? []).toString(),
      line.slice(0, 1_024),
      `payload ${i}`,
    );
  }
});

t.test('a line without end is given up and skipped', async (t) => {
  t.testdir({});
  const script = `
    process.stdout.write('x'.repeat(5_000_000));
    ${print('', '{"values":{"a":1}}')}`;
  const { samples, rejects } = joined(await live(open(t, script, {}, CHANNELS)));
  t.match(rejects, [{ reason: 'too_large' }]);
  t.equal(rejects.length, 1);
  t.equal(samples.length, 1);
});

t.test('the last line may lack its newline', async (t) => {
  t.testdir({});
  const whole = await live(open(t, `process.stdout.write('{"values":{"a":1}}')`, {}, CHANNELS));
  t.equal(joined(whole).samples.length, 1);
  const half = await live(open(t, `process.stdout.write('{"values":{"a":1')`, {}, CHANNELS));
  t.match(joined(half).rejects, [{ reason: 'garbage' }]);
});

t.test('how a program ends', async (t) => {
  t.testdir({});
  const failed = await live(
    open(
      t,
      `${print('{"values":{"a":1}}')} console.error('one\\ntwo'); process.exitCode = 3`,
      {},
      CHANNELS,
    ),
  );
  t.match(failed.error, { name: 'ReaderFailure', message: 'ended with code 3; one; two' });
  t.equal(joined(failed).samples.length, 1, 'what it said before counts');
  const killed = await live(
    open(t, 'process.kill(process.pid, "SIGSEGV"); setInterval(()=>{},1e3)'),
  );
  t.match(killed.error, { message: 'ended by SIGSEGV' });
  const noisy = await live(
    open(
      t,
      `for (let i = 0; i < 1000; i++) console.error(i + 'y'.repeat(9_000)); process.exitCode = 1`,
    ),
  );
  t.ok(String(noisy.error).length < 3_500, 'of standard error only the end is kept');

  const absent = commandReader.create(
    {
      device: 'C',
      options: { argv: ['/nowhere/at-all'] },
      channels: {},
      timeoutMs: 1,
      baseDir: '/',
    },
    { clock: realClock, env: {} },
  ) as PushedReader;
  t.match((await live(absent)).error, { name: 'ReaderFailure', message: /ENOENT/ });
  const nul = commandReader.create(
    { device: 'C', options: { argv: ['a\0b'] }, channels: {}, timeoutMs: 1, baseDir: '/' },
    { clock: realClock, env: {} },
  ) as PushedReader;
  t.match((await live(nul)).error, { name: 'ReaderFailure' });
});

t.test('restart policy', async (t) => {
  t.testdir({});
  t.equal(open(t, '').restartAtEnd, true);
  t.equal(open(t, '', { restart: 'on_failure' }).restartAtEnd, false);
});

t.test('environment and folder', async (t) => {
  const dir = t.testdir({ sub: {} });
  const script = `console.log(JSON.stringify({ values: {
    own: process.env.OWN, path: process.env.PATH !== undefined, token: process.env.FMS_AGENT_TOKEN ?? 'none',
    cwd: process.cwd() } }))`;
  const env = { ...process.env, FMS_AGENT_TOKEN: 'secret' };
  const reader = open(t, script, { cwd: 'sub', env: { OWN: 'x' } }, {}, env);
  const values = joined(await live(reader)).samples[0]?.values ?? [];
  t.same(
    values.map(({ value }) => value),
    ['x', true, 'none', join(dir, 'sub')],
  );
});

t.test('stop: the program says its last words, and all of them arrive', async (t) => {
  t.testdir({});
  const script = `
    let n = 0;
    const say = () => process.stdout.write(JSON.stringify({ values: { a: n++ } }) + '\\n');
    const timer = setInterval(say, 1);
    process.on('SIGTERM', () => {
      clearInterval(timer);
      for (let i = 0; i < 5_000; i++) say();
      process.stdout.write('{"values":{"a":"half', () => process.exit(0));
    });`;
  const abort = new AbortController();
  const reader = open(t, script, {}, CHANNELS);
  const samples: unknown[] = [];
  let rejects = 0;
  await reader.run(async (output) => {
    samples.push(...output.samples.flatMap(({ values }) => values.map(({ value }) => value)));
    rejects += output.rejects.length;
    abort.abort();
  }, abort.signal);
  t.ok(samples.length > 5_000, `${samples.length} lines`);
  t.same(
    samples,
    samples.map((_, i) => i),
    'whole and in order',
  );
  t.equal(rejects, 0, 'half a line is not an error when we cut it off');
});

/** Resolves when the process has gone. */
async function gone(pid: number): Promise<boolean> {
  for (let i = 0; i < 6_000; i++) {
    try {
      process.kill(pid, 0);
      // A zombie answers too; its state is Z.
      if (existsSync(`/proc/${pid}/stat`)) {
        if (/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) return true;
      }
    } catch {
      return true;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

t.test('a program that ignores SIGTERM is killed with all that it started', async (t) => {
  t.testdir({});
  const child = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)`;
  const script = `
    process.on('SIGTERM', () => {});
    const child = require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(child)}]);
    child.on('spawn', () => console.log(JSON.stringify({ values: { own: process.pid, child: child.pid } })));
    setInterval(() => {}, 1000);`;
  const reader = open(t, script, { stop_ms: 100 });
  const abort = new AbortController();
  const pids: number[] = [];
  await reader.run(async ({ samples }) => {
    pids.push(...samples.flatMap(({ values }) => values.map(({ value }) => Number(value))));
    abort.abort();
  }, abort.signal);
  t.equal(pids.length, 2);
  for (const pid of pids) t.ok(await gone(pid), `${pid}`);
});

t.test('what a program leaves behind in its group ends with it', async (t) => {
  t.testdir({});
  const script = `
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
    child.unref();
    child.on('spawn', () => {
      process.stdout.write(JSON.stringify({ values: { child: child.pid } }) + '\\n', () => process.exit(0));
    });`;
  const life = await live(open(t, script));
  t.equal(life.error, undefined);
  t.ok(await gone(Number(joined(life).samples[0]?.values[0]?.value)));
});

t.test('a process that left the group cannot hold the reader', async (t) => {
  t.testdir({});
  const script = `
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit', detached: true });
    child.unref();
    child.on('spawn', () => {
      process.stdout.write(JSON.stringify({ values: { child: child.pid } }) + '\\n', () => process.exit(0));
    });`;
  const life = await live(open(t, script));
  t.equal(life.error, undefined);
  process.kill(Number(joined(life).samples[0]?.values[0]?.value), 'SIGKILL');
});

t.test('a program that closes its output is ended', async (t) => {
  t.testdir({});
  const script = `${print('{"values":{"a":1}}')} require('node:fs').closeSync(1); setInterval(() => {}, 1000)`;
  const life = await live(open(t, script, {}, CHANNELS));
  t.match(life.error, { message: /SIGTERM/ });
  t.equal(joined(life).samples.length, 1);
});

t.test('20,000 rows go through whole, several commits in flight', async (t) => {
  t.testdir({});
  const script = `
    const { writeSync } = require('node:fs');
    let text = '';
    for (let i = 0; i < 20_000; i++) {
      text += JSON.stringify({ time: 1_500_000_000_000 + i * 1_000, values: { a: i, b: i / 7 } }) + '\\n';
    }
    process.stdout.write(text);`;
  const reader = open(t, script, { restart: 'on_failure' }, CHANNELS);
  const seen: unknown[] = [];
  let pendingMax = 0;
  let pending = 0;
  let second = (): void => {};
  const begun = new Promise<void>((resolve) => {
    second = resolve;
  });
  await reader.run(async ({ samples }) => {
    seen.push(...samples.map(({ values }) => values[0]?.value));
    pending += 1;
    pendingMax = Math.max(pendingMax, pending);
    // The first commit lasts until the second begins.
    if (pending > 1) second();
    await begun;
    await new Promise((resolve) => setTimeout(resolve, 20));
    pending -= 1;
  }, new AbortController().signal);
  t.equal(seen.length, 20_000);
  t.ok(
    seen.every((value, i) => value === i),
    'in order',
  );
  t.ok(pendingMax > 1, `${pendingMax} emits at once`);
  t.equal(pending, 0);
});

t.test('an emit that fails ends the program and the life', async (t) => {
  t.testdir({});
  const script = `setInterval(() => console.log('{"values":{"a":1}}'), 1)`;
  const error = await open(t, script, {}, CHANNELS)
    .run(async () => {
      throw new Error('the buffer is closed');
    }, new AbortController().signal)
    .catch((error: unknown) => error);
  t.match(error, { message: 'the buffer is closed' });
});

t.test('however the bytes are cut, the lines are the same', async (t) => {
  const split = (pieces: readonly Uint8Array[], maxBytes: number): string[] => {
    const lines: string[] = [];
    const splitter = new LineSplitter(maxBytes);
    for (const piece of pieces) {
      splitter.push(piece, ({ bytes, isCut }) =>
        lines.push(`${isCut ? 'cut:' : ''}${Buffer.from(bytes).toString('latin1')}`),
      );
    }
    const rest = splitter.flush();
    if (rest !== undefined) lines.push(`rest:${Buffer.from(rest).toString('latin1')}`);
    return lines;
  };
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{0,12}$/)),
      fc.array(fc.nat(200)),
      fc.boolean(),
      (words, cuts, isEnded) => {
        const text = words.join('\n') + (isEnded ? '\n' : '');
        const bytes = Buffer.from(text, 'latin1');
        const at = [...new Set(cuts.filter((cut) => cut < bytes.length))].sort((a, b) => a - b);
        const pieces = [0, ...at].map((from, i) => bytes.subarray(from, at[i] ?? bytes.length));
        const expected = split([bytes], 8);
        return JSON.stringify(split(pieces, 8)) === JSON.stringify(expected);
      },
    ),
    { numRuns: 1_000 },
  );
  t.same(split([Buffer.from('abc\n123456789\nde')], 8), ['abc', 'cut:12345678', 'rest:de']);
});

t.test('configuration mistakes that no schema sees', async (t) => {
  const check = (options: Record<string, unknown>): unknown =>
    commandReader
      .check({ device: 'D', options, channels: {}, timeoutMs: 1, baseDir: '/' })
      .map(({ path }) => path.join('.'));
  t.same(check({ argv: [''] }), ['command.argv.0']);
  t.same(check({ argv: ['a', 'b\0'] }), ['command.argv']);
  t.same(check({ argv: ['a'], time_zone: 'X/Y' }), ['command.time_zone']);
  t.same(check({ argv: ['a'], time_zone: 'Asia/Seoul' }), []);
});
