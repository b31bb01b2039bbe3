/** A collector's intake and agents' forwarders at a real broker, and the truth about what arrived. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { SqliteBuffer } from '../../agent/buffer/buffer.ts';
import type { Forwarder, ForwarderSettings } from '../../agent/forwarder/contract.ts';
import { startForwarder } from '../../agent/forwarder/forwarder.ts';
import type { Broker } from '../../collector/broker.ts';
import type { OutsideBrokerConfig } from '../../collector/config.ts';
import type { LogRecord } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import type { OutsideBrokerOptions } from '../../collector/outside_broker.ts';
import { startOutsideBroker } from '../../collector/outside_broker.ts';
import { decodeBatch } from '../../proto/batch.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import { settings } from '../contracts/log.ts';
import { CountingMetrics } from './broker.ts';
import { FaultyLog } from './faulty-log.ts';
import { silentLogger } from './silent-logger.ts';
import { BOOT, bentWorld, memoryFolder, numbered, openIn, valuesOf } from './test-buffer.ts';

export interface Intake {
  broker: Broker;
  log: FaultyLog;
  metrics: CountingMetrics;
  records(): Promise<LogRecord[]>;
}

export interface Gateway {
  forwarder: Forwarder;
  buffer: SqliteBuffer;
  /** Emits readings numbered on from those before, committed to the buffer when it resolves. */
  emit(count: number): Promise<void>;
  /** How many it emitted in all. */
  readonly emitted: number;
  readonly name: string;
}

/** Resolves when `check` holds; looks at it every few milliseconds. The test's own timeout is the bound. */
export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export function outsideConfig(url: string, over: Partial<OutsideBrokerConfig> = {}) {
  const config: OutsideBrokerConfig = {
    url,
    username: undefined,
    password: undefined,
    clientId: undefined,
    shareGroup: undefined,
    tls: undefined,
    ...over,
  };
  return config;
}

export async function openTestLog(folder: string): Promise<FaultyLog> {
  mkdirSync(folder, { recursive: true });
  const inner = await openSqliteLog({
    ...settings({ clock: { wallMs: () => Date.now() } }),
    path: join(folder, 'log.sqlite'),
    log: silentLogger,
  });
  return new FaultyLog(inner);
}

/** Every record of raw. */
export async function recordsOf(log: FaultyLog): Promise<LogRecord[]> {
  const limits = { maxRecords: 1_000_000, maxBytes: Number.MAX_SAFE_INTEGER };
  return log.inner.read('raw', 0, 0, limits);
}

/** Starts intake; resolves at once, whether there is a broker or not. */
export async function startIntake(
  t: Test,
  outside: OutsideBrokerConfig,
  over: Partial<OutsideBrokerOptions> & { log?: FaultyLog; folder?: string } = {},
): Promise<Intake> {
  const folder = over.folder ?? memoryFolder(t);
  const log = over.log ?? (await openTestLog(folder));
  const metrics = new CountingMetrics();
  const broker = await startOutsideBroker({
    outside,
    dataDir: folder,
    partitionOf: () => 0,
    clock: { wallMs: () => Date.now() },
    metrics,
    logger: silentLogger,
    ...over,
    log,
    limits: { backoffBaseMs: 20, backoffMaxMs: 100, closeTimeoutMs: 1_000, ...over.limits },
  });
  t.teardown(async () => {
    log.appendFault = undefined;
    log.release();
    await broker.close();
    await log.close();
  });
  return { broker, log, metrics, records: () => recordsOf(log) };
}

export interface GatewayOptions {
  name?: string;
  token?: string;
  /** The name it goes by at the broker, when it lies. */
  ca?: string;
  forwarder?: Partial<ForwarderSettings>;
}

/** An agent's buffer and forwarder, set to wait for the collector's own word. */
export function startGateway(t: Test, url: string, options: GatewayOptions = {}): Gateway {
  const { name = 'g', token = 'unused', ca } = options;
  const buffer = openIn(memoryFolder(t), bentWorld(), { commitIntervalMs: 0 });
  const identity = { site: 's', gateway: name, installId: '00112233445566ff' };
  const forwarder = startForwarder({
    identity,
    collector: { url, token, ca },
    settings: {
      windowBatches: 8,
      batchReadings: 1_000,
      batchBytes: 65_536,
      publishTimeoutMs: 10_000,
      keepaliveS: 30,
      stateIntervalMs: 60_000,
      backoffMaxMs: 100,
      holdMs: 900_000,
      acknowledgedBy: 'collector',
      resendAfterMs: 200,
      ...options.forwarder,
    },
    buffer,
    clock: { wallMs: () => Date.now(), monoMs: () => performance.now() },
    clockState: () => ({
      boot: BOOT,
      unsynced: false,
      lastStepMs: 0,
      stepsTotal: 0,
      corrections: [],
    }),
    gatewayState: () => ({
      ...identity,
      online: true,
      cleanEnd: false,
      version: '0.1.0',
      epoch: buffer.currentEpoch()?.epoch ?? NO_EPOCH,
      lastSeq: buffer.currentEpoch()?.lastSeq ?? 0,
      sentMs: Date.now(),
      startedMs: 0,
      bufferReadings: buffer.stats().readings,
      bufferBytes: 0,
      bufferSecondsUntilEviction: -1,
      clockUnsynced: false,
      clockStepMs: 0,
      readers: [],
      gaps: [],
    }),
    log: { debug() {}, info() {}, warn() {}, error() {} },
    random: Math.random,
    backoffBaseMs: 5,
  });
  t.teardown(async () => {
    await forwarder.close({ graceMs: 300, lastState: false });
    await buffer.close();
  });
  let emitted = 0;
  return {
    forwarder,
    buffer,
    name,
    get emitted() {
      return emitted;
    },
    emit: async (count) => {
      await buffer.append(numbered(emitted, count), []);
      await buffer.flush();
      emitted += count;
    },
  };
}

/**
 * What is wrong with the log against what a gateway emitted: reading n (from 0) has the value n and is
 * seq n + 1 of the gateway's one epoch. Undefined: every one of them is there, at least once.
 */
export function faultsOf(records: readonly LogRecord[], gateway: Gateway): string | undefined {
  const epoch = gateway.buffer.currentEpoch()?.epoch;
  const seen = new Set<number>();
  for (const { key, kind, value } of records) {
    if (kind !== 'batch' || key !== `s/${gateway.name}`) continue;
    const batch = decodeBatch(value);
    if (!batch.ok) return `a batch that does not decode: ${batch.error.message}`;
    if (batch.value.epoch !== epoch) return `epoch ${batch.value.epoch}, emitted ${epoch}`;
    for (const frame of batch.value.chunks) {
      const chunk = { id: 0, epoch, frame, boot: BOOT, clockUnsynced: false, sealedMonoMs: 0 };
      for (const [seq, emittedValue] of valuesOf(chunk)) {
        if (emittedValue !== seq - 1) return `seq ${seq} holds ${emittedValue}`;
        seen.add(seq);
      }
    }
  }
  if (seen.size === gateway.emitted) return undefined;
  return `${seen.size} of ${gateway.emitted} emitted readings`;
}

/** Nothing waits any more: all was acknowledged by the collector. */
export function isEmpty(gateway: Gateway): boolean {
  return gateway.buffer.stats().chunks === 0 && gateway.forwarder.status().inFlightBatches === 0;
}
