/**
 * What a network and strangers can send to a real collector: batches twice, overlapping, out of order;
 * strangers and gateways that overstep; payloads that are too large, cut, random or zip bombs; thousands
 * of connections that say nothing. Good readings are stored once; bad ones land in quarantine and block
 * nothing.
 *
 * Alone: `node test/faults/protocol.test.ts --seed N`.
 */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect as connectTcp } from 'node:net';
import { zstdCompressSync } from 'node:zlib';
import type { MqttClient } from 'mqtt';
import mqtt from 'mqtt';
import t from 'tap';
import { encodeBatch } from '../../proto/batch.ts';
import { ChunkBuilder } from '../../proto/chunk.ts';
import { chunkCrc } from '../../proto/crc32c.ts';
import { PAYLOAD_BYTES_MAX } from '../../proto/limits.ts';
import type { BatchHeader, ChunkFrame, Epoch } from '../../proto/model.ts';
import { NO_EPOCH } from '../../proto/model.ts';
import { Plant, seedOfRun, until } from '../support/plant.ts';
import type { StoredReading } from '../support/truth-comparison.ts';

const TOKEN = 'token-of-the-test';
const BASE_MS = Date.UTC(2026, 10, 1);

/** A chunk with readings firstSeq .. firstSeq + count - 1, each a second apart; `offset` changes the values. */
function frameOf(epoch: Epoch, firstSeq: number, count: number, offset = 0): ChunkFrame {
  const builder = new ChunkBuilder();
  for (let index = 0; index < count; index += 1) {
    builder.addReading({
      device: 'P1',
      channel: `${epoch.slice(0, 2)}-a`,
      timeMs: BASE_MS + (firstSeq + index) * 1_000,
      value: firstSeq + index + offset,
      quality: 0,
    });
  }
  const sealed = builder.seal({
    boot: '00000000000000b1',
    wallMs: BASE_MS,
    monoMs: 1_000,
    unsynced: false,
  });
  const header = { firstSeq, count: sealed.count, firstMs: sealed.firstMs, lastMs: sealed.lastMs };
  return { ...header, crc32c: chunkCrc(epoch, header, sealed.bytes), bytes: sealed.bytes };
}

function batchOf(epoch: Epoch, frames: ChunkFrame[], over: Partial<BatchHeader> = {}): Buffer {
  const last = frames.at(-1);
  const header: BatchHeader = {
    site: 'test',
    gateway: 'gw1',
    epoch,
    predecessorEpoch: NO_EPOCH,
    predecessorLastSeq: 0,
    lastSeq: last === undefined ? 0 : last.firstSeq + last.count - 1,
    sentMs: BASE_MS,
    installId: '0123456789abcdef',
    corrections: [],
    gaps: [],
    ...over,
  };
  return Buffer.from(encodeBatch(header, frames));
}

interface Credentials {
  username?: string;
  password?: string;
  clientId?: string;
  protocolVersion?: 4 | 5;
}

/** Connects once; rejects with the refusal. */
async function connect(plant: Plant, credentials: Credentials = {}): Promise<MqttClient> {
  const client = mqtt.connect(`mqtt://127.0.0.1:${plant.ports.mqtt}`, {
    username: 'test/gw1',
    password: TOKEN,
    clientId: 'test/gw1/0123456789abcdef',
    protocolVersion: 4,
    reconnectPeriod: 0,
    connectTimeout: 10_000,
    ...credentials,
  });
  return new Promise((resolve, reject) => {
    client.once('connect', () => resolve(client));
    client.once('error', (error) => {
      client.end(true);
      reject(error);
    });
    client.once('close', () => reject(new Error('closed before CONNACK')));
  });
}

// Also when run alone, without the runner's own limit.
t.setTimeout(1_200_000);

t.test('a collector under hostile traffic', { timeout: 900_000 }, async (t) => {
  const seed = seedOfRun();
  t.comment(`seed ${seed}`);
  const plant = new Plant({ name: 'protocol', seed });
  t.teardown(() => plant.abandon());
  await plant.configure();
  await plant.start('collector');
  const batchTopic = 'fms/v1/test/gw1/batch';
  const gateway = await connect(plant);
  gateway.on('error', () => {});
  const send = (payload: Buffer) => gateway.publishAsync(batchTopic, payload, { qos: 1 });
  const storedOf = async (epoch: Epoch) =>
    (await plant.ledger()).find((item) => item.epoch === epoch)?.stored ?? 0;

  await t.test('twice, overlapping, out of order: once in the store', async (t) => {
    const epoch = 'a100000000000001';
    const chunks = Array.from({ length: 40 }, (_, index) => frameOf(epoch, 1 + index * 10, 10));
    const slice = (from: number, to: number) => batchOf(epoch, chunks.slice(from, to));
    for (const [from, to] of [
      [0, 10],
      [0, 10],
      [5, 15],
      [30, 40],
      [20, 30],
      [12, 24],
      [15, 40],
    ] as const) {
      await send(slice(from, to));
    }
    await until('400 stored', 300_000, async () => (await storedOf(epoch)) === 400);
    const item = (await plant.ledger()).find((entry) => entry.epoch === epoch);
    t.match(item, { stored: 400, last_seq: 400, in_flight: 0, balance: 0 });
    t.equal(item?.duplicates, (10 + 5 + 7 + 25) * 10, 'what came again was counted');
  });

  await t.test('the same seqs with other content are a conflict, not a second truth', async (t) => {
    const epoch = 'a200000000000002';
    await send(batchOf(epoch, [frameOf(epoch, 1, 10)]));
    await send(batchOf(epoch, [frameOf(epoch, 1, 10, 5_000)]));
    await until('10 stored', 300_000, async () => (await storedOf(epoch)) === 10);
    const found = await until('a conflict in quarantine', 300_000, async () => {
      const { items } = await plant.api<{ items: { epoch: string; reason: string }[] }>(
        'quarantine?limit=100',
      );
      return items.find((entry) => entry.epoch === epoch);
    });
    t.match(found.reason, /conflict/);
  });

  await t.test(
    'payloads that are no batch are acknowledged, kept in quarantine, and block nothing',
    async (t) => {
      const epoch = 'a300000000000003';
      const good = batchOf(epoch, [frameOf(epoch, 1, 10)]);
      const bomb = Buffer.concat([
        Buffer.from([0x08, 0x01, 0x10, 0x01, 0x1a]),
        lengthPrefixed(zstdCompressSync(Buffer.alloc(512 * 1024 * 1024))),
      ]);
      const random = Buffer.from(
        Array.from({ length: 5_000 }, () => Math.floor(plant.random() * 256)),
      );
      const payloads = [
        Buffer.alloc(0),
        random,
        good.subarray(0, good.length - 7),
        bomb,
        Buffer.alloc(PAYLOAD_BYTES_MAX + 1, 7),
        batchOf(epoch, [frameOf(epoch, 1, 10)], { gateway: 'somebody-else' }),
      ];
      for (const payload of payloads) await send(payload);
      await send(good);
      await until('the good batch stored', 300_000, async () => (await storedOf(epoch)) === 10);
      const rows = await until(`${payloads.length} more in quarantine`, 300_000, async () => {
        const { items } = await plant.api<{ items: { reason: string }[] }>('quarantine?limit=100');
        return items.length >= payloads.length + 1 ? items : undefined;
      });
      t.comment(rows.map((row) => row.reason).join(', '));
    },
  );

  await t.test('strangers and gateways that overstep', async (t) => {
    await t.rejects(
      connect(plant, { username: 'test/unknown', clientId: 'test/unknown/0' }),
      /[Nn]ot authorized|refused/,
    );
    await t.rejects(
      connect(plant, { password: 'wrong', clientId: 'test/gw1/fedcba9876543210' }),
      /[Nn]ot authorized|refused/,
    );
    await t.rejects(connect(plant, { protocolVersion: 5 }));
    await t.rejects(
      connect(plant, { clientId: 'test/gw1/fedcba9876543210' }),
      /refused|authorized|Identifier/i,
      'a clone of a connected gateway',
    );
    for (const filter of [
      '#',
      '$SYS/#',
      'fms/v1/test/gw2/command',
      'fms/v1/+/+/command',
      'fms/v1/test/gw1/#',
    ]) {
      const granted = await gateway
        .subscribeAsync(filter)
        .catch(() => [{ topic: filter, qos: 128 }]);
      t.ok(
        granted.every((grant) => Number(grant.qos) === 128),
        `${filter} is refused`,
      );
    }
    const overstepping = await connect(plant, { username: 'test/gw1' });
    overstepping.on('error', () => {});
    const closed = new Promise<void>((resolve) => overstepping.once('close', () => resolve()));
    overstepping.publish('fms/v1/test/gw2/batch', 'x', { qos: 1 });
    await closed;
    overstepping.end(true);
    t.pass('publishing for another gateway ends the connection');
  });

  await t.test('connections that say nothing disturb nobody', async (t) => {
    const limit = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).trim());
    const count = Math.min(10_000, Number.isFinite(limit) ? limit - 500 : 10_000);
    t.comment(`${count} silent connections (open files: ${limit})`);
    const again = await connect(plant);
    again.on('error', () => {});
    const silent = await openSilent(plant.ports.mqtt, count);
    const epoch = 'a400000000000004';
    await again.publishAsync(batchTopic, batchOf(epoch, [frameOf(epoch, 1, 10)]), { qos: 1 });
    await until('10 stored beside them', 300_000, async () => (await storedOf(epoch)) === 10);
    await until(
      'all silent connections to be closed by the collector',
      300_000,
      () => silent.closed === count,
    );
    again.end(true);
    t.ok(plant.isRunning('collector'));
  });

  gateway.end(true);
  t.comment(await plant.deepCheck());
  await plant.stop('collector');
  const rows = await plant.dump<StoredReading>('readings');
  const numbers = new Set(rows.map((row) => `${row.epoch}/${row.seq}`));
  t.equal(numbers.size, rows.length, 'no (epoch, seq) twice');
  t.equal(rows.length, 430);
  t.same(
    rows.filter((row) => row.value !== row.seq || row.time_ms !== BASE_MS + row.seq * 1_000),
    [],
    'every stored reading is the one that was sent',
  );
  if (t.passing()) plant.discard();
  else t.comment(`folder kept: ${plant.folder}`);
});

function lengthPrefixed(bytes: Buffer): Buffer {
  const prefix: number[] = [];
  let rest = bytes.length;
  while (rest >= 0x80) {
    prefix.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  prefix.push(rest);
  return Buffer.concat([Buffer.from(prefix), bytes]);
}

async function openSilent(port: number, count: number): Promise<{ closed: number }> {
  const state = { closed: 0 };
  const openOne = async (): Promise<void> => {
    const socket: Socket = connectTcp(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.once('close', () => {
      state.closed += 1;
    });
    socket.resume();
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  };
  for (let opened = 0; opened < count; opened += 500) {
    await Promise.all(Array.from({ length: Math.min(500, count - opened) }, openOne));
  }
  return state;
}
