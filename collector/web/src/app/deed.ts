/** What a person asks of the collector by a form or a button: whether it is under way, done, and what went wrong. */

import { useCallback, useState } from 'react';
import { useCommonSay } from '../i18n/say.ts';
import { failureText } from './failure_text.ts';

export interface Deed {
  isSending: boolean;
  /** The last one succeeded. */
  isDone: boolean;
  /** Why the last one failed, for words of one's own; undefined: it did not. */
  error: unknown;
  /** The same in words; '': nothing is wrong. */
  problem: string;
  /** What is wrong before anything is sent, or came to light later; '' takes it back. The same function always. */
  setProblem: (text: string) => void;
  /**
   * Never rejects: what `deed` rejects with is the problem from then on. Also what is to follow a success (close, tell
   * the page) belongs in `deed`, so that nothing is shown as ready again before it has happened.
   */
  run: (deed: () => Promise<unknown>) => Promise<void>;
}

export function useDeed(): Deed {
  const say = useCommonSay();
  const [stage, setStage] = useState<'asked' | 'sending' | 'done'>('asked');
  const [error, setError] = useState<unknown>();
  const setProblem = useCallback(
    (text: string) => setError(text === '' ? undefined : new Error(text)),
    [],
  );
  return {
    isSending: stage === 'sending',
    isDone: stage === 'done',
    error,
    problem: error === undefined ? '' : failureText(error, say),
    setProblem,
    run: async (deed) => {
      setStage('sending');
      setError(undefined);
      try {
        await deed();
        setStage('done');
      } catch (failure) {
        setError(failure);
        setStage('asked');
      }
    },
  };
}
