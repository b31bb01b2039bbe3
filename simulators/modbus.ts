/** `fms-sim modbus`: simulated devices behind Modbus TCP, with values, faults and truth file like devices.ts. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { answerControl, sendJson } from './control.ts';
import type { RunningSimulator } from './devices.ts';
import type { Strike } from './faults.ts';
import { FaultBoard, modbusGarbageVariants } from './faults.ts';
import { listen } from './listen.ts';
import type { ModbusConfig, ModbusUnit, RegisterEntry } from './modbus-config.ts';
import type { ModbusRequest, ModbusResponse } from './modbus-server.ts';
import { ModbusException, startModbusServer } from './modbus-server.ts';
import { Random } from './random.ts';
import { encodeRegisters } from './registers.ts';
import { SignalSource } from './signal.ts';
import type { TruthRow, TruthSink } from './truth.ts';
import { DeviceValues } from './values.ts';

export interface ModbusOptions {
  config: ModbusConfig;
  truth: TruthSink;
  nowMs: () => number;
  onError: (message: string) => void;
}

export interface RunningModbus extends RunningSimulator {
  /** Port of `/_faults`; undefined when there is none. */
  controlPort: number | undefined;
}

const SLOW_MS = 3_000;

/** Starts listening. Throws SimError SIM_PORT_TAKEN. */
export async function startModbus(options: ModbusOptions): Promise<RunningModbus> {
  const { config, truth, nowMs } = options;
  const startMs = nowMs();
  truth.write({ type: 'start', at_ms: startMs, seed: config.seed, kind: 'modbus' });
  const board = new FaultBoard({
    simulator: 'modbus',
    devices: new Map(config.units.map((u) => [u.name, new Set(u.registers.map((r) => r.channel))])),
    random: new Random(config.seed, 'faults'),
    startMs,
    schedule: config.schedule,
    onChange: ({ device, fault, channel, on }) =>
      truth.write({
        type: 'fault',
        at_ms: nowMs(),
        device,
        fault,
        ...(channel === undefined ? {} : { channel }),
        on,
      }),
  });
  const units = new Map(
    config.units.map((unit) => [unit.unit, new SimulatedUnit(unit, config.seed, board, options)]),
  );
  const ending = new AbortController();
  const server = await startModbusServer(config.host, config.port, async (request, signal) => {
    const unit = units.get(request.unit);
    if (unit === undefined) return { kind: 'exception', code: ModbusException.NO_SUCH_UNIT };
    try {
      return await unit.answer(request, AbortSignal.any([signal, ending.signal]));
    } catch (error) {
      options.onError(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  });
  const control =
    config.controlPort === undefined
      ? undefined
      : createServer((request, response) => {
          if (request.url === '/_faults') void answerControl(request, response, board);
          else sendJson(response, 404, { error: '/_faults' });
        });
  try {
    if (control !== undefined) await listen(control, config.controlPort ?? 0, '127.0.0.1');
  } catch (error) {
    await server.close();
    throw error;
  }
  return {
    port: server.port,
    controlPort:
      control === undefined ? undefined : (control.address() as AddressInfo | null)?.port,
    board,
    close: async () => {
      ending.abort();
      control?.closeAllConnections();
      await Promise.all([
        server.close(),
        control && new Promise((resolve) => control.close(resolve)),
      ]);
    },
  };
}

/** One unit (one device): a register map whose values are drawn anew when they are read whole. */
class SimulatedUnit {
  readonly #unit: ModbusUnit;
  readonly #board: FaultBoard;
  readonly #options: ModbusOptions;
  readonly #random: Random;
  readonly #values: DeviceValues;
  /** What each register entry last held. */
  readonly #words = new Map<RegisterEntry, readonly number[]>();

  constructor(unit: ModbusUnit, seed: number | string, board: FaultBoard, options: ModbusOptions) {
    this.#unit = unit;
    this.#board = board;
    this.#options = options;
    this.#random = new Random(seed, `${unit.name} faults`);
    const sources = new Map<string, SignalSource>();
    for (const { channel, signal } of unit.registers) {
      if (signal === undefined) continue;
      sources.set(channel, new SignalSource(signal, new Random(seed, `${unit.name}/${channel}`)));
    }
    this.#values = new DeviceValues(sources, this.#random);
  }

  async answer(request: ModbusRequest, signal: AbortSignal): Promise<ModbusResponse> {
    const { nowMs, truth } = this.#options;
    const strikes = this.#board.strike(this.#unit.name, nowMs());
    const slow = strikes.find((s) => s.order.fault === 'slow');
    if (slow !== undefined) await sleep(slow.order.delay_ms ?? SLOW_MS, signal);
    const row: TruthRow = {
      type: 'row',
      at_ms: nowMs(),
      device: this.#unit.name,
      time_ms: null,
      values: {},
      faults: slow === undefined ? [] : ['slow'],
      status: 200,
    };
    const response = signal.aborted
      ? ({ kind: 'close' } as const)
      : this.#respond(request, strikes, row);
    if (response.kind === 'close') row.status = 0;
    if (response.kind === 'exception') {
      row.status = 500;
      row.body = `exception ${response.code}`;
    }
    truth.write(row);
    return response;
  }

  #respond(request: ModbusRequest, strikes: readonly Strike[], row: TruthRow): ModbusResponse {
    const touched = this.#unit.registers.filter((entry) => touches(entry, request));
    for (const { order } of strikes) {
      if (order.fault === 'dropout') {
        row.faults.push('dropout');
        return { kind: 'close' };
      }
      if (order.fault !== 'exception') continue;
      const { channel } = order;
      if (channel !== undefined && !touched.some((entry) => entry.channel === channel)) continue;
      row.faults.push(channel === undefined ? 'exception' : `exception:${channel}`);
      return { kind: 'exception', code: order.code ?? ModbusException.DEVICE_FAILURE };
    }
    const refused = this.#unit.exceptions.find((e) => overlaps(e, request));
    if (refused !== undefined) return { kind: 'exception', code: refused.code };
    if (!this.#unit.zeroGaps && !isCovered(request, touched))
      return { kind: 'exception', code: ModbusException.ILLEGAL_ADDRESS };
    const response = this.#read(request, touched, strikes, row);
    const garbage = strikes.find((s) => s.order.fault === 'garbage');
    if (garbage === undefined) return response;
    const variant = garbage.order.variant ?? this.#random.pick(modbusGarbageVariants);
    row.faults.push(`garbage:${variant}`);
    row.values = {};
    return { kind: 'garbage', of: response, mangle: (frame) => this.#mangle(frame, variant) };
  }

  #mangle(frame: Buffer, variant: string): Buffer {
    if (variant === 'random_bytes') return this.#random.bytes(frame.length);
    if (variant === 'truncated') return frame.subarray(0, frame.length - 1);
    frame.writeUInt16BE((frame.readUInt16BE(0) + 1) & 0xffff, 0);
    return frame;
  }

  #read(
    request: ModbusRequest,
    touched: readonly RegisterEntry[],
    strikes: readonly Strike[],
    row: TruthRow,
  ): ModbusResponse {
    const fresh = touched.filter((entry) => isWhole(entry, request) || !this.#words.has(entry));
    const drawn = this.#values.draw(
      strikes,
      row.faults,
      fresh.map((entry) => entry.channel),
    );
    for (const entry of fresh) {
      const value = (drawn.get(entry.channel) ?? entry.text) as number | boolean | string;
      const encoded = encodeRegisters(value, entry.format);
      this.#words.set(entry, encoded.words);
      if (isWhole(entry, request)) row.values[entry.channel] = encoded.value;
    }
    const words = new Array<number>(request.count).fill(0);
    for (const entry of touched) {
      for (const [i, word] of (this.#words.get(entry) ?? []).entries()) {
        const at = entry.address + i - request.address;
        // Several bools may share a register, a bit each.
        if (at >= 0 && at < request.count) words[at] = (words[at] ?? 0) | word;
      }
    }
    if (request.table === 'holding' || request.table === 'input') return { kind: 'words', words };
    return { kind: 'bits', bits: words.map((word) => word !== 0) };
  }
}

function touches(entry: RegisterEntry, request: ModbusRequest): boolean {
  return overlaps({ table: entry.table, address: entry.address, count: entry.count }, request);
}

function overlaps(
  range: { table: string; address: number; count: number },
  request: ModbusRequest,
): boolean {
  if (range.table !== request.table) return false;
  const isBefore = range.address + range.count <= request.address;
  return !isBefore && range.address < request.address + request.count;
}

function isWhole(entry: RegisterEntry, request: ModbusRequest): boolean {
  const end = request.address + request.count;
  return entry.address >= request.address && entry.address + entry.count <= end;
}

function isCovered(request: ModbusRequest, entries: readonly RegisterEntry[]): boolean {
  const isMapped = new Array<boolean>(request.count).fill(false);
  for (const entry of entries) {
    for (let i = 0; i < entry.count; i++) {
      const at = entry.address + i - request.address;
      if (at >= 0 && at < request.count) isMapped[at] = true;
    }
  }
  return isMapped.every((mapped) => mapped);
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done, { once: true });
  });
}
