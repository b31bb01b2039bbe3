/**
 * A log that is not the one the processor knew: new beside a store that has rows (it was deleted, or its
 * disk was replaced), or restored from a backup. Before anything else is appended, RECOVERY records tell
 * the processor what the store has, or that what was acknowledged since is lost; the chain of the audit log
 * goes on from there, and has an entry that says so. A kill in between is made good at the next start; saying
 * it twice changes nothing.
 */

import { existsSync, readFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { partitionOf } from '../proto/partition.ts';
import { readRestoredMark, removeRestoredMark } from './backup/restored.ts';
import type { ControlView } from './control.ts';
import type { Log } from './log/log.ts';
import type { AuditHead } from './processor/outputs/audit.ts';
import { NO_AUDIT } from './processor/outputs/audit.ts';
import type { StoredAccount } from './store/accounts.ts';
import { readAccounts } from './store/accounts.ts';
import { readAuditHead } from './store/audit_head.ts';
import type { Store } from './store/store.ts';
import type { Clock, Logger, RecoveryValue } from './types.ts';
import { RawKind } from './types.ts';

/** Numbers of ranges in one record. */
const RANGE_NUMBERS_MAX = 10_000;
/** Numbers of ranges in one piece of an account. */
const PIECE_NUMBERS_MAX = 1_000;
/** Appends under way at a time. */
const APPENDS_MAX = 64;
/** Names the new log whose records are not all appended yet. */
const PENDING_FILE = 'recovering.json';

/** In `control`: identity of the log that was told what the store has. */
const RECOVERED_KEY = 'recovered';

export interface RecoveryOptions {
  dataDir: string;
  /** The store is no folder in data_dir: whether it has rows only it can say. */
  storeElsewhere?: boolean;
  log: Log;
  /** Waits until the store is open and migrated; undefined: the collector is ending. */
  store: () => Promise<Pick<Store, 'query'> | undefined>;
  retentionDays: number;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
}

/** Resolves when the log may be used. Rejects with the coded errors of log or store. */
export async function recover(options: RecoveryOptions): Promise<void> {
  await recoverRestored(options);
  await recoverReplaced(options);
}

export interface SharedRecoveryOptions extends Omit<RecoveryOptions, 'dataDir' | 'storeElsewhere'> {
  control: Pick<ControlView, 'get' | 'put'>;
}

/** Whether the log may be used: it was told what the store has. For logs that several processes share. */
export function isRecovered(
  control: Pick<ControlView, 'get'>,
  log: Pick<Log, 'identity'>,
): boolean {
  const value = control.get(RECOVERED_KEY);
  return value !== undefined && Buffer.from(value).toString('utf8') === log.identity;
}

/**
 * The same for a log that several processes share: one that has the store does it, and says so in
 * `control`; until then nobody appends anything else. Two that do it at once say everything twice, which
 * changes nothing. Rejects with the coded errors of log or store, and may be called again.
 */
export async function recoverShared(options: SharedRecoveryOptions): Promise<void> {
  const { control, log, clock, retentionDays, signal, logger } = options;
  if (isRecovered(control, log)) return;
  const store = await options.store();
  if (store === undefined) return;
  const accounts = await readAccounts(store, clock.wallMs(), retentionDays, signal);
  const audit = await readAuditHead(store, signal);
  await appendAccounts(log, accounts, audit);
  if (accounts.length > 0)
    logger.warn({ epochs: accounts.length }, 'the log is new: it was told what the store has');
  await control.put(RECOVERED_KEY, Buffer.from(log.identity));
}

async function recoverRestored({ dataDir, log, logger }: RecoveryOptions): Promise<void> {
  const mark = readRestoredMark(dataDir);
  if (mark === undefined) return;
  if (mark.logIdentity === log.identity || mark.logIdentity === '') {
    // The store is of the same backup, and never ahead of the log.
    const value: RecoveryValue = { reason: 'log_restored', accounts: [], audit: NO_AUDIT };
    await appendToAll(log, value);
    logger.warn(
      { backup_of: new Date(mark.madeMs).toISOString() },
      'the data was restored from a backup: what was acknowledged since is declared lost',
    );
  }
  await removeRestoredMark(dataDir);
}

async function recoverReplaced(options: RecoveryOptions): Promise<void> {
  const { dataDir, log, logger, clock, retentionDays, signal, storeElsewhere = false } = options;
  const isPending = pendingLog(dataDir) === log.identity;
  // A folder of the engine without its tables is left by a first start that was killed.
  const hasStore = storeElsewhere || existsSync(join(dataDir, 'store', 'metadata', 'fms.sql'));
  if (!isPending && !(hasStore && (await isUnused(log)))) return;
  if (storeElsewhere) logger.info({}, 'the log is new: asking the store what it has');
  else
    logger.warn(
      {},
      'the log is new, the store is not: reading from it what it has of every gateway',
    );
  await writePending(dataDir, log.identity);
  const store = await options.store();
  if (store === undefined) return;
  const accounts = await readAccounts(store, clock.wallMs(), retentionDays, signal);
  const audit = await readAuditHead(store, signal);
  await appendAccounts(log, accounts, audit);
  await rm(join(dataDir, PENDING_FILE), { force: true });
  if (accounts.length > 0)
    logger.warn({ epochs: accounts.length }, 'the accounts of the gateways go on from the store');
}

async function appendAccounts(
  log: Log,
  accounts: readonly StoredAccount[],
  audit: AuditHead,
): Promise<void> {
  const waiting: Promise<number>[] = [];
  for (const [key, values] of byGateway(accounts)) {
    for (const value of values) {
      waiting.push(append(log, partitionOf(key, log.partitionCount), key, value));
      if (waiting.length >= APPENDS_MAX) await Promise.all(waiting.splice(0));
    }
  }
  await Promise.all(waiting);
  if (accounts.length > 0 || audit.number > 0)
    await appendToAll(log, { reason: 'log_replaced', accounts: [], audit });
}

/** Nothing was ever appended to raw. */
async function isUnused(log: Log): Promise<boolean> {
  for (let partition = 0; partition < log.partitionCount; partition++) {
    if ((await log.bounds('raw', partition)).next > 0) return false;
  }
  return true;
}

/** Records by gateway, in the order in which they are appended. */
function byGateway(accounts: readonly StoredAccount[]): Map<string, RecoveryValue[]> {
  const gateways = new Map<string, RecoveryValue[]>();
  for (const account of accounts) {
    const key = `${account.site}/${account.gateway}`;
    const values = gateways.get(key) ?? [];
    gateways.set(key, values);
    for (const piece of pieces(account)) {
      const open = values.at(-1);
      if (open !== undefined && numbersIn(open) + numbersOf(piece) <= RANGE_NUMBERS_MAX)
        open.accounts.push(piece);
      else values.push({ reason: 'log_replaced', accounts: [piece] });
    }
  }
  return gateways;
}

type Account = RecoveryValue['accounts'][number];

/**
 * An account with many ranges comes as several, each with what lies between two seqs: the processor keeps
 * only so many open gaps apart, and what is stored leaves gaps that what is quarantined fills.
 */
function* pieces(account: StoredAccount): Generator<Account> {
  const { epoch, openedMs, lastSeq } = account;
  const piece = (): Account => ({ epoch, openedMs, lastSeq, stored: [], quarantined: [] });
  let open = piece();
  let stored = 0;
  let quarantined = 0;
  while (stored < account.stored.length || quarantined < account.quarantined.length) {
    if (open.stored.length + open.quarantined.length >= PIECE_NUMBERS_MAX) {
      yield open;
      open = piece();
    }
    const nextStored = account.stored[stored] ?? Number.POSITIVE_INFINITY;
    const nextQuarantined = account.quarantined[quarantined] ?? Number.POSITIVE_INFINITY;
    if (nextStored < nextQuarantined) {
      open.stored.push(nextStored, account.stored[stored + 1]!);
      stored += 2;
    } else {
      open.quarantined.push(nextQuarantined, account.quarantined[quarantined + 1]!);
      quarantined += 2;
    }
  }
  yield open;
}

/** An empty account counts too: records are bounded. */
function numbersOf({ stored, quarantined }: Account): number {
  return 10 + stored.length + quarantined.length;
}

function numbersIn(value: RecoveryValue): number {
  return value.accounts.reduce((sum, account) => sum + numbersOf(account), 0);
}

async function appendToAll(log: Log, value: RecoveryValue): Promise<void> {
  for (let partition = 0; partition < log.partitionCount; partition++)
    await append(log, partition, '', value);
}

function append(log: Log, partition: number, key: string, value: RecoveryValue): Promise<number> {
  const bytes = Buffer.from(JSON.stringify(value));
  return log.append('raw', partition, { key, kind: RawKind.RECOVERY, value: bytes });
}

function pendingLog(dataDir: string): string | undefined {
  try {
    return readFileSync(join(dataDir, PENDING_FILE), 'utf8');
  } catch {
    return undefined;
  }
}

async function writePending(dataDir: string, identity: string): Promise<void> {
  const file = await open(join(dataDir, PENDING_FILE), 'w');
  try {
    await file.writeFile(identity);
    await file.sync();
  } finally {
    await file.close();
  }
}
