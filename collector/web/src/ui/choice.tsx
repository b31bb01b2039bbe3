/** One of a few, as buttons beside each other. */

import type { ReactNode } from 'react';

export interface Option<T extends string> {
  value: T;
  text: string;
  /** Of the text, where it is not the page's. */
  lang?: string;
}

export function Choice<T extends string>(props: {
  label: string;
  options: readonly Option<T>[];
  value: T | undefined;
  onChange: (value: T) => void;
}): ReactNode {
  const { label, options, value, onChange } = props;
  return (
    <fieldset className="choice" aria-label={label}>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          lang={option.lang}
          data-value={option.value}
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
        >
          {option.text}
        </button>
      ))}
    </fieldset>
  );
}
