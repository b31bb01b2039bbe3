/** The deep check of the ledger: started, followed line by line, cancelled by closing the connection. */

import { useEffect, useRef, useState } from 'react';
import { ApiFailure, apiUrl } from '../../api/client.ts';
import { jsonLines } from './ndjson.ts';
import type { DeepLine, DeepProblem, DeepResult } from './types.ts';

/** Problems that are shown; the result counts all of them. */
const PROBLEMS_MAX = 200;

export interface DeepCheck {
  stage: 'none' | 'runs' | 'cancelled' | 'over' | 'failed';
  progress: { step: 'waiting' | 'reading' | 'comparing'; done: number; total: number } | undefined;
  problems: readonly DeepProblem[];
  result: DeepResult | undefined;
  error: unknown;
}

const NONE: DeepCheck = {
  stage: 'none',
  progress: undefined,
  problems: [],
  result: undefined,
  error: undefined,
};

export function useDeepCheck(site: string, gateway: string) {
  const [check, setCheck] = useState<DeepCheck>(NONE);
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const start = async (): Promise<void> => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    setCheck({ ...NONE, stage: 'runs' });
    try {
      for await (const line of linesOf(site, gateway, controller.signal))
        setCheck((before) => after(before, line));
      setCheck((before) => (before.stage === 'runs' ? { ...before, stage: 'failed' } : before));
    } catch (error) {
      if (!controller.signal.aborted) setCheck((before) => ({ ...before, stage: 'failed', error }));
    }
  };
  const cancel = (): void => {
    running.current?.abort();
    setCheck((before) => ({ ...before, stage: 'cancelled' }));
  };
  return { check, start, cancel };
}

async function* linesOf(
  site: string,
  gateway: string,
  signal: AbortSignal,
): AsyncGenerator<DeepLine> {
  const response = await fetch(apiUrl('ledger/deep', { site, gateway }), { signal });
  if (!response.ok || response.body === null) {
    const { error } = (await response.json().catch(() => ({}))) as {
      error?: Record<'code' | 'message' | 'hint', string>;
    };
    const { code = 'UNKNOWN', message = response.statusText, hint = '' } = error ?? {};
    throw new ApiFailure(response.status, code, message, { hint });
  }
  yield* jsonLines<DeepLine>(response.body);
}

function after(before: DeepCheck, line: DeepLine): DeepCheck {
  switch (line.type) {
    case 'progress':
      return { ...before, progress: line };
    case 'problem':
      return before.problems.length < PROBLEMS_MAX
        ? { ...before, problems: [...before.problems, line] }
        : before;
    case 'result':
      return { ...before, stage: 'over', result: line };
    default: {
      const { code, message, hint } = line.error;
      return { ...before, stage: 'failed', error: new ApiFailure(500, code, message, { hint }) };
    }
  }
}
