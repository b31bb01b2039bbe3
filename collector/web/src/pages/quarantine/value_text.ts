/** The value of a reading in quarantine, in one line. Pure. */

import type { Language } from '../../api/types.ts';
import { formatValue } from '../../i18n/format.ts';

const TEXT_CHARACTERS_MAX = 300;

/** Undefined: it has none. Values that are not finite come as text. */
export function valueText(value: number | string | null, language: Language): string | undefined {
  if (value === null) return undefined;
  return typeof value === 'string'
    ? value.slice(0, TEXT_CHARACTERS_MAX)
    : formatValue(value, null, language);
}
