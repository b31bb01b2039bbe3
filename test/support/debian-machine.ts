/**
 * A bare Debian to install packages on, with systemd as its first process: services start as their units say,
 * hardened, with credentials and watchdog. In namespaces of its own, without a network but loopback; what is
 * changed there lies in an overlay that goes with it. Needs root on Linux; the system itself is fetched once a
 * machine by mmdebstrap (60 MB).
 */

import type { ChildProcess, SpawnSyncReturns } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { whyNotWithout } from './programs.ts';
import { cacheFolders, writableCache } from './test-cache.ts';

/** Changes with what is in it. */
const LAYOUT = 1;
const PACKAGES = 'systemd,systemd-sysv,passwd,libgcc-s1,libstdc++6';
const FETCH_TIMEOUT_MS = 600_000;
const OLD_MS = 6 * 3_600_000;
const BOOT_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 300_000;

function systemName(): string {
  const release = readFileSync('/etc/os-release', 'utf8');
  const suite = /^VERSION_CODENAME=(\w+)/m.exec(release)?.[1] ?? 'unknown';
  return `${suite}-${process.arch}-${LAYOUT}`;
}

/** Undefined: not fetched yet. */
function systemFolder(): string | undefined {
  return cacheFolders()
    .map((cache) => join(cache, systemName()))
    .find((path) => existsSync(path));
}

/** What `skip` of a test is. With CI=true never: the test fails instead. */
export function whyNoDebianMachine(): string | false {
  if (process.env.CI === 'true') return false;
  if (process.getuid?.() !== 0) return 'needs root, for a machine in namespaces';
  if (!existsSync('/etc/debian_version')) return 'needs Debian or Ubuntu, to make a bare one';
  if (systemFolder() !== undefined) return whyNotWithout('unshare', 'nsenter', 'ip');
  return whyNotWithout('unshare', 'nsenter', 'ip', 'mmdebstrap');
}

/** Once a machine. Throws with what mmdebstrap said. */
export function fetchDebianMachine(): void {
  if (systemFolder() === undefined) fetchSystem();
}

/** Of this machine's own suite, so that programs built here run there. The folder. */
function fetchSystem(): string {
  const cache = writableCache();
  const folder = join(cache, systemName());
  const work = mkdtempSync(join(cache, 'system-'));
  try {
    const made = join(work, 'root');
    const suite = systemName().split('-')[0] ?? '';
    const { status, stderr, error } = spawnSync(
      'mmdebstrap',
      ['--mode=root', '--variant=essential', `--include=${PACKAGES}`, suite, made],
      { encoding: 'utf8', timeout: FETCH_TIMEOUT_MS },
    );
    if (status !== 0) throw new Error(`mmdebstrap: ${error?.message ?? status}\n${stderr}`);
    renameSync(made, folder);
  } catch (error) {
    // Another process may have been quicker.
    if (!existsSync(folder)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

/**
 * $1: the system, $2: a folder of this run, $3: file system of groups of processes: v1 or v2. The last process
 * is systemd, number 1 in its namespace. It is told that it is in a container, so it leaves the kernel alone.
 */
const BOOT = `set -e
root="$2/root"
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
for folder in run tmp dev; do mount -t tmpfs -o mode=755 tmpfs "$root/$folder"; done
chmod 1777 "$root/tmp"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/run/host"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"
if [ "$3" = v2 ]; then
  mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
else
  mount -t tmpfs -o mode=755 tmpfs "$root/sys/fs/cgroup"
  mkdir "$root/sys/fs/cgroup/systemd"
  mount -t cgroup -o none,name=systemd,xattr cgroup "$root/sys/fs/cgroup/systemd"
fi
hostname machine
ip link set lo up
# Not chroot: in one the kernel makes no further namespaces, as hardened services want them.
cd "$root"
mkdir -p run/before
pivot_root . run/before
umount -l /run/before
# As systemd makes it outside containers: what it mounts aside (credentials) has to come through.
mount --make-rshared /
exec env -i container=fms-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd
`;

/**
 * It lives as long as its input is open, so never longer than this process. Only what runs there is in the group
 * of processes $4, or systemd could not make groups below it. $5: BOOT.
 */
const HOLD = `
unshare --mount --pid --net --uts --ipc --fork --kill-child sh -c '
  echo 0 >"$4/cgroup.procs" && exec unshare --cgroup sh -c "$5" sh "$1" "$2" "$3"
' sh "$@" &
cat >/dev/null
kill -KILL $!
wait
`;

interface Groups {
  version: 'v1' | 'v2';
  /** Of the machine's processes, on the host. */
  folder: string;
}

function makeGroups(): Groups {
  const isNew = existsSync('/sys/fs/cgroup/cgroup.procs');
  const top = isNew ? '/sys/fs/cgroup' : '/sys/fs/cgroup/systemd';
  const folder = join(top, `fms-test-${process.pid}`);
  mkdirSync(folder);
  return { version: isNew ? 'v2' : 'v1', folder };
}

/** Folders only: their files are the kernel's. It needs a moment to end the last processes. */
async function removeGroups(folder: string): Promise<void> {
  for (let attempt = 0; existsSync(folder) && attempt < 50; attempt++) {
    if (attempt > 0) await delay(100);
    spawnSync('find', [folder, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';']);
  }
}

/** What machines left whose test was killed. */
function removeOld(): void {
  const cache = writableCache();
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    if (!/^(machine|system)-/.test(name)) continue;
    const { mtimeMs } = statSync(path, { throwIfNoEntry: false }) ?? { mtimeMs: Date.now() };
    if (Date.now() - mtimeMs > OLD_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** The first one; 0: none. */
function childOf(pid: number | undefined): number {
  const file = `/proc/${pid}/task/${pid}/children`;
  const text = pid !== undefined && existsSync(file) ? readFileSync(file, 'utf8') : '';
  return Number(text.trim().split(' ')[0] || 0);
}

export class DebianMachine {
  readonly #folder: string;
  readonly #groups: Groups;
  readonly #holder: ChildProcess;
  /** As this machine numbers it. */
  #firstPid = 0;
  readonly #env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    // An upgrade that asks ends, for there is nobody to answer.
    DEBIAN_FRONTEND: 'teletype',
    LC_ALL: 'C.UTF-8',
  };

  private constructor(folder: string, groups: Groups, holder: ChildProcess) {
    this.#folder = folder;
    this.#groups = groups;
    this.#holder = holder;
  }

  /** Resolves when its services run. The caller closes it. */
  static async boot(): Promise<DebianMachine> {
    const system = systemFolder() ?? fetchSystem();
    removeOld();
    // On the disk: a whole collector is installed twice.
    const folder = mkdtempSync(join(writableCache(), 'machine-'));
    for (const name of ['upper', 'work', 'root']) mkdirSync(join(folder, name));
    const groups = makeGroups();
    const given = [system, folder, groups.version, groups.folder, BOOT];
    const holder = spawn('sh', ['-c', HOLD, 'sh', ...given], { stdio: 'pipe' });
    let said = '';
    for (const stream of [holder.stdout, holder.stderr])
      stream.on('data', (data) => {
        said += data;
      });
    const machine = new DebianMachine(folder, groups, holder);
    try {
      await machine.#untilBooted();
    } catch (error) {
      await machine.close();
      throw new Error(`no Debian machine: ${said}`, { cause: error });
    }
    return machine;
  }

  async #untilBooted(): Promise<void> {
    const endMs = performance.now() + BOOT_TIMEOUT_MS;
    while (performance.now() < endMs && this.#holder.exitCode === null) {
      // sh, its child unshare, and the machine's first process below that.
      this.#firstPid = childOf(childOf(this.#holder.pid));
      if (this.#firstPid > 0) {
        const { stdout } = this.run('systemctl', 'is-system-running');
        if (/^(running|degraded)/.test(stdout ?? '')) return;
      }
      await delay(100);
    }
    throw new Error('it did not start its services');
  }

  /** A path there, as this machine sees it. */
  path(path: string): string {
    return join(`/proc/${this.#firstPid}/root`, path);
  }

  /** Copies a file of this machine to /run/host there; the path that it has there. */
  bring(path: string, name: string): string {
    copyFileSync(path, this.path(`/run/host/${name}`));
    return `/run/host/${name}`;
  }

  /** Runs it to its end, as root. */
  run(...command: string[]): SpawnSyncReturns<string> {
    const [program, ...args] = this.#entering(command);
    return spawnSync(program, args, {
      env: this.#env,
      encoding: 'utf8',
      input: '',
      timeout: RUN_TIMEOUT_MS,
    });
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

  /** A program of this machine in the network of the other. The caller ends it. */
  beside(program: string, ...args: string[]): ChildProcess {
    const enter = ['-t', String(this.#firstPid), '--net', program, ...args];
    return spawn('nsenter', enter, { stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** What systemd and its services said last. */
  journal(unit: string): string {
    return this.run('journalctl', '--no-pager', '-o', 'cat', '-u', unit).stdout;
  }

  async close(): Promise<void> {
    const { exitCode, signalCode, stdin } = this.#holder;
    const exited = once(this.#holder, 'exit');
    stdin?.end();
    if (exitCode === null && signalCode === null) await exited;
    await removeGroups(this.#groups.folder);
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }

  #entering(command: readonly string[]): [string, ...string[]] {
    const target = ['-t', String(this.#firstPid)];
    const kinds = ['--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup'];
    // What runs tests adds to the environment of all that they start: not there.
    const env = [
      'env',
      '-i',
      ...Object.entries(this.#env).map(([name, value]) => `${name}=${value}`),
    ];
    return ['nsenter', ...target, ...kinds, ...env, ...command];
  }
}
