/** The rules of single channels, in the order in which they judge. What they need of each other: */

import type { Rule } from './rule.ts';
import { deviceBad } from './rules/device_bad.ts';
import { notFinite } from './rules/not_finite.ts';
import { nullValue } from './rules/null_value.ts';
import { outlier } from './rules/outlier.ts';
import { range } from './rules/range.ts';
import { rate } from './rules/rate.ts';
import { sentinel } from './rules/sentinel.ts';
import { stuck } from './rules/stuck.ts';
import { timeBounds } from './rules/time_bounds.ts';
import { timeOrder } from './rules/time_order.ts';
import { timeliness } from './rules/timeliness.ts';
import { typeChanged } from './rules/type_changed.ts';
import { wrongType } from './rules/wrong_type.ts';
import { zScore } from './rules/z_score.ts';

export const RULES: readonly Rule[] = [
  // The time first: which readings no rule may see, or learn from.
  timeBounds,
  timeOrder,
  timeliness,
  // Then whether there is a value at all.
  nullValue,
  deviceBad,
  wrongType,
  notFinite,
  sentinel,
  typeChanged,
  // Then the value.
  range,
  rate,
  stuck,
  // Before outlier, which takes the value into the window that both compare with.
  zScore,
  outlier,
];
