/** Which language a command speaks. */

import type { Language, Speaker } from './say.ts';
import { english } from './say.ts';

export const LANGUAGES: readonly Language[] = ['en', 'ko'];

/**
 * --language, else FMS_LANGUAGE, else what the system says (LC_ALL, LC_MESSAGES, LANG: the first that is
 * set). Read before the command line is parsed, for its mistakes and help are told in the language too.
 */
export function languageOf(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Language {
  const { FMS_LANGUAGE, LC_ALL, LC_MESSAGES, LANG } = env;
  const named = [optionOf(argv), FMS_LANGUAGE, LC_ALL, LC_MESSAGES, LANG].find(
    (name) => name !== undefined && name !== '',
  );
  // Not kok: that is Konkani.
  return /^ko(?![a-z])/i.test(named ?? '') ? 'ko' : 'en';
}

/** The last one counts, as it does for the parser; after `--` nothing is an option. */
function optionOf(argv: readonly string[]): string | undefined {
  const end = argv.indexOf('--');
  const args = end === -1 ? argv : argv.slice(0, end);
  return args
    .map((arg, index) =>
      arg === '--language' ? args[index + 1] : /^--language=(.*)$/s.exec(arg)?.[1],
    )
    .findLast((value) => value !== undefined);
}

/** Loads the words of the language. */
export async function speakerOf(language: Language): Promise<Speaker> {
  if (language === 'en') return english;
  const { korean } = await import('./korean/speaker.ts');
  return korean;
}
