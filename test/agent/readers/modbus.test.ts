import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import fc from 'fast-check';
import type { Test } from 'tap';
import t from 'tap';
import { decodeChannel, shortest } from '../../../agent/readers/modbus/decode.ts';
import type { ModbusChannel } from '../../../agent/readers/modbus/options.ts';
import { readOptions } from '../../../agent/readers/modbus/options.ts';
import { planBlocks } from '../../../agent/readers/modbus/plan.ts';
import { modbusReader } from '../../../agent/readers/modbus/reader.ts';
import type { PolledReader, ReaderOutput } from '../../../agent/types.ts';
import { Quality } from '../../../proto/model.ts';
import type { ModbusRequest, ModbusResponse } from '../../../simulators/modbus-server.ts';
import { startModbusServer } from '../../../simulators/modbus-server.ts';
import { realClock } from '../../contracts/reader.ts';

const quiet = new AbortController().signal;
type Channels = Record<string, Record<string, unknown>>;

interface Device {
  port: number;
  requests: ModbusRequest[];
  /** Refusals and other trouble; undefined: the registers answer. */
  trouble: (request: ModbusRequest) => Promise<ModbusResponse> | ModbusResponse | undefined;
  registers: Map<number, number>;
  connections: number;
  close(): Promise<void>;
  open(): Promise<void>;
}

async function device(t: Test): Promise<Device> {
  const seen = new WeakSet<AbortSignal>();
  const state: Device = {
    port: 0,
    requests: [],
    trouble: () => undefined,
    registers: new Map(),
    connections: 0,
    close: async () => {
      await server?.close();
      server = undefined;
    },
    open: async () => {
      server = await startModbusServer('127.0.0.1', state.port, handle);
      state.port = server.port;
    },
  };
  const handle = async (request: ModbusRequest, signal: AbortSignal): Promise<ModbusResponse> => {
    if (!seen.has(signal)) state.connections += 1;
    seen.add(signal);
    state.requests.push(request);
    const trouble = await state.trouble(request);
    if (trouble !== undefined) return trouble;
    const { table, address, count } = request;
    const words = Array.from({ length: count }, (_, i) => state.registers.get(address + i) ?? 0);
    return table === 'coil' || table === 'discrete'
      ? { kind: 'bits', bits: words.map((word) => word !== 0) }
      : { kind: 'words', words };
  };
  let server: Awaited<ReturnType<typeof startModbusServer>> | undefined;
  await state.open();
  t.teardown(state.close);
  return state;
}

function open(t: Test, port: number, channels: Channels, options = {}): PolledReader {
  const spec = {
    device: 'M01',
    options: { host: '127.0.0.1', port, ...options },
    channels,
    // Of what fails only: the simulated device is in this process, and a busy machine may leave that aside.
    timeoutMs: 60_000,
    baseDir: '/',
  };
  t.same(modbusReader.check(spec), []);
  const reader = modbusReader.create(spec, { clock: realClock, env: {} }) as PolledReader;
  t.teardown(() => reader.close());
  return reader;
}

function valuesOf(output: ReaderOutput): Record<string, unknown> {
  return Object.fromEntries(
    (output.samples[0]?.values ?? []).map(({ channel, value }) => [channel, value]),
  );
}

function qualitiesOf(output: ReaderOutput): Record<string, number> {
  return Object.fromEntries(
    (output.samples[0]?.values ?? []).map(({ channel, quality }) => [channel, quality]),
  );
}

function channelOf(yaml: Record<string, unknown>): ModbusChannel {
  const options = readOptions({
    device: 'M',
    options: { host: 'h' },
    channels: { c: { address: 0, ...yaml } },
    timeoutMs: 1,
    baseDir: '/',
  });
  return options.channels[0] as ModbusChannel;
}

/** What a channel makes of registers given as hexadecimal. */
function decode(hex: string, yaml: Record<string, unknown>): unknown {
  const bytes = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const channel = channelOf(yaml);
  const block = { function: channel.function, address: 0, count: bytes.length / 2, channels: [] };
  const { value, quality } = decodeChannel(bytes, block, channel);
  return quality === Quality.GOOD ? value : [value, quality];
}

t.test('types', async (t) => {
  const cases: [hex: string, yaml: Record<string, unknown>, expected: unknown][] = [
    ['00eb', { type: 'uint16' }, 235],
    ['ffff', { type: 'uint16' }, 65_535],
    ['ffff', { type: 'int16' }, -1],
    ['8000', { type: 'int16' }, -32_768],
    ['eb00', { type: 'uint16', byte_order: 'little' }, 235],
    ['0001 0002', { type: 'uint32' }, 65_538],
    ['0002 0001', { type: 'uint32', word_order: 'little' }, 65_538],
    ['0200 0100', { type: 'uint32', word_order: 'little', byte_order: 'little' }, 65_538],
    ['0100 0200', { type: 'uint32', byte_order: 'little' }, 65_538],
    ['ffff fffe', { type: 'int32' }, -2],
    ['ffff ffff', { type: 'uint32' }, 4_294_967_295],
    ['41bd ae14', { type: 'float32' }, 23.71],
    ['ae14 41bd', { type: 'float32', word_order: 'little' }, 23.71],
    ['4037 b5c2 8f5c 28f6', { type: 'float64' }, 23.71],
    ['28f6 8f5c b5c2 4037', { type: 'float64', word_order: 'little' }, 23.71],
    ['0000 0000 0001 0000', { type: 'uint64' }, 65_536],
    ['ffff ffff ffff ffff', { type: 'int64' }, -1],
    ['001f ffff ffff ffff', { type: 'uint64' }, Number.MAX_SAFE_INTEGER],
    ['0020 0000 0000 0001', { type: 'uint64' }, [2 ** 53, Quality.PRECISION_LOST]],
    ['ffff ffff ffff ffff', { type: 'uint64' }, [2 ** 64, Quality.PRECISION_LOST]],
    ['ffdf ffff ffff ffff', { type: 'int64' }, [-(2 ** 53), Quality.PRECISION_LOST]],
    ['7fc0 0000', { type: 'float32' }, [Number.NaN, Quality.NOT_FINITE]],
    ['7f80 0000', { type: 'float32' }, [Infinity, Quality.NOT_FINITE]],
    ['fff0 0000 0000 0000', { type: 'float64' }, [-Infinity, Quality.NOT_FINITE]],
    ['0000', { type: 'bool' }, false],
    ['0100', { type: 'bool' }, true],
    ['0004', { type: 'bool', bit: 2 }, true],
    ['fffb', { type: 'bool', bit: 2 }, false],
    ['8000', { type: 'bool', bit: 15 }, true],
    ['0080', { type: 'bool', bit: 15, byte_order: 'little' }, true],
    ['464d 5320 3100', { type: 'string', length: 3 }, 'FMS 1'],
    ['4d46 2053 0031', { type: 'string', length: 3, byte_order: 'little' }, 'FMS 1'],
    ['4142 2020', { type: 'string', length: 2 }, 'AB'],
    ['b043 0000', { type: 'string', length: 2 }, '°C'],
    ['c2b0 4300', { type: 'string', length: 2 }, '°C'],
    ['0000', { type: 'string', length: 1 }, ''],
  ];
  for (const [hex, yaml, expected] of cases) {
    t.strictSame(decode(hex, yaml), expected, `${hex} as ${JSON.stringify(yaml)}`);
  }
});

t.test('scale and offset', async (t) => {
  t.equal(decode('00eb', { type: 'uint16', scale: 0.1 }), 23.5);
  t.equal(decode('0003', { type: 'uint16', scale: 0.1 }), 0.3);
  t.equal(decode('0065', { type: 'uint16', scale: 0.01, offset: -40 }), -38.99);
  t.equal(decode('ffff', { type: 'int16', scale: -0.5 }), 0.5);
  t.equal(decode('001f ffff ffff fffe', { type: 'uint64', offset: 1 }), Number.MAX_SAFE_INTEGER);
  t.same(decode('001f ffff ffff ffff', { type: 'uint64', scale: 2 }), [
    2 ** 54 - 2,
    Quality.PRECISION_LOST,
  ]);
  t.same(decode('7f7f ffff', { type: 'float32', scale: 1e300 }), [Infinity, Quality.NOT_FINITE]);
  t.same(decode('7fc0 0000', { type: 'float32', scale: 2 }), [Number.NaN, Quality.NOT_FINITE]);
});

t.test('every raw value times a decimal scale is the decimal that one would write', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: -32_768, max: 32_767 }),
      fc.integer({ min: 0, max: 6 }),
      (raw, digits) => {
        const hex = Buffer.alloc(2);
        hex.writeInt16BE(raw);
        const value = decode(hex.toString('hex'), { type: 'int16', scale: Number(`1e-${digits}`) });
        return Number(value) === Number(`${raw}e-${digits}`);
      },
    ),
  );
  t.pass();
});

t.test('the shortest decimal of a float32 is that float32', async (t) => {
  fc.assert(
    fc.property(fc.float({ noNaN: true }), (float) => {
      const decimal = shortest(float);
      return Math.fround(decimal) === float;
    }),
  );
  for (const written of [23.71, 0.1, 1e-7, 123456.78, -40.5, 1.17549e-38]) {
    t.equal(shortest(Math.fround(written)), written);
  }
});

t.test('requests are joined', async (t) => {
  const limits = { maxRegisters: 10, maxBits: 32, maxGap: 2, maxGapBits: 32 };
  const none = { withoutGaps: new Set<never>(), alone: new Set<string>() };
  const plan = (channels: Channels, lessons: Parameters<typeof planBlocks>[2] = none): string[] => {
    const options = readOptions({
      device: 'M',
      options: { host: 'h' },
      channels,
      timeoutMs: 1,
      baseDir: '/',
    });
    return planBlocks(options.channels, limits, lessons).map(
      (block) =>
        `${block.function}:${block.address}+${block.count}=${block.channels.map((c) => c.name).join('')}`,
    );
  };
  t.same(plan({ b: { address: 1 }, a: { address: 0 }, c: { address: 2, type: 'float32' } }), [
    '3:0+4=abc',
  ]);
  t.same(plan({ a: { address: 0 }, b: { address: 3 }, c: { address: 7 } }), [
    '3:0+4=ab',
    '3:7+1=c',
  ]);
  t.same(plan({ a: { address: 0 }, b: { address: 0, type: 'bool', bit: 1 } }), ['3:0+1=ab']);
  t.same(
    plan({ a: { address: 0, type: 'float64' }, b: { address: 1 } }),
    ['3:0+4=ab'],
    'one inside another',
  );
  t.same(plan({ a: { address: 0 }, b: { address: 0, function: 4 } }), ['3:0+1=a', '4:0+1=b']);
  t.same(
    plan({
      a: { address: 0, type: 'float64' },
      b: { address: 4, type: 'float64' },
      c: { address: 8, type: 'float64' },
    }),
    ['3:0+8=ab', '3:8+4=c'],
    'never more than the limit, never half a value',
  );
  t.same(
    plan({
      a: { function: 1, address: 0 },
      b: { function: 1, address: 31 },
      c: { function: 1, address: 32 },
    }),
    ['1:0+32=ab', '1:32+1=c'],
  );
  const lessons = { withoutGaps: new Set([3 as const]), alone: new Set(['b']) };
  t.same(
    plan({ a: { address: 0 }, b: { address: 1 }, c: { address: 2 }, d: { address: 3 } }, lessons),
    ['3:0+1=a', '3:1+1=b', '3:2+2=cd'],
  );
});

t.test('any plan covers each channel once within its block and the limits', async (t) => {
  const aChannel = fc.record({
    function: fc.constantFrom(3, 4),
    address: fc.nat(400),
    type: fc.constantFrom('uint16', 'float32', 'float64'),
  });
  fc.assert(
    fc.property(
      fc.array(aChannel, { maxLength: 60 }),
      fc.integer({ min: 4, max: 125 }),
      fc.nat(124),
      (list, maxRegisters, maxGap) => {
        const options = readOptions({
          device: 'M',
          options: { host: 'h', max_registers: maxRegisters, max_gap: maxGap },
          channels: Object.fromEntries(list.map((channel, i) => [`c${i}`, channel])),
          timeoutMs: 1,
          baseDir: '/',
        });
        const lessons = { withoutGaps: new Set<never>(), alone: new Set<string>() };
        const blocks = planBlocks(options.channels, options, lessons);
        const names = blocks.flatMap((block) => block.channels.map((channel) => channel.name));
        const covered = blocks.every(
          (block) =>
            block.count <= maxRegisters &&
            block.channels.every(
              (channel) =>
                channel.function === block.function &&
                channel.address >= block.address &&
                channel.address + channel.count <= block.address + block.count,
            ),
        );
        return covered && names.length === list.length && new Set(names).size === list.length;
      },
    ),
  );
  t.pass();
});

t.test('a device with all four functions', async (t) => {
  const dev = await device(t);
  dev.registers = new Map([
    [0, 1],
    [10, 235],
    [11, 0x41bd],
    [12, 0xae14],
    [2_010, 1],
  ]);
  const reader = open(
    t,
    dev.port,
    {
      coil: { function: 1, address: 0 },
      off: { function: 1, address: 1 },
      input: { function: 2, address: 2_010 },
      temp: { function: 3, address: 10, scale: 0.1 },
      level: { function: 4, address: 11, type: 'float32' },
    },
    { unit: 17 },
  );
  const output = await reader.poll(quiet);
  t.same(valuesOf(output), { coil: true, off: false, input: true, temp: 23.5, level: 23.71 });
  t.equal(output.samples[0]?.sourceTimeMs, undefined);
  t.same(
    dev.requests.map(({ table, unit }) => [table, unit]),
    [
      ['coil', 17],
      ['discrete', 17],
      ['holding', 17],
      ['input', 17],
    ],
  );
  for (let i = 0; i < 300; i++) await reader.poll(quiet);
  t.equal(dev.connections, 1, 'one connection for 301 polls, beyond the 256 transaction numbers');
});

t.test('one bad address does not cost its neighbours', async (t) => {
  const dev = await device(t);
  for (let i = 0; i < 20; i++) dev.registers.set(i, i);
  dev.trouble = ({ address, count }) =>
    address <= 5 && address + count > 5 ? { kind: 'exception', code: 2 } : undefined;
  const channels = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`c${i}`, { address: i }]),
  );
  const reader = open(t, dev.port, channels);
  const first = await reader.poll(quiet);
  for (let i = 0; i < 10; i++) {
    const bad = i === 5;
    t.equal(qualitiesOf(first)[`c${i}`], bad ? Quality.DEVICE_ERROR : Quality.GOOD);
    t.equal(valuesOf(first)[`c${i}`], bad ? null : i);
  }
  dev.requests.length = 0;
  t.same(await reader.poll(quiet), first);
  t.same(
    dev.requests.map(({ address, count }) => [address, count]),
    [
      [0, 5],
      [5, 1],
      [6, 4],
    ],
    'remembered: three requests and no exception but for the one channel',
  );
  dev.trouble = () => undefined;
  t.equal(valuesOf(await reader.poll(quiet)).c5, 5, 'and it is taken when it is there');
});

t.test('a hole that must not be read over', async (t) => {
  const dev = await device(t);
  dev.registers = new Map([
    [0, 7],
    [4, 8],
  ]);
  dev.trouble = ({ address, count }) =>
    address <= 2 && address + count > 2 ? { kind: 'exception', code: 2 } : undefined;
  const reader = open(t, dev.port, { a: { address: 0 }, b: { address: 4 } });
  t.same(valuesOf(await reader.poll(quiet)), { a: 7, b: 8 });
  dev.requests.length = 0;
  await reader.poll(quiet);
  t.equal(dev.requests.length, 2, 'no longer joined');
});

t.test('exceptions by code', async (t) => {
  const dev = await device(t);
  const channels = { a: { address: 0 }, b: { address: 1 }, c: { function: 4, address: 0 } };
  for (const [code, requests] of [
    [1, 5],
    [2, 5],
    [3, 5],
    [4, 5],
    [5, 2],
    [6, 2],
    [10, 1],
    [11, 1],
    [99, 5],
  ] as const) {
    dev.trouble = () => ({ kind: 'exception', code });
    const reader = open(t, dev.port, channels);
    dev.requests.length = 0;
    const output = await reader.poll(quiet);
    const bad = Quality.DEVICE_ERROR;
    t.same(qualitiesOf(output), { a: bad, b: bad, c: bad }, `exception ${code}`);
    // a and b joined, then alone; c, alone from the start, once.
    t.ok(dev.requests.length <= requests, `${dev.requests.length} requests at exception ${code}`);
    await reader.close();
  }
});

t.test('garbage, short and foreign answers', async (t) => {
  const dev = await device(t);
  const reader = open(
    t,
    dev.port,
    { a: { address: 0 }, b: { address: 1 } },
    {
      // What comes after each is to be in time.
      request_timeout_ms: 500,
    },
  );
  const ok: ModbusResponse = { kind: 'words', words: [1, 2] };
  const mangles: Record<string, (frame: Buffer) => Buffer> = {
    'a byte count that lies': (frame) => {
      frame.writeUInt8(200, 8);
      return frame;
    },
    'a byte count that is short': (frame) => {
      frame.writeUInt8(2, 8);
      return frame;
    },
    'another unit': (frame) => {
      frame.writeUInt8(9, 6);
      return frame;
    },
    'another function': (frame) => {
      frame.writeUInt8(4, 7);
      return frame;
    },
    'another transaction': (frame) => {
      frame.writeUInt16BE(frame.readUInt16BE(0) ^ 0x55, 0);
      return frame;
    },
    'a length of nothing': (frame) => {
      frame.writeUInt16BE(0, 4);
      return frame;
    },
    'a length of everything': (frame) => {
      frame.writeUInt16BE(65_535, 4);
      return frame;
    },
    'a cut frame': (frame) => frame.subarray(0, 5),
    text: () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'.repeat(40)),
    nothing: () => Buffer.alloc(0),
  };
  for (const [name, mangle] of Object.entries(mangles)) {
    dev.trouble = () => ({ kind: 'garbage', of: ok, mangle });
    await t.rejects(reader.poll(quiet), { name: 'ReaderFailure' }, name);
    dev.trouble = () => undefined;
    t.equal(qualitiesOf(await reader.poll(quiet)).a, Quality.GOOD, `${name}: the next is fine`);
  }
});

t.test('what was read before the connection failed is kept', async (t) => {
  const dev = await device(t);
  dev.registers.set(0, 5);
  dev.trouble = ({ table }) => (table === 'input' ? { kind: 'close' } : undefined);
  const reader = open(t, dev.port, { a: { address: 0 }, b: { function: 4, address: 0 } });
  const output = await reader.poll(quiet);
  t.same(valuesOf(output), { a: 5, b: null });
  t.same(qualitiesOf(output), { a: Quality.GOOD, b: Quality.DEVICE_ERROR });
});

t.test('a device that is restarted, or drops idle connections', async (t) => {
  const dev = await device(t);
  dev.registers.set(0, 5);
  const reader = open(t, dev.port, { a: { address: 0 } });
  await reader.poll(quiet);
  await dev.close();
  await t.rejects(reader.poll(quiet), { name: 'ReaderFailure', message: /ECONNREFUSED/ });
  await dev.open();
  t.same(valuesOf(await reader.poll(quiet)), { a: 5 }, 'back');
  await dev.close();
  await dev.open();
  t.same(valuesOf(await reader.poll(quiet)), { a: 5 }, 'restarted between two polls');
  let closeOnce = true;
  dev.trouble = () => {
    const close = closeOnce;
    closeOnce = false;
    return close ? { kind: 'close' } : undefined;
  };
  t.same(valuesOf(await reader.poll(quiet)), { a: 5 }, 'a kept connection that dies is renewed');
  dev.trouble = () => ({ kind: 'close' });
  await t.rejects(reader.poll(quiet), { name: 'ReaderFailure' }, 'but only once');
});

t.test('timeouts', async (t) => {
  const dev = await device(t);
  dev.trouble = () => new Promise(() => {});
  const reader = open(t, dev.port, { a: { address: 0 } }, { request_timeout_ms: 1_000 });
  await t.rejects(reader.poll(quiet), { name: 'ReaderFailure', message: /Timed out/ });
  dev.trouble = () => undefined;
  t.equal(qualitiesOf(await reader.poll(quiet)).a, Quality.GOOD);
  t.equal(dev.connections, 2, 'a late answer cannot be taken for the next one');

  const sink = createServer((socket) => {
    // Reads, so that it sees the end, and answers nothing.
    socket.on('error', () => {}).resume();
  });
  await new Promise<void>((resolve) => sink.listen(0, '127.0.0.1', resolve));
  const { port } = sink.address() as AddressInfo;
  const aborted = open(t, port, { a: { address: 0 } });
  const abort = new AbortController();
  const poll = aborted.poll(abort.signal);
  setTimeout(() => abort.abort(new Error('enough')), 30);
  await t.rejects(poll, /enough/);
  await aborted.close();
  await new Promise((resolve) => sink.close(resolve));
});

t.test('configuration mistakes that no schema sees', async (t) => {
  const check = (channel: Record<string, unknown>, options = {}): unknown =>
    modbusReader
      .check({
        device: 'M',
        options: { host: 'h', ...options },
        channels: { c: { address: 0, ...channel } },
        timeoutMs: 1,
        baseDir: '/',
      })
      .map(({ path }) => path.join('.'));
  t.same(check({ function: 1, type: 'int16' }), ['channels.c.type']);
  t.same(check({ bit: 3 }), ['channels.c.bit']);
  t.same(check({ type: 'string' }), ['channels.c.length']);
  t.same(check({ length: 4 }), ['channels.c.length']);
  t.same(check({ scale: 0 }), ['channels.c.scale']);
  t.same(check({ type: 'bool', scale: 2, offset: 1 }), ['channels.c.scale', 'channels.c.offset']);
  t.same(check({ word_order: 'little' }), ['channels.c.word_order']);
  t.same(check({ function: 2, byte_order: 'big' }), ['channels.c.byte_order']);
  t.same(check({ address: 65_535, type: 'float32' }), ['channels.c.address']);
  t.same(check({ type: 'float64' }, { max_registers: 2 }), ['channels.c.type']);
  t.same(check({ type: 'bool', bit: 3 }), []);
  t.same(check({ function: 1 }), []);
});
