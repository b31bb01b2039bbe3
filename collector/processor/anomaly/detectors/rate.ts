import { maskOf } from '../../../findings.ts';
import type { Detector } from '../detector.ts';
import { withUnit } from '../words.ts';

const RATE_OF_CHANGE = maskOf('rate_of_change');
const SCORE = 0.75;

/** Changed faster than the profile says it can: the rules' finding, as something that happens at one reading. */
export const rate: Detector = {
  name: 'rate',
  fields: 0,
  lasts: false,
  judgesLate: false,
  applies: ({ isNumber }) => isNumber,
  judge: ({ findings }) => ((findings & RATE_OF_CHANGE) !== 0 ? SCORE : 0),
  explain({ value, plan }) {
    const is = withUnit(value, plan.unit);
    return {
      en: `changed to ${is}, faster than the profile allows`,
      ko: `${is}(으)로 프로필이 허용하는 것보다 빠르게 변했습니다`,
      expectedLow: null,
      expectedHigh: null,
    };
  },
};
