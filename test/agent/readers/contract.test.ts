import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import t from 'tap';
import { readers } from '../../../agent/readers/registry.ts';
import type { ReaderSpec } from '../../../agent/readers/spec.ts';
import type { PushedReader } from '../../../agent/types.ts';
import type { ModbusHandler, ModbusServer } from '../../../simulators/modbus-server.ts';
import { startModbusServer } from '../../../simulators/modbus-server.ts';
import type { ReaderHarness } from '../../contracts/reader.ts';
import { readerContract, realClock } from '../../contracts/reader.ts';

const deps = { clock: realClock, env: process.env };

/** Resolves when `read` gives `wanted`, or with what it gives after a minute. */
async function settled(read: () => number, wanted: number): Promise<number> {
  for (let i = 0; i < 6_000 && read() !== wanted; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return read();
}

async function openHttp(): Promise<ReaderHarness> {
  const sockets = new Set<Socket>();
  let body: string | undefined;
  const server = createServer((_, response) => {
    if (body !== undefined) response.end(body);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const say = async (text: string | undefined): Promise<void> => {
    body = text;
    if (!server.listening) await listen(port);
  };
  const vanish = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const spec: ReaderSpec = {
    device: 'D01',
    options: { url: `http://127.0.0.1:${port}/D01/` },
    channels: { a: {}, b: {} },
    timeoutMs: 1_000,
    baseDir: '/',
  };
  return {
    type: readers.http,
    create: () => readers.http.create(spec, deps),
    sayGood: () => say('{"a": 1.5, "b": 2}'),
    sayHalfBad: () => say('{"a": {"x": 1}, "b": 2}'),
    saySilence: () => say(undefined),
    vanish,
    held: (wanted) => settled(() => sockets.size, wanted),
    dispose: async () => {
      if (server.listening) await vanish();
    },
  };
}

async function openModbus(): Promise<ReaderHarness> {
  let handler: ModbusHandler = async () => ({ kind: 'close' });
  let active = 0;
  const relay: ModbusHandler = async (request, signal) => {
    if (!known.has(signal)) {
      known.add(signal);
      active += 1;
      signal.addEventListener('abort', () => {
        active -= 1;
      });
    }
    return handler(request, signal);
  };
  const known = new WeakSet<AbortSignal>();
  let server: ModbusServer | undefined = await startModbusServer('127.0.0.1', 0, relay);
  const { port } = server;
  const say = async (next: ModbusHandler): Promise<void> => {
    handler = next;
    server ??= await startModbusServer('127.0.0.1', port, relay);
  };
  const vanish = async (): Promise<void> => {
    await server?.close();
    server = undefined;
  };
  const wordAt = (address: number): number => (address === 0 ? 15 : address === 1 ? 2 : 0);
  const words: ModbusHandler = async ({ address, count }) => ({
    kind: 'words',
    words: Array.from({ length: count }, (_, i) => wordAt(address + i)),
  });
  const spec: ReaderSpec = {
    device: 'M01',
    options: { host: '127.0.0.1', port },
    channels: { a: { address: 0, scale: 0.1 }, b: { address: 1 } },
    // No answer is to be late: the source is in this process, and a silent one is left at the abort.
    timeoutMs: 60_000,
    baseDir: '/',
  };
  return {
    type: readers.modbus,
    create: () => readers.modbus.create(spec, deps),
    sayGood: () => say(words),
    sayHalfBad: () =>
      say(async (request, signal) =>
        request.address === 0 ? { kind: 'exception', code: 2 } : words(request, signal),
      ),
    saySilence: () => say(() => new Promise(() => {})),
    vanish,
    held: (wanted) => settled(() => active, wanted),
    dispose: vanish,
  };
}

/** Of all processes. */
function commandLines(): string[] {
  if (!existsSync('/proc/self/cmdline')) {
    return execFileSync('ps', ['-eo', 'args='], { encoding: 'utf8' }).split('\n');
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return '';
      }
    });
}

async function openCommand(): Promise<ReaderHarness> {
  const good = `
    const lines = '{"values":{"a":1.5,"b":2}}\\n'.repeat(500);
    const write = () => { while (process.stdout.write(lines)); };
    process.stdout.on('drain', write);
    write();`;
  const halfBad = 'setInterval(() => console.log(\'{"values":{"a":"x","b":2}}\'), 1)';
  let script = good;
  const marker = `fms-contract-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const running = (): number => commandLines().filter((line) => line.includes(marker)).length;
  // A life takes the script of its start, so that the source can change between two lives of one reader.
  const create: ReaderHarness['create'] = () => ({
    kind: 'pushed',
    run: (emit, signal) => {
      const reader = readers.command.create(
        {
          device: 'C01',
          options: { argv: [process.execPath, '-e', script, marker], stop_ms: 1_000 },
          channels: { a: {}, b: {} },
          timeoutMs: 1_000,
          baseDir: '/',
        },
        deps,
      );
      return (reader as PushedReader).run(emit, signal);
    },
  });
  const say = async (next: string): Promise<void> => {
    script = next;
  };
  return {
    type: readers.command,
    create,
    sayGood: () => say(good),
    sayHalfBad: () => say(halfBad),
    saySilence: () => say('setInterval(() => {}, 1000)'),
    vanish: () => say('console.error("no sensor"); process.exit(3)'),
    held: (wanted) => settled(running, wanted),
    dispose: async () => {},
  };
}

readerContract(t, 'http', openHttp);
readerContract(t, 'modbus', openModbus);
readerContract(t, 'command', openCommand);

t.test('every reader of the registry is in this file', async (t) => {
  t.same(Object.keys(readers).sort(), ['command', 'http', 'modbus']);
});
