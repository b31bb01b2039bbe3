/**
 * The life of one connection to the collector: it opens, publishes, hears commands, and ends once, for a
 * reason with a code. A broker that owes an answer for too long ends it, too.
 */

import type { MqttClient } from 'mqtt';
import { topicOf } from '../../proto/topics.ts';
import { AgentError } from '../errors.ts';
import { systemScheduler, within } from '../scheduler.ts';
import type { LinkOptions } from './link.ts';
import { errorOfLink, errorOfSilence, openLink } from './link.ts';

/** For the broker to close after DISCONNECT. */
const DISCONNECT_MS = 200;

export interface ConnectionOptions extends Omit<LinkOptions, 'timeoutMs'> {
  /** For the answer to CONNECT, and then without any answer while one is owed. */
  answerTimeoutMs: number;
  /** Takes the gateway's commands; nothing goes out before they can come in. */
  hearsCommands: boolean;
  /** The broker has let this gateway in. */
  onOnline: () => void;
  /** After onOnline: from here on it publishes. */
  onReady: () => void;
  onCommand: (payload: Uint8Array) => void;
  /** It ended by itself. Called once, and nothing is called after it, nor after drop(). */
  onEnd: (error: AgentError) => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #client: MqttClient;
  #isOnline = false;
  #isOver = false;
  #failure: AgentError | undefined;
  #unanswered = 0;
  #progressTimer: NodeJS.Timeout | undefined;

  /** Begins to connect; nothing is called before this returns. */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    const client = openLink({ ...options, timeoutMs: options.answerTimeoutMs });
    this.#client = client;
    client.on('connect', () => this.#entered());
    client.on('message', (topic, payload) => this.#heard(topic, payload));
    client.on('error', (error) => {
      // A coded one knows better than the parser that choked on the same bytes.
      if (this.#failure === undefined || error instanceof AgentError) {
        this.#failure = errorOfLink(error, this.#isOnline, options.collector);
      }
      client.stream.destroy();
    });
    client.on('close', () => this.#end(this.#failure ?? this.#errorOfClose()));
  }

  /** May still carry something. */
  get isOpen(): boolean {
    return !this.#isOver && this.#client.connected;
  }

  /** Packets that the broker has not answered. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Publishes at QoS 1; `acked` is called at most once, for a PUBACK on this connection. */
  publish(leaf: 'batch' | 'state', payload: Uint8Array, acked: () => void): void {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    const topic = topicOf(this.#options.identity, leaf);
    this.#expectAnswer();
    this.#client.publish(topic, bytes, { qos: 1, retain: leaf === 'state' }, (error) => {
      if (this.#isOver || error != null) return;
      this.#answered();
      acked();
    });
  }

  /** DISCONNECT, so that the broker does not publish the will; onEnd follows. Never rejects. */
  async disconnect(): Promise<void> {
    const ended = Promise.withResolvers<void>();
    this.#client.once('close', ended.resolve);
    this.#client.end(false, {}, () => ended.resolve());
    await within(systemScheduler, DISCONNECT_MS, ended.promise, undefined);
  }

  /** Ends it at once. */
  drop(): void {
    this.#isOver = true;
    clearTimeout(this.#progressTimer);
    this.#client.end(true);
    // end() does nothing while an earlier, unforced one still waits for PUBACKs.
    this.#client.stream.destroy();
  }

  #entered(): void {
    if (this.#isOver) return;
    this.#isOnline = true;
    this.#options.onOnline();
    if (this.#options.hearsCommands) this.#subscribe();
    else this.#options.onReady();
  }

  #subscribe(): void {
    const topic = topicOf(this.#options.identity, 'command');
    this.#expectAnswer();
    this.#client.subscribe(topic, { qos: 1 }, (error, _granted, suback) => {
      if (this.#isOver) return;
      if (error == null) {
        this.#answered();
        this.#options.onReady();
      } else if (suback !== undefined) {
        this.#end(new AgentError('AGENT_NOT_AUTHORISED', `may not subscribe to ${topic}`));
      }
      // Otherwise the connection is going, and says so itself.
    });
  }

  #heard(topic: string, payload: Uint8Array): void {
    if (this.#isOver || topic !== topicOf(this.#options.identity, 'command')) return;
    this.#options.onCommand(payload);
  }

  #errorOfClose(): AgentError {
    return this.#isOnline
      ? new AgentError('AGENT_CONNECTION_LOST', 'the connection was closed by the other side')
      : errorOfSilence(this.#options.collector);
  }

  #end(error: AgentError): void {
    if (this.#isOver) return;
    this.drop();
    this.#options.onEnd(error);
  }

  #expectAnswer(): void {
    this.#unanswered++;
    this.#progressTimer ??= this.#startProgressTimer();
  }

  #answered(): void {
    this.#unanswered--;
    this.#progressTimer?.refresh();
    if (this.#unanswered > 0) return;
    clearTimeout(this.#progressTimer);
    this.#progressTimer = undefined;
  }

  /** Runs while the broker owes an answer; every answer is progress and starts it anew. */
  #startProgressTimer(): NodeJS.Timeout {
    const { answerTimeoutMs } = this.#options;
    return setTimeout(() => {
      const detail = `no acknowledgement for ${answerTimeoutMs} ms`;
      this.#end(new AgentError('AGENT_PUBLISH_TIMEOUT', detail));
    }, answerTimeoutMs);
  }
}
