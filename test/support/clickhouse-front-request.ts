/** Reads what @clickhouse/client sends, as a ClickHouse server does: URL, headers, body. */

import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';

export interface FrontRequest {
  query: string;
  database: string | undefined;
  settings: Map<string, string>;
  params: Map<string, string>;
  format: string;
  queryId: string;
  /** With a statement in the URL: what came behind it. */
  bodyFile: string | undefined;
}

/** Of the HTTP interface, not of the engine. */
const HTTP_ONLY = new Set([
  'wait_end_of_query',
  'buffer_size',
  'http_response_buffer_size',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'enable_http_compression',
  'http_write_exception_in_output_format',
  'role',
  'session_id',
  'session_timeout',
  'user',
  'password',
  'query_id',
  'query',
  'database',
  'default_format',
]);

/** The body goes into `file` if the statement is in the URL and data follow. */
export async function readRequest(request: IncomingMessage, file: string): Promise<FrontRequest> {
  const url = new URL(request.url ?? '/', 'http://front');
  const read: FrontRequest = {
    query: url.searchParams.get('query') ?? '',
    database: url.searchParams.get('database') ?? undefined,
    settings: new Map(),
    params: new Map(),
    format: url.searchParams.get('default_format') ?? 'TabSeparated',
    queryId: url.searchParams.get('query_id') ?? '',
    bodyFile: undefined,
  };
  for (const [name, value] of url.searchParams) {
    if (name.startsWith('param_')) read.params.set(name.slice('param_'.length), value);
    else if (!HTTP_ONLY.has(name)) read.settings.set(name, value);
  }
  if (read.query !== '' && request.method === 'POST') {
    await toFile(request, file);
    read.bodyFile = file;
    return read;
  }
  if (request.method !== 'POST') return read;
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const body = Buffer.concat(chunks).toString();
  const boundary = /boundary=(.+)$/.exec(request.headers['content-type'] ?? '')?.[1];
  if (boundary === undefined) read.query = body;
  else readParts(body, boundary, read);
  return read;
}

async function toFile(request: IncomingMessage, file: string): Promise<void> {
  const into = createWriteStream(file);
  switch (request.headers['content-encoding']) {
    case 'gzip':
      return pipeline(request, createGunzip(), into);
    case 'zstd':
      return pipeline(request, createZstdDecompress(), into);
    case 'br':
      return pipeline(request, createBrotliDecompress(), into);
    default:
      return pipeline(request, into);
  }
}

/** multipart/form-data: the statement and its parameters. */
function readParts(body: string, boundary: string, into: FrontRequest): void {
  for (const part of body.split(`--${boundary}`)) {
    const name = /name="([^"]*)"/.exec(part)?.[1];
    const start = part.indexOf('\r\n\r\n');
    if (name === undefined || start < 0) continue;
    const value = part.slice(start + 4, part.endsWith('\r\n') ? -2 : undefined);
    if (name === 'query') into.query = value;
    else if (name.startsWith('param_')) into.params.set(name.slice('param_'.length), value);
  }
}

export interface FrontUser {
  password: string;
  /** The server's profile of the user: may read only, and change no setting. */
  readonly?: boolean;
}

/** The user whom the request names, if the password fits. */
export function userOf(
  request: IncomingMessage,
  users: Readonly<Record<string, FrontUser>>,
): { name: string; user: FrontUser | undefined } {
  const url = new URL(request.url ?? '/', 'http://front');
  const { headers } = request;
  let name = String(headers['x-clickhouse-user'] ?? url.searchParams.get('user') ?? 'default');
  let password = String(headers['x-clickhouse-key'] ?? url.searchParams.get('password') ?? '');
  const basic = /^Basic (.+)$/.exec(headers.authorization ?? '')?.[1];
  if (basic !== undefined) {
    const [given = '', ...rest] = Buffer.from(basic, 'base64').toString().split(':');
    name = given;
    password = rest.join(':');
  }
  const user = users[name];
  return { name, user: user?.password === password ? user : undefined };
}
