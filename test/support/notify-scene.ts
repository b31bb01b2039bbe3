/** Notifiers over a real SQLite log in a folder of the test's, without the rest of the collector. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Log } from '../../collector/log/log.ts';
import { openSqliteLog } from '../../collector/log/sqlite.ts';
import type { Receiver } from '../../collector/notifiers/registry.ts';
import type { NotifyConfig } from '../../collector/notify_config.ts';
import type { NotifyPartOptions } from '../../collector/parts/notify.ts';
import { NotifyPart } from '../../collector/parts/notify.ts';
import { wholeShare } from '../../collector/shares.ts';
import type { Logger } from '../../collector/types.ts';
import { silentLogger } from './silent-logger.ts';

export function webhook(name: string, url: string, fields: Partial<Receiver> = {}): Receiver {
  return {
    name,
    way: { type: 'webhook', settings: { url, secret: undefined, token: undefined } },
    wants: { acknowledged: false, resolved: true, lowered: false },
    groupMs: 0,
    ...fields,
  };
}

export function notifyConfig(
  receivers: readonly Receiver[],
  fields: Partial<NotifyConfig> = {},
): NotifyConfig {
  return {
    receivers,
    routes: [],
    waitingMax: 1_000,
    waitingMaxMs: 86_400_000,
    heartbeat: undefined,
    ...fields,
  };
}

export function openNotifyLog(path: string, partitions = 1): Promise<Log> {
  return openSqliteLog({
    path,
    partitions,
    maxBytes: 2 ** 30,
    retentionBytes: 2 ** 29,
    retentionMs: 1e9,
    clock: { wallMs: () => Date.now() },
    log: silentLogger,
  });
}

export class NotifyScene {
  /** What the parts said: codes and messages. */
  readonly said: string[] = [];
  /** What the parts take for now. */
  wallMs: () => number = () => Date.now();
  #log: Log;
  readonly #path: string;
  readonly #partitions: number;
  readonly #parts = new Set<NotifyPart>();

  static async open(t: Test, partitions = 1): Promise<NotifyScene> {
    const folder = mkdtempSync(join(tmpdir(), 'fms-notify-'));
    const path = join(folder, 'log.sqlite');
    const scene = new NotifyScene(await openNotifyLog(path, partitions), path, partitions);
    t.teardown(async () => {
      await scene.stop();
      await scene.log.close();
      rmSync(folder, { recursive: true, force: true });
    });
    return scene;
  }

  private constructor(log: Log, path: string, partitions: number) {
    this.#log = log;
    this.#path = path;
    this.#partitions = partitions;
  }

  get log(): Log {
    return this.#log;
  }

  /** A collector's notifiers begin. */
  start(notify: NotifyConfig, more: Partial<NotifyPartOptions> = {}): NotifyPart {
    const say = (fields: object, message: string): void => {
      this.said.push(`${JSON.stringify(fields)} ${message}`);
    };
    const logger: Logger = { info: say, warn: say, error: say };
    const part = new NotifyPart({
      config: {
        notify,
        sites: new Map([['plant', { timeZone: 'Asia/Seoul', dayStart: '00:00' }]]),
      },
      log: this.#log,
      control: undefined,
      share: wholeShare(this.#partitions),
      isWell: () => true,
      clock: { wallMs: () => this.wallMs() },
      logger,
      backoffMinMs: 50,
      ...more,
    });
    part.start();
    this.#parts.add(part);
    return part;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#parts].map((part) => part.stop()));
    this.#parts.clear();
  }

  /** The whole process ends cleanly and begins again. */
  async restartLog(): Promise<void> {
    await this.stop();
    await this.#log.close();
    this.#log = await openNotifyLog(this.#path, this.#partitions);
  }
}
