/** Two texts, line by line. */

import type { ReactNode } from 'react';
import { useSay } from '../../../i18n/say.ts';
import { diffLines, withoutFar } from './diff.ts';
import look from './profiles.module.css';
import { PROFILES_WORDS } from './words.ts';

const SIGNS = { same: ' ', old: '−', new: '+' } as const;

export function DiffView(props: { label: string; before: string; after: string }): ReactNode {
  const { label, before, after } = props;
  const say = useSay(PROFILES_WORDS);
  const lines = withoutFar(diffLines(before, after));
  if (lines.every((line) => line === null)) return <p>{say('diff_none')}</p>;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className={look.diff} aria-label={label} tabIndex={0}>
      <pre>
        {lines.map((line, index) =>
          line === null ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: lines of a text that does not change
            <span key={index}>{'⋯\n'}</span>
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: as above
            <span key={index} data-line={line.kind}>
              {SIGNS[line.kind]} {line.text}
              {'\n'}
            </span>
          ),
        )}
      </pre>
    </section>
  );
}
