/** What a person chose for this browser: language and colours. */

import type { ReactNode } from 'react';
import {
  createContext,
  use,
  useEffect,
  useLayoutEffect,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react';
import type { Language } from '../api/types.ts';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];
/** What comes of a theme; the system's is as the device is now. */
export type Colours = Exclude<Theme, 'system'>;

const DARK = '(prefers-color-scheme: dark)';

export interface Preferences {
  language: Language;
  theme: Theme;
  /** In which everything is drawn, charts too. */
  colours: Colours;
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
  const [theme, setTheme] = useState<Theme>(firstTheme);
  const isDeviceDark = useSyncExternalStore(followDevice, deviceIsDark);
  const colours = coloursOf(theme, isDeviceDark);
  useEffect(() => {
    document.documentElement.lang = language;
    remember('fms.language', language);
  }, [language]);
  useEffect(() => remember('fms.theme', theme), [theme]);
  // Before the effects of charts, which look the new colours up in the styles.
  useLayoutEffect(() => showColours(colours), [colours]);
  const value = useMemo(
    () => ({ language, theme, colours, setLanguage, setTheme }),
    [language, theme, colours],
  );
  return <PreferencesContext value={value}>{children}</PreferencesContext>;
}

/** At once, so that nothing is painted in other colours first; from then on the provider keeps to what is chosen. */
export function showFirstColours(): void {
  showColours(coloursOf(firstTheme(), deviceIsDark()));
}

/** styles/tokens.css goes by it. */
function showColours(colours: Colours): void {
  document.documentElement.dataset.theme = colours;
}

function coloursOf(theme: Theme, isDeviceDark: boolean): Colours {
  if (theme !== 'system') return theme;
  return isDeviceDark ? 'dark' : 'light';
}

function deviceIsDark(): boolean {
  return matchMedia(DARK).matches;
}

function followDevice(listener: () => void): () => void {
  const device = matchMedia(DARK);
  device.addEventListener('change', listener);
  return () => device.removeEventListener('change', listener);
}

function firstTheme(): Theme {
  return THEMES.find((theme) => theme === remembered('fms.theme')) ?? 'system';
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
