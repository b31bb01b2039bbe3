/** Simulated FMS devices over HTTP: `GET /{DeviceId}/` answers a fresh row, `GET /` lists the devices. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Answer } from './answer.ts';
import { SimulatedDevice } from './answer.ts';
import type { DevicesConfig } from './config.ts';
import { answerControl, sendJson } from './control.ts';
import type { Strike } from './faults.ts';
import { FaultBoard } from './faults.ts';
import { listen } from './listen.ts';
import { Random } from './random.ts';
import { SignalSource } from './signal.ts';
import type { TruthRow, TruthSink } from './truth.ts';

export interface DeviceServerOptions {
  config: DevicesConfig;
  truth: TruthSink;
  /** UTC milliseconds. */
  nowMs: () => number;
  /** Says what only an operator can put right (the truth file cannot be written). */
  onError: (message: string) => void;
}

export interface RunningSimulator {
  /** The port that it listens on (the one that the system chose when 0 was asked for). */
  port: number;
  board: FaultBoard;
  /** Resolves when the port is free and no answer is under way. */
  close(): Promise<void>;
}

const SLOW_MS = 3_000;
const STALL_MS_MAX = 60_000;
const FILLER = Buffer.alloc(64 * 1024, 'x');

/** Starts listening. Throws SimError SIM_PORT_TAKEN. */
export async function startDevices(options: DeviceServerOptions): Promise<RunningSimulator> {
  const { config, truth, nowMs } = options;
  const startMs = nowMs();
  truth.write({ type: 'start', at_ms: startMs, seed: config.seed, kind: 'devices' });
  const board = new FaultBoard({
    simulator: 'devices',
    devices: new Map(config.devices.map((d) => [d.name, new Set(d.channels.keys())])),
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
  const devices = new Map(
    config.devices.map(({ name, channels }) => {
      const sources = new Map(
        [...channels].map(([channel, signal]) => [
          channel,
          new SignalSource(signal, new Random(config.seed, `${name}/${channel}`)),
        ]),
      );
      const random = new Random(config.seed, `${name} faults`);
      return [name, new SimulatedDevice(name, sources, random)];
    }),
  );
  const ending = new AbortController();
  const handler = new RequestHandler(devices, board, options, ending.signal);
  const server = createServer((request, response) => handler.handle(request, response));
  await listen(server, config.port, config.host);
  return {
    port: (server.address() as AddressInfo).port,
    board,
    close: () =>
      new Promise((resolve) => {
        ending.abort();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class RequestHandler {
  readonly #devices: ReadonlyMap<string, SimulatedDevice>;
  readonly #board: FaultBoard;
  readonly #options: DeviceServerOptions;
  readonly #ending: AbortSignal;

  constructor(
    devices: ReadonlyMap<string, SimulatedDevice>,
    board: FaultBoard,
    options: DeviceServerOptions,
    ending: AbortSignal,
  ) {
    this.#devices = devices;
    this.#board = board;
    this.#options = options;
    this.#ending = ending;
  }

  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#route(request, response).catch((error: unknown) => {
      this.#options.onError(error instanceof Error ? error.message : String(error));
      request.socket.destroy();
    });
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
    if (path === '/_faults') return answerControl(request, response, this.#board);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return sendJson(response, 405, { error: 'GET' });
    }
    if (path === '/') return sendJson(response, 200, { devices: [...this.#devices.keys()] });
    const device = this.#devices.get(deviceOf(path));
    if (device === undefined) return sendJson(response, 404, { error: 'unknown device' });
    const strikes = this.#board.strike(device.name, this.#options.nowMs());
    const slow = strikes.find((s) => s.order.fault === 'slow');
    if (slow !== undefined) await waitMs(slow.order.delay_ms ?? SLOW_MS, request, this.#ending);
    this.#answer(device, strikes, request, response);
  }

  /** Draws the sample only now, so that rows stay in the order of their times. */
  #answer(
    device: SimulatedDevice,
    strikes: readonly Strike[],
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const atMs = this.#options.nowMs();
    const answer = device.answer(atMs, strikes);
    const row: TruthRow = { ...answer.truth, at_ms: atMs };
    if (request.socket.destroyed) {
      this.#options.truth.write({ ...row, status: 0, values: {}, time_ms: null });
      return;
    }
    this.#options.truth.write(row);
    send(answer, request, response);
  }
}

function deviceOf(path: string): string {
  const name = path.replace(/^\/|\/$/g, '');
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function send(answer: Answer, request: IncomingMessage, response: ServerResponse): void {
  if (answer.status === 0) {
    request.socket.destroy();
    return;
  }
  const { body, claimedLength, padToBytes } = answer;
  if (padToBytes > 0) {
    sendHuge(answer, response);
    return;
  }
  if (answer.stall) {
    response.writeHead(200, { ...answer.headers, 'content-length': body.length });
    response.write(body.subarray(0, Math.floor(body.length / 2)));
    response.setTimeout(STALL_MS_MAX, () => request.socket.destroy());
    return;
  }
  if (claimedLength !== undefined) {
    // Below node's own HTTP, which would not send a wrong length.
    const type = answer.headers['content-type'] ?? 'application/json';
    const head = `HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${claimedLength}\r\n\r\n`;
    request.socket.end(Buffer.concat([Buffer.from(head), body]));
    return;
  }
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Sends filler at the client's pace until the size is reached or the client leaves. */
function sendHuge(answer: Answer, response: ServerResponse): void {
  response.writeHead(200, answer.headers);
  response.write(answer.body);
  let left = answer.padToBytes - answer.body.length;
  const pump = (): void => {
    while (left > 0 && !response.destroyed) {
      left -= FILLER.length;
      if (!response.write(FILLER)) {
        response.once('drain', pump);
        return;
      }
    }
    response.end('"}');
  };
  pump();
}

/** Resolves after the time, or sooner when the client leaves or the simulator ends. */
function waitMs(ms: number, request: IncomingMessage, ending: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      request.socket.off('close', done);
      ending.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    request.socket.once('close', done);
    ending.addEventListener('abort', done, { once: true });
  });
}
