/** Just the endpoint of enrolment, behind TLS as a collector has it; the test says what it answers. */

import type { IncomingMessage } from 'node:http';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { createServer } from 'node:tls';
import type t from 'tap';
import type { MadePair } from './small-authority.ts';

export interface Asked {
  method: string;
  path: string;
  body: Record<string, unknown>;
  /** Common name of the certificate that was shown. */
  shown: string | undefined;
}

export interface Answering {
  status: number;
  body: unknown;
}

export interface SmallCollector {
  readonly port: number;
  /** `mqtts://127.0.0.1:port`. */
  readonly url: string;
  readonly asked: Asked[];
  /** Connections that got as far as TLS. */
  readonly connections: () => number;
  /** Undefined: the question is heard, and the line breaks before the answer. */
  answer: (asked: Asked) => Answering | undefined | Promise<Answering | undefined>;
  show(pair: MadePair): void;
}

export async function startSmallCollector(
  test: Pick<typeof t, 'teardown'>,
  pair: MadePair,
): Promise<SmallCollector> {
  const asked: Asked[] = [];
  const sockets = new Set<TLSSocket>();
  let connections = 0;
  const http = createHttpServer((request, response) => {
    void bodyOf(request).then(async (body) => {
      const socket = request.socket as TLSSocket;
      const shown = socket.getPeerX509Certificate()?.toLegacyObject().subject as { CN?: string };
      const question: Asked = {
        method: request.method ?? '',
        path: request.url ?? '',
        body,
        shown: shown?.CN,
      };
      asked.push(question);
      const answer = await collector.answer(question);
      if (answer === undefined) {
        socket.destroy();
        return;
      }
      response.writeHead(answer.status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer.body));
    });
  });
  const server = createServer(
    {
      ...pair,
      requestCert: true,
      rejectUnauthorized: false,
      ALPNProtocols: ['http/1.1', 'mqtt'],
      minVersion: 'TLSv1.2',
    },
    (socket) => {
      connections++;
      sockets.add(socket);
      socket.on('error', () => undefined);
      http.emit('connection', socket);
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  test.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const collector: SmallCollector = {
    port,
    url: `mqtts://127.0.0.1:${port}`,
    asked,
    connections: () => connections,
    answer: () => ({ status: 404, body: {} }),
    show: (next) => server.setSecureContext({ ...next, minVersion: 'TLSv1.2' }),
  };
  return collector;
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  for await (const part of request) text += String(part);
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}
