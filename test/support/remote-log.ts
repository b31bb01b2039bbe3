/**
 * A log of the parent process for a child process, over its IPC channel: SQLite's log belongs to one process,
 * and what a frozen process has of a log must be frozen with it. As much of it as writers need.
 */

import type { ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import type { CollectorErrorCode } from '../../collector/errors.ts';
import { CollectorError } from '../../collector/errors.ts';
import type { ConsumerSession, Log } from '../../collector/log/log.ts';

const POLL_MS = 10;

type Method = 'bounds' | 'read' | 'openConsumer' | 'declareIntent' | 'commitPosition' | 'close';

interface Call {
  id: number;
  method: Method;
  /** Of openConsumer's answer; undefined: a call of the log itself. */
  session: number | undefined;
  args: unknown[];
}

interface Answer {
  id: number;
  result?: unknown;
  error?: { code: CollectorErrorCode; message: string };
}

/** In the parent. `before` is called before an answer goes out. */
export function serveLog(
  child: ChildProcess,
  log: Log,
  before: (method: Method) => void = () => undefined,
): void {
  const sessions: ConsumerSession[] = [];
  const run = async ({ method, session, args }: Call): Promise<unknown> => {
    const own = session === undefined ? undefined : sessions[session];
    switch (method) {
      case 'bounds':
        return log.bounds(...(args as Parameters<Log['bounds']>));
      case 'read':
        return log.read(...(args as Parameters<Log['read']>));
      case 'openConsumer': {
        const opened = await log.openConsumer(...(args as Parameters<Log['openConsumer']>));
        const { position, intent } = opened;
        return { session: sessions.push(opened) - 1, position, intent };
      }
      case 'declareIntent':
        return own?.declareIntent(...(args as [number, number]));
      case 'commitPosition':
        return own?.commitPosition(...(args as [number]));
      case 'close':
        return own?.close();
    }
  };
  child.on('message', (message: Call) => {
    run(message)
      .then(
        (result): Answer => ({ id: message.id, result }),
        (error: unknown): Answer => {
          const code = error instanceof CollectorError ? error.code : 'COLLECTOR_CRASHED';
          return { id: message.id, error: { code, message: String(error) } };
        },
      )
      .then((answer) => {
        before(message.method);
        if (child.connected) child.send(answer);
      });
  });
}

/** In the child. */
export function remoteLog(identity: string, partitionCount: number): Log {
  const waiting = new Map<number, (answer: Answer) => void>();
  let calls = 0;
  process.on('message', (answer: Answer) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const ask = async <Result>(method: Method, args: unknown[], session?: number) => {
    const call: Call = { id: calls++, method, session, args };
    const answered = new Promise<Answer>((resolve) => waiting.set(call.id, resolve));
    process.send?.(call);
    const { error, result } = await answered;
    if (error !== undefined) throw new CollectorError(error.code, error.message);
    return result as Result;
  };
  const openConsumer = async (...args: Parameters<Log['openConsumer']>) => {
    const opened = await ask<{ session: number } & ConsumerSession>('openConsumer', args);
    const { session, position, intent } = opened;
    return {
      position,
      intent,
      declareIntent: (from: number, to: number) =>
        ask<{ attempt: number }>('declareIntent', [from, to], session),
      commitPosition: (to: number) => ask<void>('commitPosition', [to], session),
      close: () => ask<void>('close', [], session),
    };
  };
  const bounds: Log['bounds'] = (...args) => ask('bounds', args);
  const refuse = (): never => {
    throw new Error('writers do not need it');
  };
  return {
    identity,
    partitionCount,
    bounds,
    read: (...args) => ask('read', args),
    openConsumer,
    waitFor: async (topic, partition, offset, signal) => {
      while (!signal.aborted && (await bounds(topic, partition)).next <= offset)
        await delay(POLL_MS, undefined, { signal }).catch(() => undefined);
    },
    append: refuse,
    openProcessor: refuse,
    trim: refuse,
    stats: refuse,
    control: { put: refuse, follow: refuse },
    close: async () => undefined,
  };
}
