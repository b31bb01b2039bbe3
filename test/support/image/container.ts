/**
 * Runs a built image as Docker does with `--read-only --cap-drop ALL --security-opt no-new-privileges`, without Docker:
 * namespaces of its own for mounts, processes and the host's name, the root read-only, a volume and a /tmp that can be
 * written, the image's user without any capability, the program as process 1. The network is the machine's.
 */

import type { ChildProcess } from 'node:child_process';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BuiltImage } from './build.ts';
import { quote } from './build.ts';

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];

export interface ContainerOptions {
  hostname?: string;
  env?: Record<string, string>;
  /** File of this machine → path in the container; read-only. */
  files?: Record<string, string>;
  /** Folders of the container that are empty, whatever the image has there. */
  emptied?: readonly string[];
  command?: readonly string[];
}

export interface Executed {
  code: number;
  output: string;
}

export class Container {
  /** What is written into the image's one volume. */
  readonly volume: string;
  output = '';
  readonly #image: BuiltImage;
  readonly #folder = mkdtempSync(join(tmpdir(), 'fms-container-'));
  #child: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);

  constructor(image: BuiltImage) {
    this.#image = image;
    this.volume = join(this.#folder, 'volume');
    const [uid = 0, gid = 0] = image.user.split(':').map(Number);
    mkdirSync(this.volume, { mode: 0o700 });
    chownSync(this.volume, uid, gid);
    mkdirSync(join(this.#folder, 'root'));
  }

  /** Begins to run; `output` and `exited` say how it goes. */
  start(options: ContainerOptions = {}): void {
    this.output = '';
    const namespaces = ['--mount', '--propagation', 'private', '--pid', '--uts', '--ipc'];
    const args = [...namespaces, '--fork', '--kill-child', 'sh', '-ec', this.#script(options)];
    const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        this.output += data.toString();
      });
    this.#exited = once(child, 'close').then(([code]) => code as number | null);
  }

  get exited(): Promise<number | null> {
    return this.#exited;
  }

  get runs(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && !this.#child.signalCode;
  }

  /** Process 1 of the container, as this machine numbers it. */
  get pid(): number {
    const outer = this.#child?.pid ?? 0;
    const children = readFileSync(`/proc/${outer}/task/${outer}/children`, 'utf8');
    const [pid = ''] = children.trim().split(' ');
    return Number(pid);
  }

  /** Of /proc/PID/status. */
  status(name: string): string {
    const text = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  }

  /** `docker exec`: as the same user, with the same rights. */
  async exec(...command: string[]): Promise<Executed> {
    if (!this.runs) throw new Error(`the container ended: ${this.output}`);
    const enter = ['--target', String(this.pid), '--mount', '--pid', '--uts', '--ipc'];
    const args = [...enter, '--root', '--wd', ...this.#asUser({}, command)];
    return await new Promise((resolve) => {
      execFile('nsenter', args, (error, stdout, stderr) => {
        const code = typeof error?.code === 'number' ? error.code : error === null ? 0 : -1;
        resolve({ code, output: `${stdout}${stderr}` });
      });
    });
  }

  /** SIGTERM to process 1, as `docker stop`. Resolves with the exit code. */
  async stop(): Promise<number | null> {
    if (this.runs) process.kill(this.pid, 'SIGTERM');
    return await this.#exited;
  }

  /** Ends it whatever it does, and removes its folder. */
  async remove(): Promise<void> {
    if (this.runs) this.#child?.kill('SIGKILL');
    await this.#exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #script({ hostname = 'container', files = {}, emptied = [], ...rest }: ContainerOptions): string {
    const root = join(this.#folder, 'root');
    const [volume = ''] = this.#image.volumes;
    const { entrypoint, command } = this.#image;
    const program = [...entrypoint, ...(rest.command ?? command)];
    return [
      `hostname ${hostname}`,
      // Without an upper folder nothing can be written.
      `mount -t overlay overlay -o lowerdir=${[...this.#image.layers].reverse().join(':')} ${root}`,
      `mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev tmpfs ${root}/tmp`,
      `mount --bind ${this.volume} ${root}${volume}`,
      `mount -t tmpfs -o mode=755 tmpfs ${root}/dev`,
      ...DEVICES.map(
        (name) => `touch ${root}/dev/${name}; mount --bind /dev/${name} ${root}/dev/${name}`,
      ),
      `mount -t proc proc ${root}/proc`,
      `mount --rbind -o ro /sys ${root}/sys`,
      ...emptied.map((path) => `mount -t tmpfs -o mode=755 tmpfs ${root}${path}`),
      ...Object.entries(files).map(([from, to]) => `mount --bind -o ro ${from} ${root}${to}`),
      `exec chroot ${root} ${this.#asUser(rest.env ?? {}, program)
        .map(quote)
        .join(' ')}`,
    ].join('\n');
  }

  #asUser(env: Record<string, string>, command: readonly string[]): string[] {
    const { user, workdir, env: own } = this.#image;
    const [uid = '', gid = ''] = user.split(':');
    const variables = Object.entries({ ...Object.fromEntries(own), ...env });
    return [
      ...['env', '-i', '-C', workdir, ...variables.map(([name, value]) => `${name}=${value}`)],
      ...['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'],
      ...['--inh-caps=-all', '--bounding-set=-all', '--', ...command],
    ];
  }
}

/** What `skip` of a test is: why containers cannot be run here. With CI=true never: the test fails instead. */
export function containersMissing(): string | false {
  if (process.env.CI === 'true') return false;
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return 'needs root on Linux (namespaces, overlayfs)';
  return existsSync('/usr/sbin/debootstrap')
    ? false
    : 'needs debootstrap: npm test says what to install';
}
