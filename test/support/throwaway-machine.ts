/**
 * A copy of this machine to install packages on, without a network: what is changed there (an overlay in
 * memory, in mount and network namespaces of its own) is gone with it. Needs root on Linux.
 */

import type { ChildProcess, SpawnSyncReturns } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { whyNotWithout } from './programs.ts';

export function whyNoThrowawayMachine(): string | false {
  if (process.getuid?.() !== 0) return 'needs root, for a throw-away copy of this machine';
  return whyNotWithout('unshare', 'nsenter', 'dpkg');
}

/** It lives as long as the shell that this process holds the input of, so never longer than this process. */
const MAKE = `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /dev "$1/root/dev"
mount -t proc proc "$1/root/proc"
mount -t tmpfs tmpfs "$1/root/run"
mount -t tmpfs -o mode=1777 tmpfs "$1/root/tmp"
ip link set lo up 2>/dev/null || true
mkdir "$1/root/tmp/host"
echo made
cat >/dev/null
`;

export class ThrowawayMachine {
  readonly #folder: string;
  readonly #holder: ChildProcess;
  readonly #started: { child: ChildProcess; exited: Promise<unknown> }[] = [];
  readonly #env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    DEBIAN_FRONTEND: 'noninteractive',
    LC_ALL: 'C.UTF-8',
  };

  private constructor(folder: string, holder: ChildProcess) {
    this.#folder = folder;
    this.#holder = holder;
  }

  static async make(): Promise<ThrowawayMachine> {
    const folder = mkdtempSync(join(tmpdir(), 'fms-machine-'));
    const args = ['--mount', '--net', '--propagation', 'private', 'sh', '-c', MAKE, 'sh', folder];
    const holder = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    holder.stderr.on('data', (data) => {
      stderr += data;
    });
    const made = once(createInterface({ input: holder.stdout }), 'line');
    const ended = once(holder, 'exit').then(() => {
      throw new Error(`no throw-away machine: ${stderr}`);
    });
    await Promise.race([made, ended]);
    ended.catch(() => {});
    const machine = new ThrowawayMachine(folder, holder);
    // One that somebody installed on the real machine is not this test's.
    machine.shell(
      'dpkg --purge fms-agent fms-collector 2>/dev/null; userdel fms-agent 2>/dev/null; true',
    );
    return machine;
  }

  /** Copies a file of the real machine to /tmp/host there; the path that it has there. */
  bring(path: string, name: string): string {
    const target = `/tmp/host/${name}`;
    const copied = this.#enter(['cp', path, `${this.#folder}/root${target}`]);
    if (copied.status !== 0) throw new Error(copied.stderr);
    return target;
  }

  /** Runs it to its end; input is empty. */
  run(...command: string[]): SpawnSyncReturns<string> {
    return this.#enter(['chroot', `${this.#folder}/root`, ...command]);
  }

  shell(script: string): SpawnSyncReturns<string> {
    return this.run('sh', '-c', script);
  }

  /** Standard output; throws with everything it said when the exit code is not 0. */
  must(...command: string[]): string {
    const { status, stdout, stderr, error } = this.run(...command);
    if (status === 0) return stdout;
    throw new Error(`${command.join(' ')}: ${error?.message ?? status}\n${stdout}${stderr}`);
  }

  /** Ends with the machine at the latest. Its process id is that of the program there. */
  start(...command: string[]): ChildProcess {
    const [program, ...args] = this.#entering(['chroot', `${this.#folder}/root`, ...command]);
    const child = spawn(program, args, { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#started.push({ child, exited: once(child, 'exit') });
    return child;
  }

  async close(): Promise<void> {
    for (const { child, exited } of this.#started) {
      child.kill('SIGKILL');
      await exited;
    }
    const exited = once(this.#holder, 'exit');
    this.#holder.kill('SIGKILL');
    await exited;
    rmdirSync(this.#folder);
  }

  #enter(command: readonly string[]): SpawnSyncReturns<string> {
    const [program, ...args] = this.#entering(command);
    return spawnSync(program, args, { env: this.#env, encoding: 'utf8', input: '' });
  }

  #entering(command: readonly string[]): [string, ...string[]] {
    return ['nsenter', '-t', String(this.#holder.pid), '--mount', '--net', ...command];
  }
}
