/** One TCP connection to a Modbus device, over the modbus-serial package. */

import { Socket } from 'node:net';
import type modbus from 'modbus-serial';
import type { FunctionCode } from './options.ts';

/** The device answered with an exception. */
export class ModbusException extends Error {
  readonly exceptionCode: number;
  constructor(exceptionCode: number, message: string) {
    super(message);
    this.name = 'ModbusException';
    this.exceptionCode = exceptionCode;
  }
}

/** The other side closed the connection, perhaps long ago. */
export class ConnectionLost extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConnectionLost';
  }
}

type Client = InstanceType<typeof modbus.default>;

export interface Request {
  unit: number;
  function: FunctionCode;
  address: number;
  count: number;
}

const KEEPALIVE_MS = 30_000;

/**
 * The socket is ours: the package neither tells a pending request that its connection has gone nor
 * bounds connecting. One request at a time. After any error but a ModbusException it must be closed.
 */
export class ModbusConnection {
  readonly #socket: Socket;
  readonly #client: Client;
  /** Rejects the pending request. */
  #fail: ((error: Error) => void) | undefined;

  private constructor(socket: Socket, client: Client) {
    this.#socket = socket;
    this.#client = client;
    const fail = (message: string): void => this.#fail?.(new ConnectionLost(message));
    socket.on('error', (error) => fail(error.message));
    socket.on('end', () => fail('the device closed the connection'));
    socket.on('close', () => fail('the connection was closed'));
  }

  /** Rejects with the socket's error or the signal's reason. */
  static async open(
    target: { host: string; port: number; requestTimeoutMs: number },
    signal: AbortSignal,
  ): Promise<ModbusConnection> {
    const client = await createClient();
    const socket = new Socket();
    try {
      await connect(socket, target, signal);
      socket.setNoDelay(true);
      socket.setKeepAlive(true, KEEPALIVE_MS);
      await client.linkTCP(socket, { port: target.port });
      // After linkTCP, which would set it as the socket's idle timeout too.
      client.setTimeout(target.requestTimeoutMs);
      return new ModbusConnection(socket, client);
    } catch (error) {
      socket.destroy();
      throw signal.aborted ? signal.reason : error;
    }
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.readable && this.#socket.writable;
  }

  /** The bytes of the answer: packed bits, or registers high byte first. */
  async request(request: Request, signal: AbortSignal): Promise<Buffer> {
    const abort = (): void => this.close();
    signal.addEventListener('abort', abort);
    try {
      if (signal.aborted) throw signal.reason;
      return await new Promise<Buffer>((resolve, reject) => {
        this.#fail = reject;
        this.#send(request, (error, answer) => {
          if (error) reject(translateError(error));
          else resolve(answer.buffer);
        });
      });
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    } finally {
      this.#fail = undefined;
      signal.removeEventListener('abort', abort);
    }
  }

  close(): void {
    // destroy(), not close(): it clears the timer of a pending request.
    this.#client.destroy(() => {});
    this.#socket.destroy();
    this.#fail?.(new ConnectionLost('the connection was closed'));
  }

  #send(
    { unit, function: code, address, count }: Request,
    done: (error: unknown, answer: { buffer: Buffer }) => void,
  ): void {
    const client = this.#client;
    if (code === 1) client.writeFC1(unit, address, count, done);
    else if (code === 2) client.writeFC2(unit, address, count, done);
    else if (code === 3) client.writeFC3(unit, address, count, done);
    else client.writeFC4(unit, address, count, done);
  }
}

function connect(
  socket: Socket,
  { host, port }: { host: string; port: number },
  signal: AbortSignal,
): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    // Kept for the socket's life: an error without a listener would end the program.
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('the connection was closed')));
    const abort = (): void => {
      socket.destroy();
    };
    signal.addEventListener('abort', abort);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      resolve();
    });
    socket.once('close', () => signal.removeEventListener('abort', abort));
    if (signal.aborted) abort();
    else socket.connect({ host, port });
  });
}

/** Loaded when the first device needs it: it takes 40 ms and 15 MB that other agents do without. */
async function createClient(): Promise<Client> {
  const { default: Modbus } = await import('modbus-serial');
  return new Modbus.default();
}

/** The package's errors are not all Errors; an exception has `modbusCode`. */
function translateError(error: unknown): Error {
  const { modbusCode, message } = error as { modbusCode?: number; message?: string };
  const text = typeof message === 'string' && message !== '' ? message : String(error);
  return modbusCode === undefined
    ? new Error(text, { cause: error })
    : new ModbusException(modbusCode, text);
}
