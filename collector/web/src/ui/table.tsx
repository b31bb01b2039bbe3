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
  /** For styles and tests. */
  attributesOf?: (row: Row) => Record<`data-${string}`, string>;
}): ReactNode {
  const { label, columns, rows, keyOf, attributesOf } = props;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section className="table-frame" aria-label={label} tabIndex={0}>
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
              {columns.map(({ key, isNumber, cell }) => (
                <td key={key} className={isNumber === true ? 'number' : undefined}>
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
