/** Speaks Korean. Loaded by the commands that are asked to; never by the service. */

import type { Speaker } from '../say.ts';
import { fill } from '../text.ts';
import { DETAILS, OTHERS } from './details.ts';
import { ERRORS } from './errors.ts';
import { TEXTS } from './texts.ts';

interface Form {
  pattern: RegExp;
  korean: string;
}

const forms: readonly Form[] = Object.entries({ ...DETAILS, ...OTHERS }).map(
  ([english, korean]) => ({ pattern: patternOf(english), korean }),
);

/** Recognises an English text with any values; of `{place}` it takes what has no spaces. */
function patternOf(english: string): RegExp {
  const parts = english.split(/\{(\w+)\}/).map((part, index) => {
    if (index % 2 === 0) return part.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
    return part === 'place' ? `(?<place>\\S+)` : `(?<${part}>.+?)`;
  });
  return new RegExp(`^${parts.join('')}$`, 's');
}

/** What is longer, or nested deeper, is nothing that the agent says. */
const LETTERS_MAX = 2_000;
const DEPTH_MAX = 4;

function retell(text: string, depth = 0): string {
  if (text.length > LETTERS_MAX || depth > DEPTH_MAX) return text;
  for (const { pattern, korean } of forms) {
    const match = pattern.exec(text);
    if (match === null) continue;
    const { rest, ...values } = match.groups ?? {};
    return fill(korean, rest === undefined ? values : { ...values, rest: retell(rest, depth + 1) });
  }
  return text;
}

const texts: Readonly<Record<string, string>> = TEXTS;

export const korean: Speaker = {
  language: 'ko',
  say: (text, ...[values]) => fill(texts[text] ?? text, values),
  retell: (text) => retell(text),
  adviceOn: (code) => {
    if (!Object.hasOwn(ERRORS, code)) return [];
    const { cause, hint } = ERRORS[code as keyof typeof ERRORS];
    // The message may be in English where it comes from elsewhere.
    return [cause, hint];
  },
};
