/**
 * How far the store has the outputs of each partition, by topic `control`: the writers say it every two
 * seconds while it moves, for the processes that show what the store has.
 */

import type { ControlView } from '../control.ts';
import { jsonOf } from '../control.ts';
import type { Log } from '../log/log.ts';
import type { WriterStatus } from '../store/writer.ts';
import type { OutputTopic } from '../types.ts';

const PREFIX = 'written/';
const INTERVAL_MS = 2_000;
const TOPICS: readonly OutputTopic[] = ['readings', 'quarantine', 'events'];

type Positions = Record<OutputTopic, number>;
type Place = Pick<WriterStatus, 'topic' | 'partition' | 'position'>;

export class WrittenPositions {
  readonly #control: Pick<ControlView, 'get' | 'put'>;
  readonly #log: Pick<Log, 'identity' | 'partitionCount'>;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    control: Pick<ControlView, 'get' | 'put'>,
    log: Pick<Log, 'identity' | 'partitionCount'>,
  ) {
    this.#control = control;
    this.#log = log;
  }

  /** Undefined: nobody has written anything of it. At most some seconds behind. */
  position(topic: OutputTopic, partition: number): number | undefined {
    const said = jsonOf<Positions & { log: string }>(this.#control.get(`${PREFIX}${partition}`));
    const position = said?.[topic];
    return said?.log === this.#log.identity && Number.isSafeInteger(position)
      ? position
      : undefined;
  }

  /** Records before `next` that the store may not have yet; all of them where nobody has written any. */
  unread(topic: OutputTopic, partition: number, next: number): number {
    const position = this.position(topic, partition);
    return position === undefined ? Number.POSITIVE_INFINITY : Math.max(0, next - position);
  }

  /** Of all partitions; `own`: what the writers of this process know better. */
  all(own: readonly Place[]): Place[] {
    const places: Place[] = [];
    for (let partition = 0; partition < this.#log.partitionCount; partition++) {
      for (const topic of TOPICS) {
        const here = own.find((one) => one.topic === topic && one.partition === partition);
        const position = Math.max(here?.position ?? 0, this.position(topic, partition) ?? 0);
        places.push({ topic, partition, position });
      }
    }
    return places;
  }

  /** Says from now on where the writers of this process are. */
  start(status: () => readonly WriterStatus[]): void {
    this.#timer = setInterval(() => this.#say(status()), INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #say(status: readonly WriterStatus[]): void {
    const partitions = new Map<number, Partial<Positions>>();
    // One that has not taken over yet does not know where it is.
    for (const { topic, partition, position, healing } of status)
      if (!healing) partitions.set(partition, { ...partitions.get(partition), [topic]: position });
    for (const [partition, positions] of partitions) {
      if (TOPICS.some((topic) => positions[topic] === undefined)) continue;
      if (TOPICS.every((topic) => positions[topic] === this.position(topic, partition))) continue;
      const value = JSON.stringify({ log: this.#log.identity, ...positions });
      // What fails is said again in two seconds.
      this.#control.put(`${PREFIX}${partition}`, Buffer.from(value)).catch(() => undefined);
    }
  }
}
