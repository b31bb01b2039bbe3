/** One query at a time: run, watched while it runs, cancelled. */

import { useEffect, useRef, useState } from 'react';
import { ask, send } from '../../api/client.ts';
import type { QueryResult, RunningQuery } from './types.ts';

/** The collector ends it earlier; this is for one that does not answer. */
const TIMEOUT_MS = 130_000;
const WATCH_MS = 500;

export type RunState =
  | { is: 'idle' }
  | { is: 'running'; sinceMs: number; progress: RunningQuery | undefined }
  | { is: 'done'; result: QueryResult }
  | { is: 'cancelled' }
  | { is: 'failed'; error: unknown };

export interface Runner {
  state: RunState;
  run: (sql: string) => void;
  cancel: () => void;
}

export function useRunner(): Runner {
  const [state, setState] = useState<RunState>({ is: 'idle' });
  const current = useRef<{ id: string; isCancelled: boolean }>(undefined);

  const cancel = (): void => {
    const asked = current.current;
    if (asked === undefined) return;
    asked.isCancelled = true;
    // That it is over already is as good.
    send('DELETE', `query/running/${asked.id}`).catch(() => undefined);
  };
  // Who leaves the page does not wait for the answer any more.
  const leave = useRef(cancel);
  leave.current = cancel;
  useEffect(() => () => leave.current(), []);

  const run = (sql: string): void => {
    const asked = { id: crypto.randomUUID().replaceAll('-', ''), isCancelled: false };
    current.current = asked;
    setState({ is: 'running', sinceMs: Date.now(), progress: undefined });
    const watch = setInterval(() => {
      ask<RunningQuery>(`query/running/${asked.id}`)
        .then((progress) =>
          setState((now) =>
            now.is === 'running' && current.current === asked ? { ...now, progress } : now,
          ),
        )
        // It has ended meanwhile, or has not begun.
        .catch(() => undefined);
    }, WATCH_MS);
    send<QueryResult>('POST', 'query', { sql, id: asked.id }, { timeoutMs: TIMEOUT_MS })
      .then(
        (result): RunState => ({ is: 'done', result }),
        (error: unknown): RunState =>
          asked.isCancelled ? { is: 'cancelled' } : { is: 'failed', error },
      )
      .then((next) => {
        clearInterval(watch);
        if (current.current !== asked) return;
        current.current = undefined;
        setState(next);
      });
  };
  return { state, run, cancel };
}
