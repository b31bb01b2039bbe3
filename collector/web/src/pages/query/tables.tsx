/** What there is to ask: tables and their columns, with what they mean. */

import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { ask } from '../../api/client.ts';
import { usePreferences } from '../../app/preferences.tsx';
import { formatCount } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Resource } from '../../ui/states.tsx';
import styles from './page.module.css';
import type { TableInfo } from './types.ts';
import { QUERY_WORDS } from './words.ts';

export function Tables({ onInsert }: { onInsert: (text: string) => void }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const { language } = usePreferences();
  const query = useQuery({
    queryKey: ['query', 'tables', language],
    queryFn: ({ signal }) => ask<{ items: TableInfo[] }>('query/tables', { language }, { signal }),
    staleTime: 60_000,
  });
  return (
    <section className="panel">
      <h2>{say('tables')}</h2>
      <Resource query={query}>
        {({ items }) => (
          <ul className={styles.list}>
            {items.map((table) => (
              <li key={table.table}>
                <TableEntry table={table} onInsert={onInsert} />
              </li>
            ))}
          </ul>
        )}
      </Resource>
    </section>
  );
}

function TableEntry(props: { table: TableInfo; onInsert: (text: string) => void }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const { language } = usePreferences();
  const { table: name, comment, rows, columns } = props.table;
  const entry = (text: string, note: string): ReactNode => (
    <button
      type="button"
      className={styles.plain}
      title={say('insert', { name: text })}
      onClick={() => props.onInsert(text)}
    >
      <code>{text}</code> <small className="note">{note}</small>
    </button>
  );
  return (
    <details data-table={name}>
      <summary>
        <code>{name}</code>{' '}
        {rows === null ? null : (
          <small className="note">{say('rows_count', { rows: formatCount(rows, language) })}</small>
        )}
      </summary>
      {comment === '' ? null : <p className="note">{comment}</p>}
      <ul className={styles.list} aria-label={say('columns_of', { table: name })}>
        <li>{entry(name, '')}</li>
        {columns.map((column) => (
          <li key={column.name}>
            {entry(column.name, column.type)}
            {column.comment === '' ? null : <small className="note"> {column.comment}</small>}
          </li>
        ))}
      </ul>
    </details>
  );
}
