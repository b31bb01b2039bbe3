/**
 * From a publish to its PUBACK: what a gateway publishes goes to the log, and only when it is durable there
 * is it acknowledged, in the order in which a connection's publishes came.
 */

import { payloadDigest } from '../../proto/command.ts';
import type { GatewayId } from '../../proto/topics.ts';
import { CollectorError } from '../errors.ts';
import { RawKind } from '../types.ts';
import { AckedMessages } from './acked.ts';
import type { Connection, Connections, Identity } from './connections.ts';
import type { Intake } from './intake.ts';
import type { BrokerMetrics, BrokerRefusal } from './metrics.ts';
import { rawRecordOf } from './records.ts';
import { targetOf } from './rules.ts';

export interface PublishesOptions {
  intake: Pick<Intake, 'append'>;
  connections: Pick<Connections, 'note'>;
  metrics: Pick<BrokerMetrics, 'acknowledged'>;
  isClosing: () => boolean;
  /** What a gateway published on its reply topic. */
  onReply: ((gateway: GatewayId, payload: Uint8Array) => void) | undefined;
  /** Names durable payloads to a gateway that listens for commands. */
  sendAcked: (gateway: GatewayId, command: Uint8Array) => void;
}

export interface Publish {
  topic: string;
  qos: number;
  payload: Buffer | string;
}

/** Without an error: acknowledges. With one: ends the connection, and nothing is acknowledged. */
export type Done = (error?: Error | null) => void;

export class Publishes {
  readonly #options: PublishesOptions;
  readonly #acked: AckedMessages;

  constructor(options: PublishesOptions) {
    this.#options = options;
    this.#acked = new AckedMessages(options.sendAcked);
  }

  /** Takes a publish of a connection, or its will. `done` is called once, or never when the connection ends. */
  take(connection: Connection | undefined, packet: Publish, done: Done): void {
    const identity = connection?.identity;
    if (connection === undefined || identity === undefined) {
      done(refusal('protocol'));
    } else if (packet === connection.will) {
      if (this.#options.isClosing()) done(refusal('closing'));
      else this.#options.intake.append(identity.gateway, RawKind.WILL, bytesOf(packet), done);
    } else if (!connection.refused) {
      this.#route(connection, identity, packet, done);
    }
    // Otherwise the connection is being closed: nothing of it may be acknowledged any more.
  }

  #route(connection: Connection, identity: Identity, packet: Publish, done: Done): void {
    const target = targetOf(identity, packet);
    if (typeof target !== 'string') {
      this.#options.connections.note(connection, target.reason);
      done(refusal(target.reason));
    } else if (target === 'reply') {
      this.#options.onReply?.(identity.gateway, bytesOf(packet));
      done();
    } else {
      this.#append(connection, identity, target, bytesOf(packet), done);
    }
  }

  #append(
    connection: Connection,
    identity: Identity,
    leaf: 'batch' | 'state',
    payload: Buffer,
    done: Done,
  ): void {
    const { intake, connections, metrics } = this.#options;
    const arrivedMs = performance.now();
    const durable = connection.expect(() => {
      done();
      metrics.acknowledged(performance.now() - arrivedMs);
    });
    const { kind, value } = rawRecordOf(leaf, payload);
    const settled = (error: CollectorError | undefined): void => {
      if (error === undefined) {
        durable();
        if (leaf === 'batch' && connection.subscribed) this.#tell(identity.gateway, payload);
      } else if (!connection.refused) {
        connections.note(connection, 'append_failed');
        done(error);
      }
    };
    intake.append(identity.gateway, kind, value, settled, connection.waitMsMax);
  }

  /** A gateway that listens for commands may be one that waits for the collector's own word. */
  #tell(gateway: GatewayId, payload: Uint8Array): void {
    const isFirst = this.#acked.add(gateway, payloadDigest(payload));
    if (isFirst) setImmediate(() => this.#acked.flush());
  }
}

function bytesOf({ payload }: Publish): Buffer {
  return typeof payload === 'string' ? Buffer.from(payload) : payload;
}

function refusal(reason: BrokerRefusal): CollectorError {
  return new CollectorError('BROKER_REFUSED', reason);
}
