/**
 * Answers over HTTP as a ClickHouse server does, for programs that speak to one: the official clients and Grafana's
 * plug-in. Read only, through the same gate as the API (collector/query). What it is not: docs/decisions/0029.
 */

import { randomUUID } from 'node:crypto';
import type {
  IncomingMessage,
  RequestListener,
  Server,
  ServerOptions,
  ServerResponse,
} from 'node:http';
import { createServer as createPlainServer } from 'node:http';
import { promisify } from 'node:util';
import { brotliCompress, deflate, gzip, zstdCompress } from 'node:zlib';
import type { PeopleQueries, PersonAnswer } from '../query/people.ts';
import { PERSON_THREADS } from '../query/people.ts';
import type { AskLimits } from '../store/asking.ts';
import type { Callers } from './callers.ts';
import { credentialsOf } from './callers.ts';
import { exceptionOf, ServerException } from './exception.ts';
import { allowedFormat, contentTypeOf, FORMAT_DEFAULT } from './formats.ts';
import type { Engine } from './hello.ts';
import { helloBlock, isHello } from './hello.ts';
import type { ServerRequest } from './request.ts';
import { readRequest } from './request.ts';

const CONNECTIONS_MAX = 256;
/** For the request, without its answer. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the official clients keep an idle connection. */
const KEEP_ALIVE_MS = 10_000;
const QUERY_ID = /^[\w.:-]{1,128}$/;
/** Clients name it when they were told of none. */
const DATABASE_DEFAULT = 'default';

const LIMITS: AskLimits = {
  timeoutMs: 60_000,
  maxMemoryBytes: 384 * 2 ** 20,
  maxResultBytes: 64 * 2 ** 20,
  maxThreads: PERSON_THREADS,
};
/** Over it: an exception, as a server that is set so does. */
const RESULT_ROWS_MAX = 1_000_000;

const SERVER_HEADERS: Record<string, string> = {
  'x-clickhouse-server-display-name': 'fms-collector',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
};

const PACKERS: Readonly<Record<string, (bytes: Buffer) => Promise<Buffer>>> = {
  gzip: (bytes) => promisify(gzip)(bytes, { level: 3 }),
  deflate: (bytes) => promisify(deflate)(bytes, { level: 3 }),
  br: (bytes) => promisify(brotliCompress)(bytes, { params: { 1: 3 } }),
  zstd: (bytes) => promisify(zstdCompress)(bytes),
};

export interface ClickHouseHttpParts {
  people: Pick<PeopleQueries, 'run' | 'asking'>;
  callers: Pick<Callers, 'authenticate'>;
  /** Defects are told here, once each. */
  onDefect: (error: unknown, path: string) => void;
  /** In place of node:http's, for TLS. */
  createServer?: (options: ServerOptions, handler: RequestListener) => Server;
}

export class ClickHouseHttp {
  readonly #parts: ClickHouseHttpParts;
  readonly #server: Server;
  #engine: Promise<Engine> | undefined;

  constructor(parts: ClickHouseHttpParts) {
    this.#parts = parts;
    const { createServer = createPlainServer } = parts;
    this.#server = createServer(
      {
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_MS,
        maxHeaderSize: 262_144,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** Rejects as Server.listen does. */
  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** What is under way is cut off, and ended in the engine. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    try {
      await this.#route(request, response, path);
    } catch (error) {
      const { exception, unexpected } = exceptionOf(error);
      if (unexpected) this.#parts.onDefect(error, path);
      refuse(response, exception);
    }
    // A body that nobody reads would keep the connection busy.
    request.resume();
  }

  async #route(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { method = 'GET' } = request;
    if (!['GET', 'HEAD', 'POST'].includes(method))
      throw new ServerException(48, `method ${method} is not known here (NOT_IMPLEMENTED)`);
    if (path === '/ping' || path === '/replicas_status') return say(response, 'Ok.\n');
    if (path !== '/')
      throw new ServerException(
        60,
        `There is no handle ${path.slice(0, 100)} here (UNKNOWN_TABLE)`,
        404,
      );
    const url = new URL(request.url ?? '/', 'http://clickhouse');
    if (method !== 'POST' && !url.searchParams.has('query')) return say(response, 'Ok.\n');
    const from = request.socket.remoteAddress ?? '';
    const who = await this.#parts.callers.authenticate(credentialsOf(request), from);
    const asked = await readRequest(request, url);
    this.#checkDatabase(asked.database);
    const id = queryIdOf(asked.queryId);
    if (isHello(asked.sql)) return await this.#sayHello(response, asked, id);
    const settings = new Map([['max_result_rows', String(RESULT_ROWS_MAX)]]);
    const answer = await this.#parts.people.run({
      id,
      who,
      from,
      via: 'clickhouse_http',
      sql: asked.sql,
      params: asked.params,
      settings: asked.settings,
      limits: LIMITS,
      formatOf: (named) => allowedFormat(named ?? asked.defaultFormat ?? FORMAT_DEFAULT),
      fixed: (given) => new Map([...settings, ...given, ['max_result_rows', rowsOf(given)]]),
      signal: goneSignal(response),
    });
    await this.#send(request, response, asked, id, answer);
  }

  #checkDatabase(database: string | undefined): void {
    const known = [undefined, '', DATABASE_DEFAULT, this.#parts.people.asking.database];
    if (!known.includes(database))
      throw new ServerException(
        81,
        `Database ${database?.slice(0, 64)} does not exist. (UNKNOWN_DATABASE)`,
      );
  }

  async #sayHello(response: ServerResponse, asked: ServerRequest, id: string): Promise<void> {
    const engine = await this.#engineOf();
    const isNative = asked.defaultFormat === 'Native';
    const body = isNative
      ? helloBlock(engine, asked.protocolVersion)
      : Buffer.from(`fms-collector\t${engine.version}\t0\t${engine.timeZone}\n`);
    const format = isNative ? 'Native' : FORMAT_DEFAULT;
    response.writeHead(200, {
      ...SERVER_HEADERS,
      ...answerHeaders(id, format, engine.timeZone),
      'content-length': body.length,
    });
    response.end(body);
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    asked: ServerRequest,
    id: string,
    answer: PersonAnswer,
  ): Promise<void> {
    const timeZone = asked.settings.get('session_timezone') ?? (await this.#engineOf()).timeZone;
    const encoding = asked.compresses ? encodingOf(request.headers['accept-encoding']) : undefined;
    const packer = encoding === undefined ? undefined : PACKERS[encoding];
    const body = packer === undefined ? answer.body : await packer(answer.body);
    response.writeHead(200, {
      ...SERVER_HEADERS,
      ...answerHeaders(id, answer.format, timeZone),
      'x-clickhouse-summary': summaryOf(answer),
      'content-length': body.length,
      ...(packer && { 'content-encoding': encoding, vary: 'accept-encoding' }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  }

  /** Asked once. */
  #engineOf(): Promise<Engine> {
    this.#engine ??= this.#askEngine().catch((error: unknown) => {
      this.#engine = undefined;
      throw error;
    });
    return this.#engine;
  }

  async #askEngine(): Promise<Engine> {
    const { answer } = this.#parts.people.asking.ask({
      sql: 'SELECT version(), timezone()',
      params: new Map(),
      settings: new Map(),
      format: 'TabSeparatedRaw',
      limits: LIMITS,
      tables: [],
    });
    const [version = '', timeZone = 'UTC'] = (await answer).body
      .toString('utf8')
      .trim()
      .split('\t');
    return { version, timeZone };
  }
}

function answerHeaders(id: string, format: string, timeZone: string): Record<string, string> {
  return {
    'content-type': contentTypeOf(format),
    'x-clickhouse-query-id': id,
    'x-clickhouse-format': format,
    'x-clickhouse-timezone': timeZone,
  };
}

function say(response: ServerResponse, text: string): void {
  response.writeHead(200, { ...SERVER_HEADERS, 'content-type': 'text/html; charset=UTF-8' });
  response.end(text);
}

function refuse(response: ServerResponse, exception: ServerException): void {
  // Nothing of an answer is sent before all of it is there: this cannot come too late, but the caller may be gone.
  if (response.headersSent || response.destroyed) return void response.destroy();
  const { code, status, text, retryAfterSeconds } = exception;
  response.writeHead(status, {
    ...SERVER_HEADERS,
    'content-type': 'text/plain; charset=UTF-8',
    'x-clickhouse-exception-code': String(code),
    ...(retryAfterSeconds !== undefined && { 'retry-after': String(retryAfterSeconds) }),
  });
  response.end(text);
}

/** Numbers are texts there, as a server has them. */
function summaryOf({ readRows, readBytes, elapsedMs, body }: PersonAnswer): string {
  return JSON.stringify({
    read_rows: String(readRows),
    read_bytes: String(readBytes),
    written_rows: '0',
    written_bytes: '0',
    total_rows_to_read: '0',
    result_rows: '0',
    result_bytes: String(body.length),
    elapsed_ns: String(Math.round(elapsedMs * 1e6)),
  });
}

function queryIdOf(given: string | undefined): string {
  if (given === undefined || given === '') return randomUUID();
  if (!QUERY_ID.test(given))
    throw new ServerException(
      36,
      'query_id takes letters, digits, . : _ and -, up to 128 (BAD_ARGUMENTS)',
    );
  return given;
}

function rowsOf(settings: ReadonlyMap<string, string>): string {
  const own = Number(settings.get('max_result_rows') ?? 0);
  return String(own > 0 ? Math.min(own, RESULT_ROWS_MAX) : RESULT_ROWS_MAX);
}

/** The first of ours that the caller takes; a server has this order too. */
function encodingOf(accepted: string | string[] | undefined): string | undefined {
  const names = (accepted?.toString() ?? '')
    .toLowerCase()
    .split(',')
    .filter((one) => !/;\s*q=0(\.0*)?\s*$/.test(one))
    .map((one) => one.split(';')[0]?.trim() ?? '');
  return ['br', 'zstd', 'gzip', 'deflate'].find((name) => names.includes(name));
}

/** Aborts when the caller goes away before it has its answer. */
function goneSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort();
  });
  return controller.signal;
}
