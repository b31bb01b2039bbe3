/**
 * A text with the numbers of its lines, and marks at those that have mistakes. A textarea and not an editor of its
 * own: every browser, screen reader and input method (Korean is composed) knows how to work with it.
 */

import type { KeyboardEvent, ReactNode, Ref } from 'react';
import { useEffect, useImperativeHandle, useRef } from 'react';
import look from './profiles.module.css';

const ROWS_MIN = 12;
const ROWS_MAX = 32;

export interface TextHandle {
  /** Shows a line (from 1) and selects it. */
  goTo(line: number): void;
}

export function TextField(props: {
  label: string;
  text: string;
  isReadOnly: boolean;
  /** From 1. */
  linesWithMistakes: ReadonlySet<number>;
  /** Id of what says the mistakes. */
  describedBy: string;
  onChange: (text: string) => void;
  ref?: Ref<TextHandle>;
}): ReactNode {
  const { label, text, isReadOnly, linesWithMistakes, describedBy, onChange, ref } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  const numbers = useRef<HTMLPreElement>(null);
  const follow = (): void => {
    if (numbers.current !== null && area.current !== null)
      numbers.current.scrollTop = area.current.scrollTop;
  };
  useEffect(follow);
  useImperativeHandle(
    ref,
    () => ({
      goTo: (line) => {
        if (area.current !== null) select(area.current, line);
      },
    }),
    [],
  );
  const count = text.split('\n').length;
  const column = Array.from({ length: count }, (_, i) =>
    linesWithMistakes.has(i + 1) ? `▲ ${i + 1}` : `${i + 1}`,
  );
  return (
    <div className={look.text}>
      <pre ref={numbers} className={look.numbers} aria-hidden="true">
        {column.join('\n')}
        {'\n\n'}
      </pre>
      <textarea
        ref={area}
        className={look.area}
        name="text"
        aria-label={label}
        aria-describedby={describedBy}
        aria-invalid={linesWithMistakes.size > 0}
        spellCheck={false}
        autoCapitalize="none"
        autoComplete="off"
        wrap="off"
        rows={Math.min(Math.max(count + 1, ROWS_MIN), ROWS_MAX)}
        readOnly={isReadOnly}
        value={text}
        onChange={({ target }) => onChange(target.value)}
        onScroll={follow}
        onKeyDown={keepIndent}
      />
    </div>
  );
}

/** A new line begins below the one before it. By the browser's own command: what it does can be undone. */
function keepIndent(event: KeyboardEvent<HTMLTextAreaElement>): void {
  // While Korean is being composed, Enter ends the syllable.
  if (event.key !== 'Enter' || event.nativeEvent.isComposing || event.currentTarget.readOnly)
    return;
  const { value, selectionStart } = event.currentTarget;
  const line = value.slice(value.lastIndexOf('\n', selectionStart - 1) + 1, selectionStart);
  const indent = /^ */.exec(line)?.[0] ?? '';
  if (indent !== '' && document.execCommand('insertText', false, `\n${indent}`))
    event.preventDefault();
}

function select(area: HTMLTextAreaElement, line: number): void {
  const lines = area.value.split('\n');
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
  const height = area.scrollHeight / Math.max(1, lines.length);
  area.scrollTop = Math.max(0, (line - 4) * height);
}
