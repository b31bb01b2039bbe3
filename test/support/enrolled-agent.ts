/** A gateway for tests of enrolment: a folder with agent.yaml, the command that enrols, and an agent in this process whose device the test speaks for. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type t from 'tap';
import { stringify } from 'yaml';
import type { AgentDeps } from '../../agent/agent.ts';
import { Agent } from '../../agent/agent.ts';
import type { EnrolArguments } from '../../agent/commands/enrol.ts';
import { enrol } from '../../agent/commands/enrol.ts';
import { formatMistake, loadConfig, loadEnrolmentSettings } from '../../agent/config/config.ts';
import type { Pace } from '../../agent/identity/pace.ts';
import type { ReaderType } from '../../agent/readers/spec.ts';
import { systemScheduler } from '../../agent/scheduler.ts';
import type { Clock, ReaderOutput } from '../../agent/types.ts';
import { english } from '../../agent/words/say.ts';
import { Quality } from '../../proto/model.ts';

/** A machine's clock that runs, and stands where the test wants it. */
export class BentClock implements Clock {
  aheadMs: number;
  constructor(aheadMs = 0) {
    this.aheadMs = aheadMs;
  }
  wallMs(): number {
    return Date.now() + this.aheadMs;
  }
  monoMs(): number {
    return performance.now() + 1_000_000;
  }
}

/** So that tests need not wait for hours. */
export const QUICK_PACE: Partial<Pace> = {
  timeRetryMs: 50,
  timeRetryMaxMs: 200,
  renewRetryMs: 50,
  renewRetryMaxMs: 200,
};

export class TestGateway {
  readonly folder: string;
  readonly clock: BentClock;
  readonly printed: string[] = [];
  readonly logged: { level: string; message: string; fields: Record<string, unknown> }[] = [];
  agent: Agent | undefined;
  /** A time service keeps the machine's clock. */
  isClockKept = false;
  #emit: ((output: ReaderOutput) => Promise<void>) | undefined;

  /** Of its one device. */
  readonly device: string;

  constructor(
    test: Pick<typeof t, 'testdir' | 'teardown'>,
    device: string,
    clock = new BentClock(),
  ) {
    this.device = device;
    this.folder = join(test.testdir({ [device]: { data: {} } }), device);
    this.clock = clock;
    this.write({});
    test.teardown(() => this.stop());
  }

  get config(): string {
    return join(this.folder, 'agent.yaml');
  }

  get dataDir(): string {
    return join(this.folder, 'data');
  }

  write(more: Record<string, unknown>): void {
    const content = {
      data_dir: './data',
      status: { enabled: false },
      buffer: { commit_interval_ms: 0 },
      // What is timed by a wrong clock waits for the collector's word all the same.
      clock: { hold_seconds: 0 },
      forwarder: { state_interval_ms: 500, backoff_max_ms: 300 },
      ...more,
      devices: [{ name: this.device, reader: 'puppet', puppet: {} }],
    };
    writeFileSync(this.config, stringify(content));
  }

  async enrol(args: Partial<EnrolArguments> & { url: string }, input = ''): Promise<void> {
    const loaded = loadEnrolmentSettings(this.#loading());
    if (!loaded.ok) throw new Error(loaded.mistakes.map(formatMistake).join('\n'));
    const { settings } = loaded;
    const none = { token: undefined, tokenFile: undefined, caFingerprint: undefined };
    await enrol(
      { ...none, site: undefined, gateway: undefined, ...args },
      {
        settings,
        version: '0.0.0-test',
        clock: this.clock,
        input: Readable.from([input]),
        print: (text) => void this.printed.push(text),
        speaker: english,
      },
    );
  }

  /** Resolves when the agent and its forwarder run. */
  async start(): Promise<Agent> {
    const loaded = loadConfig(this.#loading());
    if (!loaded.ok) throw new Error(loaded.mistakes.map(formatMistake).join('\n'));
    this.agent = new Agent(loaded.config, this.#deps());
    await this.agent.start();
    await this.agent.started();
    return this.agent;
  }

  async stop(): Promise<void> {
    await this.agent?.stop();
    this.agent = undefined;
  }

  /** Resolves when it is in the buffer. */
  async say(value: number, sourceTimeMs?: number): Promise<void> {
    const values = [{ channel: 'c', value, quality: Quality.GOOD }];
    await this.#emit?.({ samples: [{ sourceTimeMs, values }], rejects: [] });
  }

  #loading() {
    return { path: this.config, env: {}, readerTypes: { puppet: this.#readerType() } };
  }

  #deps(): AgentDeps {
    const note =
      (level: string) =>
      (message: string, fields: object = {}) =>
        void this.logged.push({ level, message, fields: { ...fields } });
    return {
      version: '0.0.0-test',
      readerTypes: { puppet: this.#readerType() },
      env: { FMS_AGENT_MACHINE_ID: 'machine-of-the-test' },
      clock: this.clock,
      scheduler: systemScheduler,
      random: Math.random,
      log: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
      uptimeMs: () => 1,
      keeper: { pace: QUICK_PACE, isClockKept: async () => this.isClockKept },
    };
  }

  #readerType(): ReaderType {
    return {
      kind: 'pushed',
      title: 'puppet',
      deviceSchema: { type: 'object' },
      channelSchema: { type: 'object' },
      channelsRequired: false,
      check: () => [],
      create: () => ({
        kind: 'pushed',
        run: (emit, signal) => {
          this.#emit = emit;
          return new Promise((resolve) => {
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
        },
      }),
    };
  }
}
