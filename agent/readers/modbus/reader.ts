/** Reads registers and bits of a Modbus TCP device. */

import { Quality } from '../../../proto/model.ts';
import type { PolledReader, ReaderOutput, SampledValue } from '../../types.ts';
import { ReaderFailure } from '../../types.ts';
import type { ReaderDeps, ReaderSpec, ReaderType } from '../spec.ts';
import { ConnectionLost, ModbusConnection, ModbusException } from './connection.ts';
import { answerBytes, decodeChannel } from './decode.ts';
import type { FunctionCode, ModbusChannel, ModbusOptions } from './options.ts';
import { checkOptions, readOptions } from './options.ts';
import type { Block } from './plan.ts';
import { blockOf, planBlocks } from './plan.ts';
import { channelSchema, deviceSchema } from './schema.ts';

/** Exceptions of a gateway that cannot reach the unit: no path, no answer. */
const UNREACHABLE = new Set([10, 11]);
/** Exceptions that say nothing about the address: acknowledge, busy, and the two above. */
const UNRELATED = new Set([5, 6, ...UNREACHABLE]);

class ModbusReader implements PolledReader {
  readonly kind = 'polled';
  readonly #options: ModbusOptions;
  #connection: ModbusConnection | undefined;
  #blocks: Block[];
  readonly #withoutGaps = new Set<FunctionCode>();
  readonly #alone = new Set<string>();

  constructor(spec: ReaderSpec) {
    this.#options = readOptions(spec);
    this.#blocks = this.#plan();
  }

  async poll(signal: AbortSignal): Promise<ReaderOutput> {
    const reading = new Reading();
    try {
      for (const block of this.#blocks) await this.#readBlock(block, reading, signal);
    } catch (error) {
      this.#drop();
      const failure = this.#describe(error);
      // What was read before the connection failed is worth having; nothing at all is a failure.
      if (reading.answers === 0) throw failure;
    }
    const values = this.#options.channels.map(({ name }) => reading.valueOf(name));
    return { samples: [{ sourceTimeMs: undefined, values }], rejects: [] };
  }

  async close(): Promise<void> {
    this.#drop();
  }

  async #readBlock(block: Block, reading: Reading, signal: AbortSignal): Promise<void> {
    if (reading.isUnreachable) return;
    const code = await this.#ask(block, reading, signal);
    if (code === undefined || block.channels.length === 1 || UNRELATED.has(code)) return;
    // One bad address must not cost its neighbours: ask for each, and remember which it was.
    for (const channel of block.channels) {
      const refused = await this.#ask(blockOf(channel), reading, signal);
      if (refused !== undefined && !UNRELATED.has(refused)) this.#alone.add(channel.name);
    }
    this.#withoutGaps.add(block.function);
    this.#blocks = this.#plan();
  }

  /** Answers the exception code, if it was one. */
  async #ask(block: Block, reading: Reading, signal: AbortSignal): Promise<number | undefined> {
    try {
      const bytes = await this.#request(block, reading, signal);
      reading.answers += 1;
      for (const channel of block.channels) {
        reading.take(channel, decodeChannel(bytes, block, channel));
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof ModbusException)) throw error;
      reading.answers += 1;
      if (UNREACHABLE.has(error.exceptionCode)) reading.isUnreachable = true;
      return error.exceptionCode;
    }
  }

  async #request(block: Block, reading: Reading, signal: AbortSignal): Promise<Buffer> {
    const { function: code, address, count } = block;
    const request = { unit: this.#options.unit, function: code, address, count };
    const kept = this.#connection?.isOpen === true && reading.answers === 0;
    let bytes: Buffer;
    try {
      bytes = await (await this.#connect(signal)).request(request, signal);
    } catch (error) {
      // Devices close idle connections; that shows when the kept one is used again.
      if (!kept || signal.aborted || !(error instanceof ConnectionLost)) throw error;
      this.#drop();
      bytes = await (await this.#connect(signal)).request(request, signal);
    }
    if (bytes.length >= answerBytes(block)) return bytes;
    throw new Error(`an answer of ${bytes.length} bytes instead of ${answerBytes(block)}`);
  }

  async #connect(signal: AbortSignal): Promise<ModbusConnection> {
    if (this.#connection?.isOpen !== true) {
      this.#drop();
      this.#connection = await ModbusConnection.open(this.#options, signal);
    }
    return this.#connection;
  }

  #drop(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  #plan(): Block[] {
    const lessons = { withoutGaps: this.#withoutGaps, alone: this.#alone };
    return planBlocks(this.#options.channels, this.#options, lessons);
  }

  #describe(error: unknown): ReaderFailure {
    if (error instanceof ReaderFailure) return error;
    const { host, port } = this.#options;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const message = error instanceof Error && error.message !== '' ? error.message : code;
    return new ReaderFailure(`${host}:${port}: ${message}`, { cause: error });
  }
}

/** What one poll has brought so far. */
class Reading {
  /** Answers of any kind, exceptions too: the device spoke. */
  answers = 0;
  /** The gateway says that the unit does not answer: the rest need not be asked. */
  isUnreachable = false;
  readonly #values = new Map<string, Omit<SampledValue, 'channel'>>();

  take(channel: ModbusChannel, value: Omit<SampledValue, 'channel'>): void {
    this.#values.set(channel.name, value);
  }

  valueOf(channel: string): SampledValue {
    const value = this.#values.get(channel);
    return { channel, ...(value ?? { value: null, quality: Quality.DEVICE_ERROR }) };
  }
}

export const modbusReader: ReaderType = {
  kind: 'polled',
  title: 'a Modbus TCP device',
  deviceSchema,
  channelSchema,
  channelsRequired: true,
  check: checkOptions,
  create: (spec: ReaderSpec, _deps: ReaderDeps) => new ModbusReader(spec),
};
