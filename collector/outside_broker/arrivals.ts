/**
 * What one connection to the broker delivers: each message goes to the log, and its PUBACK goes out when
 * it is durable there, in the order of arrival. mqtt.js handles one message after another and would
 * acknowledge each when its handler returns; here many are under way at once, so it is told that a message
 * failed (then it sends no PUBACK and goes on), and the PUBACK is written here.
 */

import type { Duplex } from 'node:stream';
import type { IPublishPacket, MqttClient } from 'mqtt';

export interface ArrivalsOptions {
  client: MqttClient;
  /** False: no room now; `resume` is called once when there is. */
  roomOr: (resume: () => void) => boolean;
  forget: (resume: () => void) => void;
  /**
   * Takes a message in. `done` is called once it needs no more care (durable, or not ours), at once or
   * later, or never.
   */
  take: (topic: string, payload: Buffer, done: () => void) => void;
  /** Before PUBACKs are written: what has to reach the broker first. */
  beforeAcknowledging: () => void;
}

interface Arrival {
  messageId: number;
  isDone: boolean;
}

/** Tells mqtt.js not to send a PUBACK. */
const LATER = new Error('acknowledged later');

export class Arrivals {
  readonly #options: ArrivalsOptions;
  readonly #line: Arrival[] = [];
  #isScheduled = false;
  #hasEnded = false;
  #resume: (() => void) | undefined;

  constructor(options: ArrivalsOptions) {
    this.#options = options;
    options.client.handleMessage = (packet, goOn) => this.#arrive(packet, () => goOn(LATER));
  }

  /** Nothing more is read or acknowledged. */
  end(): void {
    this.#hasEnded = true;
    if (this.#resume !== undefined) this.#options.forget(this.#resume);
  }

  /** Acknowledges at once what is durable. */
  flush(): void {
    this.#options.beforeAcknowledging();
    if (this.#hasEnded) return;
    let count = 0;
    while (this.#line[count]?.isDone === true) count++;
    const done = this.#line.splice(0, count);
    if (done.length > 0) this.#stream.write(pubacks(done));
  }

  get #stream(): Duplex {
    return this.#options.client.stream;
  }

  /** `goOn` lets mqtt.js read on: until it is called the socket is not read either. */
  #arrive(packet: IPublishPacket, goOn: () => void): void {
    if (this.#hasEnded) return;
    // A PINGRESP waits behind all that the broker has to deliver, which may take long: this is life, too.
    this.#options.client.reschedulePing(true);
    const again = (): void => {
      this.#resume = undefined;
      this.#arrive(packet, goOn);
    };
    if (!this.#options.roomOr(again)) {
      this.#resume = again;
      return;
    }
    // A broker that does not read what it is told gets no more to answer for.
    if (this.#stream.writableNeedDrain) {
      this.#stream.once('drain', again);
      return;
    }
    this.#take(packet);
    goOn();
  }

  #take({ topic, payload, qos, messageId }: IPublishPacket): void {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const arrival: Arrival = { messageId: messageId ?? 0, isDone: false };
    if (qos > 0) this.#line.push(arrival);
    this.#options.take(topic.toString(), bytes, () => {
      arrival.isDone = true;
      this.#schedule();
    });
  }

  /** What becomes durable in one turn is acknowledged in one write. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }
}

/** MQTT 3.1.1, 3.4: type 4, remaining length 2, the id of the message. */
function pubacks(arrivals: readonly Arrival[]): Buffer {
  const bytes = Buffer.alloc(arrivals.length * 4);
  for (const [index, { messageId }] of arrivals.entries()) {
    bytes.writeUInt16BE(0x4002, index * 4);
    bytes.writeUInt16BE(messageId, index * 4 + 2);
  }
  return bytes;
}
