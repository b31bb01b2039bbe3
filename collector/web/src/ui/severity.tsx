/** How bad an alert is: a word with a shape and a colour of its own, so that nobody needs to see colours. */

import type { ReactNode } from 'react';
import type { Severity } from '../api/types.ts';
import { usePreferences } from '../app/preferences.tsx';
import { formatCount } from '../i18n/format.ts';
import { useCommonSay } from '../i18n/say.ts';
import type { CommonKey } from '../i18n/words.ts';

/** Mildest first. */
export const SEVERITIES: readonly Severity[] = ['INFO', 'WARNING', 'ERROR', 'CRITICAL'];
export const SHAPES: Record<Severity, string> = {
  INFO: '○',
  WARNING: '▲',
  ERROR: '◆',
  CRITICAL: '■',
};

/** loud: nobody cares for it yet. seen: somebody does. quiet: over, or makes no messages. */
export type Look = 'loud' | 'seen' | 'quiet';

export function SeverityMark(props: {
  severity: Severity;
  count?: number;
  look?: Look;
}): ReactNode {
  const say = useCommonSay();
  const { language } = usePreferences();
  const { severity, count, look = 'loud' } = props;
  const word = say(`severity_${severity.toLowerCase()}` as CommonKey);
  return (
    <span className={`severity ${look} ${severity.toLowerCase()}`}>
      <span className="shape" aria-hidden="true">
        {SHAPES[severity]}
      </span>{' '}
      {word}
      {count === undefined ? null : ` ${formatCount(count, language)}`}
    </span>
  );
}

/** Above 0: `a` is milder than `b`. */
export function compareSeverity(a: Severity, b: Severity): number {
  return SEVERITIES.indexOf(b) - SEVERITIES.indexOf(a);
}

/** Groups, severest first. */
export function bySeverity<T extends { severity: Severity }>(
  alerts: readonly T[],
): [Severity, T[]][] {
  return [...Map.groupBy(alerts, ({ severity }) => severity)].sort(([a], [b]) =>
    compareSeverity(a, b),
  );
}
