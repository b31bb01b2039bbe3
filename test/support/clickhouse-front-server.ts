/**
 * Answers over HTTP(S) as a ClickHouse server does, for what the collector sends; see clickhouse-front.ts.
 * Runs in a process of its own.
 */

import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { FrontEngine } from './clickhouse-front-engine.ts';
import type { Fault, FrontStatus } from './clickhouse-front-faults.ts';
import { ERROR_NAMES, Faults } from './clickhouse-front-faults.ts';
import type { FrontUser } from './clickhouse-front-request.ts';
import { readRequest, userOf } from './clickhouse-front-request.ts';

export interface FrontServerOptions {
  folder: string;
  /** 0: any. */
  port: number;
  users: Record<string, FrontUser>;
  /** Files in PEM. With `clientCa` only clients with a certificate of it are let in. */
  tls: { cert: string; key: string; clientCa?: string } | undefined;
}

const VERSION = '26.7.2.1';
/** As ClickHouse's: room for long lists of parameters. */
const URI_MAX = 1_048_576;
const SLICE_BYTES = 64 * 1024;

export class FrontServer {
  readonly #options: FrontServerOptions;
  readonly #engine: FrontEngine;
  readonly #faults = new Faults();
  readonly #bodies: string;
  #server: Server | undefined;
  #port: number;
  #control: Server | undefined;
  #files = 0;
  #statements = 0;
  #inserts = 0;

  constructor(options: FrontServerOptions) {
    this.#options = options;
    this.#port = options.port;
    this.#bodies = join(options.folder, 'bodies');
    rmSync(this.#bodies, { recursive: true, force: true });
    mkdirSync(this.#bodies, { recursive: true });
    this.#engine = new FrontEngine(options.folder);
  }

  async start(controlPort: number): Promise<{ port: number; control: number }> {
    await this.#listen();
    this.#control = createServer((request, response) => {
      this.#controlled(request, response).catch((error: unknown) => {
        response.writeHead(400).end(String(error));
      });
    });
    return { port: this.#port, control: await listen(this.#control, controlPort) };
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) return;
    const { tls } = this.#options;
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      this.#answer(request, response).catch((error: unknown) => fail(response, error));
    };
    const limits = { maxHeaderSize: URI_MAX, keepAliveTimeout: 10_000, requestTimeout: 0 };
    this.#server =
      tls === undefined
        ? createServer(limits, answer)
        : createTlsServer(
            {
              ...limits,
              cert: readFileSync(tls.cert),
              key: readFileSync(tls.key),
              ...(tls.clientCa === undefined
                ? {}
                : { ca: readFileSync(tls.clientCa), requestCert: true, rejectUnauthorized: true }),
            },
            answer,
          );
    this.#port = await listen(this.#server, this.#port);
  }

  /** Connections that are open are cut. */
  async #refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    server?.closeAllConnections();
    await new Promise((resolve) => (server === undefined ? resolve(0) : server.close(resolve)));
  }

  async #controlled(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const path = request.url ?? '';
    if (path === '/_fault' && request.method === 'POST')
      this.#faults.add(JSON.parse(text) as Fault);
    else if (path === '/_fault' && request.method === 'DELETE') this.#faults.clear();
    else if (path === '/_release') this.#faults.release();
    else if (path === '/_refuse') await this.#refuse();
    else if (path === '/_listen') await this.#listen();
    else if (path !== '/_status') throw new Error(`no such path: ${path}`);
    const status: FrontStatus = {
      statements: this.#statements,
      inserts: this.#inserts,
      held: this.#faults.held,
      struck: this.#faults.struck,
      faults: this.#faults.list(),
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(status));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/_')) return this.#controlled(request, response);
    if (request.url === '/ping') return void response.end('Ok.\n');
    const { name, user } = userOf(request, this.#options.users);
    if (user === undefined) {
      request.resume();
      throw codeError(
        516,
        `${name}: Authentication failed: password is incorrect, or there is no user with such name`,
      );
    }
    const early = this.#faults.take(statementIn(request) ?? '\u0000');
    if (early?.kind === 'cut') {
      request.once('data', () => request.destroy());
      return;
    }
    const file = join(this.#bodies, `${this.#files++}.body`);
    try {
      const read = await readRequest(request, file);
      this.#statements++;
      if (user.readonly) {
        if (read.settings.size > 0) throw codeError(164, `Cannot modify setting in readonly mode`);
        read.settings.set('readonly', '1');
      }
      const fault =
        early ?? (statementIn(request) === undefined ? this.#faults.take(read.query) : undefined);
      if (fault?.kind === 'cut') return void request.destroy();
      if (fault?.kind === 'unavailable') {
        response
          .writeHead(503, { 'content-type': 'text/html' })
          .end('<h1>Service Unavailable</h1>');
        return;
      }
      if (fault?.kind === 'error')
        throw codeError(fault.code ?? 252, fault.message ?? 'as the test wants it');
      if (fault?.kind === 'held') await this.#faults.hold(fault.delayMs);
      const slowMs = fault?.kind === 'slow' ? (fault.delayMs ?? 1_000) : 0;
      const result = await this.#engine.run({ ...read, slowMs });
      if (read.bodyFile !== undefined) this.#inserts++;
      if (fault?.kind === 'late') await delay(fault.delayMs ?? 1_000);
      if (fault?.kind === 'lost') return void request.socket.destroy();
      await send(response, result, read.queryId, fault?.kind === 'cut-answer');
    } finally {
      await unlink(file).catch(() => undefined);
    }
  }
}

/** The statement, if the URL has it. */
function statementIn(request: IncomingMessage): string | undefined {
  return new URL(request.url ?? '/', 'http://front').searchParams.get('query') ?? undefined;
}

async function send(
  response: ServerResponse,
  result: Buffer,
  queryId: string,
  isCut: boolean,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'application/octet-stream',
    'x-clickhouse-query-id': queryId,
    'x-clickhouse-server-display-name': 'front',
    'x-clickhouse-summary': '{"read_rows":"0"}',
  });
  const end = isCut ? Math.ceil(result.length / 2) : result.length;
  for (let at = 0; at < end; at += SLICE_BYTES) {
    if (response.destroyed) return;
    if (!response.write(result.subarray(at, Math.min(at + SLICE_BYTES, end))))
      await new Promise((resolve) => {
        response.once('drain', resolve);
        response.once('close', resolve);
      });
  }
  if (isCut) response.destroy();
  else response.end();
}

function codeError(code: number, what: string): Error {
  return new Error(
    `Code: ${code}. DB::Exception: ${what}. (${ERROR_NAMES[code] ?? 'UNKNOWN_ERROR'})`,
  );
}

/** Status, header and text as ClickHouse has them. */
function fail(response: ServerResponse, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  const code = /^Code: (\d+)/.exec(text)?.[1] ?? '1002';
  if (response.headersSent || response.destroyed) return void response.destroy();
  response.writeHead(statusOf(Number(code)), {
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-exception-code': code,
    'x-clickhouse-server-display-name': 'front',
  });
  response.end(`${text} (version ${VERSION} (official build))\n`);
}

function statusOf(code: number): number {
  if (code === 194) return 401;
  if (code === 192 || code === 193 || code === 516) return 403;
  if (code === 46 || code === 47 || code === 60 || code === 81) return 404;
  if (code === 62) return 400;
  if (code === 159) return 408;
  return code === 209 ? 503 : 500;
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return (server.address() as AddressInfo).port;
}
