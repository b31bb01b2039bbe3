import type { Detector } from '../detector.ts';

/** The device itself says that it fails: at once, and for as long as it says so. */
export const failure: Detector = {
  name: 'failure',
  fields: 0,
  lasts: true,
  judgesLate: true,
  applies: ({ failsWhen }) => failsWhen !== undefined,
  judge: ({ value, plan }) => (value === plan.failsWhen ? 1 : 0),
  explain: () => ({
    en: 'the device reports a failure',
    ko: '장치가 고장을 보고했습니다',
    expectedLow: null,
    expectedHigh: null,
  }),
};
