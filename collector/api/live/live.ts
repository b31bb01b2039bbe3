/**
 * What pages and lists ask for all the time, kept in memory: follows the log's readings and events, and
 * fills in from the store what came before. Everything here can be lost and made again.
 */

import { CollectorError } from '../../errors.ts';
import type { Log, LogRecord } from '../../log/log.ts';
import { decodeAlert } from '../../processor/outputs/alert.ts';
import { decodeAnomaly } from '../../processor/outputs/anomaly.ts';
import { decodeAudit } from '../../processor/outputs/audit.ts';
import { decodeDevice } from '../../processor/outputs/device.ts';
import { decodeGateway } from '../../processor/outputs/gateway.ts';
import { decodeLedger } from '../../processor/outputs/ledger.ts';
import type { MarkEntry } from '../../processor/outputs/mark.ts';
import { decodeMark } from '../../processor/outputs/mark.ts';
import { decodeSilence } from '../../processor/outputs/silence.ts';
import type { Store } from '../../store/store.ts';
import type { Logger } from '../../types.ts';
import { OutputKind } from '../../types.ts';
import { StreamHub } from '../stream.ts';
import { LiveAlerts } from './alerts.ts';
import { LiveAudit } from './audit.ts';
import { LiveDevices } from './devices.ts';
import { fillFromStore } from './fill.ts';
import { LiveFleet } from './fleet.ts';
import { LiveIngest } from './ingest.ts';
import type { LiveRecord } from './records.ts';
import { openReadings } from './records.ts';
import { followTopic } from './tail.ts';

export interface LiveLog {
  log: Pick<Log, 'identity' | 'read' | 'waitFor' | 'bounds' | 'partitionCount'>;
  hub: StreamHub;
}

export class LiveView {
  readonly devices = new LiveDevices();
  readonly fleet = new LiveFleet();
  readonly alerts = new LiveAlerts();
  readonly audit = new LiveAudit();
  readonly ingest = new LiveIngest();
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  #live: LiveLog | undefined;
  #filled = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Undefined before `follow`. */
  get live(): LiveLog | undefined {
    return this.#live;
  }

  /** What the store had at the start is here. */
  get filled(): boolean {
    return this.#filled;
  }

  /**
   * Starts to follow. `unread`: records at the end of the partition, which ends at `next`, that the store may
   * not have yet; they are read again, so that nothing falls between what the store has and what comes.
   */
  async follow(
    log: LiveLog['log'],
    unread: (topic: 'readings' | 'events', partition: number, next: number) => number,
  ): Promise<void> {
    const hub = new StreamHub(log.partitionCount);
    for (let partition = 0; partition < log.partitionCount; partition++) {
      for (const topic of ['readings', 'events'] as const) {
        const { first, next } = await log.bounds(topic, partition);
        const from = Math.max(first, next - unread(topic, partition, next));
        if (topic === 'readings') hub.setPosition(partition, from);
        const onRecord = topic === 'readings' ? this.#readingsInto(hub) : this.#onEvents;
        this.#running.push(
          followTopic({
            log,
            topic,
            partition,
            from,
            onRecord,
            onSkipped: (skippedFrom, to) => {
              this.#logger.warn(
                { topic, partition, from: skippedFrom, to },
                'the live view was behind the trimmed end of the log: it lacks values until new ones come',
              );
              if (topic === 'readings') hub.skipped(partition, to);
            },
            onError: (error) =>
              this.#logger.warn(
                { topic, partition, error: String(error) },
                'the live view cannot read the log; it tries again',
              ),
            signal: this.#stop.signal,
          }),
        );
      }
    }
    this.#live = { log, hub };
  }

  /** Rejects when the store does not answer; may be called again. */
  async fill(store: Pick<Store, 'query'>): Promise<void> {
    const { devices, fleet, alerts } = this;
    const logId = this.#live?.log.identity ?? '';
    await fillFromStore(store, { devices, fleet, alerts, logId }, this.#stop.signal);
    this.#filled = true;
  }

  /** Ends streams and tails; resolves when nothing of it runs. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#live?.hub.close();
    await Promise.all(this.#running);
  }

  #readingsInto(hub: StreamHub): (record: LogRecord) => void {
    return (record) => {
      const opened = openReadings(record);
      if (opened === undefined) return;
      this.devices.apply(opened);
      this.ingest.add(opened, readingsOf(opened));
      hub.publish(opened);
    };
  }

  #takeEvent({ kind, value, offset }: LogRecord): void {
    switch (kind) {
      case OutputKind.GATEWAY:
        this.fleet.putGateway(decodeGateway(value));
        break;
      case OutputKind.LEDGER:
        for (const entry of decodeLedger(value)) this.fleet.putLedger(entry);
        break;
      case OutputKind.DEVICE: {
        const entry = decodeDevice(value);
        this.devices.applyEntry(entry);
        this.#live?.hub.publishDevice(entry);
        break;
      }
      case OutputKind.ALERT: {
        const entry = decodeAlert(value);
        if (this.alerts.putAlert(entry)) this.#live?.hub.publishAlert(entry);
        break;
      }
      case OutputKind.ANOMALY: {
        const entry = decodeAnomaly(value);
        if (!this.alerts.putAnomaly(entry)) break;
        this.#live?.hub.publishAnomaly(entry, this.alerts.markOf(entry.id));
        break;
      }
      case OutputKind.SILENCE:
        this.alerts.putSilence(decodeSilence(value));
        break;
      case OutputKind.MARK:
        this.#mark(decodeMark(value));
        break;
      case OutputKind.AUDIT:
        this.audit.putEntry(decodeAudit(value), offset);
        break;
    }
  }

  #mark(mark: MarkEntry): void {
    this.alerts.putMark(mark);
    const anomaly = this.alerts.anomaly(mark.anomaly);
    // One that was over long ago: who marked it asks for it again.
    if (anomaly !== undefined) this.#live?.hub.publishAnomaly(anomaly, mark);
  }

  readonly #onEvents = (record: LogRecord): void => {
    try {
      this.#takeEvent(record);
    } catch (error) {
      // The writer meets the same record and stops on it with a code; a view only skips it.
      const detail = error instanceof CollectorError ? error.message : String(error);
      this.#logger.warn(
        { offset: record.offset, error: detail },
        'an event record is not readable',
      );
    }
  };
}

function readingsOf({ devices }: LiveRecord): number {
  let count = 0;
  for (const { series } of devices) for (const one of series) count += one.count;
  return count;
}
