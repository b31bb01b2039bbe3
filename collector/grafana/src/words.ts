/** The dashboards exist once a language: words come in pairs, and one source makes both folders. */

export const LANGUAGES = ['en', 'ko'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Takes the words of the language that is being made. */
export type Say = (en: string, ko: string) => string;

export interface Page {
  language: Language;
  say: Say;
}

export function pageIn(language: Language): Page {
  return { language, say: (en, ko) => (language === 'en' ? en : ko) };
}

/** Of a dashboard in a language; links rely on it. At most 40 characters, as Grafana wants it. */
export function uidOf(name: DashboardName, language: Language): string {
  return `fms-${name}-${language}`;
}

export const DASHBOARD_NAMES = [
  'infrastructure',
  'gateway',
  'application',
  'quality',
  'plant',
  'line',
  'device',
] as const;
export type DashboardName = (typeof DASHBOARD_NAMES)[number];
