/** What went wrong with a change, and what to do, in words. */

import { ApiFailure } from '../api/client.ts';
import { errorWords } from '../i18n/error_words.ts';
import type { Say } from '../i18n/say.ts';

export function failureText(error: unknown, say: Say): string {
  if (!(error instanceof ApiFailure)) return error instanceof Error ? error.message : String(error);
  const { status, code } = error;
  if (status === 0) return say('change_unanswered', { message: error.message });
  const { message, hint } = errorWords(error, say('this_language') === 'ko' ? 'ko' : 'en');
  const text = [message, hint].filter((part) => part !== '').join(' – ');
  if (status === 403) return say('change_forbidden', { code, text });
  if (status === 404) return say('change_not_found', { code, text });
  return say('change_refused', { code, text });
}
