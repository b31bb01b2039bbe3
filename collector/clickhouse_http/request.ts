/** Reads a request as a ClickHouse server does: address, headers, body. */

import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';
import { ServerException } from './exception.ts';

/** Of a statement with its parameters, unpacked. */
const BODY_BYTES_MAX = 1_048_576;

export interface ServerRequest {
  sql: string;
  /** Undefined: the one that the collector uses. */
  database: string | undefined;
  /** Undefined: the server's own. */
  defaultFormat: string | undefined;
  queryId: string | undefined;
  /** Without `param_`. */
  params: Map<string, string>;
  settings: Map<string, string>;
  compresses: boolean;
  /** 0: not said. */
  protocolVersion: number;
}

/** Of the HTTP interface; all others are settings. */
const OWN = new Set(['query', 'query_id', 'database', 'default_format', 'quota_key', 'stacktrace']);

export async function readRequest(request: IncomingMessage, url: URL): Promise<ServerRequest> {
  const fields = new Map(url.searchParams);
  if (fields.has('user') || fields.has('password'))
    throw new ServerException(
      516,
      'user and password in the address are not taken, for addresses are written into logs: use the headers (AUTHENTICATION_FAILED)',
    );
  const form = formOf(request);
  const body = await readBody(request);
  let text = body;
  if (form !== undefined) {
    text = '';
    for (const [name, value] of partsOf(body, form)) fields.set(name, value);
  }
  refuseUnknownWays(fields);
  const said = fields.get('query') ?? '';
  const header = (name: string): string | undefined => request.headers[name]?.toString();
  return {
    // A statement in the address goes on in the body.
    sql: said !== '' && text !== '' ? `${said}\n${text}` : said + text,
    database: fields.get('database') ?? header('x-clickhouse-database'),
    defaultFormat: fields.get('default_format') ?? header('x-clickhouse-format'),
    queryId: fields.get('query_id') ?? header('x-clickhouse-query-id'),
    params: new Map(
      [...fields]
        .filter(([name]) => name.startsWith('param_'))
        .map(([name, value]) => [name.slice('param_'.length), value]),
    ),
    settings: new Map([...fields].filter(([name]) => !OWN.has(name) && !name.startsWith('param_'))),
    compresses: fields.get('enable_http_compression') === '1',
    protocolVersion: Number(fields.get('client_protocol_version') ?? 0) || 0,
  };
}

/** What would need a state between requests, or the engine's own wire format. */
function refuseUnknownWays(fields: Map<string, string>): void {
  if (fields.has('session_id'))
    throw new ServerException(
      48,
      'sessions are not kept here: leave out session_id (NOT_IMPLEMENTED)',
    );
  for (const name of ['compress', 'decompress']) {
    if (['1', 'true'].includes(fields.get(name) ?? ''))
      throw new ServerException(
        48,
        `${name}=1 is not known here: use enable_http_compression with gzip, br, zstd or deflate (NOT_IMPLEMENTED)`,
      );
    fields.delete(name);
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  if (request.method !== 'POST') return '';
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of unpacked(request) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX)
        throw new ServerException(
          161,
          `the request is larger than ${BODY_BYTES_MAX} bytes (QUERY_IS_TOO_LARGE)`,
          413,
        );
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof ServerException) throw error;
    throw new ServerException(354, 'the body cannot be unpacked (ZLIB_INFLATE_FAILED)', 400);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function unpacked(request: IncomingMessage): Readable {
  const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? '';
  switch (encoding) {
    case '':
    case 'identity':
      return request;
    case 'gzip':
      return request.pipe(createGunzip());
    case 'deflate':
      return request.pipe(createInflate());
    case 'br':
      return request.pipe(createBrotliDecompress());
    case 'zstd':
      return request.pipe(createZstdDecompress());
    default:
      throw new ServerException(
        48,
        `content-encoding ${encoding} is not known here (NOT_IMPLEMENTED)`,
      );
  }
}

function formOf({ headers }: IncomingMessage): string | undefined {
  const type = headers['content-type'] ?? '';
  if (!/^multipart\/form-data\b/i.test(type)) return undefined;
  const boundary = /boundary="?([^";]{1,200})"?/.exec(type)?.[1];
  if (boundary === undefined)
    throw new ServerException(36, 'multipart/form-data without a boundary (BAD_ARGUMENTS)');
  return boundary;
}

/** multipart/form-data: fields only. Files would be tables of the request, which are not taken. */
function partsOf(body: string, boundary: string): [name: string, value: string][] {
  const found: [string, string][] = [];
  for (const part of body.split(`--${boundary}`)) {
    const start = part.indexOf('\r\n\r\n');
    const head = part.slice(0, Math.max(0, start));
    const name = /[; ]name="([^"\r\n]*)"/.exec(head)?.[1];
    if (start < 0 || name === undefined) continue;
    if (/filename="/.test(head))
      throw new ServerException(
        48,
        'tables that come with a request are not taken (NOT_IMPLEMENTED)',
      );
    found.push([name, part.slice(start + 4).replace(/\r\n$/, '')]);
  }
  return found;
}
