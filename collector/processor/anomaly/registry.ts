/** The detectors. Of several that say the same score the first is named. */

import type { Detector } from './detector.ts';
import { device } from './detectors/device.ts';
import { drift } from './detectors/drift.ts';
import { failure } from './detectors/failure.ts';
import { limits } from './detectors/limits.ts';
import { novelty } from './detectors/novelty.ts';
import { rate } from './detectors/rate.ts';
import { stuck } from './detectors/stuck.ts';

export const DETECTORS: readonly Detector[] = [
  failure,
  limits,
  rate,
  stuck,
  novelty,
  drift,
  device,
];
