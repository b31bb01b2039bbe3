/** A table that says what its columns are, also where it is too narrow for them (styles: .table-frame). */

import type { ReactNode } from 'react';

export interface Column<Row> {
  key: string;
  head: string;
  isNumber?: boolean;
  cell: (row: Row) => ReactNode;
}

export function Table<Row>(props: {
  /** What it is, for screen readers. */
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** On a phone each row is a card with its cells beneath each other: for rows with buttons or long texts. */
  isCards?: boolean;
  /** For styles and tests. */
  attributesOf?: (row: Row) => Record<`data-${string}`, string>;
}): ReactNode {
  const { label, columns, rows, keyOf, attributesOf, isCards = false } = props;
  return (
    <section
      className={isCards ? 'table-frame cards' : 'table-frame'}
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
      tabIndex={0}
    >
      <table>
        <thead>
          <tr>
            {columns.map(({ key, head, isNumber }) => (
              <th key={key} scope="col" className={isNumber === true ? 'number' : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} {...attributesOf?.(row)}>
              {columns.map(({ key, head, isNumber, cell }) => (
                <td
                  key={key}
                  className={isNumber === true ? 'number' : undefined}
                  data-head={isCards ? head : undefined}
                >
                  {cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
