/**
 * aedes' persistence, which keeps nothing: sessions are always clean, wills live in their connection,
 * states are in the log and not retained here. So nothing grows with what clients send.
 */

import { Readable } from 'node:stream';

export const nullPersistence = {
  async setup(): Promise<void> {},
  async storeRetained(): Promise<void> {},
  createRetainedStreamCombi: (): Readable => Readable.from([]),
  createRetainedStream: (): Readable => Readable.from([]),
  async addSubscriptions(): Promise<void> {},
  async removeSubscriptions(): Promise<void> {},
  async subscriptionsByClient(): Promise<never[]> {
    return [];
  },
  async subscriptionsByTopic(): Promise<never[]> {
    return [];
  },
  async cleanSubscriptions(): Promise<void> {},
  async outgoingEnqueue(): Promise<void> {},
  async outgoingEnqueueCombi(): Promise<void> {},
  async outgoingUpdate(): Promise<void> {},
  async outgoingClearMessageId(): Promise<undefined> {
    return undefined;
  },
  outgoingStream: (): Readable => Readable.from([]),
  async cleanIncoming(): Promise<void> {},
  async incomingStorePacket(): Promise<void> {
    throw new Error('QoS 2 is not taken');
  },
  async incomingGetPacket(): Promise<never> {
    throw new Error('QoS 2 is not taken');
  },
  async incomingDelPacket(): Promise<never> {
    throw new Error('QoS 2 is not taken');
  },
  async putWill(): Promise<void> {},
  async delWill(): Promise<undefined> {
    return undefined;
  },
  streamWill: (): Readable => Readable.from([]),
  async destroy(): Promise<void> {},
};
