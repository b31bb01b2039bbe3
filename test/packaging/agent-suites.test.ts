/**
 * The packaged program, which is what users run, under the suites of the agent as a process and a short
 * fault run; they are run as they are, with FMS_AGENT_PROGRAM. The contracts of reader, buffer and forwarder
 * call functions and cannot be run against a program: `fms-agent self-test` goes through the same parts
 * from inside (addon, codec, encryption, compression, TLS), here and on arm64 under qemu.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ARM64_LIBRARIES, packagedAgent } from '../support/packaged.ts';
import { whyNotWithout } from '../support/programs.ts';

const TESTS = join(import.meta.dirname, '..');
const MINUTES_MS = 60_000;

t.setTimeout(20 * MINUTES_MS);

interface Ended {
  code: number | null;
  output: string;
}

async function run(command: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      output += data;
    });
  }
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}

const suites: readonly [name: string, ...args: string[]][] = [
  ['agent/program.test.ts'],
  ['agent/commands/commands.test.ts'],
  ['e2e/enrolment.test.ts'],
  // kill -9 of agent and collector under load, each kind once, the agent three times: more are in its own run.
  ['faults/kill.test.ts', '--rounds', '1'],
];

for (const [file, ...args] of suites) {
  t.test(`${file} against the packaged program`, { skip: whyNotWithout('dpkg-deb') }, async (t) => {
    const { program } = packagedAgent();
    const { code, output } = await run([process.execPath, join(TESTS, file), ...args], {
      FMS_AGENT_PROGRAM: program,
    });
    t.equal(code, 0, output.slice(-8_000));
    t.match(output, /^1\.\.[1-9]\d*$/m);
    t.notMatch(output, /^(not ok|ok 1 - .*# SKIP)/m);
  });
}

t.test('self-test of the packaged program', { skip: whyNotWithout('dpkg-deb') }, async (t) => {
  const { code, output } = await run([packagedAgent().program, 'self-test']);
  t.equal(code, 0, output);
  t.equal(output.match(/^ok /gm)?.length, 5, output);
});

const qemu = 'qemu-aarch64-static';
const skipArm =
  whyNotWithout('dpkg-deb', qemu) ||
  (existsSync(ARM64_LIBRARIES) || process.env.CI === 'true' ? false : 'needs libc6-arm64-cross');

t.test('self-test of the arm64 program under qemu', { skip: skipArm }, async (t) => {
  const { program } = packagedAgent({ architecture: 'arm64' });
  const { code, output } = await run([qemu, '-L', ARM64_LIBRARIES, program, 'self-test']);
  t.equal(code, 0, output);
  t.equal(output.match(/^ok /gm)?.length, 5, output);
  const version = await run([qemu, '-L', ARM64_LIBRARIES, program, '--version']);
  t.match(version.output, /^\d+\.\d+\.\d+/);
});
