/** What the API's errors say on Korean pages. */

import t from 'tap';
import { ANSWERED_CODES } from '../../../collector/api/api_error.ts';
import { ApiFailure } from '../../../collector/web/src/api/client.ts';
import { errorWords, KOREAN_ERRORS } from '../../../collector/web/src/i18n/error_words.ts';

t.test('every code that the API answers has Korean words', async (t) => {
  t.same(Object.keys(KOREAN_ERRORS).toSorted(), [...ANSWERED_CODES].toSorted());
  for (const [code, { cause, hint }] of Object.entries(KOREAN_ERRORS))
    t.match(`${cause} ${hint}`, /[가-힣]/, code);
});

t.test('the details stay as the API gave them', async (t) => {
  const error = new ApiFailure(409, 'JOB_BUSY', 'run 7 is under way', { hint: 'Wait.' });
  t.same(errorWords(error, 'en'), { message: 'run 7 is under way', hint: 'Wait.' });
  const { cause, hint } = KOREAN_ERRORS.JOB_BUSY ?? {};
  t.same(errorWords(error, 'ko'), { message: `${cause} (run 7 is under way)`, hint });
  const unknown = new ApiFailure(418, 'TEAPOT', 'short and stout');
  t.same(errorWords(unknown, 'ko'), { message: 'short and stout', hint: '' });
  t.same(errorWords(new Error('a defect'), 'ko'), { message: 'a defect', hint: '' });
});
