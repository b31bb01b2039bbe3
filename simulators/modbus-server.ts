/**
 * The Modbus TCP server of the simulator: frames in, frames out. Written from the specification (Modbus
 * Messaging on TCP/IP V1.0b) and not with the agent's library, so that a mistake there cannot cancel
 * itself out.
 *
 *   request:  transaction u16, protocol u16 = 0, length u16, unit u8, function u8, address u16, count u16
 *   response: transaction, 0, length, unit, function, byte count u8, data
 *   refusal:  transaction, 0, length, unit, function | 0x80, exception u8
 */

import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { listen } from './listen.ts';

/** By function code 1..4. */
export type ModbusTable = 'coil' | 'discrete' | 'holding' | 'input';

export interface ModbusRequest {
  unit: number;
  table: ModbusTable;
  address: number;
  count: number;
}

export type ModbusResponse =
  | { kind: 'words'; words: readonly number[] }
  | { kind: 'bits'; bits: readonly boolean[] }
  | { kind: 'exception'; code: number }
  /** Bytes instead of the frame. `mangle` gets the right frame. */
  | { kind: 'garbage'; of: ModbusResponse; mangle: (frame: Buffer) => Buffer }
  /** The connection is closed without an answer. */
  | { kind: 'close' };

/** Answers when it is time to; must not reject. `signal` aborts when the client has gone. */
export type ModbusHandler = (
  request: ModbusRequest,
  signal: AbortSignal,
) => Promise<ModbusResponse | undefined>;

export const ModbusException = {
  ILLEGAL_FUNCTION: 1,
  ILLEGAL_ADDRESS: 2,
  ILLEGAL_VALUE: 3,
  DEVICE_FAILURE: 4,
  NO_SUCH_UNIT: 11,
} as const;

const HEADER_BYTES = 7;
const FRAME_BYTES_MAX = 260;
const CONNECTIONS_MAX = 256;
const WAITING_BYTES_MAX = 64 * 1024;
const TABLES: readonly (ModbusTable | undefined)[] = [
  undefined,
  'coil',
  'discrete',
  'holding',
  'input',
];

export interface ModbusServer {
  port: number;
  close(): Promise<void>;
}

/** Throws SimError SIM_PORT_TAKEN. */
export async function startModbusServer(
  host: string,
  port: number,
  handler: ModbusHandler,
): Promise<ModbusServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const gone = new AbortController();
    socket.on('error', () => {});
    socket.once('close', () => {
      sockets.delete(socket);
      gone.abort();
    });
    serve(socket, handler, gone.signal).catch(() => socket.destroy());
  });
  server.maxConnections = CONNECTIONS_MAX;
  await listen(server, port, host);
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** One request at a time, in order, as real devices do. What is no Modbus ends the connection. */
async function serve(socket: Socket, handler: ModbusHandler, signal: AbortSignal): Promise<void> {
  let waiting: Buffer = Buffer.alloc(0);
  for await (const piece of socket) {
    waiting = Buffer.concat([waiting, piece as Buffer]);
    if (waiting.length > WAITING_BYTES_MAX) break;
    while (waiting.length >= HEADER_BYTES + 1) {
      const frameBytes = 6 + waiting.readUInt16BE(4);
      const isModbus = waiting.readUInt16BE(2) === 0 && frameBytes > HEADER_BYTES;
      if (!isModbus || frameBytes > FRAME_BYTES_MAX) {
        socket.destroy();
        return;
      }
      if (waiting.length < frameBytes) break;
      const frame = waiting.subarray(0, frameBytes);
      waiting = waiting.subarray(frameBytes);
      const response = await answer(frame, handler, signal);
      if (signal.aborted) return;
      if (response === undefined) {
        socket.destroy();
        return;
      }
      socket.write(response);
    }
  }
  socket.destroy();
}

/** The bytes to send; undefined: close. */
async function answer(
  frame: Buffer,
  handler: ModbusHandler,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  const unit = frame.readUInt8(6);
  const code = frame.readUInt8(7);
  const table = TABLES[code];
  if (table === undefined) return encode(frame, refuse(ModbusException.ILLEGAL_FUNCTION));
  if (frame.length < 12) return encode(frame, refuse(ModbusException.ILLEGAL_VALUE));
  const address = frame.readUInt16BE(8);
  const count = frame.readUInt16BE(10);
  const isBits = table === 'coil' || table === 'discrete';
  if (count < 1 || count > (isBits ? 2_000 : 125))
    return encode(frame, refuse(ModbusException.ILLEGAL_VALUE));
  if (address + count > 65_536) return encode(frame, refuse(ModbusException.ILLEGAL_ADDRESS));
  const response = await handler({ unit, table, address, count }, signal);
  return response === undefined ? undefined : encode(frame, response);
}

function refuse(code: number): ModbusResponse {
  return { kind: 'exception', code };
}

function encode(request: Buffer, response: ModbusResponse): Buffer | undefined {
  if (response.kind === 'close') return undefined;
  if (response.kind === 'garbage') {
    const frame = encode(request, response.of);
    return frame === undefined ? undefined : response.mangle(frame);
  }
  const code = request.readUInt8(7);
  if (response.kind === 'exception')
    return enclose(request, Buffer.from([code | 0x80, response.code]));
  if (response.kind === 'words') {
    const data = Buffer.alloc(2 + response.words.length * 2);
    data.writeUInt8(code, 0);
    data.writeUInt8(response.words.length * 2, 1);
    for (const [i, word] of response.words.entries()) data.writeUInt16BE(word, 2 + i * 2);
    return enclose(request, data);
  }
  const bytes = Math.ceil(response.bits.length / 8);
  const data = Buffer.alloc(2 + bytes);
  data.writeUInt8(code, 0);
  data.writeUInt8(bytes, 1);
  for (const [i, bit] of response.bits.entries()) {
    const at = 2 + (i >> 3);
    if (bit) data.writeUInt8(data.readUInt8(at) | (1 << (i & 7)), at);
  }
  return enclose(request, data);
}

function enclose(request: Buffer, pdu: Buffer): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + pdu.length);
  request.copy(frame, 0, 0, 4);
  frame.writeUInt16BE(1 + pdu.length, 4);
  frame.writeUInt8(request.readUInt8(6), 6);
  pdu.copy(frame, HEADER_BYTES);
  return frame;
}
