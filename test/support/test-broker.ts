/** An MQTT broker that misbehaves on request, for tests of the agent's forwarder. */

import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes } from 'aedes';
import { decodeBatch } from '../../proto/batch.ts';
import type { Batch, GatewayState } from '../../proto/model.ts';
import { decodeState } from '../../proto/state.ts';
import { parseTopic } from '../../proto/topics.ts';

/** What happens to a publish: acknowledged, left without PUBACK, or the connection is cut. */
export type Verdict = 'ack' | 'hold' | 'cut' | 'ack-then-cut';

export interface TestBroker {
  readonly port: number;
  readonly url: string;
  /** Every batch that came, acknowledged or not, and in order. */
  readonly batches: Batch[];
  /** Those with a PUBACK. */
  readonly acked: Batch[];
  readonly states: GatewayState[];
  readonly wills: GatewayState[];
  readonly clientIds: string[];
  readonly credentials: { username: string | undefined; password: string | undefined }[];
  /** TCP connections, ever and now. */
  connections: number;
  readonly open: ReadonlySet<Socket>;
  /** CONNACK code; 0 takes everybody. */
  refuseWith: number;
  /** Answers SUBSCRIBE with a refusal. */
  refuseSubscriptions: boolean;
  /** Accepts TCP and never says a word. */
  mute: boolean;
  /** Called for each publish. */
  onPublish: (leaf: 'batch' | 'state', batch: Batch | undefined) => Verdict;
  /** Publishes that are held now; call to let their PUBACKs go. */
  release(): void;
  cutAll(): void;
  /** Resolves when `check` is true; looked at whenever something happens. */
  until(check: (broker: TestBroker) => boolean): Promise<void>;
  close(): Promise<void>;
}

/** Listens on a free port of the loopback, or on `port`; encrypted when it is given a certificate. */
export async function startTestBroker(
  port = 0,
  tls?: { key: Buffer; cert: Buffer },
): Promise<TestBroker> {
  const aedes = await Aedes.createBroker({ drainTimeout: 5_000 });
  const open = new Set<Socket>();
  const held: (() => void)[] = [];
  const waiters = new Set<() => void>();
  const changed = (): void => {
    for (const check of [...waiters]) check();
  };
  const serve = (socket: Socket): void => {
    broker.connections++;
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      open.delete(socket);
      changed();
    });
    if (!broker.mute) aedes.handle(socket);
    changed();
  };
  const server: Server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const broker: TestBroker = {
    port: address.port,
    url: `${tls === undefined ? 'mqtt' : 'mqtts'}://127.0.0.1:${address.port}`,
    batches: [],
    acked: [],
    states: [],
    wills: [],
    clientIds: [],
    credentials: [],
    connections: 0,
    open,
    refuseWith: 0,
    refuseSubscriptions: false,
    mute: false,
    onPublish: () => 'ack',
    release: () => {
      for (const go of held.splice(0)) go();
    },
    cutAll: () => {
      for (const socket of open) socket.destroy();
    },
    until: (check) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!check(broker)) return;
          waiters.delete(look);
          resolve();
        };
        waiters.add(look);
        look();
      }),
    close: async () => {
      broker.cutAll();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
    },
  };
  aedes.authenticate = (client, username, password, done) => {
    broker.clientIds.push(client.id);
    broker.credentials.push({ username, password: password?.toString() });
    if (broker.refuseWith === 0) done(null, true);
    else done(Object.assign(new Error('refused'), { returnCode: broker.refuseWith }), false);
    changed();
  };
  aedes.authorizePublish = (client, packet, callback) => {
    const leaf = parseTopic(packet.topic)?.leaf;
    if (leaf !== 'batch' && leaf !== 'state') return callback(new Error('topic'));
    const payload = packet.payload as Buffer;
    const batch = leaf === 'batch' ? unwrap(decodeBatch(payload)) : undefined;
    const state = batch === undefined ? unwrap(decodeState(payload)) : undefined;
    const isWill = state?.online === false && !state.cleanEnd;
    if (batch !== undefined) broker.batches.push(batch);
    if (state !== undefined) (isWill ? broker.wills : broker.states).push(state);
    const accept = (): void => {
      if (batch !== undefined) broker.acked.push(batch);
      callback(null);
      changed();
    };
    const verdict = isWill ? 'ack' : broker.onPublish(leaf, batch);
    const socket = client?.conn as Socket | undefined;
    if (verdict === 'hold') held.push(accept);
    else if (verdict === 'cut') socket?.destroy();
    else accept();
    // The PUBACK is written in this turn or soon after: cut before it can leave.
    if (verdict === 'ack-then-cut') socket?.destroy();
    changed();
  };
  aedes.authorizeSubscribe = (_client, subscription, done) => {
    done(null, broker.refuseSubscriptions ? null : subscription);
  };
  // Errors of cut connections are what the tests want.
  aedes.on('clientError', changed);
  aedes.on('connectionError', changed);
  return broker;
}

function unwrap<T>(decoded: { ok: true; value: T } | { ok: false; error: Error }): T {
  if (!decoded.ok) throw decoded.error;
  return decoded.value;
}
