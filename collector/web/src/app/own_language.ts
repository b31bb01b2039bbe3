/** The language that a user chose for good holds wherever they log in; what they switch to on a page holds for that browser. */

import { useEffect } from 'react';
import { usePreferences } from './preferences.tsx';
import { useSessionQuery } from './session.ts';

export function useOwnLanguage(): void {
  const { setLanguage } = usePreferences();
  const { name, language } = useSessionQuery().data?.user ?? {};
  // biome-ignore lint/correctness/useExhaustiveDependencies: at each login of somebody, not only when it differs
  useEffect(() => {
    if (language !== null && language !== undefined) setLanguage(language);
  }, [name, language, setLanguage]);
}
