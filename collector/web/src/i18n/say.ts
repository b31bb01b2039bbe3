/** Words in the chosen language. */

import { useCallback } from 'react';
import { usePreferences } from '../app/preferences.tsx';
import type { CommonKey, Values, WordKey, Words } from './words.ts';
import { COMMON_WORDS, fill } from './words.ts';

export type Say<Key extends string = CommonKey> = (key: Key, values?: Values) => string;

/** Words of a page, and those of all pages. */
export function useSay<W extends Words>(words: W): Say<WordKey<W> | CommonKey> {
  const { language } = usePreferences();
  return useCallback(
    (key, values) => {
      const own: Readonly<Record<string, string>> = words[language];
      const all: Readonly<Record<string, string>> = COMMON_WORDS[language];
      return fill(own[key] ?? all[key] ?? key, values);
    },
    [words, language],
  );
}

/** Words of all pages only. */
export function useCommonSay(): Say {
  return useSay(COMMON_WORDS);
}
