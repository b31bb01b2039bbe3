/** The field that narrows the devices down; `/` goes to it from anywhere on the page. */

import type { ReactNode } from 'react';
import { useEffect, useRef, useState } from 'react';
import { useSay } from '../../i18n/say.ts';
import { OVERVIEW_WORDS } from './words.ts';

const DELAY_MS = 200;
const CHARACTERS_MAX = 128;

export function Search(props: { value: string; onChange: (text: string) => void }): ReactNode {
  const { value, onChange } = props;
  const say = useSay(OVERVIEW_WORDS);
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // From outside: back, a link.
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
      const { activeElement } = document;
      const isTyping = activeElement?.matches('input, textarea, select') === true;
      if (isTyping || document.querySelector('dialog[open]') !== null) return;
      event.preventDefault();
      field.current?.focus();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = (text: string): void => {
    setTyped(text);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(text), DELAY_MS);
  };
  return (
    <input
      ref={field}
      id="search"
      type="search"
      maxLength={CHARACTERS_MAX}
      autoComplete="off"
      aria-label={say('search_devices')}
      placeholder={say('search_devices')}
      value={typed}
      onChange={({ target }) => type(target.value)}
    />
  );
}
