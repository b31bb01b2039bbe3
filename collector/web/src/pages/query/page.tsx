/** SQL by hand: reads only, bounded by the collector; the result as table and chart. */

import type { ReactNode } from 'react';
import { useRef, useState } from 'react';
import { useLocation, useSearch } from 'wouter';
import { usePreferences } from '../../app/preferences.tsx';
import { errorWords } from '../../i18n/error_words.ts';
import { formatCount, formatDuration } from '../../i18n/format.ts';
import { useSay } from '../../i18n/say.ts';
import { Shape } from '../../ui/mark.tsx';
import { EXAMPLES } from './examples.ts';
import { earlierQueries, keepQuery } from './history.ts';
import styles from './page.module.css';
import { Result } from './result_view.tsx';
import type { Runner } from './run.ts';
import { useRunner } from './run.ts';
import { Tables } from './tables.tsx';
import { QUERY_WORDS } from './words.ts';

/** Addresses have their bounds, too: a longer query does not travel in them. */
const ADDRESS_CHARS_MAX = 4_000;

export default function QueryPage(): ReactNode {
  const say = useSay(QUERY_WORDS);
  const search = useSearch();
  const [, navigate] = useLocation();
  const [sql, setSql] = useState(
    () => new URLSearchParams(search).get('sql') ?? EXAMPLES[0]?.sql ?? '',
  );
  const runner = useRunner();
  const editor = useRef<HTMLTextAreaElement>(null);
  const run = (): void => {
    if (sql.trim() === '' || runner.state.is === 'running') return;
    keepQuery(sql);
    if (sql.length <= ADDRESS_CHARS_MAX)
      navigate(`/query?${new URLSearchParams({ sql })}`, { replace: true });
    runner.run(sql);
  };
  const insert = (text: string): void => {
    const field = editor.current;
    if (field === null) return;
    const { selectionStart, selectionEnd } = field;
    setSql(sql.slice(0, selectionStart) + text + sql.slice(selectionEnd));
    field.focus();
    requestAnimationFrame(() =>
      field.setSelectionRange(selectionStart + text.length, selectionStart + text.length),
    );
  };
  return (
    <div className={styles.page}>
      <div className={styles.main}>
        <h1>{say('page_query')}</h1>
        <p className="note">{say('intro')}</p>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            run();
          }}
        >
          <label className="unseen" htmlFor="sql">
            {say('sql')}
          </label>
          <textarea
            id="sql"
            ref={editor}
            className={styles.editor}
            value={sql}
            rows={8}
            maxLength={100_000}
            spellCheck={false}
            autoCapitalize="none"
            autoComplete="off"
            onChange={({ target }) => setSql(target.value)}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
              event.preventDefault();
              run();
            }}
          />
          <p className="actions">
            <button type="submit" className="act main" disabled={runner.state.is === 'running'}>
              {say('run')}
            </button>
            <Progress runner={runner} />
            <span className="note">{say('run_help')}</span>
          </p>
        </form>
        <Outcome runner={runner} />
      </div>
      <aside className={styles.aside}>
        <Tables onInsert={insert} />
        <Examples onChoose={setSql} />
        <History key={runner.state.is} onChoose={setSql} />
      </aside>
    </div>
  );
}

function Progress({ runner }: { runner: Runner }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const { language } = usePreferences();
  if (runner.state.is !== 'running') return null;
  const { progress } = runner.state;
  const time = formatDuration(progress?.elapsed_ms ?? 0, say);
  const rows = progress?.read_rows ?? null;
  return (
    <>
      <button type="button" className="act" onClick={runner.cancel}>
        {say('cancel')}
      </button>
      <progress aria-label={say('running', { time })} />
      <span>
        {say('running', { time })}
        {rows === null ? '' : ` · ${say('rows_read', { rows: formatCount(rows, language) })}`}
      </span>
    </>
  );
}

function Outcome({ runner }: { runner: Runner }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const { state } = runner;
  return (
    <section aria-live="polite" aria-label={say('result')}>
      {state.is === 'cancelled' ? <p className="empty">{say('cancelled')}</p> : null}
      {state.is === 'failed' ? <Refused error={state.error} /> : null}
      {state.is === 'done' ? <Result result={state.result} /> : null}
    </section>
  );
}

/** In the words of the store: they name the place in the text. */
function Refused({ error }: { error: unknown }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const { language } = usePreferences();
  const { message, hint } = errorWords(error, language);
  return (
    <div className="panel" role="alert">
      <p>
        <Shape level="warn" /> {say('refused')}
      </p>
      <pre className={styles.message}>{message}</pre>
      {hint === '' ? null : <p className="note">{hint}</p>}
    </div>
  );
}

function Examples({ onChoose }: { onChoose: (sql: string) => void }): ReactNode {
  const say = useSay(QUERY_WORDS);
  return (
    <section className="panel">
      <h2>{say('examples')}</h2>
      <ul className={styles.list}>
        {EXAMPLES.map(({ title, sql }) => (
          <li key={title}>
            <button type="button" className={styles.plain} onClick={() => onChoose(sql)}>
              {say(title)}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function History({ onChoose }: { onChoose: (sql: string) => void }): ReactNode {
  const say = useSay(QUERY_WORDS);
  const kept = earlierQueries();
  return (
    <details className="panel">
      <summary>{say('history')}</summary>
      {kept.length === 0 ? <p className="note">{say('no_history')}</p> : null}
      <ul className={styles.list}>
        {kept.map((sql) => (
          <li key={sql}>
            <button type="button" className={styles.plain} onClick={() => onChoose(sql)}>
              <code>{sql.length > 200 ? `${sql.slice(0, 200)}…` : sql}</code>
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
