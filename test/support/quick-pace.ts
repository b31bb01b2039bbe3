/** What makes a collector of a test quick where nothing but time is spared. */

import type { PasswordCost } from '../../collector/access/passwords.ts';
import type { Pace } from '../../collector/store/rollup/lanes.ts';

const DUTY = { minutes: 0.1, hours: 0.1, days: 0.1 };

/** Of roll-ups that somebody waits for; while readings come in they still take a small part of the time. */
export const QUICK_PACE: Pace = {
  intervalMs: { minutes: 500, hours: 500, days: 500 },
  duty: DUTY,
  lateIntervalMs: 100,
  lateDuty: DUTY,
};

/** The first start makes an administrator: at full cost that is half a second of CPU. */
export const QUICK_PASSWORDS: PasswordCost = { ln: 4, r: 8, p: 1 };
