/** `GET` and `POST /_faults`: what is wrong on purpose, and switching it, from this machine only. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { messageOf } from './config.ts';
import type { FaultBoard } from './faults.ts';
import { orderOf } from './faults.ts';

const ORDER_BYTES_MAX = 16 * 1024;

/** Answers a request for `/_faults`. A refused order answers 400 with the reason. */
export async function answerControl(
  request: IncomingMessage,
  response: ServerResponse,
  board: FaultBoard,
): Promise<void> {
  if (!isLoopback(request.socket.remoteAddress)) {
    sendJson(response, 403, { error: 'faults are switched from this machine only' });
    return;
  }
  if (request.method === 'GET') {
    sendJson(response, 200, { items: board.list() });
    return;
  }
  if (request.method !== 'POST') {
    sendJson(response, 405, { error: 'GET or POST' });
    return;
  }
  try {
    const orders: unknown = JSON.parse(await bodyOf(request));
    for (const order of Array.isArray(orders) ? orders : [orders]) {
      const mistake = board.set(orderOf(order));
      if (mistake !== undefined) throw new RangeError(mistake);
    }
    sendJson(response, 200, { items: board.list() });
  } catch (error) {
    sendJson(response, 400, { error: messageOf(error) });
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request) {
    const buffer = piece as Buffer;
    bytes += buffer.length;
    if (bytes > ORDER_BYTES_MAX) throw new RangeError('the order is too long');
    pieces.push(buffer);
  }
  return Buffer.concat(pieces).toString('utf8');
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value));
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': body.length,
  });
  response.end(body);
}

function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}
