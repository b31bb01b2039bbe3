/** A few connections for queries, and a bounded line of those who wait for one. */

import { CollectorError } from '../errors.ts';

export interface Lease<Client> {
  client: Client;
  release(): void;
}

interface Waiting<Client> {
  give(lease: Lease<Client>): void;
  refuse(error: CollectorError): void;
}

export class QuerySlots<Client> {
  readonly #free: Client[];
  readonly #waiting: Waiting<Client>[] = [];
  readonly #waitingMax: number;
  #closed = false;

  constructor(clients: readonly Client[], waitingMax: number) {
    this.#free = [...clients];
    this.#waitingMax = waitingMax;
  }

  /** First come, first served. Rejects with STORE_QUERY_REFUSED: too many wait, too long, aborted. */
  acquire(timeoutMs: number, signal: AbortSignal | undefined): Promise<Lease<Client>> {
    if (this.#closed) return Promise.reject(closing());
    if (signal?.aborted) return Promise.reject(refused('the query was given up'));
    const client = this.#free.pop();
    if (client !== undefined) return Promise.resolve(this.#lease(client));
    if (this.#waiting.length >= this.#waitingMax) {
      return Promise.reject(refused('too many queries are waiting'));
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
      };
      const waiting: Waiting<Client> = {
        give: (lease) => {
          leave();
          resolve(lease);
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => waiting.refuse(refused('the query was given up'));
      const timer = setTimeout(
        () => waiting.refuse(refused('no connection became free in time')),
        timeoutMs,
      );
      signal?.addEventListener('abort', onAbort);
      this.#waiting.push(waiting);
    });
  }

  close(): void {
    this.#closed = true;
    for (const waiting of [...this.#waiting]) waiting.refuse(closing());
  }

  #lease(client: Client): Lease<Client> {
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      const next = this.#waiting[0];
      if (next === undefined) this.#free.push(client);
      else next.give(this.#lease(client));
    };
    return { client, release };
  }
}

function refused(detail: string): CollectorError {
  return new CollectorError('STORE_QUERY_REFUSED', detail);
}

function closing(): CollectorError {
  return new CollectorError('STORE_UNAVAILABLE', 'the store is closing');
}
