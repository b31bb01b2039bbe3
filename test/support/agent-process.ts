/** fms-agent as a real process, for tests. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type t from 'tap';
import { stringify } from 'yaml';
import { agentCommand } from './agent-command.ts';

const CACHE = join(tmpdir(), `fms-agent-test-cache-${process.getuid?.()}`);

/** Whatever language the machine speaks, the agent is asked in English unless a test says otherwise. */
const { LC_ALL: _, LC_MESSAGES: __, FMS_LANGUAGE: ___, ...OTHERS } = process.env;
const ENVIRONMENT = { ...OTHERS, LANG: 'C.UTF-8' };

type Test = Pick<typeof t, 'teardown' | 'testdir'>;

interface LogLine {
  level: string;
  message: string;
  [field: string]: unknown;
}

export class AgentProcess {
  readonly child: ChildProcess;
  readonly log: LogLine[] = [];
  stdout = '';
  stderr = '';
  readonly exited: Promise<number | null>;
  #hasEnded = false;
  #waiters = new Set<() => void>();

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    const [program, ...first] = agentCommand();
    this.child = spawn(program, [...first, ...args], {
      env: { ...ENVIRONMENT, FMS_AGENT_COMPILE_CACHE: CACHE, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let rest = '';
    this.child.stdout?.on('data', (data) => {
      this.stdout += data;
    });
    this.child.stderr?.on('data', (data) => {
      this.stderr += data;
      const lines = `${rest}${data}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines)
        if (line.startsWith('{')) this.log.push(JSON.parse(line) as LogLine);
      for (const wake of [...this.#waiters]) wake();
    });
    this.exited = once(this.child, 'close').then(([code]) => {
      this.#hasEnded = true;
      for (const wake of [...this.#waiters]) wake();
      return code as number | null;
    });
  }

  /** The `count`-th line with this message; rejects when the process ends before. */
  line(message: string, count = 1): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = this.log.filter((line) => line.message === message)[count - 1];
        // Not when the process has gone: the last it said may still be on its way.
        if (found === undefined && !this.#hasEnded) return;
        this.#waiters.delete(look);
        if (found === undefined) reject(new Error(`no "${message}" in ${this.stderr}`));
        else resolve(found);
      };
      this.#waiters.add(look);
      look();
    });
  }
}

export interface Rig {
  folder: string;
  config: string;
  base: Record<string, unknown>;
  write(config: Record<string, unknown>): void;
  device(name: string, more?: Record<string, unknown>): Record<string, unknown>;
  /** Questions by device. */
  asked: Map<string, number>;
  run(...args: string[]): AgentProcess;
}

/** A folder with a configuration, devices that answer, and processes that end with the test. */
export async function makeRig(t: Test): Promise<Rig> {
  const folder = t.testdir({});
  const config = join(folder, 'agent.yaml');
  const asked = new Map<string, number>();
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1);
    asked.set(name, (asked.get(name) ?? 0) + 1);
    if (name === 'hang') return;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ time: new Date().toISOString(), value: asked.get(name) }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const processes: AgentProcess[] = [];
  t.teardown(async () => {
    for (const { child, exited } of processes) {
      child.kill('SIGKILL');
      await exited;
    }
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    folder,
    config,
    asked,
    base: {
      site: 'demo',
      gateway: 'gw1',
      data_dir: './data',
      collector: { url: 'mqtt://127.0.0.1:1', token: 'secret' },
      status: { port: 0 },
      log: { level: 'debug' },
    },
    write: (content) => writeFileSync(config, stringify(content)),
    device: (name, more = {}) => ({
      name,
      reader: 'http',
      interval_ms: 50,
      http: { url: `http://127.0.0.1:${port}/${name}`, time_field: 'time' },
      channels: { value: {} },
      ...more,
    }),
    run: (...args) => {
      const agent = new AgentProcess([...args, '--config', config]);
      processes.push(agent);
      return agent;
    },
  };
}
