/** Which silence holds for what. Pure. */

import type { SilenceValue } from '../../types.ts';
import { matchesGlob } from '../validation/glob.ts';

export interface Silenceable {
  site: string;
  area: string;
  line: string;
  device: string;
  rule: string;
}

/** The one of those that hold at `timeMs` that ends last; undefined: none does. */
export function silenceOf(
  silences: readonly SilenceValue[],
  what: Silenceable,
  timeMs: number,
): SilenceValue | undefined {
  let found: SilenceValue | undefined;
  for (const silence of silences) {
    if (silence.fromMs > timeMs || silence.untilMs <= timeMs) continue;
    if (found !== undefined && silence.untilMs <= found.untilMs) continue;
    const matches =
      matchesGlob(silence.site, what.site) &&
      matchesGlob(silence.area, what.area) &&
      matchesGlob(silence.line, what.line) &&
      matchesGlob(silence.device, what.device) &&
      matchesGlob(silence.rule, what.rule);
    if (matches) found = silence;
  }
  return found;
}
