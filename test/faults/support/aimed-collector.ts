/**
 * The collector as `fms-collector run` wires it, over either log, which kills or freezes itself at the moment
 * that the variable FMS_TEST_AIM says (JSON of aims.ts Aim; without it never). Of the moments of a commit
 * only `before` and `resolved` are those of any log; the others are of SQLite's file:
 * `node test/faults/support/aimed-collector.ts run --config FILE`.
 */

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ClickHouseClient } from '@clickhouse/client';
import { startCollector } from '../../../collector/collector.ts';
import { loadConfig } from '../../../collector/config.ts';
import { openKafkaLog } from '../../../collector/log/kafka.ts';
import type {
  ConsumerSession,
  LogTopic,
  NewRecord,
  ProcessorSession,
} from '../../../collector/log/log.ts';
import { openSqliteLog } from '../../../collector/log/sqlite.ts';
import { SqliteFile } from '../../../collector/log/sqlite_file.ts';
import { createLogger } from '../../../collector/logger.ts';
import { RawKind } from '../../../collector/types.ts';
import { FaultyLog } from '../../support/faulty-log.ts';
import { QUICK_PACE, QUICK_PASSWORDS } from '../../support/quick-pace.ts';
import type { Aim, CommitMoment, Committing, PartAim, StatementAim } from './aims.ts';
import { AIM_VARIABLE } from './aims.ts';
import type { KillOrder } from './kill-worker.ts';

/** A start under load takes about as long. */
const SNAPSHOT_INTERVAL_MS = 5_000;

const aim = JSON.parse(process.env[AIM_VARIABLE] ?? 'null') as Aim | null;
let skip = aim?.skip ?? 0;
const go = new Int32Array(new SharedArrayBuffer(4));
/** What the next commit of the log holds. */
const committing = new Map<Committing, number>();

let isOver = false;

function die(): void {
  const signal = aim?.signal ?? 'SIGKILL';
  isOver = true;
  if (signal === 'SIGSTOP') console.log(JSON.stringify({ msg: 'frozen', aim }));
  process.kill(process.pid, signal);
}

function dieSoon(): void {
  Atomics.store(go, 0, 1);
  Atomics.notify(go, 0);
}

/** The moment is there; whether it is the one that was asked for. */
function isNow(): boolean {
  if (isOver) return false;
  skip -= 1;
  return skip < 0;
}

function reached(commit: Committing, when: CommitMoment): void {
  if (aim === null || !('commit' in aim) || aim.commit !== commit || aim.when !== when) return;
  if (!isNow()) return;
  if (when === 'within') dieSoon();
  else die();
}

async function commitOf<T>(names: readonly Committing[], commit: () => Promise<T>): Promise<T> {
  for (const name of names) {
    reached(name, 'before');
    committing.set(name, (committing.get(name) ?? 0) + 1);
  }
  try {
    return await commit();
  } finally {
    for (const name of names) {
      committing.set(name, (committing.get(name) ?? 0) - 1);
      reached(name, 'resolved');
    }
  }
}

function reachedByCommit(when: CommitMoment): void {
  for (const [name, count] of committing) if (count > 0) reached(name, when);
}

const { commit } = SqliteFile.prototype;
SqliteFile.prototype.commit = function (this: SqliteFile): void {
  reachedByCommit('uncommitted');
  reachedByCommit('within');
  commit.call(this);
  reachedByCommit('committed');
};

class AimedLog extends FaultyLog {
  override append(topic: LogTopic, partition: number, record: NewRecord): Promise<number> {
    const names: Committing[] = topic === 'raw' && record.kind === RawKind.BATCH ? ['append'] : [];
    return commitOf(names, () => super.append(topic, partition, record));
  }

  override async openProcessor(partition: number): Promise<ProcessorSession> {
    const session = await super.openProcessor(partition);
    const commitStep: ProcessorSession['commit'] = (step) => {
      const names: Committing[] = step.outputs.length > 0 ? ['outputs'] : [];
      if (step.keepFrom !== undefined) names.push('snapshot');
      return commitOf(names, () => session.commit(step));
    };
    return {
      get position() {
        return session.position;
      },
      get state() {
        return session.state;
      },
      commit: commitStep,
      close: () => session.close(),
    };
  }

  override async openConsumer(
    name: string,
    topic: LogTopic,
    partition: number,
  ): Promise<ConsumerSession> {
    const session = await super.openConsumer(name, topic, partition);
    const isWriter = name === 'writer' && topic === 'readings';
    return {
      get position() {
        return session.position;
      },
      get intent() {
        return session.intent;
      },
      declareIntent: (from, to) =>
        commitOf(isWriter ? ['intent'] : [], () => session.declareIntent(from, to)),
      commitPosition: (to) =>
        commitOf(isWriter ? ['position'] : [], () => session.commitPosition(to)),
      close: () => session.close(),
    };
  }
}

let watched: Promise<void> | undefined;

/** Resolves when the folder of the table is watched; the first time when there is such a table. */
async function watchParts(client: ClickHouseClient, { table, part }: PartAim): Promise<void> {
  const result = await client.query({
    query: `SELECT data_paths[1] AS folder FROM system.tables WHERE database = currentDatabase() AND name = {table:String}`,
    query_params: { table },
    format: 'JSONEachRow',
  });
  const folder = ((await result.json()) as { folder: string }[])[0]?.folder;
  if (folder === undefined) watched = undefined;
  else await startWorker({ folder, part, skip });
}

async function startWorker(order: KillOrder): Promise<void> {
  const worker = new Worker(new URL('./kill-worker.ts', import.meta.url), { workerData: order });
  await once(worker, 'message');
  worker.unref();
}

type Command = ClickHouseClient['command'];
/** createClient() makes objects of the class below the exported one. */
const clients = Object.getPrototypeOf(ClickHouseClient.prototype) as ClickHouseClient;
const { command } = clients;

async function aimedCommand(
  this: ClickHouseClient,
  ...[params]: Parameters<Command>
): ReturnType<Command> {
  const run = (): ReturnType<Command> => command.call(this, params);
  if (aim === null || 'commit' in aim) return run();
  if ('table' in aim) {
    if (params.query.includes('INSERT INTO')) watched ??= watchParts(this, aim);
    await watched;
    const result = await run();
    await metByThread(aim, params.query);
    return result;
  }
  const isIt = isMatch(aim, params);
  if (!isIt || !isNow()) return run();
  if (aim.when === 'before') die();
  if (aim.when === 'within') dieSoon();
  const result = await run();
  die();
  return result;
}

/** Longer than any thread waits for its turn. */
const THREAD_LATE_MS = 5_000;
/** Of the table, before the one that makes the part. */
let insertsBefore = skip;

/**
 * The part is there, and the thread that saw it may not have had its turn yet: nothing must go on meanwhile,
 * for what comes next may never come again. The wait ends with the process, or is in vain after an insert
 * that made no part.
 */
async function metByThread({ table, part }: PartAim, query: string): Promise<void> {
  if (part === 'merging' || !new RegExp(`^INSERT INTO ${table} `).test(query)) return;
  insertsBefore -= 1;
  if (watched !== undefined && insertsBefore < 0) await delay(THREAD_LATE_MS);
}

function isMatch({ sql, site }: StatementAim, params: Parameters<Command>[0]): boolean {
  if (site !== undefined && params.query_params?.site !== site) return false;
  return new RegExp(sql).test(params.query);
}

clients.command = aimedCommand;

if (aim !== null && 'when' in aim && aim.when === 'within')
  await startWorker({ go, delayUs: aim.delayUs ?? 0 });

const file = process.argv[process.argv.indexOf('--config') + 1];
if (file === undefined) throw new Error('usage: run --config FILE');
const config = loadConfig(file);
const collector = await startCollector(config, {
  clock: { wallMs: () => Date.now() },
  logger: createLogger('info'),
  version: '0.0.0-test',
  // So that the moments of hours, days and snapshots come soon.
  rollupPace: QUICK_PACE,
  snapshotIntervalMs: SNAPSHOT_INTERVAL_MS,
  passwordCost: QUICK_PASSWORDS,
  openLog: async (options) => {
    const { kafka } = config.log;
    if (kafka === undefined) return new AimedLog(await openSqliteLog(options));
    return new AimedLog(await openKafkaLog({ ...options, kafka }));
  },
});
process.once('SIGTERM', () => {
  void collector.stop().then(() => process.exit(0));
});
const failure = await collector.failed;
if (failure !== undefined) throw failure;
