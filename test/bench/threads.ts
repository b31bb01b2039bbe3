/** Who uses the CPU, thread by thread, over a span of time: what runs against its limit, by name. */

import { readdirSync, readFileSync } from 'node:fs';

/** /proc counts CPU in these, on every Linux that Node runs on. */
const TICKS_PER_S = 100;
/** A thread that runs so much of the time can do no more. */
const THREAD_FULL = 0.9;
/** The machine has no more to give when so little of it is idle. */
const IDLE_MIN = 0.05;
/** Threads are called so until somebody gives them a name. */
const MAIN_THREADS = new Set(['node', 'MainThread', 'java']);

interface Usage {
  atMs: number;
  /** Ticks of each thread, by process and `thread id name`. */
  threads: Map<string, Map<string, number>>;
  machine: { idle: number; all: number };
}

export interface ThreadShare {
  process: string;
  thread: string;
  /** Of one core. */
  share: number;
}

export interface CpuShares {
  /** Of one core, by process. */
  processes: Record<string, number>;
  busiest: ThreadShare;
  /** Of all cores. */
  idle: number;
  /** What cannot do more, and how that was seen; '' when nothing was at its limit. */
  bottleneck: string;
}

export class CpuWatch {
  readonly #pids: Readonly<Record<string, number>>;
  readonly #from: Usage;

  /** From now on; `pids` by the name of the process. */
  constructor(pids: Readonly<Record<string, number>>) {
    this.#pids = pids;
    this.#from = this.#read();
  }

  /** Since the start of the watch. Threads that came or went in between count for nothing. */
  shares(): CpuShares {
    const to = this.#read();
    const seconds = (to.atMs - this.#from.atMs) / 1_000;
    const processes: Record<string, number> = {};
    let busiest: ThreadShare = { process: '', thread: '', share: 0 };
    for (const [process, threads] of to.threads) {
      const before = this.#from.threads.get(process);
      let sum = 0;
      for (const [name, ticks] of threads) {
        const share = (ticks - (before?.get(name) ?? ticks)) / TICKS_PER_S / seconds;
        sum += share;
        const thread = name.slice(name.indexOf(' ') + 1);
        if (share > busiest.share)
          busiest = { process, thread: MAIN_THREADS.has(thread) ? 'main' : thread, share };
      }
      processes[process] = sum;
    }
    const all = to.machine.all - this.#from.machine.all;
    const idle = (to.machine.idle - this.#from.machine.idle) / all;
    return { processes, busiest, idle, bottleneck: bottleneckOf(processes, busiest, idle) };
  }

  #read(): Usage {
    const threads = new Map(
      Object.entries(this.#pids).map(([name, pid]) => [name, threadsOf(pid)] as const),
    );
    const [, ...fields] = (readFileSync('/proc/stat', 'utf8').split('\n')[0] ?? '').split(/\s+/);
    const ticks = fields.slice(0, 8).map(Number);
    const all = ticks.reduce((sum, one) => sum + one, 0);
    const machine = { idle: (ticks[3] ?? 0) + (ticks[4] ?? 0), all };
    return { atMs: performance.now(), threads, machine };
  }
}

function bottleneckOf(
  processes: Readonly<Record<string, number>>,
  { process, thread, share }: ThreadShare,
  idle: number,
): string {
  const percent = (of: number): string => `${Math.round(of * 100)} %`;
  if (share >= THREAD_FULL)
    return `${process}, thread ${thread}: ${percent(share)} of a core (/proc/PID/task)`;
  const shown = Object.entries(processes)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, of]) => `${name} ${percent(of)}`);
  const most = `the most has ${process}, thread ${thread}, ${percent(share)}`;
  if (idle <= IDLE_MIN)
    return `all cores are full (${percent(idle)} idle): ${shown.join(', ')}; ${most}`;
  return `none at its limit (${percent(idle)} idle): ${shown.join(', ')}; ${most}`;
}

function threadsOf(pid: number): Map<string, number> {
  const found = new Map<string, number>();
  for (const id of list(`/proc/${pid}/task`)) {
    const stat = read(`/proc/${pid}/task/${id}/stat`);
    const [open, close] = [stat.indexOf('('), stat.lastIndexOf(')')];
    if (open < 0) continue;
    const fields = stat.slice(close + 2).split(' ');
    found.set(`${id} ${stat.slice(open + 1, close)}`, Number(fields[11]) + Number(fields[12]));
  }
  return found;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
