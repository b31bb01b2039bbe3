/** Every reason that has words: its name, its cause, what to do. Pure. */

import { READING_WORDS } from '../../ui/reading_words.ts';
import { findingOf } from './payload.ts';
import { QUARANTINE_WORDS } from './words.ts';

export const KNOWN_REASONS: readonly string[] = Object.keys(QUARANTINE_WORDS.en)
  .filter((key) => key.startsWith('cause_') && key !== 'cause_unknown')
  .map((key) => key.slice('cause_'.length));

export interface ReasonText {
  name: string;
  cause: string;
  toDo: string;
}

type Say = (key: keyof typeof QUARANTINE_WORDS.en, values?: Record<string, string>) => string;

/** In words; of a reason of a later version what can be said all the same. */
export function reasonText(
  entry: { reason: string; detail: string },
  say: Say,
  language: 'en' | 'ko',
): ReasonText {
  const { reason } = entry;
  if (!KNOWN_REASONS.includes(reason))
    return {
      name: reason,
      cause: say('cause_unknown', { reason }),
      toDo: say('do_unknown'),
    };
  const known = reason as 'rule';
  return {
    name: say(`reason_${known}`),
    cause: say(`cause_${known}`, { finding: findingText(findingOf(entry), language) }),
    toDo: say(`do_${known}`),
  };
}

/** The finding's words; its code where there are none. */
export function findingText(code: string, language: 'en' | 'ko'): string {
  const words: Readonly<Record<string, string>> = READING_WORDS[language];
  return words[`finding_${code}`] ?? code;
}
