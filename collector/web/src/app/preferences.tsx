/** What a person chose for this browser: language and colours. */

import type { ReactNode } from 'react';
import { createContext, use, useEffect, useMemo, useState } from 'react';
import type { Language } from '../api/types.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export interface Preferences {
  language: Language;
  theme: Theme;
  setLanguage: (language: Language) => void;
  setTheme: (theme: Theme) => void;
}

const PreferencesContext = createContext<Preferences | undefined>(undefined);

export function usePreferences(): Preferences {
  const preferences = use(PreferencesContext);
  if (preferences === undefined) throw new Error('outside of PreferencesProvider');
  return preferences;
}

export function PreferencesProvider({ children }: { children: ReactNode }): ReactNode {
  const [language, setLanguage] = useState<Language>(firstLanguage);
  const [theme, setTheme] = useState<Theme>(
    () => THEMES.find((theme) => theme === remembered('fms.theme')) ?? 'system',
  );
  useEffect(() => {
    document.documentElement.lang = language;
    remember('fms.language', language);
  }, [language]);
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    remember('fms.theme', theme);
  }, [theme]);
  const value = useMemo(() => ({ language, theme, setLanguage, setTheme }), [language, theme]);
  return <PreferencesContext value={value}>{children}</PreferencesContext>;
}

/** What was chosen here before; else the browser's language decides. */
function firstLanguage(): Language {
  const chosen = remembered('fms.language');
  if (chosen === 'en' || chosen === 'ko') return chosen;
  return navigator.languages.some((name) => name.toLowerCase().startsWith('ko')) ? 'ko' : 'en';
}

function remembered(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    // Storage is forbidden here: the choice lasts as long as the page.
    return null;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // As above.
  }
}
