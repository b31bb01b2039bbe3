/** `fms-sim demo` (`npm start`): simulated devices, agent and collector on this machine, until Ctrl-C. */

import { isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SimError } from '../errors.ts';
import { Program } from './child.ts';
import { firstLoginOf } from './first-login.ts';
import type { FolderPaths } from './folder.ts';
import {
  DEMO_INTERVAL_MS,
  deviceNames,
  forgetRunning,
  keepOldReadings,
  letLook,
  noteRunning,
  pathsOf,
  prepareFolder,
  settlePorts,
  stillRunning,
} from './folder.ts';
import type { DemoPorts, PortName } from './ports.ts';
import { checkPorts } from './ports.ts';
import type { ReplayOptions, ReplaySetup } from './replay-run.ts';
import { setUpReplay, watchReplay } from './replay-run.ts';
import { words } from './words.ts';

export interface DemoOptions {
  folder: string;
  /** Those that were asked for by option or environment. */
  ports: Partial<DemoPorts>;
  replay: ReplayOptions | undefined;
  /** Writes a line to the terminal. */
  print: (line: string) => void;
}

const mainFile = fileURLToPath(new URL('../main.ts', import.meta.url));
const repository = fileURLToPath(new URL('../..', import.meta.url));
/** npm passes a terminal's Ctrl-C on a second time; a person is not that fast. */
const SAME_CTRL_C_MS = 700;
const END_MS = { agent: 5_500, collector: 3_000, devices: 1_000 };
const LIVE_POLL_MS = 200;

/** Returns the exit code when everything has ended. Throws SimError when it cannot start. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const paths = pathsOf(isAbsolute(options.folder) ? options.folder : resolve(options.folder));
  prepareFolder(paths);
  letLook(paths);
  await endLeftovers(paths, options.print);
  const ports = settlePorts(paths, options.ports);
  if (options.replay !== undefined) keepOldReadings(paths);
  const names: PortName[] = options.replay === undefined ? ['sim'] : [];
  await checkPorts(ports, ['http', 'mqtt', 'status', ...names]);
  const setup =
    options.replay === undefined
      ? undefined
      : await setUpReplay(paths, mainFile, { ...options.replay });
  const demo = new Demo(paths, ports, setup, options.print);
  return demo.run();
}

/** What a killed demo left running on this folder is ended first: its buffer and log can have one owner. */
async function endLeftovers(paths: FolderPaths, print: (line: string) => void): Promise<void> {
  const left = stillRunning(paths);
  if (left === undefined) return;
  if (left.pid !== 0) throw new SimError('SIM_DEMO_RUNNING', `pid ${left.pid} on ${paths.folder}`);
  print(`An earlier demo left programs running (pid ${left.children.join(', ')}); they are ended.`);
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const pid of stillRunning(paths)?.children ?? []) process.kill(pid, signal);
    const deadlineMs = performance.now() + 7_000;
    while (stillRunning(paths) !== undefined && performance.now() < deadlineMs)
      await new Promise((done) => setTimeout(done, 50));
  }
}

class Demo {
  readonly #paths: FolderPaths;
  readonly #ports: DemoPorts;
  readonly #setup: ReplaySetup | undefined;
  readonly #print: (line: string) => void;
  /** In the order of being ended. */
  readonly #programs: Record<'agent' | 'collector' | 'devices', Program>;
  readonly #ending = new AbortController();
  readonly #startedMs = performance.now();
  #noted = '';
  /** What the collector said of it, until the place where a person looks for it. */
  #firstLogin: readonly string[] = [];
  #isWatching = false;
  #exitCode = 0;
  #endingSinceMs = 0;

  constructor(
    paths: FolderPaths,
    ports: DemoPorts,
    setup: ReplaySetup | undefined,
    print: (line: string) => void,
  ) {
    this.#paths = paths;
    this.#ports = ports;
    this.#setup = setup;
    this.#print = print;
    const agentYaml = setup?.agentYaml ?? paths.agent;
    this.#programs = {
      agent: this.#program(
        'agent',
        [join(repository, 'agent/main.ts'), 'run', '--config', agentYaml],
        `http://127.0.0.1:${ports.status}/healthz`,
      ),
      collector: this.#program(
        'collector',
        [join(repository, 'collector/main.ts'), 'run', '--config', paths.collector],
        `http://127.0.0.1:${ports.http}/readyz`,
        (line) => this.#hearLogin(line),
      ),
      devices: this.#program(
        'devices',
        [mainFile, 'devices', '--config', paths.sim],
        `http://127.0.0.1:${ports.sim}/`,
      ),
    };
  }

  #program(
    name: string,
    argv: string[],
    readyUrl: string,
    hear: (line: string) => boolean = () => false,
  ): Program {
    return new Program({
      name,
      argv,
      env: process.env,
      logPath: join(this.#paths.logs, `${name}.log`),
      readyUrl,
      hear,
      say: (line) => this.#print(`${name.padEnd(10)}${line}`),
      onGivenUp: () => {
        this.#exitCode = 1;
        this.#ending.abort();
      },
    });
  }

  async run(): Promise<number> {
    const { agent, collector, devices } = this.#programs;
    const onSignal = (): void => this.#onSignal();
    const onExit = (): void => this.#killAll();
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
    process.on('exit', onExit);
    const keepNote = setInterval(() => this.#note(), 1_000);
    try {
      this.#print(`FMS demo, data folder ${this.#paths.folder}`);
      await Promise.all([this.#startDevices(devices), this.#startCollector(collector)]);
      if (!this.#ending.signal.aborted) await this.#startAgent(agent);
      if (!this.#ending.signal.aborted) await this.#watch();
      await aborted(this.#ending.signal);
    } finally {
      await this.#end();
      clearInterval(keepNote);
      forgetRunning(this.#paths);
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(signal, onSignal);
      process.off('exit', onExit);
    }
    this.#say(words.ended);
    return this.#exitCode;
  }

  async #startDevices(program: Program): Promise<void> {
    if (this.#setup !== undefined) return;
    await this.#startProgram(program);
    this.#print(`devices   ready: http://127.0.0.1:${this.#ports.sim}/ (simulated FMS devices)`);
  }

  async #startCollector(program: Program): Promise<void> {
    await this.#startProgram(program);
    const { http, mqtt } = this.#ports;
    this.#print(`collector ready: http://127.0.0.1:${http}/ and MQTT 127.0.0.1:${mqtt}`);
  }

  async #startAgent(program: Program): Promise<void> {
    await this.#startProgram(program);
    const reads =
      this.#setup === undefined
        ? `reads each device every ${DEMO_INTERVAL_MS / 1_000} s`
        : 'reads the recording';
    this.#print(`agent     ready: http://127.0.0.1:${this.#ports.status}/status (${reads})`);
  }

  async #startProgram(program: Program): Promise<void> {
    const started = program.start();
    this.#note();
    await started;
  }

  async #watch(): Promise<void> {
    const url = `http://127.0.0.1:${this.#ports.http}`;
    this.#say(words.open(`${url}/`, this.#paths.folder));
    this.#isWatching = true;
    this.#say(this.#firstLogin);
    if (this.#setup !== undefined) {
      const urls = { collector: url, agentStatus: `http://127.0.0.1:${this.#ports.status}/status` };
      await watchReplay(this.#setup, urls, (lines) => this.#say(lines), this.#ending.signal);
      return;
    }
    const names = deviceNames(this.#paths);
    while (!this.#ending.signal.aborted) {
      if (await areLive(url, names)) {
        const seconds = ((performance.now() - this.#startedMs) / 1_000).toFixed(1);
        this.#say(words.live(names.length, seconds));
        return;
      }
      await new Promise((done) => setTimeout(done, LIVE_POLL_MS));
    }
  }

  /** The collector makes the first user at its first start, and says its password this once. */
  #hearLogin(line: string): boolean {
    const login = firstLoginOf(line);
    if (login === undefined) return false;
    this.#firstLogin = words.firstLogin(login.user, login.password);
    if (this.#isWatching) this.#say(this.#firstLogin);
    return true;
  }

  #say(lines: readonly string[]): void {
    for (const line of lines) this.#print(line);
  }

  /** Which processes a later start would have to end; a restarted program has another number. */
  #note(): void {
    const pids = Object.values(this.#programs)
      .map((program) => program.pid)
      .filter((pid) => pid !== undefined);
    if (pids.join() === this.#noted) return;
    this.#noted = pids.join();
    noteRunning(this.#paths, pids);
  }

  #onSignal(): void {
    const nowMs = performance.now();
    if (this.#ending.signal.aborted) {
      if (nowMs - this.#endingSinceMs < SAME_CTRL_C_MS) return;
      this.#print('Killed.  (강제 종료)');
      this.#exitCode = 130;
      this.#killAll();
      return;
    }
    this.#endingSinceMs = nowMs;
    this.#say(words.ending);
    this.#ending.abort();
  }

  /** First who sends, then who receives: what is under way is delivered, the rest stays in the buffer. */
  async #end(): Promise<void> {
    const { agent, collector, devices } = this.#programs;
    this.#ending.abort();
    await agent.end(END_MS.agent);
    await collector.end(END_MS.collector);
    await devices.end(END_MS.devices);
  }

  #killAll(): void {
    for (const program of Object.values(this.#programs)) program.kill();
  }
}

async function areLive(collectorUrl: string, names: readonly string[]): Promise<boolean> {
  try {
    const response = await fetch(`${collectorUrl}/api/v1/devices?limit=1000`, {
      signal: AbortSignal.timeout(2_000),
    });
    const { items } = (await response.json()) as { items?: { device?: string }[] };
    const seen = new Set((items ?? []).map((item) => item.device));
    return names.every((name) => seen.has(name));
  } catch {
    return false;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (signal.aborted) done();
    else signal.addEventListener('abort', () => done(), { once: true });
  });
}
