/**
 * Watches that log, store and disk do not fill up unnoticed: an alarm well before, and at the bound the
 * writers pause. Intake then goes on into the log until that meets its own cap. Nothing is deleted:
 * what may go goes by retention.
 */

import { statfs } from 'node:fs/promises';
import type { Gate } from './gate.ts';
import type { LogStats } from './log/log.ts';
import type { Store } from './store/store.ts';
import type { Logger } from './types.ts';

const CHECK_INTERVAL_MS = 5_000;
const STORE_LIMITS = { timeoutMs: 10_000, maxRows: 10, maxMemoryBytes: 64 * 1024 * 1024 };
/** Of the cap of the store: alarm, and where the writers go on again after a pause. */
const STORE_ALARM = 0.9;
const STORE_RESUME = 0.97;
/** Times the floor: alarm, and where the writers go on again after a pause. */
const DISK_ALARM = 2;
const DISK_RESUME = 1.25;
/** The floor is never more than this part of the disk. */
const DISK_FLOOR_MAX = 0.05;
/** Of log.max_bytes: what trimming brings a healthy log down to at least, and where it refuses records. */
const LOG_TRIMMED_MAX = 0.8;
const LOG_FULL = 0.89;

export interface SpaceOptions {
  dataDir: string;
  /** What of it lies on this machine. Default: all. Others watch over the rest. */
  watched?: readonly SpacePart[];
  /** log.retention_bytes: what a healthy log is trimmed down to. */
  logRetentionBytes: number;
  /** 0: none. */
  storeMaxBytes: number;
  minFreeBytes: number;
  gate: Gate;
  logger: Logger;
  log: () => LogStats | undefined;
  store: () => Pick<Store, 'query' | 'stats'> | undefined;
  /** For tests. */
  freeBytes?: (folder: string) => Promise<{ free: number; total: number }>;
  intervalMs?: number;
}

export type SpacePart = 'log' | 'store' | 'disk';
/** ok; alarm: soon full; full: at its bound. */
export type SpaceLevel = 'ok' | 'alarm' | 'full';

export interface SpaceStatus {
  watched: readonly SpacePart[];
  levels: Record<SpacePart, SpaceLevel>;
  /** For people; '' when all is well. */
  reasons: Record<SpacePart, string>;
  storeBytes: number;
  diskFreeBytes: number;
  diskFloorBytes: number;
}

export interface SpaceWatch {
  status(): SpaceStatus;
  stop(): Promise<void>;
}

/** The first check is done when it resolves. */
export async function watchSpace(options: SpaceOptions): Promise<SpaceWatch> {
  const space = new Space(options);
  await space.check();
  let checking = Promise.resolve();
  const timer = setInterval(() => {
    checking = checking.then(() => space.check());
  }, options.intervalMs ?? CHECK_INTERVAL_MS);
  return {
    status: () => space.status,
    stop: async () => {
      clearInterval(timer);
      await checking;
    },
  };
}

class Space {
  readonly status: SpaceStatus = {
    watched: ['log', 'store', 'disk'],
    levels: { log: 'ok', store: 'ok', disk: 'ok' },
    reasons: { log: '', store: '', disk: '' },
    storeBytes: 0,
    diskFreeBytes: 0,
    diskFloorBytes: 0,
  };
  readonly #options: SpaceOptions;
  #openGate: (() => void) | undefined;

  constructor(options: SpaceOptions) {
    this.#options = options;
    this.status.watched = options.watched ?? this.status.watched;
  }

  /** Never rejects: what cannot be measured stays as it was. */
  async check(): Promise<void> {
    const { watched } = this.status;
    if (watched.includes('log')) this.#checkLog();
    if (watched.includes('disk')) await this.#checkDisk().catch(() => undefined);
    if (watched.includes('store')) await this.#checkStore().catch(() => undefined);
    const { store, disk } = this.status.levels;
    if (store === 'full' || disk === 'full') this.#openGate ??= this.#pause();
    else {
      this.#openGate?.();
      this.#openGate = undefined;
    }
  }

  #pause(): () => void {
    const { levels, reasons } = this.status;
    return this.#options.gate.close(levels.disk === 'full' ? reasons.disk : reasons.store);
  }

  #checkLog(): void {
    const log = this.#options.log();
    if (log === undefined) return;
    const trimmed = Math.min(this.#options.logRetentionBytes, LOG_TRIMMED_MAX * log.maxBytes);
    const alarmBytes = (trimmed + LOG_FULL * log.maxBytes) / 2;
    const level = !log.appendable ? 'full' : log.bytes > alarmBytes ? 'alarm' : 'ok';
    const used = `the log holds ${mega(log.bytes)} of ${mega(log.maxBytes)}`;
    const waiting = `: processor or writers are behind`;
    this.#set('log', level, level === 'full' ? 'the log refuses records' : `${used}${waiting}`);
  }

  async #checkDisk(): Promise<void> {
    const { dataDir, minFreeBytes, freeBytes = freeOn } = this.#options;
    const { free, total } = await freeBytes(dataDir);
    const floor = Math.min(minFreeBytes, total * DISK_FLOOR_MAX);
    this.status.diskFreeBytes = free;
    this.status.diskFloorBytes = floor;
    const wasFull = this.status.levels.disk === 'full';
    const isFull = free < floor * (wasFull ? DISK_RESUME : 1);
    const level = isFull ? 'full' : free < floor * DISK_ALARM ? 'alarm' : 'ok';
    const left = `${mega(free)} are free on the disk of ${dataDir}`;
    const paused = isFull ? ': the store takes nothing more until there is room' : '';
    this.#set('disk', level, `${left}${paused}`);
  }

  async #checkStore(): Promise<void> {
    const { storeMaxBytes } = this.#options;
    const store = this.#options.store();
    if (store?.stats().ready !== true) return;
    const [row] = await store.query<{ bytes: number }>(
      'SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE database = currentDatabase()',
      {},
      STORE_LIMITS,
    );
    const bytes = row?.bytes ?? 0;
    this.status.storeBytes = bytes;
    if (storeMaxBytes === 0) return;
    const wasFull = this.status.levels.store === 'full';
    const isFull = bytes >= storeMaxBytes * (wasFull ? STORE_RESUME : 1);
    const level = isFull ? 'full' : bytes > storeMaxBytes * STORE_ALARM ? 'alarm' : 'ok';
    const used = `the store holds ${mega(bytes)} of ${mega(storeMaxBytes)}`;
    const paused = isFull ? ': it takes nothing more until there is room' : '';
    this.#set('store', level, `${used}${paused}`);
  }

  #set(part: SpacePart, level: SpaceLevel, reason: string): void {
    const { levels, reasons } = this.status;
    const before = levels[part];
    levels[part] = level;
    reasons[part] = level === 'ok' ? '' : reason;
    if (level === before) return;
    const { logger } = this.#options;
    if (level === 'ok') logger.info({ part }, `there is room again: ${part}`);
    else if (level === 'alarm') logger.warn({ part }, reason);
    else logger.error({ part }, reason);
  }
}

async function freeOn(folder: string): Promise<{ free: number; total: number }> {
  const disk = await statfs(folder);
  return { free: disk.bavail * disk.bsize, total: disk.blocks * disk.bsize };
}

function mega(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString('en')} MB`;
}
