/** One node of a Kafka cluster, as a process that can be killed, frozen and started again. */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from '../programs.ts';
import { KafkaAdmin } from './admin.ts';
import { kafkaFiles } from './cache.ts';
import type { NodeSettings } from './settings.ts';
import { nodeProperties } from './settings.ts';

/** Of one start; a start on an idle machine takes 2 s. */
const START_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_MS = 20_000;
const POLL_MS = 50;
const TAIL_LINES = 25;
const CLUSTER_ID = 'fms-kafka-for-the-test';
const JVM = [
  '-Xms64m',
  '-Xmx256m',
  // Quick to start on few cores; what it does later is little.
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
  '-Dorg.slf4j.simpleLogger.showShortLogName=true',
  // Thousands of lines about settings, and ten a second about a neighbour that is away.
  ...quiet('org.apache.kafka.common.config.AbstractConfig', 'warn'),
  ...quiet('org.apache.kafka.controller', 'warn'),
  ...quiet('org.apache.kafka.clients.NetworkClient', 'error'),
  ...quiet('org.apache.kafka.raft', 'warn'),
  ...quiet('kafka.server.NodeToControllerRequestThread', 'error'),
  ...quiet('org.apache.kafka.server.NodeToControllerRequestThread', 'error'),
];

function quiet(name: string, level: string): string[] {
  return [`-Dorg.slf4j.simpleLogger.log.${name}=${level}`];
}

export class KafkaNode {
  readonly id: number;
  readonly #folder: string;
  readonly #settings: NodeSettings;
  readonly #logFile: string;
  #child: ChildProcess | undefined;

  /** `folder` is the node's own; its data are in `settings.dataFolder`. */
  constructor(folder: string, settings: NodeSettings) {
    this.id = settings.id;
    this.#folder = folder;
    this.#settings = settings;
    this.#logFile = join(folder, 'kafka.log');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'server.properties'), nodeProperties(settings));
    format(settings);
  }

  get pid(): number | undefined {
    return this.#running()?.pid;
  }

  /** Where this node's brokers' port for the tests' administrator is. */
  get internal(): string {
    return `127.0.0.1:${this.#settings.nodes[this.id - 1]?.internal}`;
  }

  /** Begins to start; `answers` says when it is up. `jvm`: further options of Java. */
  launch(jvm: readonly string[] = []): void {
    if (this.#running()) throw new Error(`node ${this.id} runs already`);
    const files = kafkaFiles();
    const java = findProgram('java');
    if (files === undefined || java === undefined)
      throw new Error('Kafka is not there: node test/setup.ts');
    // Of another Java it is left aside.
    const archive = existsSync(files.classes) ? [`-XX:SharedArchiveFile=${files.classes}`] : [];
    const options = [...JVM, ...archive, ...jvm, '-cp', files.classPath];
    const args = [...options, 'kafka.Kafka', 'server.properties'];
    // Whatever ends the tests ends the broker too.
    const guard = findProgram('setpriv');
    const command = guard === undefined ? [java] : [guard, '--pdeathsig', 'KILL', java];
    const log = openSync(this.#logFile, 'a');
    this.#child = spawn(command[0] ?? java, [...command.slice(1), ...args], {
      cwd: this.#folder,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  /** Resolves when it answers and knows so many brokers that serve. */
  async answers(brokers: number): Promise<void> {
    const endMs = performance.now() + START_TIMEOUT_MS;
    const admin = new KafkaAdmin([this.internal]);
    try {
      for (;;) {
        if (!this.#running()) throw new Error(`Kafka node ${this.id} ended:\n${this.tail()}`);
        if ((await admin.brokers()) >= brokers) return;
        if (performance.now() > endMs)
          throw new Error(`Kafka node ${this.id} does not answer:\n${this.tail()}`);
        await delay(POLL_MS);
      }
    } finally {
      await admin.close();
    }
  }

  /** SIGKILL: like a power cut of the program, not of the machine. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  /** An orderly end. */
  async stop(withinMs = STOP_TIMEOUT_MS): Promise<void> {
    const late = delay(withinMs, 'late', { ref: false });
    const ended = this.#end('SIGTERM');
    if ((await Promise.race([ended, late])) === 'late') await this.kill();
    await ended;
  }

  /** It stays connected and answers nothing. */
  freeze(): void {
    this.#running()?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#running()?.kill('SIGCONT');
  }

  /** The last that it said. */
  tail(lines = TAIL_LINES): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#running();
    if (child === undefined) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
    appendFileSync(this.#logFile, `--- ended with ${signal}\n`);
  }

  #running(): ChildProcess | undefined {
    const child = this.#child;
    return child?.exitCode === null && child.signalCode === null ? child : undefined;
  }
}

/** What `kafka-storage format` makes, without starting Java for it. */
function format(settings: NodeSettings): void {
  const files = kafkaFiles();
  if (files === undefined) throw new Error('Kafka is not there: node test/setup.ts');
  mkdirSync(settings.dataFolder, { recursive: true });
  cpSync(files.checkpoint, join(settings.dataFolder, 'bootstrap.checkpoint'));
  const directory = Buffer.alloc(16, `fms-directory-${settings.id}`).toString('base64url');
  writeFileSync(
    join(settings.dataFolder, 'meta.properties'),
    `version=1\nnode.id=${settings.id}\ncluster.id=${CLUSTER_ID}\ndirectory.id=${directory}\n`,
  );
}
