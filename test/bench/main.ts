/**
 * Runs one bench: `npm run bench -- NAME [--seconds N] [--data DIR] [--json] [bench's own arguments]`.
 * A bench prints what it counts, what it leaves out, its figures and their targets. With --json the
 * last line of stdout is one JSON object of the figures.
 */

import { availableParallelism, cpus, totalmem } from 'node:os';

export interface BenchOptions {
  /** How long to measure; each bench has its default. */
  seconds?: number;
  /** Where to put files; a temporary folder, removed afterwards, when left out. Of detect: what it reads. */
  dataDir?: string;
  log: (line: string) => void;
  /** What main.ts did not know itself. */
  args: string[];
}

/** By the name of the figure, unit last. Null: not measured. */
export type Figures = Record<string, number | string | null>;

interface Bench {
  run(options: BenchOptions): Promise<Figures>;
}

const benches: Record<string, { load: () => Promise<Bench>; what: string }> = {
  wire: { load: () => import('./wire.ts'), what: 'bytes a reading on the wire, codec speed' },
  buffer: { load: () => import('./buffer.ts'), what: "the agent's buffer: append, drain, bytes" },
  transport: { load: () => import('./transport.ts'), what: 'readings/s from publish to PUBACK' },
  connections: { load: () => import('./connections.ts'), what: '5,000 gateways on one collector' },
  agent: { load: () => import('./agent.ts'), what: 'memory, CPU and start of the agent' },
  backlog: {
    load: () => import('./backlog.ts'),
    what: 'seconds for ten million buffered readings',
  },
  query: { load: () => import('./query.ts'), what: 'answers from 100 million readings' },
  grafana: {
    load: () => import('./grafana.ts'),
    what: 'the dashboards’ SQL on 50 million readings',
  },
  restart: { load: () => import('./restart.ts'), what: 'from kill -9 to live again' },
  latency: { load: () => import('./latency.ts'), what: 'from reading taken to API answer' },
  pipeline: { load: () => import('./pipeline.ts'), what: 'readings/s from publish to queryable' },
  detect: { load: () => import('./detect.ts'), what: 'what the detectors find, miss and cost' },
  alert: {
    load: () => import('./alert.ts'),
    what: 'from a reading to the webhook that hears of it',
  },
  web: { load: () => import('./web.ts'), what: 'the pages in Chromium, and readers of the stream' },
  installed: {
    load: () => import('./installed.ts'),
    what: 'the packages: size, agent with TLS and encryption, 5,000 TLS gateways',
  },
  kafka: { load: () => import('./kafka.ts'), what: 'processes over Kafka beside the embedded one' },
};

const USAGE = 'npm run bench -- NAME [--seconds N] [--data DIR] [--json]; --list shows the names';

interface Arguments {
  name: string | undefined;
  json: boolean;
  list: boolean;
  options: Omit<BenchOptions, 'log'>;
}

function parse(argv: readonly string[]): Arguments {
  const parsed: Arguments = { name: undefined, json: false, list: false, options: { args: [] } };
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!;
    if (arg === '--json') parsed.json = true;
    else if (arg === '--list') parsed.list = true;
    else if (arg === '--seconds') parsed.options.seconds = Number(argv[++i]);
    else if (arg === '--data') parsed.options.dataDir = argv[++i] ?? '.';
    else if (parsed.name === undefined && !arg.startsWith('-')) parsed.name = arg;
    else parsed.options.args.push(arg);
  }
  const { seconds } = parsed.options;
  if (seconds !== undefined && !(seconds > 0))
    throw new Error(`--seconds wants a number. ${USAGE}`);
  return parsed;
}

function machine(): Figures {
  const model = cpus()[0]?.model.trim() ?? 'unknown CPU';
  const memoryGib = Math.round(totalmem() / 2 ** 30);
  const date = new Date().toISOString().slice(0, 10);
  return {
    cpu: model,
    cores: availableParallelism(),
    memory_gib: memoryGib,
    node: process.version,
    date,
  };
}

async function main(): Promise<number> {
  const { name, json, list, options } = parse(process.argv.slice(2));
  const log = (line: string): void => void process.stdout.write(`${line}\n`);
  if (list) {
    for (const [each, { what }] of Object.entries(benches)) log(`${each.padEnd(12)} ${what}`);
    return 0;
  }
  const bench = name === undefined ? undefined : benches[name];
  if (bench === undefined) {
    process.stderr.write(
      `${name === undefined ? 'no bench named' : `no bench ${name}`}. ${USAGE}\n`,
    );
    return 2;
  }
  const m = machine();
  log(`bench ${name}: ${bench.what}`);
  log(`machine: ${m.cpu}, ${m.cores} cores, ${m.memory_gib} GiB, Node ${m.node}, ${m.date}`);
  const figures = await (await bench.load()).run({ ...options, log });
  for (const [figure, value] of Object.entries(figures)) log(`${figure}: ${value}`);
  if (json) log(JSON.stringify({ bench: name, ...figures, machine: m }));
  return 0;
}

process.exitCode = await main();
