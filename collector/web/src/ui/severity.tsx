/** How bad an alert is: a word with a shape and a colour of its own, so that nobody needs to see colours. */

import type { ReactNode } from 'react';
import type { Severity } from '../api/types.ts';
import { usePreferences } from '../app/preferences.tsx';
import { formatCount } from '../i18n/format.ts';
import { useCommonSay } from '../i18n/say.ts';
import type { CommonKey } from '../i18n/words.ts';
import type { Look } from './severities.ts';
import { SHAPES } from './severities.ts';

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
