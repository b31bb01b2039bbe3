/**
 * How the commands speak to people. Every text stands in English where it is said; korean/ has each of them
 * in Korean, and one that is missing there does not compile. Decision 0039 says who speaks which language.
 */

import { agentErrors } from '../errors.ts';
import type { TEXTS } from './korean/texts.ts';
import type { ValuesOf } from './text.ts';
import { fill } from './text.ts';

export type Language = 'en' | 'ko';

/** A text that can be said in every language. */
export type Text = keyof typeof TEXTS;

/** The text in the speaker's language, with its values in place. */
export type Say = <T extends Text>(text: T, ...values: ValuesOf<T>) => string;

/** Speaks one language. */
export interface Speaker {
  readonly language: Language;
  readonly say: Say;
  /** What was said in English elsewhere (inside the agent, by a device); English where nobody knows it. */
  retell(text: string): string;
  /** What an error means and what to do, a line each; empty for a code of a newer agent. */
  adviceOn(code: string): readonly string[];
}

/** Of `run`, and of whoever names no language. */
export const english: Speaker = {
  language: 'en',
  say: (text, ...[values]) => fill(text, values),
  retell: (text) => text,
  // Its message tells the cause already.
  adviceOn: (code) =>
    Object.hasOwn(agentErrors, code) ? [agentErrors[code as keyof typeof agentErrors].hint] : [],
};
