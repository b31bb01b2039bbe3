/** The simulated devices over real HTTP: the API, every fault, and the truth file. */

import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { loadDevicesConfig } from '../../simulators/config.ts';
import type { RunningSimulator } from '../../simulators/devices.ts';
import { startDevices } from '../../simulators/devices.ts';
import type { FaultSwitch } from '../../simulators/faults.ts';
import { faultKinds, variantsOf } from '../../simulators/faults.ts';
import type { TruthEntry, TruthRow } from '../../simulators/truth.ts';
import { readTruth, TruthWriter } from '../../simulators/truth.ts';

const NOON_MS = Date.UTC(2026, 0, 2, 12);
const sample = join(import.meta.dirname, '../../simulators/devices.yaml');
const channels = ['sensor1', 'sensor2', 'sensor3', 'motor1', 'motor2', 'motor3', 'isFail'];

interface Started {
  simulator: RunningSimulator;
  truthPath: string;
  clock: { nowMs: number };
  /** Switches a fault on; it must be accepted. */
  fault(order: Omit<FaultSwitch, 'on'>): void;
  truth(): Promise<TruthEntry[]>;
  lastRow(): Promise<TruthRow>;
}

async function start(t: Test, seed: number | string = 5): Promise<Started> {
  const truthPath = join(t.testdir(), 'truth.jsonl');
  const truth = new TruthWriter(truthPath);
  const clock = { nowMs: NOON_MS };
  const simulator = await startDevices({
    config: { ...loadDevicesConfig(sample), port: 0, seed },
    truth,
    nowMs: () => clock.nowMs,
    onError: (message) => t.fail(message),
  });
  t.teardown(async () => {
    await simulator.close();
    truth.close();
  });
  const readAll = async (): Promise<TruthEntry[]> => {
    const entries: TruthEntry[] = [];
    for await (const entry of readTruth(truthPath)) entries.push(entry);
    return entries;
  };
  return {
    simulator,
    truthPath,
    clock,
    fault: (order) => {
      const mistake = simulator.board.set({ ...order, on: true });
      if (mistake !== undefined) throw new Error(mistake);
    },
    truth: readAll,
    lastRow: async () => {
      const rows = (await readAll()).filter((entry) => entry.type === 'row');
      return rows.at(-1) as TruthRow;
    },
  };
}

interface Answered {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The answer broke off. */
  isBroken: boolean;
}

/** Rejects when there is no answer at all. */
function get(
  port: number,
  path: string,
  options: { method?: string; body?: string; stopAfterBytes?: number; timeoutMs?: number } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', body, stopAfterBytes = Number.POSITIVE_INFINITY } = options;
    const asked = request({ port, path, method, agent: false, host: '127.0.0.1' }, (response) => {
      const pieces: Buffer[] = [];
      let bytes = 0;
      const done = (isBroken: boolean): void => {
        const { statusCode = 0, headers } = response;
        resolve({ status: statusCode, headers, body: Buffer.concat(pieces), isBroken });
      };
      response.on('data', (piece: Buffer) => {
        pieces.push(piece);
        bytes += piece.length;
        if (bytes > stopAfterBytes) response.destroy();
      });
      response.on('error', () => {});
      response.on('close', () => done(!response.complete));
      if (options.timeoutMs !== undefined)
        setTimeout(() => response.destroy(), options.timeoutMs).unref();
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

function jsonOf(answered: Answered): Record<string, unknown> {
  return JSON.parse(answered.body.toString('utf8')) as Record<string, unknown>;
}

t.test('the FMS API: fields, types, decimals, own time, 404, list', async (t) => {
  const { simulator, clock } = await start(t);
  const answered = await get(simulator.port, '/D01/');
  t.equal(answered.status, 200);
  t.equal(answered.headers['content-type'], 'application/json');
  const row = jsonOf(answered);
  t.same(Object.keys(row), ['time', 'DeviceId', ...channels]);
  t.equal(row.time, '2026-01-02T12:00:00.000Z');
  t.equal(row.DeviceId, 'D01');
  t.equal(typeof row.isFail, 'boolean');
  for (const channel of channels.slice(0, 6)) t.type(row[channel], 'number', channel);
  clock.nowMs += 10_000;
  t.equal(jsonOf(await get(simulator.port, '/D01')).time, '2026-01-02T12:00:10.000Z');
  t.same(jsonOf(await get(simulator.port, '/')), { devices: ['D01', 'D02', 'D03', 'D04', 'D05'] });
  t.equal((await get(simulator.port, '/D06/')).status, 404);
  t.equal((await get(simulator.port, '/%/')).status, 404);
  t.equal((await get(simulator.port, '/D01/', { method: 'DELETE' })).status, 405);
});

t.test('times of a device strictly increase, even when the clock does not', async (t) => {
  const { simulator, clock } = await start(t);
  const times: number[] = [];
  for (const stepMs of [0, 0, 0, -5_000, 3, 0, 20_000]) {
    clock.nowMs += stepMs;
    times.push(Date.parse(String(jsonOf(await get(simulator.port, '/D02/')).time)));
  }
  t.ok(
    times.every((time, i) => i === 0 || time > (times[i - 1] ?? 0)),
    times.join(),
  );
});

t.test(
  'the same seed and requests give the same rows, whatever faults strike between',
  async (t) => {
    const one = await start(t, 42);
    const two = await start(t, 42);
    const other = await start(t, 43);
    const rows = async (started: Started, fault?: string): Promise<unknown[]> => {
      const bodies: unknown[] = [];
      for (let i = 0; i < 20; i++) {
        started.clock.nowMs += 1_000;
        if (fault !== undefined && i === 5) started.fault({ device: 'D03', fault, count: 1 });
        const answered = await get(started.simulator.port, '/D03/');
        if (i !== 5) bodies.push(jsonOf(answered));
      }
      return bodies;
    };
    const expected = await rows(one);
    t.same(await rows(two, 'wrong_type'), expected);
    t.notSame(await rows(other), expected);
  },
);

t.test('the truth file says exactly what was sent', async (t) => {
  const { simulator, truth, clock } = await start(t);
  const sent: Record<string, unknown>[] = [];
  for (let i = 0; i < 40; i++) {
    clock.nowMs += 250;
    sent.push(jsonOf(await get(simulator.port, `/D0${1 + (i % 5)}/`)));
  }
  const [first, ...rows] = await truth();
  t.same(first, { type: 'start', at_ms: NOON_MS, seed: 5, kind: 'devices' });
  const told = rows.map((entry) => {
    const { device, time_ms, values } = entry as TruthRow;
    return { time: new Date(time_ms ?? 0).toISOString(), DeviceId: device, ...values };
  });
  t.same(told, sent);
  for (const entry of rows) t.match(entry, { status: 200, body: undefined });
});

t.test('the line is in the truth file before the answer arrives', async (t) => {
  const { simulator, lastRow } = await start(t);
  const socket = connect(simulator.port, '127.0.0.1');
  socket.write('GET /D01/ HTTP/1.1\r\nhost: x\r\n\r\n');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  const row = await lastRow();
  t.match(bytes.toString('utf8'), `"sensor1":${row.values.sensor1}`);
  socket.destroy();
});

t.test('faults of values', async (t) => {
  const { simulator, fault, lastRow, clock } = await start(t);
  const ask = async (): Promise<Record<string, unknown>> => {
    clock.nowMs += 1_000;
    return jsonOf(await get(simulator.port, '/D01/'));
  };
  const before = await ask();
  fault({ device: 'D01', fault: 'stuck', channel: 'sensor2' });
  fault({ device: 'D01', fault: 'spike', channel: 'sensor1' });
  fault({ device: 'D01', fault: 'drift', channel: 'motor1', sigmas: 10 });
  fault({ device: 'D01', fault: 'minus_one', channel: 'motor2' });
  fault({ device: 'D01', fault: 'isFail' });
  const struck = [await ask(), await ask(), await ask()];
  for (const [i, row] of struck.entries()) {
    t.equal(row.sensor1, 45 + 12 * 6, 'spike');
    t.equal(row.sensor2, before.sensor2, 'stuck at what was sent last');
    t.equal(row.motor2, -1);
    t.equal(row.isFail, true);
    const drift = Number(row.motor1) - 1_200;
    t.ok(Math.abs(drift - 10 * 60 * (i + 1)) < 6 * 60, `drift ${drift} at sample ${i + 1}`);
  }
  t.same((await lastRow()).faults.sort(), [
    'drift:motor1',
    'isFail',
    'minus_one:motor2',
    'spike:sensor1',
    'stuck:sensor2',
  ]);
  simulator.board.set({ device: 'D01', fault: 'stuck', channel: 'sensor2', on: false });
  t.not((await ask()).sensor2, before.sensor2);
});

t.test('faults of the row: wrong type, missing, null, wrong device', async (t) => {
  const { simulator, fault, lastRow } = await start(t);
  const strike = async (
    order: Omit<FaultSwitch, 'on' | 'device'>,
  ): Promise<{ row: Record<string, unknown>; truth: TruthRow }> => {
    fault({ device: 'D01', count: 1, ...order });
    const answered = await get(simulator.port, '/D01/');
    const truth = await lastRow();
    t.equal(
      truth.body,
      answered.body.toString('utf8'),
      'the body is told, as the row is not clean',
    );
    const row = jsonOf(answered);
    const { time: _time, DeviceId: _id, ...values } = row;
    t.same(truth.values, values, 'the values are those sent');
    return { row, truth };
  };
  for (const variant of variantsOf('devices', 'wrong_type')) {
    if (variant === 'number' || variant === 'huge_number') continue;
    const { row, truth } = await strike({ fault: 'wrong_type', channel: 'sensor1', variant });
    t.not(typeof row.sensor1, 'number', variant);
    t.same(truth.faults, ['wrong_type:sensor1']);
    t.type(row.sensor2, 'number', 'the others are good');
  }
  for (let i = 0; i < 20; i++) {
    const { row } = await strike({ fault: 'wrong_type', channel: 'isFail' });
    t.not(typeof row.isFail, 'boolean');
  }
  for (const channel of ['sensor3', 'time', 'DeviceId']) {
    const missing = await strike({ fault: 'missing_field', channel });
    t.notOk(channel in missing.row);
    const empty = await strike({ fault: 'null', channel });
    t.equal(empty.row[channel], null);
    if (channel === 'time') t.same([missing.truth.time_ms, empty.truth.time_ms], [null, null]);
  }
  const wrong = await strike({ fault: 'wrong_device' });
  t.equal(wrong.row.DeviceId, 'D01-other');
  const drawn = await strike({ fault: 'missing_field' });
  t.equal(channels.filter((channel) => !(channel in drawn.row)).length, 1, 'a channel is drawn');
});

t.test('faults of the time', async (t) => {
  const { simulator, fault, lastRow, clock } = await start(t);
  const dayMs = 86_400_000;
  const cases: [
    string,
    (time: unknown, nowMs: number) => boolean,
    (nowMs: number) => number | null,
  ][] = [
    [
      'time_future',
      (time, now) => Date.parse(String(time)) === now + 2 * dayMs,
      (now) => now + 2 * dayMs,
    ],
    [
      'time_past',
      (time, now) => Date.parse(String(time)) === now - 1_825 * dayMs,
      (now) => now - 1_825 * dayMs,
    ],
    [
      'time_jump',
      (time, now) => Date.parse(String(time)) === now + 3_600_000,
      (now) => now + 3_600_000,
    ],
    ['time_missing', (time) => time === undefined, () => null],
    ['time_garbage', (time) => Number.isNaN(Date.parse(String(time))), () => null],
    [
      'time_naive',
      (time, now) => Date.parse(`${time}+09:00`) === now && !/Z|\+/.test(String(time)),
      (now) => now,
    ],
  ];
  for (const [name, isRight, meant] of cases) {
    clock.nowMs += 1_000;
    fault({ device: 'D01', fault: name, count: 1 });
    const { time } = jsonOf(await get(simulator.port, '/D01/'));
    t.ok(isRight(time, clock.nowMs), `${name}: ${time}`);
    const row = await lastRow();
    t.equal(row.time_ms, meant(clock.nowMs), 'the truth says what the time means');
    t.same(row.faults, [name]);
  }
  fault({ device: 'D01', fault: 'time_stuck', count: 3 });
  const times = new Set<unknown>();
  for (let i = 0; i < 3; i++) {
    clock.nowMs += 1_000;
    times.add(jsonOf(await get(simulator.port, '/D01/')).time);
  }
  t.equal(times.size, 1, 'stuck');
  clock.nowMs += 1_000;
  t.equal(Date.parse(String(jsonOf(await get(simulator.port, '/D01/')).time)), clock.nowMs);
});

t.test('dropout, 429, 500, slow', async (t) => {
  const { simulator, fault, lastRow, clock } = await start(t);
  fault({ device: 'D01', fault: 'dropout', count: 1 });
  await t.rejects(get(simulator.port, '/D01/'), { code: 'ECONNRESET' });
  t.match(await lastRow(), { status: 0, values: {}, time_ms: null, faults: ['dropout'] });

  fault({ device: 'D01', fault: '429', count: 1, offset_ms: 7_000 });
  const seconds = await get(simulator.port, '/D01/');
  t.equal(seconds.status, 429);
  t.equal(seconds.headers['retry-after'], '7');
  fault({ device: 'D01', fault: '429', count: 1, variant: 'date', offset_ms: 60_000 });
  clock.nowMs += 1_000;
  const date = await get(simulator.port, '/D01/');
  t.equal(Date.parse(String(date.headers['retry-after'])), clock.nowMs + 60_000);
  t.match(await lastRow(), { status: 429, values: {}, faults: ['429'] });

  fault({ device: 'D01', fault: '500', count: 1 });
  t.equal((await get(simulator.port, '/D01/')).status, 500);
  t.match(await lastRow(), { status: 500, values: {}, faults: ['500'] });

  fault({ device: 'D01', fault: 'slow', count: 1, delay_ms: 120 });
  const begunMs = performance.now();
  t.equal((await get(simulator.port, '/D01/')).status, 200);
  t.ok(performance.now() - begunMs >= 110);
  t.match(await lastRow(), { status: 200, faults: ['slow'] });
  t.equal((await get(simulator.port, '/D02/')).status, 200, 'other devices all the while');
});

t.test('a client that leaves a slow device was sent nothing', async (t) => {
  const { simulator, fault, truth } = await start(t);
  fault({ device: 'D01', fault: 'slow', count: 1, delay_ms: 60_000 });
  const socket = connect(simulator.port, '127.0.0.1');
  socket.write('GET /D01/ HTTP/1.1\r\nhost: x\r\n\r\n');
  // Of two requests on two connections the second is answered: the first one waits by then.
  await get(simulator.port, '/D02/');
  socket.destroy();
  for (;;) {
    const row = (await truth()).find((e) => e.type === 'row' && e.device === 'D01');
    if (row !== undefined) {
      t.match(row, { status: 0, values: {}, time_ms: null });
      break;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
});

t.test('every kind of garbage', async (t) => {
  const { simulator, fault, lastRow } = await start(t);
  const strike = async (
    variant: string,
    options: Parameters<typeof get>[2] = {},
  ): Promise<Answered> => {
    fault({ device: 'D01', fault: 'garbage', variant, count: 1 });
    const answered = await get(simulator.port, '/D01/', options);
    t.match(await lastRow(), {
      status: 200,
      values: {},
      time_ms: null,
      faults: [`garbage:${variant}`],
    });
    return answered;
  };
  const isRow = ({ body }: Answered): boolean => {
    try {
      const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    } catch {
      return false;
    }
  };
  for (const variant of [
    'random_bytes',
    'truncated',
    'html',
    'empty',
    'array',
    'scalar',
    'nan',
    'invalid_utf8',
  ]) {
    const answered = await strike(variant);
    t.notOk(isRow(answered), variant);
    t.notOk(answered.isBroken, variant);
  }
  t.match((await strike('html')).headers['content-type'], 'text/html');
  const deep = await strike('deep');
  t.ok(deep.body.length > 40_000 && deep.body.includes('[[[[[[[['));
  const long = await strike('long_length');
  t.ok(long.isBroken, 'the connection ends before the length that was claimed');
  const short = await strike('short_length').catch((error: unknown) => error);
  t.ok(short instanceof Error || !isRow(short as Answered), 'half a row, or more than was claimed');
  const stalled = await strike('stall', { timeoutMs: 100 });
  t.ok(stalled.isBroken && !isRow(stalled));
  const huge = await strike('huge', { stopAfterBytes: 1024 * 1024 });
  t.ok(huge.body.length > 1024 * 1024, 'a client that has enough can leave');
  fault({ device: 'D01', fault: 'garbage', variant: 'huge', bytes: 300_000, count: 1 });
  const whole = await get(simulator.port, '/D01/');
  t.ok(whole.body.length >= 300_000 && whole.body.length < 400_000);
  fault({ device: 'D01', fault: 'garbage', variant: 'empty', count: 1 });
  await get(simulator.port, '/D01/');
  t.ok(isRow(await get(simulator.port, '/D01/')), 'afterwards it is well again');
});

t.test('every fault has been tried here', async (t) => {
  const source = (await import('node:fs')).readFileSync(import.meta.filename, 'utf8');
  const untried = Object.entries(faultKinds)
    .filter(([, kind]) => (kind.of as readonly string[]).includes('devices'))
    .flatMap(([name]) => [name, ...variantsOf('devices', name)])
    .filter((name) => !new RegExp(`'${name}'|variantsOf\\('devices', '${name}'`).test(source))
    .filter((name) => !variantsOf('devices', 'wrong_type').includes(name) && name !== 'seconds');
  t.same(untried, []);
});

t.test('faults are switched at run time, and wrong orders are refused', async (t) => {
  const { simulator, truth } = await start(t);
  const post = (body: string): Promise<Answered> =>
    get(simulator.port, '/_faults', { method: 'POST', body });
  const on = await post('{"device":"D04","fault":"500","on":true}');
  t.equal(on.status, 200);
  t.same(jsonOf(on), { items: [{ device: 'D04', fault: '500', on: true }] });
  t.equal((await get(simulator.port, '/D04/')).status, 500);
  t.same(jsonOf(await get(simulator.port, '/_faults')), jsonOf(on));
  await post('[{"device":"D04","fault":"500","on":false},{"device":"*","fault":"isFail"}]');
  t.equal(jsonOf(await get(simulator.port, '/D04/')).isFail, true);
  for (const body of [
    '',
    'no',
    '{}',
    '{"device":"D09","fault":"500"}',
    `"${'x'.repeat(20_000)}"`,
  ]) {
    const refused = await post(body);
    t.equal(refused.status, 400, body.slice(0, 40));
    t.type(jsonOf(refused).error, 'string');
  }
  t.equal((await get(simulator.port, '/_faults', { method: 'PUT' })).status, 405);
  const told = (await truth()).filter((entry) => entry.type === 'fault');
  t.match(told, [
    { device: 'D04', fault: '500', on: true },
    { device: 'D04', fault: '500', on: false },
    { device: '*', fault: 'isFail', on: true },
  ]);
});

t.test('a port that is taken', async (t) => {
  const { simulator } = await start(t);
  const second = startDevices({
    config: { ...loadDevicesConfig(sample), port: simulator.port },
    truth: { write() {}, writeAll() {}, close() {} },
    nowMs: Date.now,
    onError() {},
  });
  await t.rejects(second, { code: 'SIM_PORT_TAKEN', message: new RegExp(String(simulator.port)) });
});

t.test('without a truth file nothing is sent', async (t) => {
  const errors: string[] = [];
  let isFull = false;
  const simulator = await startDevices({
    config: { ...loadDevicesConfig(sample), port: 0 },
    truth: {
      write() {
        if (isFull) throw new Error('ENOSPC');
      },
      writeAll() {},
      close() {},
    },
    nowMs: Date.now,
    onError: (message) => errors.push(message),
  });
  t.teardown(() => simulator.close());
  isFull = true;
  await t.rejects(get(simulator.port, '/D01/'));
  t.same(errors, ['ENOSPC']);
  isFull = false;
  t.equal((await get(simulator.port, '/D01/')).status, 200);
});
