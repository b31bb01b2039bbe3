/** The simulated Modbus devices over real TCP, by frames written here and by the agent's reader. */

import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { modbusReader } from '../../agent/readers/modbus/reader.ts';
import type { RunningModbus } from '../../simulators/modbus.ts';
import { startModbus } from '../../simulators/modbus.ts';
import { loadModbusConfig } from '../../simulators/modbus-config.ts';
import type { TruthRow } from '../../simulators/truth.ts';
import { readTruth, TruthWriter } from '../../simulators/truth.ts';

const sample = join(import.meta.dirname, '../../simulators/modbus.yaml');

interface Started {
  simulator: RunningModbus;
  rows(): Promise<TruthRow[]>;
}

async function start(t: Test, configPath = sample): Promise<Started> {
  mkdirSync(t.testdirName, { recursive: true });
  t.teardown(() => rmSync(t.testdirName, { recursive: true, force: true }));
  const truthPath = join(t.testdirName, 'truth.jsonl');
  const truth = new TruthWriter(truthPath);
  const simulator = await startModbus({
    config: { ...loadModbusConfig(configPath), port: 0, controlPort: 0 },
    truth,
    nowMs: Date.now,
    onError: (message) => t.fail(message),
  });
  t.teardown(async () => {
    await simulator.close();
    truth.close();
  });
  const rows = async (): Promise<TruthRow[]> => {
    const all: TruthRow[] = [];
    for await (const entry of readTruth(truthPath)) if (entry.type === 'row') all.push(entry);
    return all;
  };
  return { simulator, rows };
}

async function open(t: Test, simulator: RunningModbus): Promise<Socket> {
  const socket = connect(simulator.port, '127.0.0.1');
  socket.on('error', () => {});
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

function frame(unit: number, code: number, address: number, count: number, id = 7): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(id, 0);
  bytes.writeUInt16BE(6, 4);
  bytes.writeUInt8(unit, 6);
  bytes.writeUInt8(code, 7);
  bytes.writeUInt16BE(address, 8);
  bytes.writeUInt16BE(count, 10);
  return bytes;
}

/** The bytes that come next; undefined when the connection is closed instead. */
async function next(socket: Socket): Promise<Buffer | undefined> {
  const ending = new AbortController();
  const { signal } = ending;
  try {
    return await Promise.race([
      once(socket, 'data', { signal }).then(([bytes]) => bytes as Buffer),
      once(socket, 'close', { signal }).then(() => undefined),
    ]);
  } finally {
    ending.abort();
  }
}

async function ask(socket: Socket, request: Buffer): Promise<Buffer | undefined> {
  const answer = next(socket);
  socket.write(request);
  return answer;
}

t.test('frames as the specification says', async (t) => {
  const { simulator, rows } = await start(t);
  const socket = await open(t, simulator);
  const holding = await ask(socket, frame(1, 3, 100, 2, 0x1234));
  t.equal(holding?.length, 9 + 4);
  t.equal(holding?.toString('hex', 0, 9), '123400000007010304');
  const temperature = (await rows()).at(-1)?.values.temperature;
  t.equal(Number(((holding?.readInt16BE(9) ?? 0) * 0.1).toPrecision(12)), temperature);
  const coil = await ask(socket, frame(1, 1, 0, 1));
  t.equal(coil?.length, 10);
  t.equal((coil?.readUInt8(9) ?? 9) === 1, (await rows()).at(-1)?.values.running);
  const text = await ask(socket, frame(1, 4, 10, 8));
  t.equal(text?.toString('utf8', 9, 15), 'FMS-C7');
});

t.test('refusals', async (t) => {
  const { simulator, rows } = await start(t);
  const socket = await open(t, simulator);
  const codeOf = async (request: Buffer): Promise<string | undefined> =>
    (await ask(socket, request))?.toString('hex', 7);
  t.equal(await codeOf(frame(1, 6, 100, 1)), '8601', 'writing: illegal function');
  t.equal(await codeOf(frame(1, 3, 300, 1)), '8302', 'an address that nothing has');
  t.equal(await codeOf(frame(1, 3, 100, 0)), '8303', 'no registers');
  t.equal(await codeOf(frame(1, 3, 100, 126)), '8303', 'too many registers');
  t.equal(await codeOf(frame(1, 3, 65_535, 2)), '8302', 'beyond the end');
  t.equal(await codeOf(frame(1, 3, 205, 1)), '8302', 'configured');
  t.equal(await codeOf(frame(1, 4, 200, 1)), '8404', 'configured with another code');
  t.equal(await codeOf(frame(9, 3, 0, 1)), '830b', 'another unit');
  t.match((await rows()).at(-1), { status: 500, body: 'exception 4', values: {} });
});

t.test('requests in pieces and in heaps are answered in order', async (t) => {
  const { simulator } = await start(t);
  const socket = await open(t, simulator);
  const heap = Buffer.concat([1, 2, 3].map((id) => frame(2, 3, 0, 1, id)));
  for (const byte of heap) socket.write(Buffer.from([byte]));
  let bytes = Buffer.alloc(0);
  while (bytes.length < 33)
    bytes = Buffer.concat([bytes, (await next(socket)) ?? Buffer.alloc(33)]);
  t.same(
    [0, 11, 22].map((at) => bytes.readUInt16BE(at)),
    [1, 2, 3],
  );
});

t.test('what is no Modbus ends the connection, and nothing else', async (t) => {
  const { simulator } = await start(t);
  const good = await open(t, simulator);
  for (const garbage of [
    'GET / HTTP/1.1\r\n\r\n',
    '\0\0\0\0\0\x01\x01\x03',
    '\0\0\0\0\xff\xff\0\0',
  ]) {
    const socket = await open(t, simulator);
    t.equal(await ask(socket, Buffer.from(garbage, 'latin1')), undefined);
  }
  t.ok(await ask(good, frame(2, 3, 0, 1)));
});

t.test('a value that is read in halves does not tear, and is not told', async (t) => {
  const { simulator, rows } = await start(t);
  const socket = await open(t, simulator);
  const whole = await ask(socket, frame(1, 3, 102, 2));
  const low = await ask(socket, frame(1, 3, 103, 1));
  t.equal(low?.readUInt16BE(9), whole?.readUInt16BE(11));
  t.same(
    (await rows()).map((row) => Object.keys(row.values)),
    [['pressure'], []],
  );
});

t.test('every type and order is what the agent reads', async (t) => {
  const types = ['int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'float32', 'float64'];
  const orders = ['big', 'little'];
  const registers: Record<string, object> = {};
  const wanted: Record<string, Record<string, unknown>> = {};
  let address = 0;
  const add = (name: string, entry: Record<string, unknown>, words: number): void => {
    registers[name] = { address, mean: 400, stddev: 30, ...entry };
    wanted[name] = { function: 3, address, ...entry };
    address += words;
  };
  for (const type of types)
    for (const byte_order of orders)
      for (const word_order of orders)
        for (const scale of [1, 0.1]) {
          const order = type.endsWith('16') ? {} : { word_order };
          add(
            `${type} ${byte_order} ${word_order} ${scale}`,
            { type, byte_order, ...order, scale },
            4,
          );
        }
  add('text', { type: 'string', length: 4 }, 4);
  registers.text = { ...registers.text, text: '온도' };
  for (const bit of [0, 5]) {
    registers[`bit ${bit}`] = { address, type: 'bool', bit, probability: 0.5 };
    wanted[`bit ${bit}`] = { function: 3, address, type: 'bool', bit };
  }
  for (const [table, code] of [
    ['coil', 1],
    ['discrete', 2],
    ['input', 4],
  ] as const) {
    registers[table] = { table, address: 3, mean: 9, probability: 0.5 };
    wanted[table] = { function: code, address: 3 };
  }
  const folder = t.testdir();
  const path = join(folder, 'modbus.yaml');
  writeFileSync(path, JSON.stringify({ devices: { M: { unit: 1, unmapped: 'zero', registers } } }));
  const { simulator, rows } = await start(t, path);
  const spec = {
    device: 'M',
    options: { host: '127.0.0.1', port: simulator.port, unit: 1 },
    channels: wanted,
    timeoutMs: 60_000,
    baseDir: folder,
  };
  t.same(modbusReader.check(spec), []);
  const clock = { wallMs: Date.now, monoMs: () => performance.now() };
  const reader = modbusReader.create(spec, { clock, env: {} });
  if (reader.kind !== 'polled') throw new Error('polled');
  t.teardown(() => reader.close());
  const seen = new Set<string>();
  for (let poll = 0; poll < 5; poll++) {
    const before = (await rows()).length;
    const output = await reader.poll(AbortSignal.timeout(60_000));
    const told = Object.assign(
      {},
      ...(await rows()).slice(before).map((row) => row.values),
    ) as object;
    const read = Object.fromEntries(
      (output.samples[0]?.values ?? []).map(({ channel, value }) => [channel, value]),
    );
    t.same(read, told);
    t.equal(Object.keys(read).length, Object.keys(wanted).length);
    seen.add(JSON.stringify(read));
  }
  t.equal(seen.size, 5, 'every poll draws anew');
});

t.test('faults, switched at run time', async (t) => {
  const { simulator, rows } = await start(t);
  const post = async (order: object): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${simulator.controlPort}/_faults`, {
      method: 'POST',
      body: JSON.stringify(order),
    });
    t.equal(response.status, 200, await response.text());
  };
  t.equal((await fetch(`http://127.0.0.1:${simulator.controlPort}/`)).status, 404);
  let socket = await open(t, simulator);
  const first = await ask(socket, frame(2, 3, 0, 1));
  await post({ device: 'M02', fault: 'stuck', channel: 'speed' });
  const second = await ask(socket, frame(2, 3, 0, 1));
  t.equal(second?.readUInt16BE(9), first?.readUInt16BE(9), 'stuck');
  await post({ device: 'M02', fault: 'stuck', channel: 'speed', on: false });

  await post({ device: 'M02', fault: 'exception', channel: 'vibration', code: 6, count: 1 });
  t.equal((await ask(socket, frame(2, 3, 1, 2)))?.toString('hex', 7), '8306');
  t.match((await rows()).at(-1), { status: 500, faults: ['exception:vibration'] });
  t.ok(await ask(socket, frame(2, 3, 0, 1)));

  await post({ device: 'M02', fault: 'slow', delay_ms: 120, count: 1 });
  const begunMs = performance.now();
  t.equal((await ask(socket, frame(2, 3, 0, 1)))?.length, 11);
  t.ok(performance.now() - begunMs >= 110, 'slow');

  await post({ device: 'M02', fault: 'garbage', variant: 'wrong_transaction', count: 1 });
  t.equal((await ask(socket, frame(2, 3, 0, 1)))?.readUInt16BE(0), 8);
  await post({ device: 'M02', fault: 'garbage', variant: 'truncated', count: 1 });
  t.equal((await ask(socket, frame(2, 3, 0, 1)))?.length, 10);
  await post({ device: 'M02', fault: 'garbage', variant: 'random_bytes', count: 1 });
  t.notMatch((await ask(socket, frame(2, 3, 0, 1)))?.toString('hex'), /^00070000000502/);
  t.match((await rows()).at(-1), { faults: ['garbage:random_bytes'], values: {} });

  await post({ device: 'M02', fault: 'dropout', count: 1 });
  t.equal(await ask(socket, frame(2, 3, 0, 1)), undefined);
  t.match((await rows()).at(-1), { status: 0, faults: ['dropout'], values: {} });
  socket = await open(t, simulator);
  t.ok(await ask(socket, frame(2, 3, 0, 1)), 'and it is well again');
});

t.test('a port that is taken', async (t) => {
  const { simulator } = await start(t);
  const config = { ...loadModbusConfig(sample), port: simulator.port, controlPort: undefined };
  const truth = { write() {}, writeAll() {}, close() {} };
  const second = startModbus({ config, truth, nowMs: Date.now, onError() {} });
  await t.rejects(second, { code: 'SIM_PORT_TAKEN' });
});
