/** One of some, or any: a filter above a list. */

import type { ReactNode } from 'react';

/** A value that is not among the options is there all the same: the address says it. */
export function Select(props: {
  label: string;
  name: string;
  value: string;
  options: readonly (readonly [value: string, text: string])[];
  /** Text of no choice. */
  any: string;
  onChange: (value: string) => void;
}): ReactNode {
  const { label, name, value, options, any, onChange } = props;
  const isKnown = value === '' || options.some(([known]) => known === value);
  return (
    <label className="field">
      <span>{label}</span>
      <select name={name} value={value} onChange={({ target }) => onChange(target.value)}>
        <option value="">{any}</option>
        {isKnown ? null : <option value={value}>{value}</option>}
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}
