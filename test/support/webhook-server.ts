/** A receiver of webhooks on a port of the loopback, that answers as a test wants. */

import { once } from 'node:events';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { Test } from 'tap';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  atMs: number;
}

/** An alert as the webhook notifier sends it. */
export interface ReceivedAlert {
  key: string;
  id: string;
  change: string;
  severity: string;
  told_severity: string | null;
  title: string;
  received_ms: number;
}

export interface ReceivedBody {
  key: string;
  receiver: string;
  site: string;
  test: boolean;
  left_out: number;
  alerts: ReceivedAlert[];
}

export class WebhookServer {
  readonly received: Received[] = [];
  /** Status of the answers, or what writes them. */
  answer: number | ((response: ServerResponse, received: Received) => void) = 200;
  #port = 0;
  #wake: () => void = () => undefined;

  static async start(t: Test): Promise<WebhookServer> {
    const webhook = new WebhookServer();
    const server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { url: path = '', headers } = request;
        const body = Buffer.concat(parts).toString('utf8');
        const received = { path, headers, body, atMs: performance.now() };
        webhook.received.push(received);
        if (typeof webhook.answer === 'number') response.writeHead(webhook.answer).end();
        else webhook.answer(response, received);
        webhook.#wake();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    webhook.#port = typeof address === 'object' && address !== null ? address.port : 0;
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    return webhook;
  }

  url(path = '/hook'): string {
    return `http://127.0.0.1:${this.#port}${path}`;
  }

  bodies(): ReceivedBody[] {
    return this.received.map(({ body }) => JSON.parse(body) as ReceivedBody);
  }

  /** `change id/version` of every alert in order. */
  changes(): string[] {
    return this.bodies().flatMap(({ alerts }) =>
      alerts.map(({ key, change }) => `${change} ${key}`),
    );
  }

  /** Resolves when it is so, looked at after each request and now and then. Fails after half a minute. */
  async until(isSo: () => boolean): Promise<void> {
    const endMs = performance.now() + 120_000;
    while (!isSo()) {
      if (performance.now() > endMs)
        throw new Error(
          `not within 30 s: ${isSo}; the last: ${this.received.at(-1)?.body.slice(0, 500)}`,
        );
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const timer = setTimeout(resolve, 25);
      await promise;
      clearTimeout(timer);
    }
  }
}
